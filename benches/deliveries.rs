//! What a delivery costs that concerns no run: most of an organisation's do not.
//!
//! `cargo bench --bench deliveries` sends signed `workflow_run` deliveries of other people to the
//! whole service, with runs in its database, and the same to a handler that verifies the signature
//! and no more: the baseline, in the same process and the same run.
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on stops where it stands")]
#![expect(clippy::print_stdout, reason = "the figures")]
#![expect(clippy::disallowed_methods, reason = "ends with the bench")]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use bytes::Bytes;
use futures_util::future::join_all;
use hmac::{Hmac, KeyInit as _, Mac as _};
use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::json;
use sha2::Sha256;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use towpath::clock::Clock;
use towpath::domain::action_run::RunKind;
use towpath::domain::{ActionId, ActionRun, Invocation, RunId, User};
use towpath::http::dashboard::DashboardState;
use towpath::http::{AppState, app};
use towpath::intake::Intake;
use towpath::seal::SealingKey;
use towpath::store::Store;

const SECRET: &str = "the secret of the bench's webhooks";
/// Deliveries that are measured, and connections that send them.
const DELIVERIES: usize = 8_000;
const CONNECTIONS: usize = 16;
/// Runs in the database.
const RUNS: usize = 1_000;
/// A body as large as GitHub's own `workflow_run` events, in bytes.
const BODY: usize = 21_000;

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("bench.db").display());
    let store = Store::open(&url, Clock::system()).await.unwrap();
    join_all((0..RUNS).map(|n| accept(&store, n))).await;
    let baseline = serve(Router::new().route("/hooks/github", post(verify_only))).await;
    let service = serve(service(store)).await;

    let body = body();
    // Once to warm up, then twice each, so that a drift of the machine shows.
    send(baseline, &body, DELIVERIES / 8).await;
    send(service, &body, DELIVERIES / 8).await;
    println!(
        "{DELIVERIES} deliveries of {} bytes over {CONNECTIONS} connections, {RUNS} runs",
        body.len()
    );
    for _ in 0..2 {
        let verifier = send(baseline, &body, DELIVERIES).await;
        let whole = send(service, &body, DELIVERIES).await;
        println!("verify only    {verifier}");
        println!("whole service  {whole}");
        println!("ratio          {:.2}", whole.a_second() / verifier.a_second());
    }
}

struct Measured {
    took: Duration,
    failed: usize,
    p99: Duration,
}

impl Measured {
    #[expect(clippy::cast_precision_loss, reason = "some thousands")]
    fn a_second(&self) -> f64 {
        DELIVERIES as f64 / self.took.as_secs_f64()
    }
}

impl std::fmt::Display for Measured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let p99 = self.p99.as_secs_f64() * 1000.0;
        write!(f, "{:>8.0} a second, p99 {p99:.1} ms, {} failed", self.a_second(), self.failed)
    }
}

async fn send(to: SocketAddr, body: &Bytes, deliveries: usize) -> Measured {
    let signature = signature(body);
    let began = Instant::now();
    let connections = (0..CONNECTIONS).map(|connection| {
        let (body, signature) = (body.clone(), signature.clone());
        tokio::spawn(async move {
            let client = reqwest::Client::new();
            let mut times = Vec::new();
            let mut failed = 0;
            for n in 0..deliveries / CONNECTIONS {
                let sent = Instant::now();
                let request = client
                    .post(format!("http://{to}/hooks/github"))
                    .header("x-github-event", "workflow_run")
                    .header("x-github-delivery", format!("{connection}-{n}"))
                    .header("x-hub-signature-256", signature.as_str())
                    .body(body.clone());
                let accepted = request.send().await.is_ok_and(|answer| answer.status() == 202);
                failed += usize::from(!accepted);
                times.push(sent.elapsed());
            }
            (times, failed)
        })
    });
    let mut times = Vec::new();
    let mut failed = 0;
    for connection in join_all(connections).await {
        let (more, missed) = connection.unwrap();
        times.extend(more);
        failed += missed;
    }
    let took = began.elapsed();
    times.sort_unstable();
    Measured { took, failed, p99: times[times.len() * 99 / 100] }
}

async fn verify_only(headers: HeaderMap, body: Bytes) -> StatusCode {
    let given = headers.get("x-hub-signature-256").and_then(|value| value.to_str().ok());
    let given = given.and_then(|text| text.strip_prefix("sha256="));
    let given = given.and_then(|text| hex::decode(text).ok()).unwrap_or_default();
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(&body);
    if mac.verify_slice(&given).is_ok() { StatusCode::ACCEPTED } else { StatusCode::UNAUTHORIZED }
}

async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

fn service(store: Store) -> Router {
    let intake = Intake {
        store: store.clone(),
        clock: Clock::system(),
        github_secrets: vec![SECRET.into()],
        portal_key: None,
        sealing_key: SealingKey::derived_from(&SECRET.into()),
        secret_names: std::sync::Arc::new(|_| Vec::new()),
        access_changed: std::sync::Arc::new(|| ()),
    };
    let stopping = CancellationToken::new();
    let metrics = PrometheusBuilder::new().build_recorder().handle();
    let dashboard = DashboardState {
        store: store.clone(),
        clock: Clock::system(),
        github_url: "https://github.com".to_owned(),
        blueprints: Vec::new(),
        stop: stopping.clone(),
    };
    app(AppState { store, intake, metrics, api_token: None, stopping }, dashboard)
}

async fn accept(store: &Store, n: usize) {
    let request = ActionRun {
        id: RunId::new(format!("r_{n}")).unwrap(),
        kind: RunKind::Action,
        action: ActionId::new("create_database").unwrap(),
        action_title: None,
        operation: None,
        inputs: serde_json::Map::new(),
        entity: None,
        user: User::default(),
        organization: None,
        encrypted: Vec::new(),
        invocation: Invocation::Template,
    };
    store.accept_run(&request).await.unwrap();
}

/// A `workflow_run` of somebody else's push.
fn body() -> Bytes {
    let mut event = json!({
        "action": "completed",
        "workflow_run": {
            "id": 42, "run_attempt": 1, "status": "completed", "conclusion": "success",
            "path": ".github/workflows/ci.yml", "name": "CI", "display_title": "CI",
            "event": "push", "head_branch": "main", "head_sha": "0".repeat(40),
            "html_url": "https://github.com/acme/other/actions/runs/42",
            "actor": {"login": "octocat"}, "created_at": "2026-11-20T12:00:00Z",
        },
        "repository": {"full_name": "acme/other"},
    });
    let missing = BODY.saturating_sub(event.to_string().len() + 12);
    event["padding"] = json!("x".repeat(missing));
    event.to_string().into()
}

fn signature(body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}
