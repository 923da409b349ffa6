//! The JSON of each resource, written once and used by REST answers and webhooks alike.

mod account;
mod actions;
mod checks;
pub(crate) mod commit;
mod pull_request;
mod repository;

use chrono::SecondsFormat;
use serde_json::{Value, json};

use super::state::Time;

/// A time as GitHub writes it.
pub(crate) fn time(at: Time) -> Value {
    json!(at.to_rfc3339_opts(SecondsFormat::Secs, true))
}

/// A time, or null.
pub(crate) fn maybe_time(at: Option<Time>) -> Value {
    at.map_or(Value::Null, time)
}

/// A global id: opaque to clients, readable in a test's failure.
pub(crate) fn node_id(prefix: &str, id: impl std::fmt::Display) -> String {
    format!("{prefix}_{id}")
}

/// `value` with the fields of `more` put over it.
pub(crate) fn with(mut value: Value, more: Value) -> Value {
    if let (Value::Object(fields), Value::Object(more)) = (&mut value, more) {
        fields.extend(more);
    }
    value
}
