//! Blueprints and actions in Port's form, and the calls that read and write them.

use reqwest::Method;
use serde_json::{Map, Value, json};

use super::transport::Call;
use super::{Error, Port};
use crate::domain::{ActionId, BlueprintId, Operation};

/// What an action is, before it has Port's form.
#[derive(Debug, Clone)]
pub struct ActionDefinition<'a> {
    /// Its identifier.
    pub id: &'a ActionId,
    /// What people read.
    pub title: String,
    /// What people read below it.
    pub description: Option<&'a str>,
    /// What it does, as Port's form sees it: a create on another thing is a day-2 action of that.
    pub operation: Operation,
    /// Whose entities it runs on, or which it makes.
    pub blueprint: Option<BlueprintId>,
    /// Its inputs in the order of the form: name, JSON Schema, and what stands in the form first.
    pub inputs: Vec<(&'a str, &'a Value, First)>,
    /// The names of those that must be filled in.
    pub required: Vec<&'a str>,
    /// What a property of the entity must be for the action to be offered: other templates make
    /// entities of this blueprint too.
    pub only_where: Vec<(&'a str, &'a Value)>,
    /// `true`, `false`, or `{"type": "ANY"}`.
    pub approval: Value,
    /// Where its runs are sent.
    pub url: &'a str,
}

/// What stands in a field of a form before anybody has typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum First {
    /// The schema's default.
    Default,
    /// What the entity has in this property.
    Property(String),
    /// Nothing: a default would set back what somebody has chosen.
    Nothing,
}

/// Port's most for a blueprint's title and description, in characters (API description).
const TITLE: usize = 100;
const DESCRIPTION: usize = 200;

/// The formats of Port that JSON Schema has too, by JSON Schema's name.
const FORMATS: [(&str, &str); 6] = [
    ("uri", "url"),
    ("url", "url"),
    ("email", "email"),
    ("ipv4", "ipv4"),
    ("ipv6", "ipv6"),
    ("date-time", "date-time"),
];
/// Formats that only Port has, and that a template may name.
const OWN_FORMATS: [&str; 7] =
    ["yaml", "markdown", "multi-line", "user", "team", "entity", "timer"];
/// Those of them that a property of a blueprint can have.
pub const OF_PROPERTIES: [&str; 10] =
    ["url", "email", "ipv4", "ipv6", "date-time", "yaml", "markdown", "user", "team", "timer"];

/// Keywords that mean the same in JSON Schema and in Port's inputs.
const SHARED: [&str; 13] = [
    "title",
    "description",
    "enum",
    "pattern",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "minItems",
    "maxItems",
    "uniqueItems",
];

/// An action as `POST /v1/actions` takes it. Its body is the one that the intake reads as its own.
pub fn action(of: &ActionDefinition<'_>) -> Value {
    let mut properties = Map::new();
    for (name, schema, first) in &of.inputs {
        properties.insert((*name).to_owned(), input(schema, first));
    }
    let order: Vec<&str> = of.inputs.iter().map(|(name, ..)| *name).collect();
    let operation = match of.operation {
        Operation::Create => "CREATE",
        Operation::Day2 => "DAY-2",
        Operation::Delete => "DELETE",
    };
    let mut trigger = json!({
        "type": "self-service",
        "operation": operation,
        "userInputs": {"properties": properties, "required": of.required, "order": order},
    });
    if let Some(blueprint) = &of.blueprint {
        trigger["blueprintIdentifier"] = blueprint.as_str().into();
    }
    if !of.only_where.is_empty() {
        let rule = |(name, value)| json!({"property": name, "operator": "=", "value": value});
        let rules: Value = of.only_where.iter().copied().map(rule).collect();
        trigger["condition"] = json!({"type": "SEARCH", "combinator": "and", "rules": rules});
    }
    let mut action = json!({
        "identifier": of.id,
        "title": of.title,
        "trigger": trigger,
        "invocationMethod": {
            "type": "WEBHOOK",
            "url": of.url,
            "agent": false,
            "synchronized": false,
            "method": "POST",
            "body": {
                "action": "{{ .action.identifier }}",
                "run": {"id": "{{ .run.id }}"},
                "inputs": "{{ .inputs }}",
                "entity": "{{ .entity }}",
                "trigger": "{{ .trigger }}",
                "encrypted": "{{ .action.encryptedProperties }}",
            },
        },
        "requiredApproval": of.approval,
    });
    if let Some(description) = of.description {
        action["description"] = description.into();
    }
    action
}

/// An input of JSON Schema in Port's words. What Port cannot say is left to the guardrails.
fn input(schema: &Value, first: &First) -> Value {
    let mut input = json!({ "type": kind(schema) });
    for keyword in SHARED {
        if let Some(value) = schema.get(keyword) {
            input[keyword] = value.clone();
        }
    }
    match (first, schema.get("default")) {
        (First::Default, Some(value)) => input["default"] = value.clone(),
        (First::Property(name), _) => {
            input["default"] = json!({"jqQuery": format!(".entity.properties.\"{name}\"")});
        }
        _ => {}
    }
    if let Some(format) = format(schema) {
        // Who picks a time types nothing, and a timer is counted down in the catalog only.
        let is_time = matches!(format, "date-time" | "timer");
        input["format"] = if is_time { "date-time" } else { format }.into();
        if is_time && let Some(input) = input.as_object_mut() {
            input.remove("pattern");
        }
    }
    if let Some(items) = schema.get("items").filter(|items| items.is_object()) {
        input["items"] = self::input(items, &First::Nothing);
    }
    if schema["secret"] == true {
        // Port seals the value with the client secret, and never shows it again.
        input["encryption"] = "aes256-gcm".into();
        if let Some(input) = input.as_object_mut() {
            input.remove("default");
        }
    }
    input
}

/// Port's format of what a JSON Schema describes, where it has one.
pub fn format(schema: &Value) -> Option<&'static str> {
    let format = schema.get("format")?.as_str()?;
    let shared = FORMATS.iter().find(|(name, _)| *name == format).map(|(_, port)| *port);
    shared.or_else(|| OWN_FORMATS.iter().copied().find(|own| *own == format))
}

/// Port's type of what a JSON Schema describes.
pub fn kind(schema: &Value) -> &'static str {
    let named = |kind: &str| match kind {
        "integer" | "number" => Some("number"),
        "boolean" => Some("boolean"),
        "array" => Some("array"),
        "object" => Some("object"),
        "string" => Some("string"),
        _ => None,
    };
    let said = match &schema["type"] {
        Value::String(kind) => named(kind),
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).find_map(named),
        _ => None,
    };
    let example = schema["enum"].get(0).or_else(|| schema.get("default"));
    said.or_else(|| example.map(kind_of)).unwrap_or("string")
}

/// Port's type of a value.
pub fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Number(_) => "number",
        Value::Bool(_) => "boolean",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
        Value::String(_) | Value::Null => "string",
    }
}

/// A blueprint as `POST /v1/blueprints` takes it. Properties and relations are in Port's form.
pub fn blueprint(
    id: &BlueprintId,
    title: &str,
    description: Option<&str>,
    properties: &Map<String, Value>,
    relations: &Map<String, Value>,
) -> Value {
    let mut blueprint = json!({
        "identifier": id,
        "title": cut(title, TITLE),
        "schema": {"properties": properties, "required": []},
        "relations": relations,
        "mirrorProperties": {},
        "calculationProperties": {},
        "aggregationProperties": {},
    });
    if let Some(description) = description {
        blueprint["description"] = cut(description, DESCRIPTION).into();
    }
    blueprint
}

fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}

/// The two kinds of definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Definition {
    /// What the catalog is made of.
    Blueprint,
    /// What people can do.
    Action,
}

impl Definition {
    /// In the path of a call.
    fn plural(self) -> &'static str {
        match self {
            Self::Blueprint => "blueprints",
            Self::Action => "actions",
        }
    }

    /// In an answer, and for people.
    pub fn singular(self) -> &'static str {
        match self {
            Self::Blueprint => "blueprint",
            Self::Action => "action",
        }
    }

    /// What Port adds by itself, and takes from nobody.
    fn is_its_own(self, key: &str) -> bool {
        match self {
            Self::Blueprint => matches!(key, "createdAt" | "createdBy" | "updatedAt" | "updatedBy"),
            Self::Action => !matches!(
                key,
                "identifier"
                    | "title"
                    | "icon"
                    | "description"
                    | "trigger"
                    | "invocationMethod"
                    | "requiredApproval"
                    | "approvalNotification"
                    | "publish"
                    | "allowAnyoneToViewRuns"
            ),
        }
    }
}

impl Port {
    /// A definition as it stands in Port, without what Port adds by itself.
    pub async fn definition(&self, what: Definition, id: &str) -> Result<Option<Value>, Error> {
        let call = Call::new(Method::GET, [what.plural(), id]);
        let mut answer: Map<String, Value> = match self.transport.read(call).await {
            Err(Error::NotFound(_)) => return Ok(None),
            answer => answer?,
        };
        let mut found = answer.remove(what.singular()).unwrap_or_default();
        if let Some(found) = found.as_object_mut() {
            found.retain(|key, _| !what.is_its_own(key));
        }
        Ok(Some(found))
    }

    /// Makes a definition.
    pub async fn create_definition(&self, what: Definition, body: Value) -> Result<(), Error> {
        self.transport.write(Call::new(Method::POST, [what.plural()]).body(body)).await
    }

    /// Replaces a definition.
    pub async fn replace_definition(
        &self,
        what: Definition,
        id: &str,
        body: Value,
    ) -> Result<(), Error> {
        self.transport.write(Call::new(Method::PUT, [what.plural(), id]).body(body)).await
    }
}

/// What shall stand in Port, of what stands there and what the templates say. Of a blueprint,
/// properties and relations that people added stay; of an action, its trigger and its invocation
/// are the template's, and what the template does not know (an icon, who may see runs) stays.
pub fn merged(what: Definition, standing: &Value, ours: &Value) -> Value {
    let mut merged = standing.clone();
    for (key, value) in ours.as_object().into_iter().flatten() {
        match (what, key.as_str()) {
            (Definition::Blueprint, _) => over(&mut merged[key], value),
            (Definition::Action, "invocationMethod") => {
                let is_same_kind = merged[key]["type"] == value["type"];
                let mut method = if is_same_kind { merged[key].take() } else { json!({}) };
                for (name, part) in value.as_object().into_iter().flatten() {
                    method[name] = part.clone();
                }
                merged[key] = method;
            }
            (Definition::Action, "trigger") => {
                let mut trigger = merged[key].take();
                if !trigger.is_object() {
                    trigger = json!({});
                }
                let form = trigger["userInputs"]["properties"].take();
                for (name, part) in value.as_object().into_iter().flatten() {
                    trigger[name] = part.clone();
                }
                keep_keys(&form, &mut trigger["userInputs"]["properties"]);
                merged[key] = trigger;
            }
            (Definition::Action, _) => merged[key] = value.clone(),
        }
    }
    merged
}

/// An input that is encrypted on the client's side stays so, with its key: the template only says
/// that it is secret.
fn keep_keys(standing: &Value, ours: &mut Value) {
    for (name, input) in ours.as_object_mut().into_iter().flatten() {
        let encryption = &standing[name.as_str()]["encryption"];
        if encryption["algorithm"] == "client-side" && input.get("encryption").is_some() {
            input["encryption"] = encryption.clone();
        }
    }
}

/// Puts `ours` over what stands, map by map. An empty map or list says nothing.
fn over(standing: &mut Value, ours: &Value) {
    match (standing, ours) {
        (Value::Object(standing), Value::Object(ours)) => {
            for (key, value) in ours {
                over(standing.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (Value::Array(_), Value::Array(ours)) if ours.is_empty() => {}
        (standing, ours) => *standing = ours.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_is_said_in_port_s_words() {
        let schema = json!({"type": "integer", "minimum": 1, "default": 2, "title": "N", "x": 1});
        assert_eq!(
            input(&schema, &First::Default),
            json!({"type": "number", "title": "N", "default": 2, "minimum": 1})
        );
        assert_eq!(
            input(&schema, &First::Property("n".to_owned()))["default"],
            json!({"jqQuery": ".entity.properties.\"n\""})
        );
        let secret = json!({"type": "string", "secret": true, "default": "x"});
        assert_eq!(
            input(&secret, &First::Default),
            json!({"type": "string", "encryption": "aes256-gcm"})
        );
        assert_eq!(
            input(&json!({"type": "string", "format": "uri"}), &First::Default)["format"],
            "url"
        );
        assert_eq!(input(&json!({"enum": [1, 2]}), &First::Default)["type"], "number");
        assert_eq!(
            input(&json!({"type": "string", "format": "timer", "pattern": "Z$"}), &First::Default),
            json!({"type": "string", "format": "date-time"})
        );
    }

    #[test]
    fn what_people_added_stays_and_what_they_changed_is_put_right() {
        let standing = json!({"title": "Mine", "icon": "Cloud", "schema": {"properties": {"a": {"type": "string"}, "mine": {}}, "required": ["a"]}});
        let ours = json!({"title": "Ours", "schema": {"properties": {"a": {"type": "string", "title": "A"}}, "required": []}});
        assert_eq!(
            merged(Definition::Blueprint, &standing, &ours),
            json!({"title": "Ours", "icon": "Cloud", "schema": {"properties": {"a": {"type": "string", "title": "A"}, "mine": {}}, "required": ["a"]}})
        );
        let key = json!({"algorithm": "client-side", "key": "PEM"});
        let form = |encryption: &Value| json!({"trigger": {"userInputs": {"properties": {"token": {"encryption": encryption}, "name": {}}}}});
        let standing = form(&key);
        assert_eq!(merged(Definition::Action, &standing, &form(&json!("aes256-gcm"))), standing);
        let standing = json!({"icon": "Cloud", "trigger": {"type": "self-service", "condition": 1, "userInputs": {"properties": {"old": {}}}}, "invocationMethod": {"type": "KAFKA", "payload": 1}});
        let ours = json!({"trigger": {"userInputs": {"properties": {}}}, "invocationMethod": {"type": "WEBHOOK"}});
        assert_eq!(
            merged(Definition::Action, &standing, &ours),
            json!({"icon": "Cloud", "trigger": {"type": "self-service", "condition": 1, "userInputs": {"properties": {}}}, "invocationMethod": {"type": "WEBHOOK"}})
        );
    }
}
