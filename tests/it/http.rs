//! The service's own routes, over a real connection, with a real store behind them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderMap;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use metrics_exporter_prometheus::PrometheusBuilder;
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use towpath::clock::Clock;
use towpath::domain::action_run::RunKind;
use towpath::domain::{ActionId, ActionRun, Event, Invocation, RunId, Stage, Status, User};
use towpath::http::{Answer, AppState, Intake, app};
use towpath::plan::Decision;
use towpath::plan::step::Lane;
use towpath::store::Store;

/// Takes what is started here, and answers hooks by their body.
struct Door(Store);

impl Intake for Door {
    fn github<'a>(&'a self, _: &'a HeaderMap, body: Bytes) -> BoxFuture<'a, Answer> {
        Box::pin(async move {
            match body.as_ref() {
                b"panic" => panic!("a hook that panics"),
                b"signed" => Answer::Accepted(None),
                b"away" => Answer::Unavailable,
                _ => Answer::Unauthorized("The signature is wrong.".to_owned()),
            }
        })
    }

    fn portal<'a>(&'a self, _: &'a HeaderMap, body: Bytes) -> BoxFuture<'a, Answer> {
        Box::pin(async move {
            match body.as_ref() {
                b"run" => Answer::Accepted(Some(RunId::new("r_1").unwrap())),
                _ => Answer::Invalid("The body is no action run.".to_owned()),
            }
        })
    }

    fn action(&self, request: ActionRun) -> BoxFuture<'_, Answer> {
        Box::pin(async move {
            self.0.accept_run(&request).await.unwrap();
            Answer::Accepted(Some(request.id))
        })
    }

    fn problems(&self) -> Vec<String> {
        Vec::new()
    }
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
            intake: Arc::new(Door(store.clone())),
            metrics: PrometheusBuilder::new().build_recorder().handle(),
            stopping: CancellationToken::new(),
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let service = app(state).into_make_service_with_connect_info::<SocketAddr>();
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
        let claimed = self.store.claim(Lane::Work, 1, Duration::from_mins(1)).await.unwrap();
        let claimed = claimed.into_iter().next().unwrap();
        let mut run = claimed.run.clone();
        run.status = Status::Failure;
        run.stage = Stage::Refused;
        "Refused".clone_into(&mut run.label);
        let decision = Decision {
            run,
            events: vec![Event::failure("There is no such action.")],
            links: Vec::new(),
            unlinks: Vec::new(),
            steps: Vec::new(),
        };
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
async fn hooks_answer_what_became_of_the_message_and_a_panic_hurts_nobody() {
    let service = Service::start().await;
    for (path, body, status) in [
        ("/hooks/github", "signed", 202),
        ("/hooks/github", "forged", 401),
        ("/hooks/github", "away", 503),
        ("/hooks/github", "panic", 500),
        ("/hooks/port", "run", 202),
        ("/hooks/port", "{", 400),
    ] {
        let answer = service.post(path, body).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{path} {body}");
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
        let answer = json_of(answer).await;
        if status >= 400 {
            assert_described(&service, "Error", &answer).await;
        }
    }
    let run = service.post("/hooks/port", "run").send().await.unwrap();
    assert_eq!(json_of(run).await, json!({"run": "r_1"}));
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
