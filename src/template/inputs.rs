//! The guardrails: what a person filled in, checked against the template before anything happens.

use serde_json::{Map, Value};

use super::context::normalized;
use super::spec::{ActionKind, ActionSpec, Template};
use crate::domain::Operation;

/// Bytes of all inputs together, as JSON. The portal's own limit for a run's message is near 1 MB.
const MOST_BYTES: usize = 256 * 1024;

/// What is wrong with an input. Never its value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{field}`: {message}")]
pub struct InputFault {
    /// Which one: `name`, `tags.owner`.
    pub field: String,
    /// What is wrong with it.
    pub message: String,
}

/// Checks what was given and fills in the schema's defaults. `before` are the inputs that the thing
/// was last made from: a day-2 change is merged over them and checked as a whole. Without `before`
/// a day-2 change checks only what was given.
pub fn check(
    template: &Template,
    action: &ActionSpec,
    given: &Map<String, Value>,
    before: Option<&Map<String, Value>>,
) -> Result<Map<String, Value>, Vec<InputFault>> {
    let given = cleaned(template, given);
    if Value::Object(given.clone()).to_string().len() > MOST_BYTES {
        let message = format!("all inputs together are larger than {MOST_BYTES} bytes");
        return Err(vec![InputFault { field: "inputs".to_owned(), message }]);
    }
    let mut faults = not_taken(action, &given);
    let mut inputs = before.map(|before| cleaned(template, before)).unwrap_or_default();
    let is_delete = action.operation == Operation::Delete;
    let given_names: Vec<String> = given.keys().cloned().collect();
    inputs.extend(given);
    let is_whole =
        action.operation == Operation::Create || action.inputs.is_none() || before.is_some();
    if is_whole && !is_delete {
        fill_defaults(&template.inputs, &mut inputs);
    } else if action.kind != ActionKind::Files {
        // No `.towpath.yml` will fill in what a workflow lists and nobody gave.
        let listed = action.inputs.as_deref().unwrap_or_default();
        fill_defaults(&template.inputs, &mut inputs);
        inputs.retain(|name, _| listed.contains(name));
    }
    if !is_delete {
        let partial = (!is_whole).then_some(given_names.as_slice());
        let secrets = if before.is_some() { template.secret_inputs() } else { Vec::new() };
        faults.extend(against_schema(template, &inputs, partial, &secrets));
    }
    if faults.is_empty() { Ok(inputs) } else { Err(faults) }
}

/// In Unicode's form C, without the empty fields that a portal's form sends as null.
fn cleaned(template: &Template, given: &Map<String, Value>) -> Map<String, Value> {
    let takes_null = |name: &str| {
        let schema = &template.inputs["properties"][name];
        let kind = schema.get("type");
        kind.is_some_and(|kind| {
            kind == "null" || kind.as_array().is_some_and(|k| k.contains(&"null".into()))
        }) || schema
            .get("enum")
            .and_then(Value::as_array)
            .is_some_and(|all| all.contains(&Value::Null))
    };
    let kept = given.iter().filter(|(name, value)| !value.is_null() || takes_null(name));
    kept.map(|(name, value)| (name.clone(), normalized(value))).collect()
}

fn not_taken(action: &ActionSpec, given: &Map<String, Value>) -> Vec<InputFault> {
    let taken: Option<&[String]> = match action.operation {
        Operation::Delete => Some(action.inputs.as_deref().unwrap_or_default()),
        _ => action.inputs.as_deref(),
    };
    let Some(taken) = taken else {
        return Vec::new();
    };
    let not_taken = given.keys().filter(|name| !taken.contains(name));
    let message = match taken {
        [] => format!("the action `{}` takes no inputs", action.id),
        _ => format!("the action `{}` takes only {}", action.id, taken.join(", ")),
    };
    not_taken.map(|field| InputFault { field: field.clone(), message: message.clone() }).collect()
}

/// Puts in what the schema has as `default`, in maps within maps too.
fn fill_defaults(schema: &Value, values: &mut Map<String, Value>) {
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, schema) in properties.into_iter().flatten() {
        if let Some(default) = schema.get("default")
            && !values.contains_key(name)
        {
            values.insert(name.clone(), normalized(default));
        }
        if let Some(Value::Object(inner)) = values.get_mut(name) {
            fill_defaults(schema, inner);
        }
    }
}

/// `partial`: the only names that were given; what else is missing is not asked for. `absent`:
/// names that cannot be there, because secrets are never kept.
fn against_schema(
    template: &Template,
    inputs: &Map<String, Value>,
    partial: Option<&[String]>,
    absent: &[&str],
) -> Vec<InputFault> {
    let value = Value::Object(inputs.clone());
    let secret = template.secret_inputs();
    let mut faults = Vec::new();
    for error in template.schema.iter_errors(&value) {
        let path = error.instance_path().to_string();
        let field = path.trim_start_matches('/').replace('/', ".");
        let message = error.masked_with("the value").to_string();
        // What stands in a secret input is ciphertext: pattern and length are those of the text.
        if secret.iter().any(|name| field.split('.').next() == Some(name)) {
            continue;
        }
        let mut say = |field: String, message: String| faults.push(InputFault { field, message });
        match error.kind() {
            jsonschema::error::ValidationErrorKind::Required { property } => {
                let name = property.as_str().unwrap_or_default();
                let is_top = field.is_empty();
                if is_top && (partial.is_some() || absent.contains(&name)) {
                    continue;
                }
                say(joined(&field, name), "is required".to_owned());
            }
            jsonschema::error::ValidationErrorKind::AdditionalProperties { unexpected } => {
                for name in unexpected {
                    say(joined(&field, name), "there is no such input".to_owned());
                }
            }
            _ if field.is_empty() => say("inputs".to_owned(), message),
            _ => say(field, message),
        }
    }
    faults
}

fn joined(field: &str, name: &str) -> String {
    if field.is_empty() { name.to_owned() } else { format!("{field}.{name}") }
}
