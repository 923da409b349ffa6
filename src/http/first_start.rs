//! The service before it has a GitHub App: it lives, says what it waits for, takes nothing in, and
//! shows the page on which the App is registered to whoever has the one-time token.

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::json;

use super::answer::Failure;
use super::dashboard::setup::{self, SetupState};
use super::{dashboard, health};

const WAITING: &str = "No GitHub App is registered yet, so that nothing can be taken in: open the \
                       address that Towpath printed in its log, or run `towpath setup`.";

/// The routes until there is an App.
pub fn first_start(setup: SetupState) -> Router {
    Router::new()
        .route("/hooks/github", post(waiting))
        .route("/hooks/port", post(waiting))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(ready))
        .merge(setup::router(setup))
        .fallback(anything_else)
}

/// Ready for the one thing that it can do: a platform that sends nobody here before it is ready
/// would send nobody to the page.
async fn ready() -> Response {
    Json(json!({"status": "waiting for its GitHub App", "reasons": [WAITING]})).into_response()
}

async fn waiting() -> Failure {
    Failure::new(StatusCode::SERVICE_UNAVAILABLE, WAITING)
}

/// Whoever can read a page gets one.
async fn anything_else(headers: HeaderMap) -> Response {
    let accepted = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    if accepted.is_some_and(|accept| accept.contains("text/html")) {
        return dashboard::setup::waiting(WAITING).await;
    }
    waiting().await.into_response()
}
