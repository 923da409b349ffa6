//! The App itself: its installations, tokens, deliveries and limits.

use axum::http::Method;
use serde_json::{Value, json};

use super::{Answer, Body, Call, Route, created, ok, route};
use crate::sandbox::github::auth::{Access, Caller};
use crate::sandbox::github::body::{time, with};
use crate::sandbox::github::limits::limit_body;
use crate::sandbox::github::refusal::{Answered, Refusal};
use crate::sandbox::github::state::{AccountKind, Id, World};
use crate::sandbox::github::webhooks::{Delivery, Outcome};

pub(super) fn routes() -> Vec<Route> {
    use Access::{Anybody, App, Needs, Token};
    vec![
        route(Method::GET, "/app", App, |world, _| ok(world.app_body())),
        route(Method::GET, "/app/installations", App, installations),
        route(Method::GET, "/app/installations/{installation_id}", App, installation),
        route(Method::POST, "/app/installations/{installation_id}/access_tokens", App, mint),
        route(Method::GET, "/app/hook/config", App, hook_config),
        route(Method::GET, "/app/hook/deliveries", App, deliveries),
        route(Method::GET, "/app/hook/deliveries/{delivery_id}", App, delivery),
        route(Method::POST, "/app/hook/deliveries/{delivery_id}/attempts", App, redeliver),
        route(Method::GET, "/orgs/{org}/installation", App, |world, call| {
            of_account(world, call, "org")
        }),
        route(Method::GET, "/users/{username}/installation", App, |world, call| {
            of_account(world, call, "username")
        }),
        route(Method::GET, "/repos/{owner}/{repo}/installation", App, of_repository),
        route(Method::GET, "/installation/repositories", Token, repositories),
        route(Method::DELETE, "/installation/token", Token, revoke),
        route(Method::GET, "/rate_limit", Anybody, rate_limit),
        route(Method::GET, "/meta", Anybody, meta),
        route(Method::GET, "/versions", Anybody, |_, _| ok(json!(["2026-03-10", "2022-11-28"]))),
        route(Method::GET, "/users/{username}", Anybody, user),
        route(Method::GET, "/orgs/{org}", Anybody, organization),
        route(Method::GET, "/orgs/{org}/teams/{team_slug}", Needs(&["members:read"]), team),
    ]
}

fn installations(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    call.list(world.installations.iter().map(|it| world.installation_body(it)).collect())
}

fn installation(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let id = call.number("installation_id")?;
    let found = world.installations.iter().find(|it| it.id == id);
    ok(world.installation_body(found.ok_or_else(Refusal::not_found)?))
}

fn mint(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    created(world.mint(call.number("installation_id")?, &call.body)?)
}

fn hook_config(world: &mut World, _: &Call<'_>) -> Answered<Answer> {
    let secret = world.hooks.secret.as_ref().map(|_| "********");
    let url = world.hooks.url.as_deref().unwrap_or_default();
    let mut config = json!({"content_type": "json", "insecure_ssl": "0", "url": url});
    if let Some(secret) = secret {
        config["secret"] = json!(secret);
    }
    ok(config)
}

fn delivery_body(delivery: &Delivery) -> Value {
    let outcome = delivery.outcome.as_ref();
    json!({
        "id": delivery.id,
        "guid": delivery.guid,
        "delivered_at": time(delivery.at),
        "redelivery": delivery.redelivery,
        "duration": outcome.map_or(0.0, |it| it.seconds),
        "status": outcome.map_or("", |it| it.status.as_str()),
        "status_code": outcome.map_or(0, |it| it.status_code),
        "event": delivery.event,
        "action": delivery.action,
        "installation_id": delivery.installation,
        "repository_id": delivery.repository,
        "throttled_at": null,
    })
}

/// Newest first; the cursor names the delivery that the page before ended with.
fn deliveries(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let wanted = match call.query("status") {
        None => None,
        Some("success") => Some(true),
        Some("failure") => Some(false),
        Some(_) => {
            return Err(Refusal::unprocessable("status is not one of success, failure"));
        }
    };
    let cursor = call.query("cursor").map(|it| it.trim_start_matches("v1_").parse::<Id>());
    let cursor = cursor.transpose().map_err(|_| Refusal::bad_request("Invalid cursor"))?;
    let succeeded = |it: &Delivery| it.outcome.as_ref().is_some_and(Outcome::is_success);
    let rest: Vec<&Delivery> = world
        .deliveries()
        .filter(|it| cursor.is_none_or(|cursor| it.id < cursor))
        .filter(|it| wanted.is_none_or(|wanted| succeeded(it) == wanted))
        .collect();
    let page: Vec<&Delivery> = rest.iter().take(call.per_page()).copied().collect();
    let mut headers = Vec::new();
    if let (true, Some(last)) = (rest.len() > page.len(), page.last()) {
        let next = call.link(&[("cursor", format!("v1_{}", last.id))]);
        headers.push(("link", format!("<{next}>; rel=\"next\"")));
    }
    let body = page.into_iter().map(delivery_body).collect();
    Ok(Answer { status: 200, body: Body::Json(body), headers })
}

fn delivery(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let found = world.delivery(call.number("delivery_id")?)?;
    let headers: serde_json::Map<String, Value> = world
        .headers(found)
        .into_iter()
        .map(|(name, value)| (name.to_owned(), json!(value)))
        .collect();
    let payload: Value = serde_json::from_str(&found.payload).unwrap_or_default();
    let response = found.outcome.as_ref().map(|it| it.response.clone()).unwrap_or_default();
    ok(with(
        delivery_body(found),
        json!({
            "url": world.hooks.url.as_deref().unwrap_or_default(),
            "request": {"headers": headers, "payload": payload},
            "response": {"headers": {}, "payload": response},
        }),
    ))
}

fn redeliver(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    world.redeliver(call.number("delivery_id")?)?;
    Ok(Answer::json(202, json!({})))
}

fn of_account(world: &mut World, call: &Call<'_>, parameter: &str) -> Answered<Answer> {
    let account = world.find_account(call.parameter(parameter)).ok_or_else(Refusal::not_found)?.id;
    let found = world.installations.iter().find(|it| it.account == account);
    ok(world.installation_body(found.ok_or_else(Refusal::not_found)?))
}

fn of_repository(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let name = format!("{}/{}", call.parameter("owner"), call.parameter("repo"));
    let repository = world.find_repository(&name).ok_or_else(Refusal::not_found)?;
    ok(world.installation_body(world.installation_of(repository).ok_or_else(Refusal::not_found)?))
}

fn repositories(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let visible = (0..world.repositories.len()).filter(|it| world.can_see(call.caller, *it));
    let all = visible.map(|it| world.repository_body(&world.repositories[it])).collect();
    call.counted_list("repositories", all)
}

fn revoke(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let header = call.headers.get("authorization").and_then(|it| it.to_str().ok());
    let token = header.and_then(|it| it.split_once(' ')).map(|(_, token)| token.to_owned());
    world.tokens.remove(&token.unwrap_or_default());
    Ok(Answer::empty(204))
}

fn rate_limit(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let installation = match call.caller {
        Caller::Installation { id, .. } => world.installations.iter().find(|it| it.id == *id),
        _ => None,
    };
    let now = world.now().timestamp();
    let hourly = world.hourly;
    let core = limit_body(installation, hourly, false, now);
    let graphql = limit_body(installation, hourly, true, now);
    ok(json!({
        "resources": {"core": core, "search": core, "graphql": graphql, "integration_manifest": core},
        "rate": core,
    }))
}

fn meta(_: &mut World, _: &Call<'_>) -> Answered<Answer> {
    ok(json!({"verifiable_password_authentication": false, "hooks": ["127.0.0.1/32"]}))
}

fn user(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let id = world.find_account(call.parameter("username")).ok_or_else(Refusal::not_found)?.id;
    ok(world.user_body(id))
}

fn organization(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let found = world.find_account(call.parameter("org"));
    let found = found.filter(|it| it.kind == AccountKind::Organization);
    ok(world.organization_full_body(found.ok_or_else(Refusal::not_found)?.id))
}

fn team(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let organization = world.find_account(call.parameter("org")).ok_or_else(Refusal::not_found)?.id;
    let team = world.find_team(organization, call.parameter("team_slug"));
    ok(world.team_full_body(team.ok_or_else(Refusal::not_found)?))
}
