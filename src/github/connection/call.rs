//! A request to GitHub, before it is sent.

use http::{HeaderValue, Method};
use serde_json::{Value, json};

/// The largest answer that is read whole, in bytes. GitHub's largest pages are about 2 MB; a
/// recursive tree may be 7 MB (its documented limit).
const MOST: usize = 16 * 1024 * 1024;

/// A request, named by what it is for.
#[derive(Debug)]
pub(in crate::github) struct Call {
    /// What is being done: `dispatching deploy.yml in acme/infra`.
    pub(super) doing: String,
    pub(super) method: Method,
    pub(super) place: Place,
    pub(super) body: Option<Value>,
    pub(super) effect: Effect,
    pub(super) reading: Reading,
    /// Of an answer that is known: GitHub only says so where it is still the same.
    pub(super) tag: Option<HeaderValue>,
}

/// Which endpoint.
#[derive(Debug)]
pub(super) enum Place {
    /// A path of the REST API, with its query.
    Rest(String),
    /// The one of GraphQL.
    Graphql,
    /// A path of GitHub's pages for people: where they sign in.
    Web(String),
}

/// Whether a lost answer leaves a question open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::github) enum Effect {
    /// Nothing changes, whatever happens.
    Read,
    /// It may have been done.
    Write,
}

/// How much of an answer is kept.
#[derive(Debug, Clone, Copy)]
pub(in crate::github) enum Reading {
    /// All of it; more than so many bytes are refused.
    Whole(usize),
    /// At least so many of its last bytes; what comes before is thrown away.
    Tail(usize),
}

impl Call {
    /// A read of the REST API.
    pub(in crate::github) fn get(doing: impl Into<String>, path: impl Into<String>) -> Self {
        Self {
            doing: doing.into(),
            method: Method::GET,
            place: Place::Rest(path.into()),
            body: None,
            effect: Effect::Read,
            reading: Reading::Whole(MOST),
            tag: None,
        }
    }

    /// A write by the REST API.
    pub(in crate::github) fn write(
        method: Method,
        doing: impl Into<String>,
        path: impl Into<String>,
        body: Value,
    ) -> Self {
        Self { method, body: Some(body), effect: Effect::Write, ..Self::get(doing, path) }
    }

    /// A removal by the REST API.
    pub(in crate::github) fn delete(doing: impl Into<String>, path: impl Into<String>) -> Self {
        Self { method: Method::DELETE, effect: Effect::Write, ..Self::get(doing, path) }
    }

    /// The same, as one that may be repeated: nothing changes by it that anybody would see.
    pub(super) fn harmless(mut self) -> Self {
        self.effect = Effect::Read;
        self
    }

    /// A call where GitHub has people sign in. It may be sent again: what it makes, nobody has seen.
    pub(in crate::github) fn web(
        method: Method,
        doing: impl Into<String>,
        path: impl Into<String>,
        body: Value,
    ) -> Self {
        let place = Place::Web(path.into());
        Self { method, place, body: Some(body), ..Self::get(doing, "") }
    }

    /// A GraphQL document, which is a POST even when it only reads.
    pub(in crate::github) fn graphql(
        doing: impl Into<String>,
        effect: Effect,
        query: &str,
        variables: &Value,
    ) -> Self {
        Self {
            method: Method::POST,
            place: Place::Graphql,
            body: Some(json!({ "query": query, "variables": variables })),
            effect,
            ..Self::get(doing, "")
        }
    }

    /// By which method.
    pub(in crate::github) fn method(&self) -> &Method {
        &self.method
    }

    /// The path of the REST API, without its query. `None` for GraphQL, and where people sign in.
    pub(in crate::github) fn rest_path(&self) -> Option<&str> {
        self.path_and_query().split('?').next().filter(|path| !path.is_empty())
    }

    /// The path of the REST API with its query; empty elsewhere.
    pub(super) fn path_and_query(&self) -> &str {
        match &self.place {
            Place::Rest(path) => path,
            Place::Graphql | Place::Web(_) => "",
        }
    }

    /// The mutations of a GraphQL document.
    pub(in crate::github) fn fields(&self) -> impl Iterator<Item = &str> {
        let query = self.body.as_ref().and_then(|body| body["query"].as_str()).unwrap_or_default();
        let is_word = |letter: char| letter.is_ascii_alphanumeric();
        query
            .match_indices("(input:")
            .filter_map(move |(at, _)| query[..at].rsplit(|letter| !is_word(letter)).next())
    }

    /// What is being done.
    pub(in crate::github) fn doing(&self) -> &str {
        &self.doing
    }

    /// The same, keeping another part of the answer.
    pub(in crate::github) fn reading(mut self, reading: Reading) -> Self {
        self.reading = reading;
        self
    }
}

/// Percent-encodes a value for one segment of a path or one value of a query.
pub(in crate::github) fn encoded(value: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// The same for a name whose `/` are those of the path: a branch.
pub(in crate::github) fn encoded_path(value: &str) -> String {
    value.split('/').map(encoded).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_end_a_segment_is_encoded() {
        assert_eq!(encoded("a/b?c#d e[bot]>=ü"), "a%2Fb%3Fc%23d%20e%5Bbot%5D%3E%3D%C3%BC");
        assert_eq!(encoded("deploy_v1.2-x~.yml"), "deploy_v1.2-x~.yml");
    }
}
