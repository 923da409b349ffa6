//! Faults that can be ordered, and the list of calls.

use serde_json::Value;

/// A fault that happens to calls of one kind.
#[derive(Debug, Clone)]
pub struct Fault {
    /// The method of the call (`PATCH`).
    pub method: String,
    /// The route, with its parameters (`/v1/actions/runs/{run}`), or a path.
    pub path: String,
    /// How often it happens.
    pub times: usize,
    /// What happens.
    pub kind: FaultKind,
}

/// What a fault does.
#[derive(Debug, Clone)]
pub enum FaultKind {
    /// Answers this instead of doing anything.
    Answer {
        /// The HTTP status.
        status: u16,
        /// More headers (`retry-after`).
        headers: Vec<(&'static str, String)>,
    },
    /// Cuts the connection before doing anything.
    LoseRequest,
    /// Does it, and cuts the connection instead of answering.
    LoseAnswer,
}

/// A call that arrived.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// `GET`.
    pub method: String,
    /// The route, with its parameters (`/v1/actions/runs/{run}`); the path, where there is none.
    pub route: String,
    /// The path as it was sent.
    pub path: String,
    /// The query as it was sent.
    pub query: String,
    /// The JSON body. Credentials are left out.
    pub body: Option<Value>,
    /// The status of the answer, also of one that was lost; `None` if nothing was done.
    pub status: Option<u16>,
}

impl Request {
    /// Method and route, to compare with.
    pub fn call(&self) -> String {
        format!("{} {}", self.method, self.route)
    }
}
