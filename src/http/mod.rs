//! The front door: hooks, health, and the API. Answers in JSON, never with a panic, and with a 5xx
//! only where this program or its database is at fault.

pub mod dashboard;

mod actions;
mod answer;
mod cancel;
mod events;
mod first_start;
mod guard;
mod health;
mod hooks;
mod parked;
mod runs;

use std::any::Any;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{DefaultBodyLimit, MatchedPath, Request};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use axum::{Router, middleware};
use metrics_exporter_prometheus::PrometheusHandle;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;
use tower::util::MapResponseLayer;
use tower_http::catch_panic::CatchPanicLayer;

use self::dashboard::DashboardState;
pub use self::first_start::first_start;
use crate::intake::Intake;
use crate::store::Store;

/// Headers of every answer that does not say otherwise.
static SECURE: [(HeaderName, HeaderValue); 5] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'self'; frame-ancestors 'none'"),
    ),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
];

/// GitHub's largest delivery, in bytes (25 MB, by GitHub's documentation of webhooks).
const GITHUB_BODY: usize = 25 * 1024 * 1024;

/// The largest message of the portal that is taken, in bytes. Port's own bodies end at 1 MiB; a
/// message also carries the entity and the action.
const PORT_BODY: usize = 5 * 1024 * 1024;

/// What the routes work with.
pub struct AppState {
    /// What is remembered.
    pub store: Store,
    /// Where messages go.
    pub intake: Arc<Intake>,
    /// Renders `/metrics`.
    pub metrics: PrometheusHandle,
    /// With what other machines may use the API; without one, none may.
    pub api_token: Option<SecretString>,
    /// Whether the portal sends its runs to `/hooks/port`. Where this program fetches them itself,
    /// nothing needs to reach it from outside.
    pub takes_webhooks: bool,
    /// Cancelled when the program is to stop: event streams end then.
    pub stopping: CancellationToken,
}

/// The whole service. To be served with the address of the peer as connect info.
pub fn app(state: AppState, dashboard: DashboardState) -> Router {
    let state = Arc::new(state);
    let api = api_routes()
        .into_iter()
        .fold(Router::new(), |api, (path, methods)| api.route(path, methods));
    let mut hooks = Router::new()
        .route("/hooks/github", post(hooks::github).layer(DefaultBodyLimit::max(GITHUB_BODY)));
    if state.takes_webhooks {
        let port = post(hooks::port).layer(DefaultBodyLimit::max(PORT_BODY));
        hooks = hooks.route("/hooks/port", port);
    }
    hooks
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .merge(api.route_layer(middleware::from_fn_with_state(state.clone(), guard::guard)))
        .fallback(answer::unknown)
        .method_not_allowed_fallback(answer::wrong_method)
        // All at once: the router puts what each call of `layer` makes into a box of its own, and
        // copies all of them for each request.
        .layer((
            MapResponseLayer::new(secured),
            CatchPanicLayer::custom(panicked),
            middleware::from_fn(measured),
        ))
        .with_state(state)
        .merge(dashboard::router(dashboard))
}

/// The routes that `openapi.json` describes.
fn api_routes() -> Vec<(&'static str, MethodRouter<Arc<AppState>>)> {
    vec![
        ("/api/v1/runs", get(runs::list)),
        ("/api/v1/runs/{id}", get(runs::get)),
        ("/api/v1/runs/{id}/cancel", post(cancel::cancel)),
        ("/api/v1/runs/{id}/events", get(events::stream)),
        ("/api/v1/actions/{action}/runs", post(actions::start)),
        ("/api/v1/entities/{blueprint}", get(runs::entities)),
        ("/api/v1/messages/parked", get(parked::messages)),
        ("/api/v1/steps/parked", get(parked::steps)),
        ("/api/v1/steps/parked/{id}", get(parked::step)),
        ("/api/v1/steps/parked/{id}/replay", post(parked::replay)),
        ("/api/v1/openapi.json", get(runs::openapi)),
    ]
}

/// Counts calls by route, and how long they took. A route is a pattern: never what was asked for.
async fn measured(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>();
    let route: Arc<str> = route.map_or("none", MatchedPath::as_str).into();
    let began = Instant::now();
    let response = next.run(request).await;
    let status = response.status().as_u16().to_string();
    metrics::histogram!("towpath_http_request_seconds", "route" => Arc::clone(&route))
        .record(began.elapsed().as_secs_f64());
    metrics::counter!("towpath_http_requests_total", "route" => route, "status" => status)
        .increment(1);
    response
}

/// With each of the headers that it does not have yet.
fn secured<B>(mut response: http::Response<B>) -> http::Response<B> {
    for (name, value) in &SECURE {
        let header = response.headers_mut().entry(name);
        header.or_insert_with(|| value.clone());
    }
    response
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
    use axum::body::Body;
    use axum::http::{Request, StatusCode};
    use serde_json::Value;
    use tower::ServiceExt as _;

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

    #[tokio::test]
    async fn a_panic_is_a_500_without_its_text() {
        let panics = || async { assert!(std::hint::black_box(false), "secret") };
        let app: Router =
            Router::new().route("/", get(panics)).layer(CatchPanicLayer::custom(panicked));
        let answer = app.oneshot(Request::new(Body::empty())).await.unwrap();
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let body = axum::body::to_bytes(answer.into_body(), 1000).await.unwrap();
        assert!(!String::from_utf8_lossy(&body).contains("secret"));
    }
}
