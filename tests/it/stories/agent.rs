//! Actions that name an address inside the network, in the place of Port's agent.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::net::TcpListener;
use towpath::config::AgentSettings;
use towpath::domain::RunId;
use towpath::plan::Step;
use towpath::store::ClaimedStep;

use crate::world::{Kind, World};

const AGENT: &str = "_PORT_EXEC_AGENT";

/// A service inside the network, that keeps what it gets.
pub(crate) struct Inner {
    pub(crate) url: String,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    got: Vec<Got>,
    answers: VecDeque<Answer>,
}

/// How it answers; 200 and nothing when it was not told.
pub(crate) enum Answer {
    With(StatusCode, Value),
    SendOn(String),
    /// It takes the request, and says nothing.
    Never,
}

/// A request that it got.
#[derive(Clone)]
pub(crate) struct Got {
    pub(crate) method: Method,
    uri: Uri,
    pub(crate) headers: HeaderMap,
    body: String,
}

impl Got {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub(crate) fn assert_is_signed(&self, secret: &str) {
        let timestamp = self.headers["x-port-timestamp"].to_str().unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(format!("{timestamp}.{}", self.body).as_bytes());
        let signature = format!("v1,{}", BASE64.encode(mac.finalize().into_bytes()));
        assert_eq!(self.headers["x-port-signature"], signature);
        assert!(self.body.is_ascii(), "it is signed as Python writes it");
    }
}

impl Inner {
    pub(crate) async fn start() -> Self {
        let shared = Arc::new(Mutex::new(Shared::default()));
        let app = axum::Router::new().fallback(answer).with_state(Arc::clone(&shared));
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", socket.local_addr().unwrap());
        #[expect(clippy::disallowed_methods, reason = "ends with the test")]
        tokio::spawn(async move { axum::serve(socket, app).await });
        Self { url, shared }
    }

    pub(crate) fn answers(&self, answer: Answer) {
        self.shared.lock().unwrap().answers.push_back(answer);
    }

    pub(crate) fn got(&self) -> Vec<Got> {
        self.shared.lock().unwrap().got.clone()
    }

    pub(crate) fn only(&self) -> Got {
        let got = self.got();
        let [one] = got.as_slice() else { panic!("{} requests", got.len()) };
        one.clone()
    }
}

async fn answer(
    State(shared): State<Arc<Mutex<Shared>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: String,
) -> Response {
    let answer = {
        let mut shared = shared.lock().unwrap();
        shared.got.push(Got { method, uri, headers, body });
        shared.answers.pop_front()
    };
    match answer {
        None => StatusCode::OK.into_response(),
        Some(Answer::With(status, body)) => (status, axum::Json(body)).into_response(),
        Some(Answer::SendOn(to)) => {
            (StatusCode::TEMPORARY_REDIRECT, [("location", to)]).into_response()
        }
        Some(Answer::Never) => std::future::pending().await,
    }
}

pub(crate) fn allowing() -> AgentSettings {
    AgentSettings { allow: vec!["127.0.0.1".to_owned()], ..AgentSettings::default() }
}

async fn world_of(agent: AgentSettings) -> World {
    World::of(Kind { polls_for: Some(AGENT), agent, ..Kind::default() }).await
}

/// A button whose action names an address.
pub(crate) fn add_button(world: &World, url: &str, more: &Value) {
    let mut method = json!({
        "type": "WEBHOOK", "agent": true, "url": url,
        "body": {
            "action": "{{ .action.identifier }}", "payload": {"properties": "{{ .inputs }}"},
            "encrypted": "{{ .action.encryptedProperties }}",
        },
    });
    method.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    world.portal.add_action(json!({
        "identifier": "restart",
        "trigger": {
            "type": "self-service", "operation": "CREATE",
            "userInputs": {"properties": {"token": {"type": "string", "encryption": "aes256-gcm"}}},
        },
        "invocationMethod": method,
    }));
}

pub(crate) async fn press(world: &World, inputs: Value) -> RunId {
    world.press("restart", inputs, None).await
}

fn mapping_file(content: &Value) -> (tempfile::TempDir, AgentSettings) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("control_the_payload_config.json");
    std::fs::write(&file, content.to_string()).unwrap();
    let environment = [("TEAM".to_owned(), "platform".to_owned())].into();
    (folder, AgentSettings { mapping: Some(file), environment, ..allowing() })
}

#[tokio::test]
async fn a_synchronous_action_is_delivered_signed_and_ends_with_its_answer() {
    let (inner, world) = (Inner::start().await, world_of(allowing()).await);
    inner.answers(Answer::With(StatusCode::CREATED, json!({"restarted": ["é"]})));
    add_button(&world, &format!("{}/restart?deep=1", inner.url), &json!({"synchronized": true}));
    let run = press(&world, json!({"name": "é漢😀", "count": 1.5})).await;
    let shown = world.until_portal(&run, "SUCCESS", "Succeeded").await;
    assert_eq!(shown.response, Some(json!({"restarted": ["é"]})));
    let got = inner.only();
    assert_eq!((got.method.as_str(), got.uri.to_string().as_str()), ("POST", "/restart?deep=1"));
    assert_eq!(got.headers["idempotency-key"], run.as_str());
    assert_eq!(got.headers["content-type"], "application/json");
    got.assert_is_signed(world.portal.client_secret());
    let url = format!("{}/restart?deep=1", inner.url);
    let invocation = json!({
        "type": "WEBHOOK", "url": url, "synchronized": true, "method": "POST", "headers": {},
    });
    assert_eq!(
        got.json(),
        json!({
            "action": "restart", "encrypted": [], "headers": {}, "context": {"runId": run},
            "payload": {
                "properties": {"name": "é漢😀", "count": 1.5},
                "action": {"invocationMethod": invocation},
            },
        })
    );
    let log = world.portal_log(&run);
    assert!(log.contains("/restart answered 201."), "{log}");
    world.end().await;
}

#[tokio::test]
async fn an_asynchronous_action_is_left_to_whoever_got_it() {
    let (inner, world) = (Inner::start().await, world_of(allowing()).await);
    add_button(&world, &inner.url, &json!({}));
    let run = press(&world, json!({})).await;
    world.until_portal(&run, "IN_PROGRESS", "Delivered").await;
    world.rest().await;
    assert_eq!(world.portal.run(run.as_str()).unwrap().response, None);
    world.end_in_the_portal(&run).await;
    assert_eq!(inner.got().len(), 1);
    world.end().await;
}

#[tokio::test]
async fn the_mapping_file_makes_the_request_and_reads_the_answer() {
    let (_folder, agent) = mapping_file(&json!([
        {"enabled": ".action == \"other\"", "url": "\"http://127.0.0.1:9\""},
        {
            "enabled": true,
            "method": "\"patch\"",
            "url": "(.payload.action.invocationMethod.url) + \"/pods/\" + (.payload.properties.pod | @uri)",
            "headers": {"X-Team": "env.TEAM", "Authorization": "\"Bearer \" + .payload.properties.token"},
            "query": {"wait": "true"},
            "body": {"who": ".context.runId", "nested": {"list": [".payload.properties.pod", "3"]}},
            "report": {
                "status": "if .response.json.ok then \"SUCCESS\" else \"FAILURE\" end",
                "link": "[.response.headers[\"X-Page\"], .response.json.page] | map(values)",
                "summary": "\"asked by \" + .request.headers[\"Authorization\"] + \" of \" + .request.method",
                "externalRunId": ".response.json.id | tostring",
            },
            "fieldsToDecryptPaths": ["payload.properties.token"],
        },
    ]));
    let (inner, world) = (Inner::start().await, world_of(agent).await);
    let answer =
        json!({"ok": true, "page": "https://jobs.local/7", "id": 7, "echo": "s3cr3t-t0ken"});
    inner.answers(Answer::With(StatusCode::OK, answer));
    add_button(&world, &inner.url, &json!({"synchronized": "true"}));
    let run = press(&world, json!({"pod": "a/b", "token": "s3cr3t-t0ken"})).await;
    let shown = world.until_portal(&run, "SUCCESS", "Succeeded").await;

    let got = inner.only();
    assert_eq!(
        (got.method.as_str(), got.uri.to_string().as_str()),
        ("PATCH", "/pods/a%2Fb?wait=true")
    );
    assert_eq!(got.headers["authorization"], "Bearer s3cr3t-t0ken");
    assert_eq!(got.headers["x-team"], "platform");
    assert_eq!(got.json(), json!({"who": run, "nested": {"list": ["a/b", 3]}}));
    got.assert_is_signed(world.portal.client_secret());

    assert_eq!(shown.links, ["https://jobs.local/7"]);
    assert_eq!(shown.external_run_id.as_deref(), Some("7"));
    assert_eq!(shown.summary.as_deref(), Some("asked by Bearer *** of patch"));
    assert_eq!(shown.response.unwrap()["echo"], "***");
    let told = format!("{:?} {}", world.portal.requests(), world.on_disk());
    assert!(!told.contains("s3cr3t-t0ken"), "the secret is told");
    world.end().await;
}

#[tokio::test]
async fn an_answer_that_is_no_success_ends_the_run_with_its_words() {
    let (inner, world) = (Inner::start().await, world_of(allowing()).await);
    let full = json!({"error": "the disk is full"});
    inner.answers(Answer::With(StatusCode::INTERNAL_SERVER_ERROR, full));
    add_button(&world, &inner.url, &json!({}));
    let run = press(&world, json!({})).await;
    let shown = world.until_portal(&run, "FAILURE", "Failed").await;
    assert!(shown.summary.unwrap().ends_with("answered 500."));
    let log = world.portal_log(&run);
    assert!(log.contains("answered 500. {\"error\":\"the disk is full\"}"), "{log}");
    assert_eq!(inner.got().len(), 1, "what was answered is not sent again");
    world.end().await;
}

#[tokio::test]
async fn a_private_address_is_called_only_where_it_is_allowed() {
    let inner = Inner::start().await;
    let port = inner.url.rsplit(':').next().unwrap().to_owned();
    for url in [inner.url.clone(), format!("http://localhost:{port}/")] {
        let world = world_of(AgentSettings::default()).await;
        add_button(&world, &url, &json!({}));
        let run = press(&world, json!({})).await;
        world.until_portal(&run, "FAILURE", "Failed").await;
        let log = world.portal_log(&run);
        assert!(log.contains("a private address, which TOWPATH_AGENT_ALLOW does not"), "{log}");
        assert!(log.contains("No template defines the action restart"), "{log}");
        world.end().await;
    }
    assert!(inner.got().is_empty());
}

#[tokio::test]
async fn nothing_is_sent_on_to_another_address() {
    let (inner, elsewhere) = (Inner::start().await, Inner::start().await);
    let world = world_of(allowing()).await;
    inner.answers(Answer::SendOn(format!("{}/elsewhere", elsewhere.url)));
    inner.answers(Answer::SendOn("/here".to_owned()));
    add_button(&world, &inner.url, &json!({"synchronized": true}));
    let run = press(&world, json!({})).await;
    world.until_portal(&run, "FAILURE", "Failed").await;
    assert!(world.portal_log(&run).contains("answered 307."));
    assert!(elsewhere.got().is_empty());

    let run = press(&world, json!({})).await;
    world.until_portal(&run, "SUCCESS", "Succeeded").await;
    assert_eq!(inner.got().last().unwrap().uri, "/here");
    world.end().await;
}

#[tokio::test]
async fn an_address_that_is_away_is_tried_until_it_is_there_or_half_an_hour_is_over() {
    let world = world_of(allowing()).await;
    add_button(&world, "http://127.0.0.1:9/", &json!({}));
    let run = press(&world, json!({})).await;
    world.until(&run, |run| run.label == "Received").await;
    loop {
        world.standstill().await;
        if world.portal.run(run.as_str()).unwrap().status == "FAILURE" {
            break;
        }
        world.clock.advance(Duration::from_mins(6));
    }
    let log = world.portal_log(&run);
    assert!(log.contains("http://127.0.0.1:9/ cannot be reached: "), "{log}");
    // The clock was moved past the token's life, which the proxy does not know.
    world.end_with_violations(&["wasted-token"]).await;
}

#[tokio::test]
async fn what_may_have_arrived_is_not_sent_again_unless_that_does_no_harm() {
    let impatient = AgentSettings { timeout: Duration::from_millis(300), ..allowing() };
    let resending = AgentSettings { resend: true, ..impatient.clone() };
    for (agent, method, times) in
        [(&impatient, "POST", 1), (&impatient, "PUT", 2), (&resending, "POST", 2)]
    {
        let (inner, world) = (Inner::start().await, world_of(agent.clone()).await);
        inner.answers(Answer::Never);
        add_button(&world, &inner.url, &json!({"synchronized": true, "method": method}));
        let run = press(&world, json!({})).await;
        if times == 1 {
            world.until_portal(&run, "FAILURE", "Answer lost").await;
            let log = world.portal_log(&run);
            assert!(log.contains("It may have arrived, and is not sent again"), "{log}");
        } else {
            world.until_portal(&run, "SUCCESS", "Succeeded").await;
        }
        let keys: Vec<_> =
            inner.got().iter().map(|got| got.headers["idempotency-key"].clone()).collect();
        assert_eq!(keys, vec![run.as_str(); times], "{method}");
        world.end().await;
    }
}

#[tokio::test]
async fn a_receiver_that_reports_itself_may_do_so_although_its_answer_was_lost() {
    let impatient = AgentSettings { timeout: Duration::from_millis(300), ..allowing() };
    let (inner, world) = (Inner::start().await, world_of(impatient).await);
    inner.answers(Answer::Never);
    add_button(&world, &inner.url, &json!({}));
    let run = press(&world, json!({})).await;
    world.until_portal(&run, "IN_PROGRESS", "Answer lost").await;
    world.end_in_the_portal(&run).await;
    assert_eq!(inner.got().len(), 1);
    world.end().await;
}

/// Works off everything up to a delivery, and does that: its process ends before it is settled.
async fn crashed_delivery(world: &World) -> ClaimedStep {
    loop {
        for step in world.worker().claim(1).await.unwrap() {
            let done = world.worker().execute(&step).await;
            if step.step == Step::Deliver {
                return step;
            }
            world.worker().settle(&step, done).await.unwrap();
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn after_a_crash_a_delivery_is_repeated_only_where_that_does_no_harm() {
    for (method, times) in [("POST", 1), ("DELETE", 2)] {
        let inner = Inner::start().await;
        let kind =
            Kind { polls_for: Some(AGENT), agent: allowing(), by_hand: true, ..Kind::default() };
        let world = World::of(kind).await;
        add_button(&world, &inner.url, &json!({"synchronized": true, "method": method}));
        let run = press(&world, json!({})).await;
        crashed_delivery(&world).await;
        world.clock.advance(Duration::from_mins(3));
        world.worker().run_until_idle().await.unwrap();
        let status = world.portal.run(run.as_str()).unwrap().status;
        assert_eq!(status, if times == 1 { "FAILURE" } else { "SUCCESS" });
        assert_eq!(inner.got().len(), times, "{method}");
        world.end().await;
    }
}

#[tokio::test]
async fn a_node_of_a_workflow_is_delivered_and_its_answer_is_its_output() {
    let (inner, world) = (Inner::start().await, world_of(allowing()).await);
    inner.answers(Answer::With(StatusCode::OK, json!({"n": 1})));
    let config = json!({
        "type": "WEBHOOK", "agent": true, "url": inner.url, "synchronized": true, "headers": {"X-A": "b"},
    });
    let node = world.portal.reach_node(config.clone());
    let run = RunId::new(node.as_str()).unwrap();
    world.until_label(&run, "Succeeded").await;
    world.rest().await;
    let shown = world.portal.node_run(&node).unwrap();
    assert_eq!((shown.status.as_str(), shown.result.as_deref()), ("COMPLETED", Some("SUCCESS")));
    assert_eq!(shown.output.unwrap()["response"], json!({"status": 200, "data": {"n": 1}}));
    let got = inner.only().json();
    assert_eq!(got["context"], json!({"runId": node, "nodeConfig": config}));
    assert_eq!(got["headers"], json!({"X-A": "b"}));
    world.end().await;
}

#[tokio::test]
async fn no_github_app_is_needed_and_what_needs_one_says_so() {
    let inner = Inner::start().await;
    let agent = AgentSettings { needs_no_app: true, ..allowing() };
    let kind = Kind { polls_for: Some(AGENT), agent, without_app: true, ..Kind::default() };
    let world = World::of(kind).await;
    add_button(&world, &inner.url, &json!({"synchronized": true}));
    let run = press(&world, json!({})).await;
    world.until_portal(&run, "SUCCESS", "Succeeded").await;
    let run = world.press("add_database", json!({"name": "orders"}), Some("shop")).await;
    world.until_portal(&run, "FAILURE", "Failed").await;
    assert!(world.portal_log(&run).contains("No GitHub App is set up here"));
    assert_eq!(world.github.requests(), []);
    world.end().await;
}
