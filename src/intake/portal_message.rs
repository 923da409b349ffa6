//! The portal's message, in whichever of its forms, as an action run.
//!
//! The forms differ in where things stand, not in what they mean; so each thing is looked for at
//! every place where a form has it, the more telling place first.

use serde_json::{Map, Value};

use super::invocation::{invocation_of, is_for_agent};
use crate::domain::action_run::RunKind;
use crate::domain::{ActionId, ActionRun, Invocation, Operation, RunId, User};

/// Why a body is no action run. A full sentence for the sender.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("This is no action run: {0}.")]
pub struct NotAnActionRun(String);

/// Where a run's id stands.
const RUN_ID: &[&str] =
    &["/run/id", "/context/runId", "/runId", "/port_context/runId", "/port_context/run_id"];
/// Where an action's identifier stands.
const ACTION: &[&str] = &["/action", "/action/identifier", "/payload/action/identifier"];
/// Where the inputs stand.
const INPUTS: &[&str] = &["/inputs", "/properties", "/payload/properties"];
/// Where the names of encrypted inputs stand.
const ENCRYPTED: &[&str] = &[
    "/payload/censoredProperties",
    "/censoredProperties",
    "/encrypted",
    "/action/encryptedProperties",
];
/// Where the entity that the action ran on stands, whole or as its identifier.
const ENTITY: &[&str] = &["/payload/entity", "/entity", "/context/entity"];

/// The action of a workflow node that names none: no template has it, and its run is told so.
const NODE_WITHOUT_ACTION: &str = "workflow_node";
/// The action of a message that names none, and that is only passed on.
const DELIVERY_WITHOUT_ACTION: &str = "delivery";

/// Whether a message says that something of the catalog has changed.
pub fn is_change_log(body: &[u8]) -> bool {
    let message: Value = serde_json::from_slice(body).unwrap_or_default();
    ["diff", "changelogDestination"].iter().any(|name| message.get(name).is_some())
}

/// Reads a message that came by webhook or by Kafka.
pub fn parse_portal_message(body: &[u8]) -> Result<ActionRun, NotAnActionRun> {
    let message = serde_json::from_slice(body)
        .map_err(|error| NotAnActionRun(format!("the body is no JSON ({error})")))?;
    parse_portal_run(&message)
}

/// Reads a message, or a run as the polling API hands it out.
pub fn parse_portal_run(message: &Value) -> Result<ActionRun, NotAnActionRun> {
    if !message.is_object() {
        return Err(NotAnActionRun("the body is no JSON object".to_owned()));
    }
    // A claimed run carries the evaluated invocation; the message is the invocation's body.
    let claimed = ["/payload", "/config", "/node/config"].iter().find_map(|place| {
        message.pointer(place).filter(|method| method.get("type").is_some_and(Value::is_string))
    });
    match claimed {
        Some(method) => claimed_run(message, method),
        None => envelope(message),
    }
}

fn envelope(message: &Value) -> Result<ActionRun, NotAnActionRun> {
    let mut parts = vec![message];
    // What the author mapped may lie beside what the portal adds.
    parts.extend(message.get("body").filter(|body| body.is_object()));
    let parts = Parts(parts);
    let id = run_id(parts.text(RUN_ID), RUN_ID)?;
    let method = message.pointer("/payload/action/invocationMethod").unwrap_or(&Value::Null);
    action_run(&parts, id, method, &without_signature(message, method))
}

fn claimed_run(run: &Value, method: &Value) -> Result<ActionRun, NotAnActionRun> {
    let places = &["/id", "/identifier"];
    let id = run_id(Parts(vec![run]).text(places), places)?;
    let body = ["body", "payload"].iter().find_map(|name| method.get(name));
    let mut parts: Vec<_> = body.filter(|body| body.is_object()).into_iter().collect();
    parts.push(run);
    // A body that was made for a v1 backend may carry the invocation that is meant.
    let inner = body.and_then(|body| body.pointer("/payload/action/invocationMethod"));
    let inner =
        inner.filter(|inner| !matches!(inner["type"].as_str(), None | Some("WEBHOOK" | "KAFKA")));
    match (method.get("type").and_then(Value::as_str), inner) {
        (Some("WEBHOOK" | "KAFKA"), Some(inner)) => {
            action_run(&Parts(parts), id, inner, body.unwrap_or(run))
        }
        _ if is_for_agent(method) => {
            let message = for_mapping(&id, method, run);
            action_run(&Parts(parts), id, method, &message)
        }
        _ => action_run(&Parts(parts), id, method, body.unwrap_or(run)),
    }
}

/// A claimed run in the form in which Port's agent hands it to its mapping file
/// (`polling_to_webhook_processor.py`): that of a message from Kafka.
fn for_mapping(id: &RunId, method: &Value, run: &Value) -> Value {
    let invocation = serde_json::json!({
        "type": method["type"],
        "url": method["url"],
        "synchronized": method.get("synchronized").unwrap_or(&Value::Bool(false)),
        "method": method.get("method").and_then(Value::as_str).unwrap_or("POST"),
        "headers": method.get("headers").cloned().unwrap_or_else(|| serde_json::json!({})),
    });
    let mut message = match method.get("body") {
        Some(Value::Object(body)) => body.clone(),
        Some(body) => Map::from_iter([("body".to_owned(), body.clone())]),
        None => Map::new(),
    };
    message.insert("headers".to_owned(), invocation["headers"].clone());
    let within = |object: Option<Value>, name: &str, value: Value| {
        let mut object = object.unwrap_or_default();
        if !object.is_object() {
            object = serde_json::json!({});
        }
        object[name] = value;
        object
    };
    let payload = message.get("payload").cloned();
    let action = payload.as_ref().and_then(|payload| payload.get("action")).cloned();
    let action = within(action, "invocationMethod", invocation);
    message.insert("payload".to_owned(), within(payload, "action", action));
    let mut context = within(message.get("context").cloned(), "runId", Value::from(id.as_str()));
    if let Some(config) = run.get("config") {
        context["nodeConfig"] = config.clone();
    }
    message.insert("context".to_owned(), context);
    Value::Object(message)
}

fn action_run(
    parts: &Parts<'_>,
    id: RunId,
    method: &Value,
    message: &Value,
) -> Result<ActionRun, NotAnActionRun> {
    let kind =
        if id.as_str().starts_with("wfnr_") { RunKind::WorkflowNode } else { RunKind::Action };
    let delivers = is_for_agent(method);
    let action = match parts.text(ACTION) {
        Some(identifier) => identifier,
        None if delivers && kind == RunKind::Action => DELIVERY_WITHOUT_ACTION,
        None if kind == RunKind::WorkflowNode => {
            parts.text(&["/nodeUid"]).unwrap_or(NODE_WITHOUT_ACTION)
        }
        None => return Err(missing("an action", ACTION)),
    };
    let action = ActionId::new(action).map_err(|error| NotAnActionRun(error.to_string()))?;
    let inputs = match parts.inputs() {
        // What is only passed on may look as its author likes.
        Err(_) if delivers => Map::new(),
        inputs => inputs?,
    };
    let encrypted = parts.encrypted();
    let invocation: Invocation = invocation_of(method, &inputs, message);
    Ok(ActionRun {
        id,
        kind,
        action,
        action_title: parts.text(&["/payload/action/title", "/action/title"]).map(str::to_owned),
        operation: parts.operation(),
        entity: parts.entity(),
        user: parts.user(),
        organization: parts.text(&["/trigger/by/orgId"]).map(str::to_owned),
        inputs,
        encrypted,
        invocation,
    })
}

/// The message without Kafka's signature. Its other headers are for who it is delivered to.
fn without_signature(message: &Value, method: &Value) -> Value {
    let mut message = message.clone();
    let Some(members) = message.as_object_mut() else { return message };
    if !is_for_agent(method) || method["type"] == "GITLAB" {
        members.shift_remove("headers");
    } else if let Some(headers) = members.get_mut("headers").and_then(Value::as_object_mut) {
        headers.shift_remove("X-Port-Signature");
        headers.shift_remove("X-Port-Timestamp");
    }
    message
}

fn run_id(found: Option<&str>, places: &[&str]) -> Result<RunId, NotAnActionRun> {
    let id = found.ok_or_else(|| missing("a run id", places))?;
    let id = RunId::new(id).map_err(|error| NotAnActionRun(error.to_string()))?;
    if id.is_part() {
        return Err(NotAnActionRun(format!("run id {id:?} is not usable: it has a point")));
    }
    Ok(id)
}

fn missing(what: &str, places: &[&str]) -> NotAnActionRun {
    let places: Vec<String> =
        places.iter().map(|place| format!("`{}`", place[1..].replace('/', "."))).collect();
    NotAnActionRun(format!("{what} stands at none of {}", places.join(", ")))
}

/// The objects in which things are looked for, in this order.
struct Parts<'a>(Vec<&'a Value>);

impl<'a> Parts<'a> {
    /// What stands at these places and is not null.
    fn all(&self, places: &[&str]) -> impl Iterator<Item = &'a Value> {
        let found = self.0.iter().flat_map(|part| places.iter().map(|place| part.pointer(place)));
        let found: Vec<_> = found.flatten().filter(|value| !value.is_null()).collect();
        found.into_iter()
    }

    fn text(&self, places: &[&str]) -> Option<&'a str> {
        self.all(places).filter_map(Value::as_str).find(|text| !text.is_empty())
    }

    fn inputs(&self) -> Result<Map<String, Value>, NotAnActionRun> {
        match self.all(INPUTS).next() {
            None => Ok(Map::new()),
            Some(Value::Object(inputs)) => Ok(inputs.clone()),
            Some(_) => Err(NotAnActionRun("the inputs are no JSON object".to_owned())),
        }
    }

    fn encrypted(&self) -> Vec<String> {
        let lists = self.all(ENCRYPTED).filter_map(Value::as_array);
        let mut names: Vec<String> =
            lists.flatten().filter_map(Value::as_str).map(str::to_owned).collect();
        names.sort();
        names.dedup();
        names
    }

    fn operation(&self) -> Option<Operation> {
        let word = self.text(&["/payload/action/trigger", "/trigger/operation"])?;
        serde_json::from_value(Value::from(word)).ok()
    }

    /// The whole entity, else one that has only an identifier. `{}` is how the portal says none.
    fn entity(&self) -> Option<Value> {
        let identifier = self.text(ENTITY);
        let whole = self.all(ENTITY).find(|value| value.as_object().is_some_and(|e| !e.is_empty()));
        let Some(whole) = whole else {
            return identifier.map(|identifier| serde_json::json!({"identifier": identifier}));
        };
        let mut whole = whole.clone();
        if let (Some(identifier), None) = (identifier, whole.get("identifier")) {
            whole["identifier"] = Value::from(identifier);
        }
        Some(whole)
    }

    fn user(&self) -> User {
        let text = |places: &[&str]| self.text(places).map(str::to_owned);
        let names = ["/trigger/by/user/firstName", "/trigger/by/user/lastName"];
        let names: Vec<&str> = names.iter().filter_map(|place| self.text(&[place])).collect();
        User {
            id: text(&["/trigger/by/userId", "/trigger/by/user/id"]),
            email: text(&["/trigger/by/user/email"]),
            name: Some(names.join(" ")).filter(|name| !name.is_empty()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parsed(message: &Value) -> ActionRun {
        parse_portal_run(message).unwrap()
    }

    #[test]
    fn the_body_that_towpath_writes_into_its_actions_is_read() {
        let run = parsed(
            &json!({"action": "add_documentdb", "run": {"id": "r_1"}, "inputs": {"name": "orders"},
            "entity": {}, "encrypted": ["password"], "trigger": {"operation": "DAY-2", "by": {"orgId": "org_1",
            "userId": "u", "user": {"email": "a@b.c", "firstName": "Ada", "lastName": "L"}}}}),
        );
        assert_eq!(
            (run.id.as_str(), run.action.as_str(), run.kind),
            ("r_1", "add_documentdb", RunKind::Action)
        );
        assert_eq!((run.entity.clone(), run.operation), (None, Some(Operation::Day2)));
        assert_eq!((run.user.email.as_deref(), run.user.shown()), (Some("a@b.c"), "Ada L"));
        assert_eq!(
            (run.encrypted, run.organization.as_deref()),
            (vec!["password".to_owned()], Some("org_1"))
        );
        assert_eq!((&run.inputs["name"], run.invocation), (&json!("orders"), Invocation::Template));
    }

    #[test]
    fn each_thing_is_found_wherever_an_author_puts_it() {
        let runs = [
            json!({"run": {"id": "r_1"}}),
            json!({"context": {"runId": "r_1"}}),
            json!({"runId": "r_1"}),
            json!({"port_context": {"runId": "r_1"}}),
            json!({"port_context": {"run_id": "r_1"}}),
        ];
        let actions = [
            json!({"action": "a"}),
            json!({"action": {"identifier": "a"}}),
            json!({"payload": {"action": {"identifier": "a"}}}),
        ];
        let inputs = [json!({"inputs": {"x": 1}}), json!({"properties": {"x": 1}})];
        for ((run, action), inputs) in runs
            .iter()
            .flat_map(|r| actions.iter().map(move |a| (r, a)))
            .flat_map(|pair| inputs.iter().map(move |i| (pair, i)))
        {
            let mut message = run.clone();
            for part in [action, inputs] {
                message.as_object_mut().unwrap().extend(part.as_object().unwrap().clone());
            }
            let run = parsed(&message);
            assert_eq!(
                (run.id.as_str(), run.action.as_str(), &run.inputs["x"]),
                ("r_1", "a", &json!(1))
            );
        }
    }

    #[test]
    fn an_entity_may_be_named_described_or_absent() {
        let entity = |entity: Value| {
            parsed(&json!({"action": "a", "runId": "r_1", "entity": entity})).entity
        };
        assert_eq!(entity(json!("svc")), Some(json!({"identifier": "svc"})));
        assert_eq!(
            entity(json!({"identifier": "svc", "title": "S"})),
            Some(json!({"identifier": "svc", "title": "S"}))
        );
        assert_eq!((entity(json!({})), entity(json!("")), entity(Value::Null)), (None, None, None));
    }

    #[test]
    fn the_message_goes_into_port_payload_without_its_signature() {
        let run = parsed(
            &json!({"action": "a", "context": {"runId": "r_1"}, "headers": {"X-Port-Signature": "v1,x"},
            "payload": {"properties": {"name": "x"}, "action": {"invocationMethod":
            {"type": "GITHUB", "org": "acme", "repo": "infra", "workflow": "w.yml"}}}}),
        );
        let Invocation::Workflow(workflow) = run.invocation else { panic!() };
        assert_eq!(workflow.inputs["name"], json!("x"));
        assert_eq!(workflow.inputs["port_payload"]["context"]["runId"], json!("r_1"));
        assert_eq!(workflow.inputs["port_payload"].get("headers"), None);
    }

    #[test]
    fn what_is_no_action_run_is_refused_with_the_reason() {
        for (body, reason) in [
            ("", "no JSON"),
            ("[]", "no JSON object"),
            ("{}", "a run id stands at none of `run.id`, `context.runId`"),
            (r#"{"runId": "r_1"}"#, "an action stands at none of"),
            (r#"{"runId": "r 1", "action": "a"}"#, "run id \"r 1\" is not usable"),
            (r#"{"runId": "r_1", "action": "a b"}"#, "action \"a b\" is not usable"),
            (r#"{"runId": "r_1", "action": "a", "inputs": [1]}"#, "the inputs are no JSON object"),
        ] {
            let refused = parse_portal_message(body.as_bytes()).unwrap_err().to_string();
            assert!(refused.contains(reason), "{refused}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_body_makes_it_panic(body in ".*") {
            let _ = parse_portal_message(body.as_bytes());
            let message = json!({"runId": body, "action": body, "inputs": body, "entity": body, "payload": body});
            let _ = parse_portal_run(&message);
        }
    }
}
