//! How the sandbox GitHub says no: one value that REST and GraphQL each put into their own words.

use serde_json::{Value, json};

pub(crate) type Answered<T> = Result<T, Refusal>;

/// A refused request.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    /// The `type` of a GraphQL error.
    pub(crate) kind: &'static str,
    pub(crate) message: String,
    pub(crate) errors: Vec<Value>,
}

impl Refusal {
    fn new(status: u16, kind: &'static str, message: impl Into<String>) -> Self {
        Self { status, kind, message: message.into(), errors: Vec::new() }
    }

    pub(crate) fn not_found() -> Self {
        Self::new(404, "NOT_FOUND", "Not Found")
    }

    pub(crate) fn unauthorized(message: &str) -> Self {
        Self::new(401, "FORBIDDEN", message)
    }

    pub(crate) fn bad_credentials() -> Self {
        Self::unauthorized("Bad credentials")
    }

    pub(crate) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(403, "FORBIDDEN", message)
    }

    pub(crate) fn not_accessible() -> Self {
        Self::forbidden("Resource not accessible by integration")
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "UNPROCESSABLE", message)
    }

    pub(crate) fn conflict(message: impl Into<String>) -> Self {
        Self::new(409, "UNPROCESSABLE", message)
    }

    pub(crate) fn gone(message: impl Into<String>) -> Self {
        Self::new(410, "UNPROCESSABLE", message)
    }

    pub(crate) fn not_allowed(message: impl Into<String>) -> Self {
        Self::new(405, "UNPROCESSABLE", message)
    }

    pub(crate) fn unprocessable(message: impl Into<String>) -> Self {
        Self::new(422, "UNPROCESSABLE", message)
    }

    /// Like `Validation Failed` of REST, where the sentence stands in `errors`.
    pub(crate) fn invalid(resource: &str, message: impl Into<String>) -> Self {
        let message = message.into();
        let mut refusal = Self::unprocessable(message.clone());
        refusal.errors = vec![json!({"resource": resource, "code": "custom", "message": message})];
        refusal
    }

    /// GitHub's own trouble, as GraphQL tells it for one field.
    pub(crate) fn trouble() -> Self {
        let message = "Something went wrong while executing your query.";
        Self::new(500, "SERVICE_UNAVAILABLE", message)
    }

    pub(crate) fn stale(expected: &str) -> Self {
        let message = format!(
            "Expected branch to point to \"{expected}\" but it did not.  Pull and try again."
        );
        Self::new(409, "STALE_DATA", message)
    }

    /// What GraphQL says where REST says 404.
    pub(crate) fn unresolved(what: impl Into<String>) -> Self {
        Self::new(404, "NOT_FOUND", what)
    }

    pub(crate) fn body(&self) -> Value {
        let message =
            if self.errors.is_empty() { self.message.as_str() } else { "Validation Failed" };
        let mut body = json!({
            "message": message,
            "documentation_url": "https://docs.github.com/rest",
            "status": self.status.to_string(),
        });
        if !self.errors.is_empty() {
            body["errors"] = Value::Array(self.errors.clone());
        }
        body
    }
}

impl From<git2::Error> for Refusal {
    fn from(error: git2::Error) -> Self {
        if error.code() == git2::ErrorCode::NotFound {
            return Self::not_found();
        }
        Self::unprocessable(error.message())
    }
}
