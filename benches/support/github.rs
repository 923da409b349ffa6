//! A GitHub that answers at once, and that has no limits: what is measured is the program.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;

const SHA: &str = "0123456789abcdef0123456789abcdef01234567";

/// How many pull requests were made.
#[derive(Clone, Default)]
pub(crate) struct Made(Arc<AtomicU64>);

impl Made {
    pub(crate) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Serves on a free port.
#[expect(clippy::disallowed_methods, reason = "ends with the bench")]
pub(crate) async fn serve() -> (SocketAddr, Made) {
    let made = Made::default();
    let app = Router::new()
        .route("/orgs/{owner}/installation", get(|| async { Json(json!({"id": 1})) }))
        .route("/app/installations/{id}/access_tokens", post(token))
        .route("/graphql", post(graphql))
        .route("/repos/{owner}/{name}/check-runs", post(check_run))
        .with_state(made.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, app).await });
    (address, made)
}

async fn token() -> impl IntoResponse {
    let expires_at = "2099-01-01T00:00:00Z";
    (axum::http::StatusCode::CREATED, Json(json!({"token": "ghs_bench", "expires_at": expires_at})))
}

async fn check_run() -> impl IntoResponse {
    (axum::http::StatusCode::CREATED, Json(json!({"id": 1})))
}

async fn graphql(State(made): State<Made>, Json(asked): Json<Value>) -> Json<Value> {
    let query = asked["query"].as_str().unwrap_or_default();
    if query.starts_with("query") {
        let base = json!({"name": "main", "target": {"oid": SHA}});
        let repository = json!({
            "id": "R_1", "nameWithOwner": "acme/infrastructure", "base": base, "own": null,
            "tree": null, "pullRequests": {"nodes": []},
        });
        return Json(json!({"data": {"repository": repository}}));
    }
    let number = made.0.fetch_add(1, Ordering::Relaxed) + 1;
    let branch = &asked["variables"]["commit"]["branch"]["branchName"];
    let pull = json!({
        "id": format!("PR_{number}"), "number": number, "state": "OPEN", "isDraft": false,
        "url": format!("https://github.com/acme/infrastructure/pull/{number}"),
        "isCrossRepository": false, "headRefName": branch, "headRefOid": SHA,
        "baseRefName": "main", "mergeCommit": null, "mergedBy": null,
    });
    Json(json!({"data": {
        "createRef": {"ref": {"name": branch}},
        "createCommitOnBranch": {"commit": {"oid": SHA}},
        "createPullRequest": {"pullRequest": pull},
    }}))
}
