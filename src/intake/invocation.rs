//! What a portal's message wants done: what the template says, or the workflow that it names.

use serde_json::{Map, Value};

use crate::domain::{Delivery, Invocation, RepositoryName, WorkflowInvocation};

/// What a message's `invocationMethod` means. `KAFKA`, and `WEBHOOK` without an agent, only say how
/// the message came.
pub(super) fn invocation_of(
    method: &Value,
    inputs: &Map<String, Value>,
    message: &Value,
) -> Invocation {
    let kind = method.get("type").and_then(Value::as_str).unwrap_or("WEBHOOK");
    let asked = match kind {
        "WEBHOOK" | "GITLAB" if is_for_agent(method) => {
            return Invocation::Delivery(Delivery { message: message.clone() });
        }
        "WEBHOOK" | "KAFKA" => return Invocation::Template,
        "GITHUB" => github_workflow(method, inputs, message),
        "INTEGRATION_ACTION" => integration_workflow(method),
        other => Err(other.to_owned()),
    };
    asked.map_or_else(Invocation::Unsupported, Invocation::Workflow)
}

/// Whether a message is for an address inside the network: the one that it names, or GitLab's.
pub(super) fn is_for_agent(method: &Value) -> bool {
    let names_address = method["url"].is_string() || method["type"] == "GITLAB";
    is_true(method.get("agent")) && names_address
}

/// `GITHUB`: with `workflowInputs` (v2) the author says what is sent; without (v1), everything is.
fn github_workflow(
    method: &Value,
    user_inputs: &Map<String, Value>,
    message: &Value,
) -> Result<WorkflowInvocation, String> {
    if let Some(exactly) = method.get("workflowInputs").and_then(Value::as_object) {
        return workflow("GITHUB", method, exactly.clone());
    }
    let mut inputs = Map::new();
    if !is_true(method.get("omitUserInputs")) {
        inputs.extend(user_inputs.clone());
    }
    if !is_true(method.get("omitPayload")) {
        inputs.insert("port_payload".to_owned(), message.clone());
    }
    workflow("GITHUB", method, inputs)
}

fn integration_workflow(method: &Value) -> Result<WorkflowInvocation, String> {
    let named = ["integrationActionType", "integrationInvocationType"];
    let action = named.iter().find_map(|name| method.get(name)?.as_str()).unwrap_or_default();
    if action != "dispatch_workflow" {
        return Err(format!("INTEGRATION_ACTION {action}"));
    }
    let properties = method.get("integrationActionExecutionProperties").unwrap_or(&Value::Null);
    let inputs = properties.get("workflowInputs").and_then(Value::as_object).cloned();
    workflow("INTEGRATION_ACTION dispatch_workflow", properties, inputs.unwrap_or_default())
}

/// The error says what cannot be carried out, for the person who pressed the button.
fn workflow(
    kind: &str,
    said: &Value,
    mut inputs: Map<String, Value>,
) -> Result<WorkflowInvocation, String> {
    let text = |name: &str| said.get(name).and_then(Value::as_str).unwrap_or_default();
    let repository = RepositoryName::new(text("org"), text("repo"))
        .map_err(|error| format!("{kind} ({error})"))?;
    // A workflow is named by its file or by its number.
    let named = said.get("workflow").and_then(|named| match named {
        Value::String(file) if !file.trim().is_empty() => Some(file.trim().to_owned()),
        Value::Number(id) => Some(id.to_string()),
        _ => None,
    });
    let workflow = named.ok_or_else(|| format!("{kind} (it names no workflow)"))?;
    let reference = match inputs.shift_remove("ref") {
        Some(Value::String(name)) if !name.is_empty() => Some(name),
        _ => None,
    };
    let report_status = !is_false(said.get("reportWorkflowStatus"));
    Ok(WorkflowInvocation { repository, workflow, inputs, reference, report_status })
}

/// Switches arrive as booleans, or as text where a template made them.
fn is_true(value: Option<&Value>) -> bool {
    value.is_some_and(|value| value == &Value::Bool(true) || value.as_str() == Some("true"))
}

fn is_false(value: Option<&Value>) -> bool {
    value.is_some_and(|value| value == &Value::Bool(false) || value.as_str() == Some("false"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn asked(method: &Value) -> Invocation {
        let inputs = json!({"name": "orders", "ref": "v2", "size": 3});
        let message = json!({"context": {"runId": "r_1"}});
        invocation_of(method, inputs.as_object().unwrap(), &message)
    }

    fn dispatched(method: &Value) -> WorkflowInvocation {
        match asked(method) {
            Invocation::Workflow(workflow) => workflow,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn v1_sends_the_inputs_and_the_message_unless_told_otherwise() {
        let method =
            json!({"type": "GITHUB", "org": "acme", "repo": "infra", "workflow": "deploy.yml"});
        let all = dispatched(&method);
        let message = json!({"context": {"runId": "r_1"}});
        assert_eq!(
            Value::Object(all.inputs),
            json!({"name": "orders", "size": 3, "port_payload": message})
        );
        assert_eq!((all.reference.as_deref(), all.report_status), (Some("v2"), true));

        let with = |name: &str, value: Value| {
            let mut method = method.clone();
            method[name] = value;
            dispatched(&method)
        };
        let bare = with("omitPayload", json!(true));
        assert_eq!(Value::Object(bare.inputs), json!({"name": "orders", "size": 3}));
        let payload = with("omitUserInputs", json!("true"));
        assert_eq!(payload.inputs.keys().collect::<Vec<_>>(), ["port_payload"]);
        assert!(!with("reportWorkflowStatus", json!("false")).report_status);
    }

    #[test]
    fn v2_sends_exactly_what_the_author_says() {
        let exact =
            dispatched(&json!({"type": "GITHUB", "org": "acme", "repo": "infra", "workflow": 42,
            "reportWorkflowStatus": false, "workflowInputs": {"a": {"b": 1}, "ref": "main"}}));
        assert_eq!(Value::Object(exact.inputs), json!({"a": {"b": 1}}));
        assert_eq!((exact.workflow.as_str(), exact.report_status), ("42", false));
        assert_eq!(exact.reference.as_deref(), Some("main"));
    }

    #[test]
    fn what_cannot_be_carried_out_is_named() {
        for (method, named) in [
            (json!({"type": "GITLAB"}), "GITLAB"),
            (json!({"type": "GITHUB", "org": "a b", "repo": "c", "workflow": "x.yml"}), "a b/c"),
            (json!({"type": "GITHUB", "org": "acme", "repo": "infra"}), "names no workflow"),
            (
                json!({"type": "INTEGRATION_ACTION", "integrationActionType": "trigger_pipeline"}),
                "trigger_pipeline",
            ),
        ] {
            let Invocation::Unsupported(what) = asked(&method) else { panic!("{named}") };
            assert!(what.contains(named), "{what}");
        }
    }
}
