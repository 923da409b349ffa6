//! The front door: hooks, health, and the API. Answers in JSON, never with a panic, and with a 5xx
//! only where this program or its database is at fault.

mod actions;
mod answer;
mod events;
mod guard;
mod health;
mod hooks;
mod runs;

use std::any::Any;
use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use axum::{Router, middleware};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;

use crate::domain::{ActionRun, RunId};
use crate::store::Store;

/// GitHub's largest delivery, in bytes (25 MB, by GitHub's documentation of webhooks).
const GITHUB_BODY: usize = 25 * 1024 * 1024;

/// The largest message of the portal that is taken, in bytes. Port's own bodies end at 1 MiB; a
/// message also carries the entity and the action.
const PORT_BODY: usize = 5 * 1024 * 1024;

/// What becomes of a message that came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It is on disk, or is known to concern nobody. The run, where the message is one.
    Accepted(Option<RunId>),
    /// Its signature is wrong, missing or stale, or no secret is configured.
    Unauthorized(String),
    /// It is not what it should be, with the reason.
    Invalid(String),
    /// It could not be written down: the sender should send it again.
    Unavailable,
}

/// Where messages go: verified, understood, and written down before it answers.
pub trait Intake: Send + Sync {
    /// A delivery of GitHub.
    fn github<'a>(&'a self, headers: &'a HeaderMap, body: Bytes) -> BoxFuture<'a, Answer>;
    /// An action run of the portal.
    fn portal<'a>(&'a self, headers: &'a HeaderMap, body: Bytes) -> BoxFuture<'a, Answer>;
    /// An action run of somebody at this program's own pages.
    fn action(&self, request: ActionRun) -> BoxFuture<'_, Answer>;
    /// Why messages are not taken in now, in sentences; empty when they are.
    fn problems(&self) -> Vec<String>;
}

/// What the routes work with.
#[derive(Clone)]
pub struct AppState {
    /// What is remembered.
    pub store: Store,
    /// Where messages go.
    pub intake: Arc<dyn Intake>,
    /// Renders `/metrics`.
    pub metrics: PrometheusHandle,
    /// Cancelled when the program is to stop: event streams end then.
    pub stopping: CancellationToken,
}

/// The whole service. To be served with the address of the peer as connect info.
pub fn app(state: AppState) -> Router {
    let api = api_routes()
        .into_iter()
        .fold(Router::new(), |api, (path, methods)| api.route(path, methods));
    Router::new()
        .route("/hooks/github", post(hooks::github).layer(DefaultBodyLimit::max(GITHUB_BODY)))
        .route("/hooks/port", post(hooks::port).layer(DefaultBodyLimit::max(PORT_BODY)))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .merge(api.route_layer(middleware::from_fn(guard::only_this_machine)))
        .fallback(answer::unknown)
        .method_not_allowed_fallback(answer::wrong_method)
        .layer(CatchPanicLayer::custom(panicked))
        .layer(secure("x-content-type-options", "nosniff"))
        .layer(secure("x-frame-options", "DENY"))
        .layer(secure("referrer-policy", "no-referrer"))
        .layer(secure(header::CACHE_CONTROL.as_str(), "no-store"))
        .layer(secure("content-security-policy", "default-src 'self'; frame-ancestors 'none'"))
        .with_state(state)
}

/// The routes that `openapi.json` describes.
fn api_routes() -> Vec<(&'static str, MethodRouter<AppState>)> {
    vec![
        ("/api/v1/runs", get(runs::list)),
        ("/api/v1/runs/{id}", get(runs::get)),
        ("/api/v1/runs/{id}/events", get(events::stream)),
        ("/api/v1/actions/{action}/runs", post(actions::start)),
        ("/api/v1/entities/{blueprint}", get(runs::entities)),
        ("/api/v1/openapi.json", get(runs::openapi)),
    ]
}

/// A header for every answer that does not say otherwise.
fn secure(name: &'static str, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    let name = HeaderName::from_static(name);
    SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
}

#[expect(clippy::needless_pass_by_value, reason = "the layer gives it so")]
fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no text");
    tracing::error!(panic = text, "a request ended in a panic");
    answer::Failure::internal().into_response()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn the_description_has_the_router_s_paths() {
        let description: Value = serde_json::from_str(runs::OPENAPI).unwrap();
        let mut described: Vec<&str> =
            description["paths"].as_object().unwrap().keys().map(String::as_str).collect();
        let mut routed: Vec<&str> = api_routes().into_iter().map(|(path, _)| path).collect();
        described.sort_unstable();
        routed.sort_unstable();
        assert_eq!(described, routed);
    }
}
