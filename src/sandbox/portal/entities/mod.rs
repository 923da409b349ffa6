//! Entities: made, replaced, merged, deleted with what depends on them, searched.

mod rules;
mod search;

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Shared;
use super::answer::{Answer, Refusal, any_object, object, ok, texts};
use super::world::World;
use rules::{check, depending_on};
pub(super) use search::{search, search_blueprint};

type App = State<Arc<Shared>>;

/// The parameters of calls that change entities.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "they are Port's")]
pub(super) struct Parameters {
    upsert: bool,
    merge: bool,
    validation_only: bool,
    create_missing_related_entities: bool,
    delete_dependents: bool,
    run_id: Option<String>,
}

/// How a new value meets the one that stands there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meeting {
    /// The new one is all there is.
    Replace,
    /// What is not named stays.
    Merge,
}

pub(super) async fn list(State(shared): App, Path(blueprint): Path<String>) -> Answer {
    let world = shared.world();
    world.blueprint(&blueprint)?;
    ok(StatusCode::OK, json!({"entities": world.entities_of(&blueprint).collect::<Vec<_>>()}))
}

pub(super) async fn get(State(shared): App, Path((of, id)): Path<(String, String)>) -> Answer {
    let world = shared.world();
    ok(StatusCode::OK, json!({"entity": existing(&world, &of, &id)?}))
}

pub(super) async fn create(
    State(shared): App,
    Path(blueprint): Path<String>,
    Query(parameters): Query<Parameters>,
    body: Bytes,
) -> Answer {
    let body = any_object(&body)?;
    let mut world = shared.world();
    check_run(&world, &parameters)?;
    let (entity, created) = create_one(&mut world, &blueprint, &parameters, body)?;
    let status = if created { StatusCode::CREATED } else { StatusCode::OK };
    ok(status, json!({"entity": entity}))
}

pub(super) async fn create_many(
    State(shared): App,
    Path(blueprint): Path<String>,
    Query(parameters): Query<Parameters>,
    body: Bytes,
) -> Answer {
    let mut body = object(&body, &["entities"])?;
    let Some(Value::Array(wanted)) = body.remove("entities") else {
        return Err(Refusal::invalid("\"entities\" is no list"));
    };
    if !(1..=20).contains(&wanted.len()) {
        return Err(Refusal::invalid("\"entities\" has to have 1 to 20 items"));
    }
    let mut world = shared.world();
    check_run(&world, &parameters)?;
    let (mut entities, mut errors) = (Vec::new(), Vec::new());
    for (index, wanted) in wanted.into_iter().enumerate() {
        let identifier = wanted["identifier"].as_str().unwrap_or_default().to_owned();
        let Value::Object(wanted) = wanted else {
            return Err(Refusal::invalid(format!("entity {index} is no object")));
        };
        match create_one(&mut world, &blueprint, &parameters, wanted) {
            Ok((entity, created)) => entities.push(json!({
                "created": created, "identifier": entity["identifier"], "index": index,
            })),
            Err(refusal) => errors.push(json!({
                "identifier": identifier,
                "index": index,
                "statusCode": refusal.status.as_u16(),
                "error": refusal.code,
                "message": refusal.message,
            })),
        }
    }
    let status = if errors.is_empty() { StatusCode::OK } else { StatusCode::MULTI_STATUS };
    let mut answer = ok(status, json!({"entities": entities, "errors": errors}))?;
    *answer.status_mut() = status;
    Ok(answer)
}

pub(super) async fn change(
    state: App,
    path: Path<(String, String)>,
    query: Query<Parameters>,
    body: Bytes,
) -> Answer {
    overwrite(&state, path, &query, &body, Meeting::Replace)
}

pub(super) async fn update(
    state: App,
    path: Path<(String, String)>,
    query: Query<Parameters>,
    body: Bytes,
) -> Answer {
    overwrite(&state, path, &query, &body, Meeting::Merge)
}

fn overwrite(
    shared: &Shared,
    Path((blueprint, identifier)): Path<(String, String)>,
    parameters: &Parameters,
    body: &[u8],
    meeting: Meeting,
) -> Answer {
    let body = object(
        body,
        &["identifier", "title", "icon", "team", "properties", "relations", "blueprint"],
    )?;
    let mut world = shared.world();
    check_run(&world, parameters)?;
    let standing = existing(&world, &blueprint, &identifier)?.clone();
    let mut wanted = body;
    let renamed = wanted.get("identifier").and_then(Value::as_str).map(str::to_owned);
    wanted.insert("identifier".to_owned(), json!(renamed.as_deref().unwrap_or(&identifier)));
    let entity = meet(Some(&standing), wanted, meeting);
    check(&mut world, &blueprint, &entity, parameters)?;
    if renamed.is_some_and(|renamed| renamed != identifier) {
        world.entities.remove(&(blueprint.clone(), identifier));
    }
    ok(StatusCode::OK, json!({"entity": world.put_entity(&blueprint, entity)}))
}

pub(super) async fn delete(
    State(shared): App,
    Path((blueprint, identifier)): Path<(String, String)>,
    Query(parameters): Query<Parameters>,
) -> Answer {
    let mut world = shared.world();
    check_run(&world, &parameters)?;
    delete_one(&mut world, &blueprint, &identifier, parameters.delete_dependents)?;
    ok(StatusCode::OK, json!({}))
}

pub(super) async fn delete_many(
    State(shared): App,
    Path(blueprint): Path<String>,
    Query(parameters): Query<Parameters>,
    body: Bytes,
) -> Answer {
    let identifiers = texts(&object(&body, &["entities"])?, "entities")?;
    if !(1..=100).contains(&identifiers.len()) {
        return Err(Refusal::invalid("\"entities\" has to have 1 to 100 items"));
    }
    let mut world = shared.world();
    check_run(&world, &parameters)?;
    let mut deleted = Vec::new();
    for identifier in identifiers {
        if delete_one(&mut world, &blueprint, &identifier, parameters.delete_dependents).is_ok() {
            deleted.push(identifier);
        }
    }
    ok(StatusCode::OK, json!({"deletedEntities": deleted}))
}

/// Port takes `run_id` only while the run is in progress.
fn check_run(world: &World, parameters: &Parameters) -> Result<(), Refusal> {
    let Some(id) = &parameters.run_id else {
        return Ok(());
    };
    let run = world.runs.get(id).ok_or_else(|| Refusal::not_found("Run", id))?;
    match run.status.as_str() {
        "IN_PROGRESS" => Ok(()),
        _ => Err(Refusal::exhausted(StatusCode::BAD_REQUEST, id)),
    }
}

fn existing<'a>(world: &'a World, blueprint: &str, id: &str) -> Result<&'a Value, Refusal> {
    world.blueprint(blueprint)?;
    world.entity(blueprint, id).ok_or_else(|| Refusal::not_found("Entity", id))
}

fn create_one(
    world: &mut World,
    blueprint: &str,
    parameters: &Parameters,
    mut wanted: Map<String, Value>,
) -> Result<(Value, bool), Refusal> {
    world.blueprint(blueprint)?;
    let identifier = match wanted.get("identifier") {
        Some(Value::String(identifier)) => identifier.clone(),
        Some(_) => return Err(Refusal::invalid("\"identifier\" is no string")),
        None => world.id("e"),
    };
    let standing = world.entity(blueprint, &identifier).cloned();
    if standing.is_some() && !parameters.upsert {
        let message = format!("an entity with identifier \"{identifier}\" exists already");
        return Err(Refusal::new(StatusCode::CONFLICT, "identifier_taken", message));
    }
    wanted.insert("identifier".to_owned(), json!(identifier));
    let meeting = if parameters.merge { Meeting::Merge } else { Meeting::Replace };
    let entity = meet(standing.as_ref(), wanted, meeting);
    check(world, blueprint, &entity, parameters)?;
    if parameters.validation_only {
        return Ok((entity, standing.is_none()));
    }
    Ok((world.put_entity(blueprint, entity), standing.is_none()))
}

/// The new entity: replaced, or merged into what stands there. A null clears a value.
fn meet(standing: Option<&Value>, wanted: Map<String, Value>, meeting: Meeting) -> Value {
    let mut entity = match (meeting, standing) {
        (Meeting::Merge, Some(standing)) => standing.clone(),
        _ => json!({}),
    };
    for (name, value) in wanted {
        match (name.as_str(), value) {
            ("properties" | "relations", Value::Object(values)) => {
                if !entity[&name].is_object() {
                    entity[&name] = json!({});
                }
                for (key, value) in values {
                    entity[&name][key] = value;
                }
            }
            (_, Value::Null) => {
                entity.as_object_mut().map(|entity| entity.remove(&name));
            }
            (_, value) => entity[name] = value,
        }
    }
    entity
}

/// Deletes an entity, and with it what needs it, or refuses because of that.
fn delete_one(world: &mut World, of: &str, id: &str, dependents: bool) -> Result<(), Refusal> {
    existing(world, of, id)?;
    let depending = depending_on(world, of, id);
    if !depending.is_empty() && !dependents {
        let message = format!("other entities depend on \"{id}\"");
        return Err(Refusal::new(StatusCode::FORBIDDEN, "has_dependents", message));
    }
    world.entities.remove(&(of.to_owned(), id.to_owned()));
    for (blueprint, identifier) in depending {
        if world.entity(&blueprint, &identifier).is_some() {
            delete_one(world, &blueprint, &identifier, true)?;
        }
    }
    Ok(())
}
