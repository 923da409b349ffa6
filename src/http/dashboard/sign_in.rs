//! `/sign-in` and `/sign-out`: the way to GitHub and back, by its web flow with state and PKCE.

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::identity::Proof;
use super::problem::Problem;
use super::submitted::Submitted;
use super::visitor::{LIFE, SESSION, Session};
use super::{DashboardState, SignIn, cookie};
use crate::domain::Right;

/// The cookie of somebody who is on the way.
const ON_THE_WAY: &str = "towpath-sign-in";
/// How long the way may take: GitHub's code is good for as long.
const LONGEST_WAY: TimeDelta = TimeDelta::minutes(10);

/// Where somebody came from.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct From {
    to: String,
}

/// With what GitHub sends them back.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Back {
    code: String,
    state: String,
}

/// What a browser keeps on the way, signed.
#[derive(Debug, Serialize, Deserialize)]
struct Way {
    state: String,
    verifier: String,
    to: String,
    until: DateTime<Utc>,
}

/// Sends a browser to GitHub.
pub(super) async fn go(
    State(state): State<DashboardState>,
    Query(from): Query<From>,
) -> Result<Response, Problem> {
    let sign_in = configured(&state)?;
    let way = Way {
        state: cookie::random(),
        verifier: cookie::random(),
        to: own_path(&from.to),
        until: state.clock.now() + LONGEST_WAY,
    };
    let challenge = BASE64.encode(Sha256::digest(&way.verifier));
    let address = sign_in.identity.address(&way.state, &challenge);
    let signed = state.cookie_key.sign(ON_THE_WAY, &way);
    let kept = cookie::set(ON_THE_WAY, &signed, LONGEST_WAY, sign_in.is_secure());
    Ok(([(header::SET_COOKIE, kept)], Redirect::to(&address)).into_response())
}

/// Takes somebody in who comes back.
pub(super) async fn back(
    State(state): State<DashboardState>,
    Query(back): Query<Back>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let sign_in = configured(&state)?;
    let way = cookie::sent(&headers, ON_THE_WAY);
    let way = way.and_then(|way| state.cookie_key.open::<Way>(ON_THE_WAY, way));
    let is_ours = |way: &Way| way.state == back.state && way.until > state.clock.now();
    let Some(way) = way.filter(is_ours) else { return Err(Problem::lost_way()) };
    let proof = Proof { code: back.code, verifier: way.verifier };
    let person = sign_in.identity.person(proof).await.map_err(Problem::not_signed_in)?;
    let right = sign_in.right_of(&person, &state.clock).await.map_err(Problem::not_signed_in)?;
    if right.is_none() {
        tracing::info!(login = person.login, "somebody signed in who may not look");
        return Err(Problem::not_allowed(Right::View));
    }
    tracing::info!(login = person.login, ?right, "somebody signed in");
    let session = Session::begin(Some(person), state.clock.now());
    let signed = state.cookie_key.sign(SESSION, &session);
    let mut response = Redirect::to(&way.to).into_response();
    for (name, value, life) in
        [(SESSION, signed.as_str(), LIFE), (ON_THE_WAY, "", TimeDelta::zero())]
    {
        let set = cookie::set(name, value, life, sign_in.is_secure());
        response.headers_mut().append(header::SET_COOKIE, set);
    }
    Ok(response)
}

/// Has a browser forget who is there.
pub(super) async fn out(State(state): State<DashboardState>, _: Submitted) -> Response {
    let is_secure = state.sign_in.as_ref().is_some_and(SignIn::is_secure);
    let forget = cookie::set(SESSION, "", TimeDelta::zero(), is_secure);
    ([(header::SET_COOKIE, forget)], Redirect::to("/signed-out")).into_response()
}

/// Says that nobody is there any more.
pub(super) async fn signed_out() -> Response {
    Problem::signed_out().into_response()
}

fn configured(state: &DashboardState) -> Result<&SignIn, Problem> {
    state.sign_in.as_ref().ok_or_else(|| super::problem::NotFound.into())
}

/// Where somebody is let go to: a page of this service, and nowhere else.
fn own_path(to: &str) -> String {
    let is_own = to.starts_with('/')
        && !to[1..].starts_with(['/', '\\'])
        && to.bytes().all(|byte| byte.is_ascii_graphic());
    if is_own { to.to_owned() } else { "/".to_owned() }
}

/// For somebody who has to sign in: a browser that opens a page is sent on its way, anything else
/// is told.
pub(super) fn needed(headers: &HeaderMap, asked_for: &str, is_get: bool) -> Response {
    let mode = headers.get("sec-fetch-mode");
    let opens_a_page = is_get && mode.is_none_or(|mode| mode == "navigate");
    let accepts = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    if opens_a_page && accepts.is_some_and(|accept| accept.contains("text/html")) {
        let to = super::view::encoded(asked_for);
        return Redirect::to(&format!("/sign-in?to={to}")).into_response();
    }
    (StatusCode::UNAUTHORIZED, Problem::session_ended()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_away_after_the_sign_in() {
        assert_eq!(own_path("/runs/r_1?a=b"), "/runs/r_1?a=b");
        for away in
            ["https://evil.example", "//evil.example", "/\\evil.example", "", "/a\r\nb", "/é"]
        {
            assert_eq!(own_path(away), "/", "{away}");
        }
    }
}
