//! Searching entities, in all blueprints or in one.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::App;
use crate::sandbox::portal::answer::{Answer, object, ok};

pub(in super::super) async fn search(State(shared): App, body: Bytes) -> Answer {
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

pub(in super::super) async fn search_blueprint(
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
