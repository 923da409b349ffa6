//! What a template sees: plain values, and no secret among them.

use serde_json::{Map, Value, json};

use crate::domain::{ActionRun, Operation};

/// The names at the top.
pub const ROOTS: [&str; 8] =
    ["inputs", "entity", "run", "user", "action", "org", "outputs", "loop"];
/// Of `run`.
pub const RUN: [&str; 2] = ["id", "url"];
/// Of `user`.
pub const USER: [&str; 3] = ["id", "email", "name"];
/// Of `action`.
pub const ACTION: [&str; 3] = ["identifier", "title", "operation"];

/// Builds it. `inputs` are the checked ones; those named in `secrets` are left out. What is not
/// known (an email, an organisation) is not there, so that a template that needs it says so.
pub fn context(
    request: &ActionRun,
    operation: Operation,
    title: &str,
    inputs: &Map<String, Value>,
    secrets: &[&str],
    entity: Option<&Value>,
    run_url: Option<&str>,
) -> Value {
    let inputs: Map<String, Value> = inputs
        .iter()
        .filter(|(name, _)| !secrets.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let user = &request.user;
    let mut context = json!({
        "inputs": inputs,
        "run": known([("id", Some(request.id.as_str())), ("url", run_url)]),
        "user": known([
            ("id", user.id.as_deref()),
            ("email", user.email.as_deref()),
            ("name", user.name.as_deref()),
        ]),
        "action": {
            "identifier": request.action.as_str(),
            "title": title,
            "operation": operation.as_str(),
        },
    });
    if let Some(entity) = entity.or(request.entity.as_ref()) {
        context["entity"] = normalized(entity);
    }
    if let Some(organization) = &request.organization {
        context["org"] = Value::String(organization.clone());
    }
    context
}

/// The same, with the outputs of the apply, for the entity alone.
pub fn with_outputs(context: &Value, outputs: &Map<String, Value>) -> Value {
    let mut context = context.clone();
    context["outputs"] = Value::Object(outputs.clone());
    context
}

fn known<const N: usize>(fields: [(&str, Option<&str>); N]) -> Value {
    let fields = fields.into_iter().filter_map(|(name, value)| Some((name, value?)));
    Value::Object(fields.map(|(name, value)| (name.to_owned(), value.into())).collect())
}

/// All texts of a value in Unicode's form C: Terraform reads every string in that form, so that
/// what is written is what is read back.
pub fn normalized(value: &Value) -> Value {
    use unicode_normalization::UnicodeNormalization;
    match value {
        Value::String(text) => Value::String(text.nfc().collect()),
        Value::Array(items) => items.iter().map(normalized).collect(),
        Value::Object(entries) => {
            let entries = entries.iter();
            entries.map(|(key, value)| (key.nfc().collect::<String>(), normalized(value))).collect()
        }
        other => other.clone(),
    }
}
