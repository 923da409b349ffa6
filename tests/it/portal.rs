//! The client of Port's API against the sandbox portal: what arrives, what is refused, and what is
//! known after an answer was lost.

use std::time::Duration;

use secrecy::SecretString;
use serde_json::{Value, json};
use towpath::clock::Clock;
use towpath::domain::action_run::RunKind;
use towpath::domain::{EntityRef, EntityUpsert, Progress, RunId, Status};
use towpath::portal::report::{Call, LogEntry, calls};
use towpath::portal::{Error, PatchRun, Port};
use towpath::sandbox::portal::{Delivered, Fault, FaultKind, Options, SandboxPort, Trigger};

const PATCH_RUN: &str = "/v1/actions/runs/{run}";
const ADD_LOG: &str = "/v1/actions/runs/{run}/logs";
const ENTITIES: &str = "/v1/blueprints/{blueprint}/entities";

struct World {
    sandbox: SandboxPort,
    port: Port,
    clock: Clock,
}

impl World {
    async fn start() -> Self {
        let clock = Clock::system();
        let options = Options { clock: clock.clone(), ..Options::default() };
        let sandbox = SandboxPort::start(options).await.unwrap();
        sandbox.add_blueprint(json!({
            "identifier": "database", "title": "Database",
            "schema": {"properties": {"engine": {"type": "string"}, "size": {"type": "number"}}},
            "relations": {"service": {"target": "service", "many": false, "required": false}},
        }));
        sandbox.add_action(json!({
            "identifier": "add_database", "title": "Add a database",
            "trigger": {"type": "self-service", "operation": "CREATE"},
            "invocationMethod": {"type": "KAFKA", "payload": {}},
        }));
        let port = client(&sandbox, sandbox.client_secret(), &clock);
        Self { sandbox, port, clock }
    }

    async fn run(&self) -> RunId {
        let trigger = Trigger { action: "add_database".into(), ..Trigger::default() };
        let (id, _) = self.sandbox.trigger(trigger).await.unwrap();
        RunId::new(id).unwrap()
    }

    fn fault(&self, method: &str, path: &str, kind: FaultKind) {
        let (method, path) = (method.to_owned(), path.to_owned());
        self.sandbox.inject(Fault { method, path, times: 1, kind });
    }

    fn count(&self, call: &str) -> usize {
        self.sandbox.requests().iter().filter(|request| request.call() == call).count()
    }
}

fn client(sandbox: &SandboxPort, secret: &str, clock: &Clock) -> Port {
    let secret = SecretString::from(secret);
    Port::new(&sandbox.url(), sandbox.client_id(), secret, clock.clone()).unwrap()
}

fn line(message: &str) -> LogEntry {
    LogEntry { message: message.into(), label: None, end: None }
}

fn ended(status: Status) -> PatchRun {
    PatchRun { status: Some(status), ..PatchRun::default() }
}

fn database(identifier: &str, properties: &Value) -> EntityUpsert {
    serde_json::from_value(json!({
        "blueprint": "database", "identifier": identifier, "properties": properties,
    }))
    .unwrap()
}

fn answer(status: u16, headers: &[(&'static str, &str)]) -> FaultKind {
    let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    FaultKind::Answer { status, headers }
}

#[tokio::test]
async fn a_run_is_reported_from_the_first_line_to_the_end() {
    let world = World::start().await;
    let run = world.run().await;
    let waiting = [
        Progress {
            log: vec!["Received.".into(), "Dispatched.".into()],
            label: Some("Queued".into()),
            ..Progress::default()
        },
        Progress {
            links: Some(vec!["https://github.com/acme/web/actions/runs/7".into()]),
            external_run_id: Some("gh_1_2_7".into()),
            label: Some("Running: build".into()),
            ..Progress::default()
        },
    ];
    for call in calls(RunKind::Action, &waiting, None) {
        world.port.report(&run, RunKind::Action, &call).await.unwrap();
    }
    let entity = database("orders", &json!({"engine": "DocumentDB"}));
    world.port.upsert_entity(&entity, Some(&run)).await.unwrap();
    let done = Progress {
        log: vec!["Done.".into()],
        label: Some("Succeeded".into()),
        ..Progress::default()
    };
    for call in calls(RunKind::Action, &[done], Some(Status::Success)) {
        world.port.report(&run, RunKind::Action, &call).await.unwrap();
    }

    let seen = world.sandbox.run(run.as_str()).unwrap();
    assert_eq!(seen.status, "SUCCESS");
    assert_eq!(seen.label.as_deref(), Some("Succeeded"));
    assert_eq!(seen.links, ["https://github.com/acme/web/actions/runs/7"]);
    assert_eq!(seen.external_run_id.as_deref(), Some("gh_1_2_7"));
    assert_eq!(seen.log_text(), "Received.\nDispatched.\nDone.");
    let made = world.sandbox.requests();
    let made: Vec<String> = made.iter().map(towpath::sandbox::portal::Request::call).collect();
    assert_eq!(
        made,
        [
            "POST /v1/auth/access_token".to_owned(),
            format!("POST {ADD_LOG}"),
            format!("PATCH {PATCH_RUN}"),
            format!("POST {ENTITIES}"),
            format!("POST {ADD_LOG}"),
        ]
    );
}

#[tokio::test]
async fn one_token_serves_many_calls_at_once_and_is_replaced_when_it_is_refused_or_over() {
    let world = World::start().await;
    let run = world.run().await;
    let entry = line("a line");
    let reports = (0..10).map(|_| world.port.append_log(&run, RunKind::Action, &entry));
    for reported in futures_util::future::join_all(reports).await {
        reported.unwrap();
    }
    assert_eq!(world.count("POST /v1/auth/access_token"), 1);

    world.sandbox.revoke_token();
    world.port.append_log(&run, RunKind::Action, &entry).await.unwrap();
    assert_eq!(world.count("POST /v1/auth/access_token"), 2);

    world.clock.advance(Duration::from_hours(3));
    world.port.append_log(&run, RunKind::Action, &entry).await.unwrap();
    assert_eq!(world.count("POST /v1/auth/access_token"), 3);
    let refused = world.sandbox.requests().iter().filter(|it| it.status == Some(401)).count();
    assert_eq!(refused, 1, "only the revoked token is tried in vain");
    assert_eq!(world.sandbox.run(run.as_str()).unwrap().log.len(), 12);
}

#[tokio::test]
async fn wrong_credentials_are_said_and_not_tried_over_and_over() {
    let world = World::start().await;
    let run = world.run().await;
    let port = client(&world.sandbox, "wrong", &world.clock);
    let refused = port.append_log(&run, RunKind::Action, &line("a line")).await;
    assert_eq!(refused, Err(Error::Unauthorized));
    assert_eq!(world.sandbox.requests().len(), 1);
}

#[tokio::test]
async fn a_run_that_has_ended_takes_nothing_more() {
    let world = World::start().await;
    let run = world.run().await;
    let action = RunKind::Action;
    world.port.patch_run(&run, action, &ended(Status::Failure)).await.unwrap();

    let again = world.port.patch_run(&run, action, &ended(Status::Success)).await;
    assert_eq!(again, Err(Error::Exhausted));
    assert_eq!(world.port.append_log(&run, action, &line("late")).await, Err(Error::Exhausted));
    let entity = database("orders", &json!({}));
    assert_eq!(world.port.upsert_entity(&entity, Some(&run)).await, Err(Error::Exhausted));
    world.port.upsert_entity(&entity, None).await.unwrap();
    assert_eq!(world.port.run(&run).await.unwrap().status, Status::Failure);
}

#[tokio::test]
async fn a_log_line_whose_answer_was_lost_is_found_and_not_sent_twice() {
    let world = World::start().await;
    let run = world.run().await;
    world.fault("POST", ADD_LOG, FaultKind::LoseAnswer);
    let lost = world.port.append_log(&run, RunKind::Action, &line("only once")).await;
    assert!(matches!(lost, Err(Error::Unclear(_))), "{lost:?}");
    assert_eq!(world.count(&format!("POST {ADD_LOG}")), 1, "nothing is repeated blindly");
    assert_eq!(world.port.logs(&run).await.unwrap(), ["only once"]);
}

#[tokio::test]
async fn an_end_whose_answer_was_lost_is_seen_on_the_run() {
    let world = World::start().await;
    let run = world.run().await;
    world.fault("PATCH", PATCH_RUN, FaultKind::LoseAnswer);
    let lost = world.port.patch_run(&run, RunKind::Action, &ended(Status::Success)).await;
    assert!(matches!(lost, Err(Error::Unclear(_))), "{lost:?}");
    assert_eq!(world.port.run(&run).await.unwrap().status, Status::Success);
}

#[tokio::test]
async fn what_never_arrived_is_not_there_when_it_is_looked_for() {
    let world = World::start().await;
    let run = world.run().await;
    world.fault("POST", ADD_LOG, FaultKind::LoseRequest);
    let lost = world.port.append_log(&run, RunKind::Action, &line("gone")).await;
    assert!(matches!(lost, Err(Error::Unclear(_))), "{lost:?}");
    assert_eq!(world.port.logs(&run).await.unwrap(), Vec::<String>::new());

    world.fault("GET", ADD_LOG, FaultKind::LoseAnswer);
    let unknown = world.port.logs(&run).await;
    assert!(matches!(unknown, Err(Error::Unavailable(_))), "a question changes nothing");
}

#[tokio::test]
async fn a_portal_that_is_down_or_busy_is_told_from_one_that_refuses() {
    let world = World::start().await;
    let run = world.run().await;
    let entry = line("a line");
    world.fault("POST", ADD_LOG, answer(429, &[("retry-after", "30")]));
    let limited = world.port.append_log(&run, RunKind::Action, &entry).await;
    let Err(Error::RateLimited { until }) = limited else { panic!("{limited:?}") };
    let wait = (until - world.clock.now()).num_seconds();
    assert!((28..=30).contains(&wait), "{wait}");

    world.fault("POST", ADD_LOG, answer(503, &[]));
    let failed = world.port.append_log(&run, RunKind::Action, &entry).await;
    assert!(matches!(failed, Err(Error::Unclear(_))), "{failed:?}");

    let World { sandbox, port, .. } = world;
    let nobody = RunId::new("r_nobody").unwrap();
    let unknown = port.append_log(&nobody, RunKind::Action, &entry).await;
    assert!(matches!(unknown, Err(Error::NotFound(_))), "{unknown:?}");

    let address = sandbox.url();
    let clock = Clock::system();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let secret = SecretString::from("s");
    let port = Port::new(&format!("http://{closed}"), "id", secret, clock).unwrap();
    let away = port.append_log(&run, RunKind::Action, &entry).await;
    assert!(matches!(away, Err(Error::Unavailable(_))), "{away:?} {address}");
}

#[tokio::test]
async fn an_entity_is_merged_and_its_identifier_may_hold_a_slash() {
    let world = World::start().await;
    let first = database("eu/orders", &json!({"engine": "DocumentDB", "size": 1}));
    world.port.upsert_entity(&first, None).await.unwrap();
    let second = database("eu/orders", &json!({"size": 2}));
    world.port.upsert_entity(&second, None).await.unwrap();
    let standing = world.sandbox.entity("database", "eu/orders").unwrap();
    assert_eq!(standing["properties"], json!({"engine": "DocumentDB", "size": 2}));

    let entity: EntityRef = first.entity;
    world.port.delete_entity(&entity, None).await.unwrap();
    assert_eq!(world.sandbox.entity("database", "eu/orders"), None);
    world.port.delete_entity(&entity, None).await.unwrap();
}

#[tokio::test]
async fn an_entity_that_does_not_fit_its_blueprint_is_refused_with_port_s_reason() {
    let world = World::start().await;
    let wrong = database("orders", &json!({"colour": "green"}));
    let refused = world.port.upsert_entity(&wrong, None).await;
    let Err(Error::Refused { status, code, message }) = refused else { panic!("{refused:?}") };
    assert_eq!((status, code.as_str()), (422, "blueprint_schema_mismatch"));
    assert!(message.contains("colour"), "{message}");

    let large = database("orders", &json!({"engine": "x".repeat(2 * 1024 * 1024)}));
    let calls_before = world.sandbox.requests().len();
    let refused = world.port.upsert_entity(&large, None).await;
    assert!(matches!(refused, Err(Error::Refused { status: 413, .. })), "{refused:?}");
    assert_eq!(world.sandbox.requests().len(), calls_before, "it is not even sent");
}

#[tokio::test]
async fn a_node_of_a_workflow_is_reported_in_its_own_form() {
    let world = World::start().await;
    let id = world.sandbox.reach_node(json!({"type": "WEBHOOK", "agent": true}));
    let run = RunId::new(id).unwrap();
    let done = Progress {
        log: vec!["Done.".into()],
        label: Some("Applied".into()),
        links: Some(vec!["https://a".into()]),
        summary: Some("All good".into()),
        ..Progress::default()
    };
    for call in calls(RunKind::WorkflowNode, &[done], Some(Status::Failure)) {
        world.port.report(&run, RunKind::WorkflowNode, &call).await.unwrap();
    }
    let seen = world.sandbox.node_run(run.as_str()).unwrap();
    assert_eq!((seen.status.as_str(), seen.result.as_deref()), ("COMPLETED", Some("FAILED")));
    assert_eq!(seen.label.as_deref(), Some("Applied"));
    assert_eq!(seen.output, Some(json!({"summary": "All good"})));
    assert_eq!(seen.log, [("INFO".to_owned(), "Done.".to_owned())]);

    let again = Call::Patch(ended(Status::Success));
    let refused = world.port.report(&run, RunKind::WorkflowNode, &again).await;
    assert_eq!(refused, Err(Error::Exhausted));
}

#[tokio::test]
async fn a_long_log_is_read_to_its_last_page() {
    let world = World::start().await;
    let run = world.run().await;
    for number in 0..51 {
        let entry = line(&format!("line {number}"));
        world.port.append_log(&run, RunKind::Action, &entry).await.unwrap();
    }
    let messages = world.port.logs(&run).await.unwrap();
    assert_eq!((messages.len(), messages[50].as_str()), (51, "line 50"));
}

#[tokio::test]
async fn a_button_calls_its_backend_with_a_signed_body() {
    let world = World::start().await;
    let (send, mut received) = tokio::sync::mpsc::unbounded_channel();
    let backend = axum::Router::new().route(
        "/hooks/port",
        axum::routing::post(async move |headers: axum::http::HeaderMap, body: String| {
            send.send((headers, body)).unwrap();
            axum::http::StatusCode::ACCEPTED
        }),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hooks/port", listener.local_addr().unwrap());
    #[expect(clippy::disallowed_methods, reason = "ends with the test")]
    tokio::spawn(async move { axum::serve(listener, backend).await });
    world.sandbox.add_action(json!({
        "identifier": "rename", "title": "Rename", "requiredApproval": false,
        "trigger": {"type": "self-service", "operation": "CREATE", "userInputs": {"properties": {
            "password": {"type": "string", "encryption": "aes256-gcm"},
        }}},
        "invocationMethod": {"type": "WEBHOOK", "url": url, "body": {
            "action": "{{ .action.identifier }}", "run": {"id": "{{ .run.id }}"},
            "inputs": "{{ .inputs }}", "encrypted": "{{ .action.encryptedProperties }}",
        }},
    }));
    let inputs = json!({"name": "orders", "password": "hush-hush"});
    let inputs = inputs.as_object().unwrap().clone();
    let trigger = Trigger { action: "rename".into(), inputs, ..Trigger::default() };
    let (run, delivered) = world.sandbox.trigger(trigger).await.unwrap();
    assert_eq!(delivered, Delivered::Answered(202));

    let (headers, body) = received.recv().await.unwrap();
    assert!(headers["x-port-signature"].to_str().unwrap().starts_with("v1,"));
    assert!(headers.contains_key("x-port-timestamp"));
    assert!(!body.contains("hush-hush"));
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((&body["run"]["id"], &body["action"]), (&json!(run), &json!("rename")));
    assert_eq!(
        (&body["inputs"]["name"], &body["encrypted"]),
        (&json!("orders"), &json!(["password"]))
    );
}

#[tokio::test]
async fn a_claimed_run_comes_back_until_it_is_acknowledged_once() {
    let world = World::start().await;
    world.sandbox.add_action(json!({
        "identifier": "agent", "trigger": {"type": "self-service", "operation": "CREATE"},
        "invocationMethod": {"type": "WEBHOOK", "url": "http://localhost/", "agent": true},
    }));
    let trigger = Trigger { action: "agent".into(), ..Trigger::default() };
    let (run, delivered) = world.sandbox.trigger(trigger).await.unwrap();
    assert_eq!(delivered, Delivered::Waiting);

    let client = reqwest::Client::new();
    let call = async |method: reqwest::Method, path: &str, body: Value| {
        let url = format!("{}{path}", world.sandbox.url());
        let mut request = client.request(method, url).json(&body);
        if let Some(token) = world.sandbox.token() {
            request = request.bearer_auth(token).header("x-port-reserved-usage", "true");
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_slice::<Value>(&answer.bytes().await.unwrap()).unwrap())
    };
    let credentials = json!({
        "clientId": world.sandbox.client_id(), "clientSecret": world.sandbox.client_secret(),
    });
    call(reqwest::Method::POST, "/v1/auth/access_token", credentials).await;
    let claim = async || {
        let wanted = json!({"installationId": "_PORT_EXEC_AGENT", "limit": 10});
        let (_, answer) =
            call(reqwest::Method::POST, "/v1/actions/runs/claim-pending", wanted).await;
        answer["runs"].as_array().unwrap().len()
    };
    assert_eq!(claim().await, 1);
    assert_eq!(claim().await, 0, "a claim hides it");
    world.clock.advance(Duration::from_secs(61));
    assert_eq!(claim().await, 1, "for a minute");
    let acknowledge = async || {
        let run = json!({"runId": run});
        call(reqwest::Method::PATCH, "/v1/actions/runs/ack", run).await.0
    };
    assert_eq!(acknowledge().await, 200);
    assert_eq!(acknowledge().await, 409);
    world.clock.advance(Duration::from_secs(61));
    assert_eq!(claim().await, 0);
}
