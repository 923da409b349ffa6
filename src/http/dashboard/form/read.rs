//! What was typed into a form, as JSON. What is no value of its kind stays the text that it is: the
//! guardrails say what is wrong with it.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::control::{Control, kind};
use super::{ENTITY, Question, groups};
use crate::template::InputFault;
use crate::template::form::{First, Form};

/// What a browser sends: the values of each name.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct Typed(HashMap<String, Vec<String>>);

impl Typed {
    /// Gathers what was sent.
    pub(in super::super) fn new(sent: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut typed: HashMap<String, Vec<String>> = HashMap::new();
        for (name, value) in sent {
            // Browsers send CR LF.
            typed.entry(name).or_default().push(value.replace("\r\n", "\n"));
        }
        Self(typed)
    }

    /// All values of a name.
    pub(super) fn all(&self, name: &str) -> &[String] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    /// The first value of a name, without space around it; empty where there is none.
    pub(in super::super) fn one(&self, name: &str) -> &str {
        self.all(name).first().map_or("", |value| value.trim())
    }
}

/// The answers to a form.
#[derive(Debug, Default)]
pub(in super::super) struct Filled {
    /// By input. What was left empty is not there.
    pub(in super::super) inputs: Map<String, Value>,
    /// What the action runs on; empty where nothing was chosen.
    pub(in super::super) entity: String,
    /// What cannot even be read.
    pub(in super::super) faults: Vec<InputFault>,
}

impl Filled {
    /// Reads the answers.
    pub(in super::super) fn read(form: &Form<'_>, typed: &Typed) -> Self {
        let mut filled = Self { entity: typed.one(ENTITY).to_owned(), ..Self::default() };
        for group in groups(form) {
            let mut members = Map::new();
            for question in &group.questions {
                match value(question, typed) {
                    Ok(Some(value)) => {
                        let name = question.path.last().copied().unwrap_or_default();
                        members.insert(name.to_owned(), value);
                    }
                    Ok(None) => {}
                    Err(message) => {
                        filled.faults.push(InputFault { field: question.field(), message });
                    }
                }
            }
            match group.of {
                None => filled.inputs.extend(members),
                // A map of which nothing was filled in was not given.
                Some(_) if members.is_empty() => {}
                Some(field) => {
                    filled.inputs.insert(field.name.to_owned(), Value::Object(members));
                }
            }
        }
        if form.runs_on_entity && filled.entity.is_empty() {
            let message = "is required: the action runs on it".to_owned();
            filled.faults.insert(0, InputFault { field: ENTITY.to_owned(), message });
        }
        filled
    }
}

fn value(question: &Question<'_>, typed: &Typed) -> Result<Option<Value>, String> {
    let name = question.input_name();
    let all = typed.all(&name);
    // Space at the ends of what a person keeps secret is the person's affair.
    let text = all.first().map_or("", String::as_str);
    let line = text.trim();
    Ok(match &question.control {
        Control::Check => Some(Value::Bool(line == "true")),
        Control::Choices(values) => {
            let chosen: Vec<Value> = all.iter().map(|text| chosen(values, text)).collect();
            (!chosen.is_empty() || question.is_required).then_some(Value::Array(chosen))
        }
        Control::Secret if text.is_empty() => {
            let sealed = typed.one(&question.sealed_name());
            (!sealed.is_empty()).then(|| Value::from(sealed))
        }
        Control::Secret => Some(Value::from(text)),
        _ if line.is_empty() => cleared(question),
        Control::Line(_) | Control::Entity(_) => Some(Value::from(line)),
        Control::Text => Some(Value::from(text)),
        Control::Moment => Some(Value::from(moment(line))),
        Control::Number => Some(plain(question.schema, line)),
        Control::Choice(values) => Some(chosen(values, line)),
        Control::List(items) => {
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
            Some(lines.map(|line| plain(items, line)).collect())
        }
        Control::Pairs(values) => Some(Value::Object(pairs(values, text)?)),
        Control::Json => {
            let read = serde_json::from_str(line);
            Some(read.map_err(|error| format!("is no JSON: {error}"))?)
        }
    })
}

/// A text that was emptied is empty, where leaving it out would bring its default back.
fn cleared(question: &Question<'_>) -> Option<Value> {
    let default = question.schema["default"].as_str().unwrap_or_default();
    let is_text = kind(question.schema) == "string"
        && matches!(question.control, Control::Line(_) | Control::Text);
    (is_text && !default.is_empty() && *question.first == First::Default).then(|| Value::from(""))
}

/// The value that was chosen by its text.
fn chosen(values: &[Value], text: &str) -> Value {
    values.iter().find(|value| written(value) == text).cloned().unwrap_or_else(|| text.into())
}

/// A value on a line.
fn plain(schema: &Value, line: &str) -> Value {
    let as_json = || match kind(schema) {
        "integer" | "number" => serde_json::from_str(line).ok().filter(Value::is_number),
        "boolean" => match line {
            "true" | "yes" => Some(Value::Bool(true)),
            "false" | "no" => Some(Value::Bool(false)),
            _ => None,
        },
        _ => None,
    };
    as_json().unwrap_or_else(|| Value::from(line))
}

fn pairs(values: &Value, text: &str) -> Result<Map<String, Value>, String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let pair = |line: &str| {
        let (name, value) =
            line.split_once('=').ok_or_else(|| format!("has the line “{line}” without a “=”"))?;
        Ok((name.trim().to_owned(), plain(values, value.trim())))
    };
    lines.map(pair).collect()
}

/// What HTML calls a local time is typed in UTC.
fn moment(line: &str) -> String {
    match line.len() {
        // 2026-01-31T12:00, and with seconds.
        16 => format!("{line}:00Z"),
        19 => format!("{line}Z"),
        _ => line.to_owned(),
    }
}

/// A value as it stands in a form.
pub(super) fn written(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}
