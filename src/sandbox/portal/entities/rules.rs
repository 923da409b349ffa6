//! What Port holds an entity to: its blueprint's schema and relations, and what depends on it.

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use super::Parameters;
use crate::sandbox::portal::answer::Refusal;
use crate::sandbox::portal::world::World;

/// Refuses an entity that does not keep to its blueprint. Missing entities that it is related to are
/// made, where that is asked for.
pub(super) fn check(
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

/// Entities with a relation to this one that they cannot be without.
pub(super) fn depending_on(world: &World, of: &str, id: &str) -> Vec<(String, String)> {
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
