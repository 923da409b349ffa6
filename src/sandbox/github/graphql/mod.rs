//! GraphQL: the part of GitHub's public schema that an app like this one speaks, executed by a
//! real engine. Errors are put into GitHub's form: HTTP 200, `type` beside `message`.

#![expect(clippy::unused_async, reason = "the engine wants its resolvers async")]

mod git_object;
mod inputs;
mod mutations;
mod objects;
mod pull_request;
mod repository;
mod scalars;

use async_graphql::parser::parse_query;
use async_graphql::parser::types::Selection;
use async_graphql::{EmptySubscription, Error, ErrorExtensions, Request, Variables};
use axum::body::Bytes;
use serde_json::{Map, Value, json};

use super::SandboxGitHub;
use super::auth::{Access, Caller};
use super::refusal::{Answered, Refusal};
use super::rest::Answer;
use super::server::Incoming;
use super::state::World;

pub(crate) type Schema =
    async_graphql::Schema<objects::Query, mutations::Mutation, EmptySubscription>;

/// A nullable field: an error becomes null there, and the fields beside it stand.
type Maybe<T> = Option<async_graphql::Result<T>>;

fn maybe<T>(answered: Answered<Option<T>>) -> Maybe<T> {
    answered.transpose().map(|it| it.map_err(Error::from))
}

/// Works on the sandbox's state as the caller of this document.
fn world<T>(
    ctx: &async_graphql::Context<'_>,
    work: impl FnOnce(&mut World, &Caller) -> Answered<T>,
) -> Answered<T> {
    let (Some(github), Some(caller)) = (ctx.data_opt::<SandboxGitHub>(), ctx.data_opt::<Caller>())
    else {
        return Err(Refusal::bad_credentials());
    };
    if github.inner().faults().take_field(ctx.field().name()) {
        return Err(Refusal::trouble());
    }
    github.with(|world| work(world, caller))
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let kind = refusal.kind;
        Self::new(refusal.message).extend_with(|_, more| more.set("type", kind))
    }
}

/// The names of the fields at the root of a document.
pub(crate) fn root_fields(body: &Bytes) -> Vec<String> {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let Ok(document) = parse_query(body["query"].as_str().unwrap_or_default()) else {
        return vec!["unreadable".to_owned()];
    };
    let mut names = Vec::new();
    for (_, operation) in document.operations.iter() {
        for selection in &operation.node.selection_set.node.items {
            if let Selection::Field(field) = &selection.node {
                names.push(field.node.name.node.to_string());
            }
        }
    }
    names
}

pub(crate) async fn answer(github: &SandboxGitHub, caller: &Caller, incoming: &Incoming) -> Answer {
    if let Err(refusal) = World::authorize(caller, Access::Token) {
        return Answer::refused(&refusal);
    }
    let Ok(body) = serde_json::from_slice::<Value>(&incoming.body) else {
        return Answer::refused(&Refusal::bad_request("Problems parsing JSON"));
    };
    let Some(query) = body["query"].as_str() else {
        return Answer::json(
            200,
            json!({"errors": [{"message": "A query attribute must be specified and must be a string."}]}),
        );
    };
    let mut request = Request::new(query)
        .variables(Variables::from_json(body["variables"].clone()))
        .data(github.clone())
        .data(caller.clone());
    if let Some(name) = body["operationName"].as_str() {
        request = request.operation_name(name);
    }
    let response = schema(github).execute(request).await;
    let body = serde_json::to_value(&response).unwrap_or_default();
    Answer::json(200, in_githubs_form(&body))
}

fn schema(github: &SandboxGitHub) -> &Schema {
    let make = || {
        async_graphql::Schema::build(objects::Query, mutations::Mutation, EmptySubscription)
            .finish()
    };
    github.inner().schema.get_or_init(make)
}

/// The engine keeps `type` under `extensions`; GitHub has it beside `message`. A document that is
/// not valid has no `data` at all.
fn in_githubs_form(body: &Value) -> Value {
    let mut out = Map::new();
    let errors: Vec<Value> =
        body["errors"].as_array().into_iter().flatten().map(error_form).collect();
    let was_executed = errors.iter().all(|it| it.get("path").is_some());
    if was_executed {
        out.insert("data".to_owned(), body["data"].clone());
    }
    if !errors.is_empty() {
        out.insert("errors".to_owned(), Value::Array(errors));
    }
    Value::Object(out)
}

fn error_form(error: &Value) -> Value {
    let mut out = Map::new();
    if let Some(kind) = error["extensions"]["type"].as_str() {
        out.insert("type".to_owned(), json!(kind));
    }
    for key in ["path", "locations", "message"] {
        if let Some(value) = error.get(key) {
            out.insert(key.to_owned(), value.clone());
        }
    }
    Value::Object(out)
}
