//! What every call passes: the list of calls, faults, the body's limit, the access token, and the
//! headers that Port puts on every answer.

use std::sync::Arc;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, MatchedPath, Request as HttpRequest, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use chrono::TimeDelta;
use serde_json::json;

use super::answer::{Answer, Refusal, needed_text, object, ok};
use super::cut::Connection;
use super::fault::{FaultKind, Request};
use super::{Shared, world::Token};

/// Port's largest body, in bytes.
const BODY_LIMIT: usize = 1024 * 1024;

/// How long an access token lives (Port's documentation).
const TOKEN_LIFE: TimeDelta = TimeDelta::hours(3);

/// Port's rate limit as it is shown. The numbers are not published; it is never reached here.
const RATE_LIMIT: (&str, &str) = ("300", "1000");

pub(super) async fn gate(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    request: HttpRequest,
    next: Next,
) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, BODY_LIMIT).await;
    let path = parts.uri.path().to_owned();
    let route = parts.extensions.get::<MatchedPath>();
    let seen = Request {
        method: parts.method.to_string(),
        route: route.map_or_else(|| path.clone(), |route| route.as_str().to_owned()),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        body: body.as_ref().ok().and_then(|bytes| serde_json::from_slice(bytes).ok()),
        status: None,
        path,
    };
    let fault = shared.world().fault_for(&seen);
    let is_login = seen.route == "/v1/auth/access_token";
    let index = shared.world().record(if is_login { Request { body: None, ..seen } } else { seen });

    let response = match (&fault, body) {
        (Some(FaultKind::LoseRequest), _) => {
            connection.cut();
            return StatusCode::BAD_GATEWAY.into_response();
        }
        (Some(FaultKind::Answer { status, headers }), _) => injected(*status, headers),
        (_, Err(_)) => Refusal::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "payload_too_large",
            "the body is larger than 1 MiB",
        )
        .into_response(),
        (_, Ok(_)) if !is_login && !is_known(&shared, &parts.headers) => Refusal::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "the access token is missing or not valid",
        )
        .into_response(),
        (_, Ok(body)) => next.run(HttpRequest::from_parts(parts, Body::from(body))).await,
    };
    shared.world().answered(index, response.status().as_u16());
    if matches!(fault, Some(FaultKind::LoseAnswer)) {
        connection.cut();
    }
    with_rate_limit(&shared, response)
}

fn injected(status: u16, headers: &[(&'static str, String)]) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response =
        Refusal::new(status, "injected_fault", "this answer was ordered").into_response();
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    response
}

fn is_known(shared: &Shared, headers: &HeaderMap) -> bool {
    let sent = headers.get("authorization").and_then(|value| value.to_str().ok());
    let sent = sent.and_then(|value| value.strip_prefix("Bearer "));
    let world = shared.world();
    let now = world.clock.now();
    world.token.as_ref().is_some_and(|token| now < token.until && sent == Some(&token.text))
}

fn with_rate_limit(shared: &Shared, mut response: Response) -> Response {
    let now = shared.options.clock.now().timestamp();
    let headers = response.headers_mut();
    for (name, value) in [
        ("x-ratelimit-period", RATE_LIMIT.0.to_owned()),
        ("x-ratelimit-limit", RATE_LIMIT.1.to_owned()),
        ("x-ratelimit-remaining", RATE_LIMIT.1.to_owned()),
        ("x-ratelimit-reset", (now + 300).to_string()),
    ] {
        if let (false, Ok(value)) = (headers.contains_key(name), HeaderValue::from_str(&value)) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    response
}

/// `POST /v1/auth/access_token`: the same token for as long as it is valid.
pub(super) async fn access_token(State(shared): State<Arc<Shared>>, body: Bytes) -> Answer {
    let body = object(&body, &["clientId", "clientSecret"])?;
    let (id, secret) = (needed_text(&body, "clientId")?, needed_text(&body, "clientSecret")?);
    if id != shared.options.client_id || secret != shared.options.client_secret {
        return Err(Refusal::new(
            StatusCode::UNAUTHORIZED,
            "invalid_credentials",
            "the client id or the client secret is wrong",
        ));
    }
    let mut world = shared.world();
    let now = world.clock.now();
    let token = world.token.take().filter(|token| now < token.until);
    let token = token.unwrap_or_else(|| Token {
        text: format!("sandbox.{:032x}", fastrand::u128(..)),
        until: now + TOKEN_LIFE,
    });
    let expires_in = (token.until - now).num_seconds();
    let answer = json!({"accessToken": token.text, "expiresIn": expires_in, "tokenType": "Bearer"});
    world.token = Some(token);
    ok(StatusCode::OK, answer)
}

/// A path that Port does not have.
pub(super) async fn unknown() -> Answer {
    Err(Refusal::new(StatusCode::NOT_FOUND, "not_found", "there is no such route"))
}
