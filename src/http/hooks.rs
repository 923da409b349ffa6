//! Messages of GitHub and of the portal.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde_json::json;

use super::answer::Failure;
use super::{Answer, AppState};

type Body = Result<Bytes, BytesRejection>;

pub(super) async fn github(
    State(state): State<AppState>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    match body {
        Ok(body) => answered("github", state.intake.github(&headers, body).await),
        Err(rejection) => unreadable(&rejection).into_response(),
    }
}

pub(super) async fn port(
    State(state): State<AppState>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    match body {
        Ok(body) => answered("port", state.intake.portal(&headers, body).await),
        Err(rejection) => unreadable(&rejection).into_response(),
    }
}

/// The HTTP form of what became of a message.
pub(super) fn answered(from: &'static str, answer: Answer) -> Response {
    let (response, outcome) = match answer {
        Answer::Accepted(Some(run)) => {
            ((StatusCode::ACCEPTED, Json(json!({"run": run}))).into_response(), "accepted")
        }
        Answer::Accepted(None) => {
            ((StatusCode::ACCEPTED, Json(json!({}))).into_response(), "accepted")
        }
        Answer::Unauthorized(reason) => {
            (Failure::new(StatusCode::UNAUTHORIZED, reason).into_response(), "unauthorized")
        }
        Answer::Invalid(reason) => (Failure::invalid(reason).into_response(), "invalid"),
        Answer::Unavailable => (Failure::unavailable().into_response(), "unavailable"),
    };
    metrics::counter!("towpath_messages_total", "from" => from, "outcome" => outcome).increment(1);
    response
}

fn unreadable(rejection: &BytesRejection) -> Failure {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "The body is too large.");
    }
    Failure::invalid("The body ended before it was complete.")
}
