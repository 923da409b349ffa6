//! The log of requests, so that a test can count calls exactly.

/// One request that the sandbox answered (or whose answer it lost).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedRequest {
    /// `GET`, `POST` and so on.
    pub method: String,
    /// The path template, e.g. `/repos/{owner}/{repo}/pulls`, or the path itself if it is unknown.
    pub path: String,
    /// The root fields of a GraphQL document, e.g. `createRef`; empty for REST.
    pub graphql: Vec<String>,
    /// The status of the answer; 0 if the answer was lost.
    pub status: u16,
}

impl RecordedRequest {
    /// `POST /repos/{owner}/{repo}/pulls`, or `graphql createRef+createPullRequest`.
    pub fn operation(&self) -> String {
        if self.graphql.is_empty() {
            return format!("{} {}", self.method, self.path);
        }
        format!("graphql {}", self.graphql.join("+"))
    }
}
