//! A workflow file: what it is called, what starts it, and the inputs that it takes.

use serde_json::{Map, Value, json};

use super::Trigger;
use crate::sandbox::github::refusal::{Answered, Refusal};

/// <https://docs.github.com/actions/using-workflows/workflow-syntax-for-github-actions>
const MOST_INPUTS: usize = 25;
const MOST_INPUT_CHARACTERS: usize = 65_535;

/// A workflow file, as far as starting it needs to know.
pub(crate) struct WorkflowFile {
    document: Value,
}

impl WorkflowFile {
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let document: Value = serde_saphyr::from_str(text).ok()?;
        document.is_object().then_some(Self { document })
    }

    pub(crate) fn name<'a>(&'a self, path: &'a str) -> &'a str {
        self.document["name"].as_str().unwrap_or(path)
    }

    /// The settings of a trigger, if the file has it. YAML 1.1 reads the key `on` as true.
    pub(crate) fn trigger(&self, event: &str) -> Option<Value> {
        let on = self.document.get("on").or_else(|| self.document.get("true"))?;
        match on {
            Value::String(name) => (name == event).then_some(Value::Null),
            Value::Array(names) => names.contains(&json!(event)).then_some(Value::Null),
            _ => on.get(event).cloned(),
        }
    }

    pub(super) fn run_name(&self, trigger: &Trigger<'_>, login: &str) -> Option<String> {
        let text = self.document["run-name"].as_str()?;
        let mut title = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${{") {
            let (expression, after) = after.split_once("}}")?;
            title.push_str(before);
            title.push_str(&evaluate(expression.trim(), trigger, login));
            rest = after;
        }
        title.push_str(rest);
        Some(title)
    }

    fn declared_inputs(&self) -> Map<String, Value> {
        let trigger = self.trigger("workflow_dispatch").unwrap_or_default();
        trigger["inputs"].as_object().cloned().unwrap_or_default()
    }

    /// Checks the inputs of a dispatch as GitHub does, and fills in the defaults.
    pub(crate) fn accept_inputs(&self, given: &Map<String, Value>) -> Answered<Map<String, Value>> {
        let declared = self.declared_inputs();
        if declared.len() > MOST_INPUTS {
            return Err(Refusal::unprocessable(format!(
                "Invalid Argument - failed to parse workflow: you may only define up to {MOST_INPUTS} inputs for a `workflow_dispatch` event"
            )));
        }
        if Value::Object(given.clone()).to_string().chars().count() > MOST_INPUT_CHARACTERS {
            return Err(Refusal::unprocessable("inputs are too large."));
        }
        let unexpected: Vec<&String> =
            given.keys().filter(|key| !declared.contains_key(*key)).collect();
        if !unexpected.is_empty() {
            let names = json!(unexpected);
            return Err(Refusal::unprocessable(format!("Unexpected inputs provided: {names}")));
        }
        let mut inputs = Map::new();
        for (name, settings) in &declared {
            if let Some(value) = accept_input(name, settings, given.get(name))? {
                inputs.insert(name.clone(), value);
            }
        }
        Ok(inputs)
    }
}

fn accept_input(name: &str, settings: &Value, given: Option<&Value>) -> Answered<Option<Value>> {
    let value = given.or(settings.get("default")).filter(|value| !value.is_null());
    let Some(value) = value else {
        if settings["required"] == true {
            return Err(Refusal::unprocessable(format!("Required input '{name}' not provided")));
        }
        return Ok(None);
    };
    let text = plain(value);
    let options = settings["options"].as_array();
    let is_choice = settings["type"] == "choice";
    if is_choice && !options.is_some_and(|all| all.iter().any(|option| plain(option) == text)) {
        return Err(Refusal::unprocessable(format!(
            "Provided value '{text}' for input '{name}' not in the list of allowed values"
        )));
    }
    Ok(Some(json!(text)))
}

pub(super) fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn evaluate(expression: &str, trigger: &Trigger<'_>, login: &str) -> String {
    let input = expression
        .strip_prefix("inputs.")
        .or_else(|| expression.strip_prefix("github.event.inputs."));
    if let Some(name) = input {
        return trigger.inputs.get(name).map(plain).unwrap_or_default();
    }
    match expression {
        "github.actor" => login.to_owned(),
        "github.ref_name" => trigger.branch.to_owned(),
        "github.sha" => trigger.sha.to_owned(),
        "github.event_name" => trigger.event.to_owned(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_checked_in_githubs_words() {
        let file = WorkflowFile::parse(
            b"on:\n  workflow_dispatch:\n    inputs:\n      size: {type: choice, options: [small, large]}\n      name: {required: true}\n",
        )
        .unwrap();
        let refused =
            |given: Value| file.accept_inputs(given.as_object().unwrap()).unwrap_err().message;
        assert_eq!(refused(json!({"x": "1", "name": "a"})), r#"Unexpected inputs provided: ["x"]"#);
        assert_eq!(refused(json!({"size": "small"})), "Required input 'name' not provided");
        assert_eq!(
            refused(json!({"size": "tiny", "name": "a"})),
            "Provided value 'tiny' for input 'size' not in the list of allowed values"
        );
    }
}
