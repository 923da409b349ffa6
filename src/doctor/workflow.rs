//! A workflow's file beside what an action sends to it: what GitHub would refuse.

use serde_json::{Map, Value};

use super::needs::Dispatch;

/// The most inputs that GitHub takes with a dispatch.
/// <https://docs.github.com/actions/reference/workflows-and-actions/workflow-syntax#onworkflow_dispatchinputs>
const MOST_INPUTS: usize = 25;

/// What is wrong, and the way out.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) says: String,
    pub(super) remedy: String,
}

fn fault(says: impl Into<String>, remedy: impl Into<String>) -> Fault {
    Fault { says: says.into(), remedy: remedy.into() }
}

/// Everything for which a dispatch would be refused.
pub(super) fn faults(text: &str, dispatch: &Dispatch) -> Vec<Fault> {
    let Ok(workflow) = serde_saphyr::from_str::<Value>(text) else {
        return vec![fault("it is no YAML.", "Mend the file.")];
    };
    let Some(declared) = inputs_of(&workflow) else {
        return vec![fault("it has no `workflow_dispatch`.", "Add it below `on:`.")];
    };
    let mut found = Vec::new();
    if dispatch.inputs.len() > MOST_INPUTS {
        let says =
            format!("{} inputs are sent; GitHub takes {MOST_INPUTS}.", dispatch.inputs.len());
        found.push(fault(says, "Send some of them together, as JSON."));
    }
    for (name, sent) in &dispatch.inputs {
        match declared.get(name) {
            None => found.push(fault(
                format!("it has no input `{name}`."),
                "Add the input, or do not send it.",
            )),
            Some(input) => found.extend(misfit(name, input, sent, &dispatch.schema)),
        }
    }
    for (name, input) in &declared {
        let is_required = input["required"] == true && input["default"].is_null();
        if is_required && !dispatch.inputs.contains_key(name) {
            let says = format!("its input `{name}` is required, and is not sent.");
            found.push(fault(says, "Send it, or give it a default."));
        }
    }
    found
}

/// The inputs of `workflow_dispatch`; `None` where the workflow cannot be dispatched.
fn inputs_of(workflow: &Value) -> Option<Map<String, Value>> {
    // YAML 1.1 reads the key `on` as true.
    let on = workflow.get("on").or_else(|| workflow.get("true"))?;
    let dispatch = match on {
        Value::String(event) if event == "workflow_dispatch" => &Value::Null,
        Value::Array(events) if events.iter().any(|it| it == "workflow_dispatch") => &Value::Null,
        Value::Object(events) => events.get("workflow_dispatch")?,
        _ => return None,
    };
    Some(dispatch["inputs"].as_object().cloned().unwrap_or_default())
}

/// Whether what is sent cannot be of the type that is declared.
fn misfit(name: &str, input: &Value, sent: &Value, schema: &Value) -> Option<Fault> {
    let declared = input["type"].as_str().unwrap_or("string");
    let fits = match what_is_sent(sent, schema) {
        Sent::Value(value) => value_fits(value, declared, input),
        Sent::Input(of) => input_fits(of, declared, input),
        Sent::Unknown => true,
    };
    if fits {
        return None;
    }
    let says = format!("its input `{name}` is a {declared}, and what is sent may be none.");
    let remedy =
        "Give the template's input the same type, and for a choice an `enum` of its options.";
    Some(fault(says, remedy))
}

enum Sent<'a> {
    /// Always the same.
    Value(&'a Value),
    /// What a person types: its schema.
    Input(&'a Value),
    /// Put together in the run.
    Unknown,
}

fn what_is_sent<'a>(sent: &'a Value, schema: &'a Value) -> Sent<'a> {
    let Some(text) = sent.as_str().filter(|text| text.contains("{{") || text.contains("{%")) else {
        return Sent::Value(sent);
    };
    let inner = text.trim().strip_prefix("{{").and_then(|text| text.strip_suffix("}}"));
    let name = inner.and_then(|inner| inner.trim().strip_prefix("inputs."));
    match name.and_then(|name| schema["properties"].get(name)) {
        Some(of) => Sent::Input(of),
        None => Sent::Unknown,
    }
}

fn value_fits(value: &Value, declared: &str, input: &Value) -> bool {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match declared {
        "boolean" => matches!(text.as_str(), "true" | "false"),
        "number" => text.parse::<f64>().is_ok(),
        "choice" => options(input).contains(&text),
        _ => true,
    }
}

fn input_fits(of: &Value, declared: &str, input: &Value) -> bool {
    let kind = of["type"].as_str();
    match declared {
        "boolean" => kind == Some("boolean"),
        "number" => matches!(kind, Some("integer" | "number")),
        "choice" => {
            let listed = of["enum"].as_array().filter(|listed| !listed.is_empty());
            listed.is_some_and(|listed| listed.iter().all(|it| value_fits(it, declared, input)))
        }
        _ => true,
    }
}

fn options(input: &Value) -> Vec<String> {
    let options = input["options"].as_array().into_iter().flatten();
    options.map(|it| it.as_str().map_or_else(|| it.to_string(), str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(workflow: &str, inputs: &Value) -> Vec<String> {
        let schema = json!({"properties": {
            "size": {"type": "integer"},
            "name": {"type": "string"},
            "where": {"type": "string", "enum": ["eu", "us"]},
        }});
        let inputs = inputs.as_object().unwrap().clone();
        faults(workflow, &Dispatch { inputs, schema }).into_iter().map(|it| it.says).collect()
    }

    const WORKFLOW: &str = "on:\n  workflow_dispatch:\n    inputs:\n      size: {type: number}\n      \
         where: {type: choice, options: [eu, us, asia]}\n      dry: {type: boolean, default: true}\n";

    #[test]
    fn what_fits_is_not_complained_about() {
        let sent = json!({"size": "{{ inputs.size }}", "where": "{{ inputs.where }}", "dry": true});
        assert_eq!(said(WORKFLOW, &sent), Vec::<String>::new());
        assert_eq!(said("on: workflow_dispatch", &json!({})), Vec::<String>::new());
        assert_eq!(said("on: [push, workflow_dispatch]", &json!({})), Vec::<String>::new());
    }

    #[test]
    fn each_refusal_of_github_is_foreseen() {
        assert_eq!(said("on: push", &json!({})), ["it has no `workflow_dispatch`."]);
        assert_eq!(said("on: [", &json!({})), ["it is no YAML."]);
        assert_eq!(said(WORKFLOW, &json!({"color": "red"})), ["it has no input `color`."]);
        for (name, sent) in [
            ("size", json!("{{ inputs.name }}")),
            ("size", json!("large")),
            ("where", json!("{{ inputs.name }}")),
            ("where", json!("mars")),
            ("dry", json!("{{ inputs.size }}")),
        ] {
            let said = said(WORKFLOW, &json!({name: sent}));
            assert!(said.len() == 1 && said[0].contains(name), "{said:?}");
        }
        let required = "on: {workflow_dispatch: {inputs: {a: {required: true}}}}";
        assert_eq!(said(required, &json!({})), ["its input `a` is required, and is not sent."]);
        let many: Map<_, _> = (0..26).map(|n| (format!("i{n}"), json!(""))).collect();
        let declared = format!("on: {{workflow_dispatch: {{inputs: {}}}}}", json!(many));
        assert_eq!(said(&declared, &Value::Object(many)), ["26 inputs are sent; GitHub takes 25."]);
    }
}
