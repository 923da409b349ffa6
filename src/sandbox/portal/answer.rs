//! Answers in Port's form.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

/// What every handler gives.
pub(super) type Answer = Result<Response, Refusal>;

/// An answer that is no success: `{"ok": false, "error", "message"}`.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    pub(super) message: String,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    pub(super) fn not_found(what: &str, identifier: &str) -> Self {
        let message = format!("{what} with identifier \"{identifier}\" was not found");
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_request", message)
    }

    /// The run takes nothing more. 422 on reports, 400 on entities.
    pub(super) fn exhausted(status: StatusCode, run: &str) -> Self {
        Self::new(status, "run_exhausted", format!("the run \"{run}\" has already finished"))
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = json!({"ok": false, "error": self.code, "message": self.message});
        (self.status, Json(body)).into_response()
    }
}

/// A success: the fields, and `ok`.
#[expect(clippy::unnecessary_wraps, reason = "every handler ends with an answer")]
pub(super) fn ok(status: StatusCode, fields: Value) -> Answer {
    let mut body = Map::from_iter([("ok".to_owned(), Value::Bool(true))]);
    if let Value::Object(fields) = fields {
        body.extend(fields);
    }
    Ok((status, Json(Value::Object(body))).into_response())
}

/// The body as an object that has no other fields than these.
pub(super) fn object(body: &[u8], allowed: &[&str]) -> Result<Map<String, Value>, Refusal> {
    let object = any_object(body)?;
    match object.keys().find(|key| !allowed.contains(&key.as_str())) {
        Some(unknown) => Err(Refusal::invalid(format!("\"{unknown}\" is not a field of the body"))),
        None => Ok(object),
    }
}

/// The body as an object.
pub(super) fn any_object(body: &[u8]) -> Result<Map<String, Value>, Refusal> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => Ok(object),
        _ => Err(Refusal::invalid("the body is no JSON object")),
    }
}

/// A text field, where it is there.
pub(super) fn text(body: &Map<String, Value>, name: &str) -> Result<Option<String>, Refusal> {
    match body.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(Refusal::invalid(format!("\"{name}\" is no string"))),
    }
}

/// A text field that has to be there and hold something.
pub(super) fn needed_text(body: &Map<String, Value>, name: &str) -> Result<String, Refusal> {
    let found = text(body, name)?.filter(|text| !text.is_empty());
    found.ok_or_else(|| Refusal::invalid(format!("\"{name}\" is missing")))
}

/// A field that holds a list of texts.
pub(super) fn texts(body: &Map<String, Value>, name: &str) -> Result<Vec<String>, Refusal> {
    let wrong = || Refusal::invalid(format!("\"{name}\" is no list of strings"));
    let list = body.get(name).and_then(Value::as_array).ok_or_else(wrong)?;
    list.iter().map(|item| item.as_str().map(str::to_owned).ok_or_else(wrong)).collect()
}
