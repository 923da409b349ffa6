//! Environments, and the secrets of repositories and environments.

use axum::http::Method;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{Answer, Call, Route, created, ok, route};
use crate::sandbox::github::auth::Access::Needs;
use crate::sandbox::github::body::time;
use crate::sandbox::github::checks::{SECRETS_KEY_ID, secrets_key};
use crate::sandbox::github::refusal::{Answered, Refusal};
use crate::sandbox::github::state::World;

pub(super) fn routes() -> Vec<Route> {
    let read = Needs(&["actions:read"]);
    let (secrets, put_secrets) = (Needs(&["secrets:read"]), Needs(&["secrets:write"]));
    let environments = Needs(&["environments:read"]);
    vec![
        route(Method::GET, "/repos/{owner}/{repo}/actions/secrets/public-key", secrets, public_key),
        route(
            Method::PUT,
            "/repos/{owner}/{repo}/actions/secrets/{secret_name}",
            put_secrets,
            put_secret,
        ),
        route(Method::GET, "/repos/{owner}/{repo}/actions/secrets/{secret_name}", secrets, secret),
        route(Method::GET, "/repos/{owner}/{repo}/environments", read, list_environments),
        route(
            Method::GET,
            "/repos/{owner}/{repo}/environments/{environment_name}",
            read,
            environment,
        ),
        route(
            Method::GET,
            "/repos/{owner}/{repo}/environments/{environment_name}/secrets/public-key",
            environments,
            public_key,
        ),
        route(
            Method::PUT,
            "/repos/{owner}/{repo}/environments/{environment_name}/secrets/{secret_name}",
            Needs(&["environments:write"]),
            put_secret,
        ),
    ]
}

fn environment_of<'a>(world: &World, call: &'a Call<'_>) -> Answered<(usize, Option<&'a str>)> {
    let repository = call.repository(world)?;
    let name = Some(call.parameter("environment_name")).filter(|name| !name.is_empty());
    if let Some(name) = name {
        world.repositories[repository].environment(name).ok_or_else(Refusal::not_found)?;
    }
    Ok((repository, name))
}

fn public_key(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    environment_of(world, call)?;
    let pair = secrets_key();
    let key = STANDARD.encode(&pair.public_key[..]);
    ok(json!({"key_id": SECRETS_KEY_ID, "key": key}))
}

fn put_secret(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let (repository, environment) = environment_of(world, call)?;
    call.required("encrypted_value")?;
    let is_new =
        world.put_secret(repository, environment, call.parameter("secret_name"), &call.body)?;
    if is_new { created(json!({})) } else { Ok(Answer::empty(204)) }
}

fn secret(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let found = &world.repositories[call.repository(world)?];
    let name = call.parameter("secret_name").to_uppercase();
    let secret = found.secrets.get(&name).ok_or_else(Refusal::not_found)?;
    ok(
        json!({"name": name, "created_at": time(secret.created_at), "updated_at": time(secret.updated_at)}),
    )
}

fn list_environments(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let found = &world.repositories[call.repository(world)?];
    let all: Vec<Value> =
        found.environments.iter().map(|it| world.environment_body(found, it)).collect();
    call.counted_list("environments", all)
}

fn environment(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let found = &world.repositories[call.repository(world)?];
    let environment = found.environment(call.parameter("environment_name"));
    ok(world.environment_body(found, environment.ok_or_else(Refusal::not_found)?))
}
