//! Which control a browser shows for a JSON Schema.

use serde_json::Value;

use crate::domain::BlueprintId;
use crate::template::form::First;

/// What a person answers a question with.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Control {
    /// One line of text, with HTML's word for its kind (`email`, `date`).
    Line(&'static str),
    /// Several lines of text.
    Text,
    /// A point in time, typed in UTC: HTML knows none with a zone.
    Moment,
    /// A number.
    Number,
    /// Yes or no.
    Check,
    /// One of these values, or none.
    Choice(Vec<Value>),
    /// Several of these values.
    Choices(Vec<Value>),
    /// A value of this schema on each line.
    List(Value),
    /// A name and a value of this schema on each line, with `=` between them.
    Pairs(Value),
    /// An entity of the catalog.
    Entity(Option<BlueprintId>),
    /// A text that is never shown again.
    Secret,
    /// Anything else, as JSON.
    Json,
}

impl Control {
    /// The control for a schema. A yes or no that may also be left open is a choice.
    pub(super) fn of(schema: &Value, first: &First, is_required: bool) -> Self {
        if schema["secret"] == true {
            return Self::Secret;
        }
        if let Some(values) = schema["enum"].as_array() {
            return Self::Choice(values.clone());
        }
        if let Some(value) = schema.get("const") {
            return Self::Choice(vec![value.clone()]);
        }
        match kind(schema) {
            "string" => text(schema),
            "integer" | "number" => Self::Number,
            "boolean" => {
                let has_default = schema["default"].is_boolean();
                let is_answered = is_required || has_default;
                if *first == First::Default && is_answered {
                    return Self::Check;
                }
                Self::Choice(vec![true.into(), false.into()])
            }
            "array" => list(&schema["items"]),
            "object" if is_plain(&schema["additionalProperties"]) => {
                Self::Pairs(schema["additionalProperties"].clone())
            }
            _ => Self::Json,
        }
    }
}

/// The one type of a schema besides null; none, where there are several.
pub(super) fn kind(schema: &Value) -> &str {
    match &schema["type"] {
        Value::String(kind) => kind,
        Value::Array(kinds) => {
            let mut kinds = kinds.iter().filter_map(Value::as_str).filter(|kind| *kind != "null");
            kinds.next().filter(|_| kinds.next().is_none()).unwrap_or_default()
        }
        _ => "",
    }
}

fn text(schema: &Value) -> Control {
    match schema["format"].as_str().unwrap_or_default() {
        "email" | "user" => Control::Line("email"),
        "uri" | "url" => Control::Line("url"),
        "date" => Control::Line("date"),
        "time" => Control::Line("time"),
        "date-time" => Control::Moment,
        "yaml" | "markdown" | "multi-line" => Control::Text,
        "entity" => {
            Control::Entity(schema["blueprint"].as_str().and_then(|name| name.parse().ok()))
        }
        _ => Control::Line("text"),
    }
}

fn list(items: &Value) -> Control {
    match items["enum"].as_array() {
        Some(values) => Control::Choices(values.clone()),
        None if is_plain(items) => Control::List(items.clone()),
        None => Control::Json,
    }
}

/// Whether a value of it fits on a line.
fn is_plain(schema: &Value) -> bool {
    matches!(kind(schema), "string" | "integer" | "number" | "boolean")
}
