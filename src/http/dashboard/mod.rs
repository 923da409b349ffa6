//! The dashboard: what runs, waits and stands, as pages that are rendered on the server.
//!
//! Handlers read from the store, `view` makes of it what is shown, Tera writes the HTML. Everything
//! works without a script; with one, `live` tells the open page that it has become old.
//! Does not know about: GitHub, the portal, how a run goes on. What it starts goes in by the same door
//! as everything else.

pub mod setup;

mod access;
mod actions;
mod asset;
mod attention;
mod backstage;
mod cancel;
mod catalog;
mod cookie;
mod doctor;
mod form;
mod health;
mod identity;
mod jobs;
mod live;
mod page;
mod problem;
mod replay;
mod rights;
mod run;
mod runs;
mod sign_in;
mod submitted;
mod view;
mod visitor;

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Router, middleware};
use tokio_util::sync::CancellationToken;

pub use self::backstage::{Awaited, Backstage};
pub use self::cookie::CookieKey;
pub use self::identity::{Identity, Proof};
use self::problem::{NotFound, Problem};
pub use self::rights::SignIn;
use crate::clock::Clock;
use crate::domain::BlueprintId;
use crate::intake::Intake;
use crate::store::Store;
use crate::template::Templates;

/// The blueprints that the templates in force write.
pub type Blueprints = Arc<dyn Fn() -> Vec<BlueprintId> + Send + Sync>;

/// What the pages are made from.
#[derive(Clone)]
pub struct DashboardState {
    /// Where everything is read from.
    pub store: Store,
    /// For ages and durations.
    pub clock: Clock,
    /// GitHub's address for people (`https://github.com`), without a slash at its end.
    pub github_url: String,
    /// The blueprints that the templates write: what the catalog consists of.
    pub blueprints: Blueprints,
    /// The templates in force.
    pub templates: Arc<dyn Fn() -> Templates + Send + Sync>,
    /// Where runs that are asked for here go in.
    pub intake: Intake,
    /// What is behind the dashboard.
    pub backstage: Arc<dyn Backstage>,
    /// Signs cookies and forms.
    pub cookie_key: CookieKey,
    /// How people sign in; `None`: whoever sits at this machine may do everything, and nobody else
    /// is let in.
    pub sign_in: Option<SignIn>,
    /// Cancelled when the program is to stop: live pages are let go, so that nobody waits for them.
    pub stop: CancellationToken,
}

/// What a page may do in the browser. Nothing is inline and nothing comes from elsewhere, so that
/// a text of others that slipped through the escaping would still be only text.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; \
    connect-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; \
    frame-ancestors 'none'";

/// The headers that every answer of the dashboard has. To its own pages a browser says from where it
/// comes: without that, it does not say either from where a form comes.
const HEADERS: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// The dashboard's routes.
///
/// The server must be started with `into_make_service_with_connect_info::<SocketAddr>()`: without
/// the peer's address nobody is let in.
pub fn router(state: DashboardState) -> Router {
    let pages = Router::new()
        .route("/", get(runs::page))
        .route("/runs/{id}", get(run::page))
        .route("/runs/{id}/jobs", get(jobs::page))
        .route("/runs/{id}/cancel", post(cancel::cancel))
        .route("/actions", get(actions::list))
        .route("/actions/{action}", get(actions::page).post(actions::submit))
        .route("/catalog", get(catalog::overview))
        .route("/catalog/{blueprint}", get(catalog::blueprint))
        .route("/catalog/{blueprint}/{identifier}", get(catalog::entity))
        .route("/health", get(health::page))
        .route("/doctor", get(doctor::page))
        .route("/live", get(live::changes))
        .route("/steps/{id}/again", post(replay::again))
        .route("/sign-out", post(sign_in::out))
        .route_layer(middleware::from_fn_with_state(state.clone(), access::admit))
        .layer(DefaultBodyLimit::max(submitted::LARGEST));
    pages
        .route("/sign-in", get(sign_in::go))
        .route("/sign-in/back", get(sign_in::back))
        .route("/signed-out", get(sign_in::signed_out))
        // The page that refuses somebody needs its looks too.
        .route("/assets/{name}", get(asset::serve))
        .layer(middleware::map_response(with_headers))
        .with_state(state)
}

/// The page for an address that nothing has: for the fallback of the whole service, where a person
/// asks. It says nothing of what there is, and needs no access.
pub async fn not_found() -> Response {
    with_headers(Problem::from(NotFound).into_response()).await
}

async fn with_headers(mut response: Response) -> Response {
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
