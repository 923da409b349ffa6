//! Blueprints, actions, the organisation, Kafka's credentials.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use super::answer::{Answer, Refusal, any_object, needed_text, object, ok};
use super::{KafkaAccess, Shared};

type App = State<Arc<Shared>>;

pub(super) async fn blueprints(State(shared): App) -> Answer {
    let world = shared.world();
    ok(StatusCode::OK, json!({"blueprints": world.blueprints.values().collect::<Vec<_>>()}))
}

pub(super) async fn blueprint(State(shared): App, Path(id): Path<String>) -> Answer {
    ok(StatusCode::OK, json!({"blueprint": shared.world().blueprint(&id)?}))
}

pub(super) async fn create_blueprint(State(shared): App, body: Bytes) -> Answer {
    let body = any_object(&body)?;
    let identifier = needed_text(&body, "identifier")?;
    check_blueprint(&body)?;
    let mut world = shared.world();
    if world.blueprints.contains_key(&identifier) {
        return Err(taken("Blueprint", &identifier));
    }
    let blueprint = world.put_blueprint(Value::Object(body));
    ok(StatusCode::CREATED, json!({"blueprint": blueprint}))
}

pub(super) async fn change_blueprint(
    State(shared): App,
    Path(id): Path<String>,
    body: Bytes,
) -> Answer {
    let mut body = any_object(&body)?;
    check_blueprint(&body)?;
    let mut world = shared.world();
    world.blueprint(&id)?;
    body.insert("identifier".to_owned(), json!(id));
    ok(StatusCode::OK, json!({"blueprint": world.put_blueprint(Value::Object(body))}))
}

pub(super) async fn update_blueprint(
    State(shared): App,
    Path(id): Path<String>,
    body: Bytes,
) -> Answer {
    let body = any_object(&body)?;
    let mut world = shared.world();
    let mut blueprint = world.blueprint(&id)?.clone();
    for (name, value) in body {
        blueprint[name] = value;
    }
    ok(StatusCode::OK, json!({"blueprint": world.put_blueprint(blueprint)}))
}

pub(super) async fn delete_blueprint(State(shared): App, Path(id): Path<String>) -> Answer {
    let mut world = shared.world();
    world.blueprint(&id)?;
    if world.entities_of(&id).next().is_some() {
        let message = format!("the blueprint \"{id}\" has entities");
        return Err(Refusal::new(StatusCode::FORBIDDEN, "has_dependents", message));
    }
    world.blueprints.remove(&id);
    ok(StatusCode::OK, json!({}))
}

fn check_blueprint(body: &Map<String, Value>) -> Result<(), Refusal> {
    needed_text(body, "title")?;
    match body.get("schema").and_then(|schema| schema.get("properties")) {
        Some(Value::Object(_)) => Ok(()),
        _ => Err(Refusal::invalid("\"schema.properties\" is missing")),
    }
}

pub(super) async fn actions(State(shared): App) -> Answer {
    let world = shared.world();
    ok(StatusCode::OK, json!({"actions": world.actions.values().collect::<Vec<_>>()}))
}

pub(super) async fn action(State(shared): App, Path(id): Path<String>) -> Answer {
    let world = shared.world();
    let action = world.actions.get(&id).ok_or_else(|| Refusal::not_found("Action", &id))?;
    ok(StatusCode::OK, json!({"action": action}))
}

pub(super) async fn create_action(State(shared): App, body: Bytes) -> Answer {
    let body = check_action(&body)?;
    let identifier = needed_text(&body, "identifier")?;
    let mut world = shared.world();
    if world.actions.contains_key(&identifier) {
        return Err(taken("Action", &identifier));
    }
    ok(StatusCode::CREATED, json!({"action": world.put_action(Value::Object(body))}))
}

pub(super) async fn change_action(
    State(shared): App,
    Path(id): Path<String>,
    body: Bytes,
) -> Answer {
    let mut body = check_action(&body)?;
    let mut world = shared.world();
    if !world.actions.contains_key(&id) {
        return Err(Refusal::not_found("Action", &id));
    }
    body.insert("identifier".to_owned(), json!(id));
    ok(StatusCode::OK, json!({"action": world.put_action(Value::Object(body))}))
}

pub(super) async fn delete_action(State(shared): App, Path(id): Path<String>) -> Answer {
    match shared.world().actions.remove(&id) {
        Some(_) => ok(StatusCode::OK, json!({})),
        None => Err(Refusal::not_found("Action", &id)),
    }
}

fn check_action(body: &[u8]) -> Result<Map<String, Value>, Refusal> {
    let body = object(
        body,
        &[
            "identifier",
            "title",
            "icon",
            "description",
            "trigger",
            "invocationMethod",
            "requiredApproval",
            "approvalNotification",
            "publish",
            "allowAnyoneToViewRuns",
        ],
    )?;
    for (part, field) in [("trigger", "type"), ("invocationMethod", "type")] {
        if !body.get(part).is_some_and(|part| part[field].is_string()) {
            return Err(Refusal::invalid(format!("\"{part}.{field}\" is missing")));
        }
    }
    Ok(body)
}

fn taken(what: &str, identifier: &str) -> Refusal {
    let message = format!("{what} with identifier \"{identifier}\" exists already");
    Refusal::new(StatusCode::CONFLICT, "identifier_taken", message)
}

pub(super) async fn kafka_credentials(State(shared): App) -> Answer {
    let KafkaAccess { brokers, username, password } = &shared.options.kafka;
    let credentials = json!({"brokers": brokers, "username": username, "password": password});
    ok(StatusCode::OK, json!({"credentials": credentials}))
}

pub(super) async fn organization(State(shared): App) -> Answer {
    ok(StatusCode::OK, json!({"organization": shared.world().organization}))
}

pub(super) async fn update_organization(State(shared): App, body: Bytes) -> Answer {
    let body = any_object(&body)?;
    shared.world().organization.extend(body);
    ok(StatusCode::OK, json!({}))
}
