//! GraphQL's answers: data and errors side by side, neither thrown away.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

use super::answer::{Answer, speaks_of_a_rate_limit};
use crate::github::Error;

/// What a document was answered with.
#[derive(Debug, Deserialize)]
pub(in crate::github) struct Graph {
    /// What was found or done; `null` where it was not.
    #[serde(default)]
    pub(in crate::github) data: Value,
    /// What was not, and why.
    #[serde(default)]
    pub(in crate::github) errors: Vec<GraphqlError>,
}

/// One thing that was not found or not done.
#[derive(Debug, Clone, Deserialize)]
pub(in crate::github) struct GraphqlError {
    /// `NOT_FOUND`, `FORBIDDEN`, `STALE_DATA`, `RATE_LIMITED`, …
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    path: Vec<Value>,
    /// GitHub's words.
    #[serde(default)]
    pub(in crate::github) message: String,
}

impl Graph {
    /// Reads the answer. Limits are said in a 200: they are an error of the whole call, even where
    /// a part was done, because what was done can be looked up when the time has come.
    pub(in crate::github) fn read(
        answer: &Answer,
        doing: &str,
        now: DateTime<Utc>,
    ) -> Result<Self, Error> {
        let graph: Self = answer.json(doing)?;
        if graph.errors.iter().any(GraphqlError::is_rate_limit) {
            return Err(Error::RateLimited { doing: doing.to_owned(), until: answer.wait(now) });
        }
        // No data at all and no path: the document itself was refused.
        match graph.errors.first() {
            Some(error) if graph.data.is_null() && error.path.is_empty() => {
                Err(error.as_failure_of(doing))
            }
            _ => Ok(graph),
        }
    }

    /// The errors at or below a field of the document.
    pub(in crate::github) fn errors_at(&self, field: &str) -> impl Iterator<Item = &GraphqlError> {
        self.errors.iter().filter(move |error| error.field() == Some(field))
    }
}

impl GraphqlError {
    /// The field of the document, or its alias, that this is about.
    pub(in crate::github) fn field(&self) -> Option<&str> {
        self.path.first()?.as_str()
    }

    /// The field below that one.
    pub(in crate::github) fn below(&self) -> Option<&str> {
        self.path.get(1)?.as_str()
    }

    /// What follows, if this is what the call was for.
    pub(in crate::github) fn as_failure_of(&self, doing: &str) -> Error {
        let (doing, message) = (doing.to_owned(), self.message.clone());
        if self.is_forbidden() {
            return Error::Forbidden { doing, message, needs: None };
        }
        match self.kind.as_str() {
            "NOT_FOUND" if self.is_unresolved_node() => Error::Conflict { doing, message },
            "NOT_FOUND" => Error::NotFound { doing },
            "STALE_DATA" => Error::Conflict { doing, message },
            _ if self.is_trouble() => Error::Unclear { doing, reason: message },
            _ => Error::Invalid { doing, message },
        }
    }

    /// Whether a node id is not known: right after the node was made, not known yet.
    pub(in crate::github) fn is_unresolved_node(&self) -> bool {
        self.message.contains("Could not resolve to a node")
    }

    /// Whether a permission is missing.
    pub(in crate::github) fn is_forbidden(&self) -> bool {
        matches!(self.kind.as_str(), "FORBIDDEN" | "INSUFFICIENT_SCOPES")
            || self.message.starts_with("Resource not accessible")
    }

    /// Whether it is GitHub's own trouble, which passes.
    pub(in crate::github) fn is_trouble(&self) -> bool {
        matches!(self.kind.as_str(), "INTERNAL" | "SERVICE_UNAVAILABLE")
            || self.message.starts_with("Something went wrong")
    }

    fn is_rate_limit(&self) -> bool {
        self.kind == "RATE_LIMITED" || speaks_of_a_rate_limit(&self.message)
    }
}
