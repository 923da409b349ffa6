//! Entities: made, replaced, merged, deleted with what depends on them, searched.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Shared;
use super::answer::{Answer, Refusal, any_object, object, ok, texts};
use super::world::World;

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

pub(super) async fn search(State(shared): App, body: Bytes) -> Answer {
    let query = Value::Object(object(&body, &["combinator", "rules"])?);
    let world = shared.world();
    let entities: Vec<&Value> =
        world.entities.values().filter(|entity| matches(&query, entity)).collect();
    let mut blueprints: Vec<&Value> = entities.iter().map(|entity| &entity["blueprint"]).collect();
    blueprints.dedup();
    let found = json!({
        "matchingBlueprints": blueprints, "failedBlueprints": [], "entities": entities,
    });
    ok(StatusCode::OK, found)
}

pub(super) async fn search_blueprint(
    State(shared): App,
    Path(blueprint): Path<String>,
    body: Bytes,
) -> Answer {
    let body = object(&body, &["query", "include", "exclude", "limit", "from"])?;
    let world = shared.world();
    world.blueprint(&blueprint)?;
    let query = body.get("query").cloned().unwrap_or(Value::Null);
    let found = world.entities_of(&blueprint).filter(|entity| matches(&query, entity));
    ok(StatusCode::OK, json!({"entities": found.collect::<Vec<_>>()}))
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

fn check(
    world: &mut World,
    of: &str,
    entity: &Value,
    parameters: &Parameters,
) -> Result<(), Refusal> {
    let blueprint = world.blueprint(of)?.clone();
    check_properties(&blueprint, &entity["properties"])?;
    let none = Map::new();
    let defined = blueprint["relations"].as_object().unwrap_or(&none);
    let given = entity["relations"].as_object().unwrap_or(&none);
    for (name, value) in given {
        let Some(relation) = defined.get(name) else {
            return Err(mismatch(format!("\"{name}\" is no relation of the blueprint")));
        };
        let wants_many = relation["many"].as_bool().unwrap_or_default();
        if !value.is_null() && value.is_array() != wants_many {
            let message = format!("the relation \"{name}\" takes {}", plural(wants_many));
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            return Err(Refusal::new(status, "relation_many_violation", message));
        }
        let target = relation["target"].as_str().unwrap_or_default();
        for related in identifiers(value) {
            if world.entity(target, related).is_some() {
                continue;
            }
            if !parameters.create_missing_related_entities {
                return Err(Refusal::not_found("Related entity", related));
            }
            world.put_entity(target, json!({"identifier": related, "title": related}));
        }
    }
    let missing = defined.iter().find(|(name, relation)| {
        relation["required"] == json!(true) && given.get(*name).is_none_or(Value::is_null)
    });
    match missing {
        None => Ok(()),
        Some((name, _)) => {
            let message = format!("the relation \"{name}\" is required");
            Err(Refusal::new(StatusCode::FORBIDDEN, "required_relation", message))
        }
    }
}

/// Against the blueprint's schema. A property that is null has no value.
fn check_properties(blueprint: &Value, properties: &Value) -> Result<(), Refusal> {
    let mut schema = blueprint["schema"].clone();
    schema["type"] = json!("object");
    schema["additionalProperties"] = json!(false);
    let validator = jsonschema::validator_for(&schema)
        .map_err(|error| mismatch(format!("the blueprint's schema is wrong: {error}")))?;
    let mut properties = properties.as_object().cloned().unwrap_or_default();
    properties.retain(|_, value| !value.is_null());
    validator.validate(&Value::Object(properties)).map_err(|error| mismatch(error.to_string()))
}

fn mismatch(message: String) -> Refusal {
    Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "blueprint_schema_mismatch", message)
}

fn plural(many: bool) -> &'static str {
    if many { "a list of identifiers" } else { "one identifier" }
}

fn identifiers(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        one => one.as_str().into_iter().collect(),
    }
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

/// Entities with a relation to this one that they cannot be without.
fn depending_on(world: &World, of: &str, id: &str) -> Vec<(String, String)> {
    let depends = |(blueprint, _): &(String, String), entity: &Value| {
        let relations = world.blueprints.get(blueprint).map(|it| &it["relations"]);
        let relations = relations.and_then(Value::as_object).into_iter().flatten();
        relations
            .filter(|(_, relation)| relation["target"] == of && relation["required"] == json!(true))
            .any(|(name, _)| identifiers(&entity["relations"][name]).contains(&id))
    };
    let entities = world.entities.iter().filter(|(key, entity)| depends(key, entity));
    entities.map(|(key, _)| key.clone()).collect()
}

/// Whether an entity fits a search query. Of the operators, those that the sandbox is asked for.
fn matches(query: &Value, entity: &Value) -> bool {
    let Some(rules) = query["rules"].as_array() else {
        return true;
    };
    let mut fits = rules.iter().map(|rule| match rule.get("rules") {
        Some(_) => matches(rule, entity),
        None => fits_rule(rule, entity),
    });
    if query["combinator"] == "or" { fits.any(|fits| fits) } else { fits.all(|fits| fits) }
}

fn fits_rule(rule: &Value, entity: &Value) -> bool {
    let property = rule["property"].as_str().unwrap_or_default();
    let value = match property.strip_prefix('$') {
        Some(meta) => &entity[meta],
        None => &entity["properties"][property],
    };
    let wanted = &rule["value"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    match rule["operator"].as_str().unwrap_or_default() {
        "=" => value == wanted,
        "!=" => value != wanted,
        "in" => wanted.as_array().is_some_and(|list| list.contains(value)),
        "notIn" => !wanted.as_array().is_some_and(|list| list.contains(value)),
        "contains" => text(value).contains(&text(wanted)),
        "beginsWith" => text(value).starts_with(&text(wanted)),
        "endsWith" => text(value).ends_with(&text(wanted)),
        "isEmpty" => value.is_null(),
        "isNotEmpty" => !value.is_null(),
        _ => false,
    }
}
