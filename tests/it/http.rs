//! The service's own routes, over a real connection, with a real store behind them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use metrics_exporter_prometheus::PrometheusBuilder;
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio_util::sync::CancellationToken;
use towpath::clock::Clock;
use towpath::domain::action_run::RunKind;
use towpath::domain::{ActionId, ActionRun, Event, Invocation, RunId, Stage, Status, User};
use towpath::http::dashboard::{CookieKey, DashboardState};
use towpath::http::{AppState, app};
use towpath::intake::Intake;
use towpath::plan::Decision;
use towpath::plan::step::Lane;
use towpath::seal::SealingKey;
use towpath::store::Store;
use towpath::template::Templates;

use crate::dashboard::NoBackstage;

const SECRET: &str = "a client secret of the portal, long enough";

const API_TOKEN: &str = "a token for the API, long enough";

fn intake(store: &Store) -> Intake {
    Intake {
        store: store.clone(),
        clock: Clock::system(),
        github_secrets: vec![SECRET.into()],
        portal_key: Some(SECRET.into()),
        sealing_key: SealingKey::of(&SECRET.into()).unwrap(),
        secret_names: Arc::new(|_| Vec::new()),
        access_changed: Arc::new(|| ()),
        seen: Arc::new(|_| ()),
    }
}

/// `X-Hub-Signature-256` of a body.
fn signature(body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

/// `X-Port-Signature` of a body at a time.
fn port_signature(timestamp: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(timestamp.as_bytes());
    mac.update(b".");
    mac.update(body);
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

struct Service {
    store: Store,
    url: String,
    client: Client,
    _folder: tempfile::TempDir,
}

impl Service {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("towpath.db").display());
        let store = Store::open(&url, Clock::system()).await.unwrap();
        let state = AppState {
            store: store.clone(),
            intake: Arc::new(intake(&store)),
            metrics: PrometheusBuilder::new().build_recorder().handle(),
            api_token: Some(API_TOKEN.into()),
            takes_webhooks: true,
            stopping: CancellationToken::new(),
        };
        let dashboard = DashboardState {
            store: store.clone(),
            clock: Clock::system(),
            github_url: "https://github.com".to_owned(),
            blueprints: Arc::new(Vec::new),
            templates: Arc::new(|| Templates::load(&[]).unwrap()),
            intake: intake(&store),
            backstage: Arc::new(NoBackstage),
            cookie_key: CookieKey::derived_from(&SECRET.into()),
            sign_in: None,
            stop: CancellationToken::new(),
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let service = app(state, dashboard).into_make_service_with_connect_info::<SocketAddr>();
        #[expect(clippy::disallowed_methods, reason = "ends with the test")]
        tokio::spawn(async move { axum::serve(listener, service).await });
        Self { store, url, client: Client::new(), _folder: folder }
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("{}{path}", self.url))
    }

    fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> RequestBuilder {
        self.client.post(format!("{}{path}", self.url)).body(body)
    }

    async fn json(&self, path: &str) -> Value {
        json_of(self.get(path).send().await.unwrap()).await
    }

    async fn accept(&self, id: &str) {
        let request = ActionRun {
            id: RunId::new(id).unwrap(),
            kind: RunKind::Action,
            action: ActionId::new("add_database").unwrap(),
            action_title: None,
            operation: None,
            inputs: serde_json::Map::new(),
            entity: None,
            user: User::default(),
            organization: None,
            encrypted: Vec::new(),
            invocation: Invocation::Template,
        };
        self.store.accept_run(&request).await.unwrap();
    }

    /// The first step of the only run ends it.
    async fn end(&self) {
        let claimed = self.store.claim(&[Lane::Work], 1, Duration::from_mins(1)).await.unwrap();
        let claimed = claimed.into_iter().next().unwrap();
        let mut run = claimed.run.clone();
        run.status = Status::Failure;
        run.stage = Stage::Refused;
        "Refused".clone_into(&mut run.label);
        let events = vec![Event::failure("There is no such action.")];
        let decision = Decision { events, ..Decision::unchanged(run) };
        self.store.settle(&claimed, &decision, None).await.unwrap();
    }
}

async fn json_of(response: Response) -> Value {
    serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
}

/// Holds an answer to what the description says of it.
async fn assert_described(service: &Service, schema: &str, answer: &Value) {
    let mut description = service.json("/api/v1/openapi.json").await;
    description["$ref"] = json!(format!("#/components/schemas/{schema}"));
    let validator = jsonschema::validator_for(&description).unwrap();
    let errors: Vec<String> = validator.iter_errors(answer).map(|it| it.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?} in {answer}");
}

#[tokio::test]
async fn github_s_deliveries_are_answered_by_what_became_of_them() {
    let service = Service::start().await;
    let deliver = |body: &'static str, signature: String| {
        let delivery = service.post("/hooks/github", body).header("x-github-event", "workflow_run");
        delivery.header("x-github-delivery", "d-1").header("x-hub-signature-256", signature)
    };
    for (body, signature, status) in [
        ("{}", "sha256=00".to_owned(), 401),
        ("{}", String::new(), 401),
        ("{}", signature(b"{ }"), 401),
        ("{}", signature(b"{}"), 400),
        ("{", signature(b"{"), 400),
    ] {
        let answer = deliver(body, signature).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{body}");
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
        assert_described(&service, "Error", &json_of(answer).await).await;
    }
    let other = service.post("/hooks/github", "{}").header("x-github-event", "of_tomorrow");
    let other = other.header("x-github-delivery", "d-2");
    let other = other.header("x-hub-signature-256", signature(b"{}")).send().await.unwrap();
    assert_eq!(other.status(), 202, "an event that is not known concerns nobody");
}

#[tokio::test]
async fn the_portal_s_messages_are_answered_by_what_became_of_them() {
    let service = Service::start().await;
    let now = Clock::system().now().timestamp();
    let run = r#"{"action": "add_database", "run": {"id": "r_1"}, "inputs": {}}"#;
    let send = |body: &'static str, timestamp: i64, signature: String| {
        let message = service.post("/hooks/port", body).header("x-port-signature", signature);
        message.header("x-port-timestamp", timestamp.to_string())
    };
    let signed = |at: i64, body: &str| port_signature(&at.to_string(), body.as_bytes());
    for (body, at, signature, status) in [
        (run, now, "v1,AAAA".to_owned(), 401),
        (run, now, signed(now, "{}"), 401),
        (run, now - 600, signed(now - 600, run), 401),
        ("{}", now, signed(now, "{}"), 400),
        ("nonsense", now, signed(now, "nonsense"), 400),
    ] {
        let answer = send(body, at, signature).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{body} {at}");
        assert_described(&service, "Error", &json_of(answer).await).await;
    }
    for at in [now, now * 1000] {
        let accepted = send(run, at, signed(at, run)).send().await.unwrap();
        assert_eq!(accepted.status(), 202);
        assert_eq!(json_of(accepted).await, json!({"run": "r_1"}));
    }
    service.store.close().await;
    let away = send(run, now, signed(now, run)).send().await.unwrap();
    assert_eq!(away.status(), 503, "what cannot be written down is not accepted");
}

#[tokio::test]
async fn a_delivery_of_25_mib_is_read_and_a_larger_one_refused() {
    let service = Service::start().await;
    let most = vec![b'x'; 25 * 1024 * 1024];
    let read = service.post("/hooks/github", most.clone()).send().await.unwrap();
    assert_eq!(read.status(), 401, "it came as far as the signature");
    let more = [most, vec![b'x']].concat();
    // The server may close while the client still sends.
    if let Ok(refused) = service.post("/hooks/github", more).send().await {
        assert_eq!(refused.status(), 413);
    }
}

#[tokio::test]
async fn health_tells_the_living_from_the_able() {
    let service = Service::start().await;
    assert_eq!(service.get("/healthz").send().await.unwrap().status(), 200);
    assert_eq!(service.get("/readyz").send().await.unwrap().status(), 200);
    assert_eq!(service.get("/metrics").send().await.unwrap().status(), 200);
    service.store.close().await;
    let unready = service.get("/readyz").send().await.unwrap();
    assert_eq!(unready.status(), 503);
    let reasons = json_of(unready).await["reasons"].clone();
    assert_eq!(reasons, json!(["The database does not answer."]));
    assert_eq!(service.get("/healthz").send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn runs_are_listed_page_by_page_and_shown_with_their_history() {
    let service = Service::start().await;
    for id in ["r_1", "r_2", "r_3"] {
        service.accept(id).await;
    }
    let first = service.json("/api/v1/runs?limit=2").await;
    assert_described(&service, "RunPage", &first).await;
    let next = first["next"].as_str().unwrap();
    let second = service.json(&format!("/api/v1/runs?limit=2&before={next}")).await;
    let ids = |page: &Value| -> Vec<String> {
        let runs = page["runs"].as_array().unwrap().iter();
        runs.map(|run| run["id"].as_str().unwrap().to_owned()).collect()
    };
    let mut all = [ids(&first), ids(&second)].concat();
    all.sort_unstable();
    assert_eq!(all, ["r_1", "r_2", "r_3"]);
    assert_eq!(second["next"], Value::Null);

    let run = service.json("/api/v1/runs/r_2").await;
    assert_described(&service, "RunWithEvents", &run).await;
    assert_eq!(run["status"], "IN_PROGRESS");

    for (path, status) in [
        ("/api/v1/runs?limit=0", 400),
        ("/api/v1/runs?status=LOST", 400),
        ("/api/v1/runs?colour=red", 400),
        ("/api/v1/runs?repository=nowhere", 400),
        ("/api/v1/runs/r_nobody", 404),
        ("/api/v1/runs/..%2f", 404),
        ("/api/v1/nothing", 404),
    ] {
        let answer = service.get(path).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{path}");
        assert_described(&service, "Error", &json_of(answer).await).await;
    }
}

#[tokio::test]
async fn the_history_of_a_run_is_told_as_it_happens_until_its_end() {
    let service = Service::start().await;
    service.accept("r_1").await;
    let already = service.store.events(&RunId::new("r_1").unwrap(), 0).await.unwrap().len();
    let mut stream = service.get("/api/v1/runs/r_1/events").send().await.unwrap();
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    let mut told = String::new();
    if already > 0 {
        told += std::str::from_utf8(&stream.chunk().await.unwrap().unwrap()).unwrap();
    }
    assert!(!told.contains("no such action"));
    service.end().await;
    while let Some(chunk) = stream.chunk().await.unwrap() {
        told += std::str::from_utf8(&chunk).unwrap();
    }
    assert!(told.contains("There is no such action."), "{told}");
    assert!(told.contains("event: end"), "{told}");

    let rest = service.get("/api/v1/runs/r_1/events").header("last-event-id", already.to_string());
    let rest = rest.send().await.unwrap().bytes().await.unwrap();
    let rest = std::str::from_utf8(&rest).unwrap();
    assert_eq!(rest.matches("\nid: ").count() + usize::from(rest.starts_with("id: ")), 1, "{rest}");
}

#[tokio::test]
async fn an_action_is_started_once_for_each_key() {
    let service = Service::start().await;
    let body = json!({"inputs": {"name": "orders"}, "entity": "shop", "user": "a@example.com"});
    let start = |key: &str| {
        let start = service.post("/api/v1/actions/add_database/runs", body.to_string());
        start.header("content-type", "application/json").header("idempotency-key", key)
    };
    let first = json_of(start("k1").send().await.unwrap()).await;
    assert_described(&service, "Started", &first).await;
    assert_eq!(json_of(start("k1").send().await.unwrap()).await, first);
    assert_ne!(json_of(start("k2").send().await.unwrap()).await, first);
    assert_eq!(service.json("/api/v1/runs").await["runs"].as_array().unwrap().len(), 2);

    let plain = service.post("/api/v1/actions/add_database/runs", body.to_string());
    assert_eq!(plain.send().await.unwrap().status(), 415, "no form of another page can send it");
}

#[tokio::test]
async fn a_parked_step_is_shown_and_replayed_once() {
    let service = Service::start().await;
    service.accept("r_1").await;
    let claimed = service.store.claim(&[Lane::Work], 1, Duration::from_mins(1)).await.unwrap();
    service.store.park(&claimed[0], "it cannot be done").await.unwrap();

    let page = service.json("/api/v1/steps/parked").await;
    assert_described(&service, "ParkedStepPage", &page).await;
    let step = &page["steps"][0];
    assert_eq!((&step["run"], &step["reason"]), (&json!("r_1"), &json!("it cannot be done")));
    let path = format!("/api/v1/steps/parked/{}", step["id"]);
    assert_eq!(&service.json(&path).await, step);

    let replay = || service.post(&format!("{path}/replay"), "");
    let foreign = replay().header("origin", "https://evil.example").send().await.unwrap();
    assert_eq!(foreign.status(), 403);
    let replayed = replay().send().await.unwrap();
    assert_eq!(replayed.status(), 202);
    assert_eq!(json_of(replayed).await, json!({"run": "r_1"}));
    for gone in [replay(), service.get(&path), service.get("/api/v1/steps/parked/none")] {
        let gone = gone.send().await.unwrap();
        assert_eq!(gone.status(), 404);
        assert_described(&service, "Error", &json_of(gone).await).await;
    }
    let again = service.store.claim(&[Lane::Work], 1, Duration::from_mins(1)).await.unwrap();
    assert_eq!(again[0].step.kind(), "begin");
}

#[tokio::test]
async fn whoever_comes_through_a_proxy_is_not_let_in() {
    let service = Service::start().await;
    let forwarded = service.get("/api/v1/runs").header("x-forwarded-for", "10.0.0.7");
    let refused = forwarded.send().await.unwrap();
    assert_eq!(refused.status(), 401);
    assert_described(&service, "Error", &json_of(refused).await).await;
}

#[tokio::test]
async fn entities_of_a_blueprint_are_listed() {
    let service = Service::start().await;
    let none = service.json("/api/v1/entities/database").await;
    assert_described(&service, "EntityList", &none).await;
    assert_eq!(none, json!({"entities": []}));
}
