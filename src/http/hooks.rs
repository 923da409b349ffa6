//! Messages of GitHub and of the portal.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest as _, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde_json::{Value, json};

use super::AppState;
use super::answer::Failure;
use crate::intake::{Answer, GitHubHeaders, PortalHeaders};

pub(super) async fn github(State(state): State<Arc<AppState>>, request: Request) -> Response {
    let (headers, body) = taken(request).await;
    let proofs = GitHubHeaders {
        event: text(&headers, "x-github-event"),
        delivery: text(&headers, "x-github-delivery"),
        signature: text(&headers, "x-hub-signature-256"),
    };
    match body {
        Ok(body) => answered("github", state.intake.github(proofs, &body).await),
        Err(rejection) => unreadable(&rejection).into_response(),
    }
}

pub(super) async fn port(State(state): State<Arc<AppState>>, request: Request) -> Response {
    let (headers, body) = taken(request).await;
    let proofs = PortalHeaders {
        signature: text(&headers, "x-port-signature"),
        timestamp: text(&headers, "x-port-timestamp"),
    };
    match body {
        Ok(body) => answered("port", state.intake.portal(proofs, &body).await),
        Err(rejection) => unreadable(&rejection).into_response(),
    }
}

/// The headers themselves: who asks for them beside the body is given a copy.
async fn taken(mut request: Request) -> (HeaderMap, Result<Bytes, BytesRejection>) {
    let headers = std::mem::take(request.headers_mut());
    (headers, Bytes::from_request(request, &()).await)
}

/// A header that is text and there once.
fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// The HTTP form of what became of a message.
pub(super) fn answered(source: &'static str, answer: Answer) -> Response {
    let accepted = |body: Value| (StatusCode::ACCEPTED, Json(body)).into_response();
    let (outcome, response) = match answer {
        Answer::Run(run) => ("accepted", accepted(json!({ "run": run }))),
        Answer::Recorded => ("accepted", accepted(json!({}))),
        Answer::Ignored => ("ignored", accepted(json!({}))),
        Answer::Unproved => {
            let reason = "The signature is wrong, missing or stale, or no secret is configured.";
            ("refused", Failure::new(StatusCode::UNAUTHORIZED, reason).into_response())
        }
        Answer::NotUnderstood(reason) => ("invalid", Failure::invalid(reason).into_response()),
        Answer::Unavailable => ("unavailable", Failure::unavailable().into_response()),
    };
    metrics::counter!("towpath_deliveries_total", "source" => source, "outcome" => outcome)
        .increment(1);
    response
}

fn unreadable(rejection: &BytesRejection) -> Failure {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "The body is too large.");
    }
    Failure::invalid("The body ended before it was complete.")
}
