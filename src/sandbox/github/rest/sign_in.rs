//! Signing in by the App, and who belongs to what.

use axum::http::Method;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Answer, Call, Route, encoded, ok, route};
use crate::sandbox::github::auth::{Access, Caller};
use crate::sandbox::github::refusal::{Answered, Refusal};
use crate::sandbox::github::sign_in::{Code, SANDBOX_CLIENT_SECRET};
use crate::sandbox::github::state::{Id, World};

pub(super) fn routes() -> Vec<Route> {
    use Access::{Anybody, Needs, User};
    vec![
        route(Method::GET, "/login/oauth/authorize", Anybody, authorize),
        route(Method::POST, "/login/oauth/access_token", Anybody, exchange),
        route(Method::GET, "/user", User, user),
        route(Method::GET, "/orgs/{org}/members/{username}", Needs(&["members:read"]), member),
        route(
            Method::GET,
            "/orgs/{org}/teams/{team_slug}/memberships/{username}",
            Needs(&["members:read"]),
            team_member,
        ),
    ]
}

/// The page on which a person allows the App to know who they are: whoever sits here has.
fn authorize(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    if call.query("client_id") != Some(world.app.client_id.as_str()) {
        return Err(Refusal::not_found());
    }
    let person = world.sign_ins.person.ok_or_else(|| Refusal::unauthorized("Sign in first"))?;
    let redirect = call.query("redirect_uri").ok_or_else(Refusal::not_found)?.to_owned();
    let challenge = call.query("code_challenge").map(str::to_owned);
    if challenge.is_some() && call.query("code_challenge_method") != Some("S256") {
        return Err(Refusal::unprocessable("code_challenge_method must be S256"));
    }
    let code: String = std::iter::repeat_with(fastrand::alphanumeric).take(20).collect();
    let state = encoded(call.query("state").unwrap_or_default());
    let back = format!("{redirect}?code={code}&state={state}");
    world.sign_ins.codes.insert(code, Code { person, redirect, challenge });
    Ok(Answer::redirect(back))
}

/// Refusals come with 200, too.
fn exchange(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let refused =
        |error: &str| ok(json!({"error": error, "error_description": error.replace('_', " ")}));
    let is_app = call.text("client_id") == Some(world.app.client_id.as_str())
        && call.text("client_secret") == Some(SANDBOX_CLIENT_SECRET);
    if !is_app {
        return refused("incorrect_client_credentials");
    }
    let Some(code) = world.sign_ins.codes.remove(call.text("code").unwrap_or_default()) else {
        return refused("bad_verification_code");
    };
    if call.text("redirect_uri").is_some_and(|redirect| redirect != code.redirect) {
        return refused("redirect_uri_mismatch");
    }
    let digest = URL_SAFE_NO_PAD.encode(Sha256::digest(call.text("code_verifier").unwrap_or("")));
    if code.challenge.is_some_and(|challenge| challenge != digest) {
        return refused("bad_verification_code");
    }
    let random: String = std::iter::repeat_with(fastrand::alphanumeric).take(36).collect();
    let token = format!("ghu_{random}");
    world.sign_ins.tokens.insert(token.clone(), code.person);
    ok(json!({"access_token": token, "token_type": "bearer", "scope": ""}))
}

fn user(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let Caller::User { id } = call.caller else { return Err(Refusal::not_accessible()) };
    ok(world.user_body(*id))
}

fn member(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let (organization, person) = named(world, call)?;
    if !world.sign_ins.members.contains(&(organization, person)) {
        return Err(Refusal::not_found());
    }
    Ok(Answer::empty(204))
}

fn team_member(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let (organization, person) = named(world, call)?;
    let team = world.find_team(organization, call.parameter("team_slug"));
    let team = team.ok_or_else(Refusal::not_found)?.id;
    if !world.sign_ins.team_members.contains(&(team, person)) {
        return Err(Refusal::not_found());
    }
    let url = format!("{}/organizations/{organization}/team/{team}/memberships", world.base_url);
    let body: Value = json!({"url": url, "role": "member", "state": "active"});
    ok(body)
}

fn named(world: &World, call: &Call<'_>) -> Answered<(Id, Id)> {
    let id = |name: &str| world.find_account(call.parameter(name)).map(|account| account.id);
    let both = id("org").zip(id("username"));
    both.ok_or_else(Refusal::not_found)
}
