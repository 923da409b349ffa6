//! What comes in at the door, and what does not. Messages are Port's own, from its repositories.
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the answer")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use sha2::Sha256;
use tempfile::TempDir;
use towpath::clock::Clock;
use towpath::domain::action_run::RunKind;
use towpath::domain::{Invocation, Operation, RunId};
use towpath::intake::portal_message::{parse_portal_message, parse_portal_run};
use towpath::intake::signature::{Refusal, verify_kafka, verify_portal};
use towpath::intake::{Answer, GitHubHeaders, Intake, PortalHeaders};
use towpath::seal::SealingKey;
use towpath::store::{RunFilter, Store};

const VECTORS: &str = include_str!("fixtures/port/crypto-vectors.json");
const CLIENT_SIDE: &str = include_str!("fixtures/port/client-side-vectors.json");
const KAFKA_RUN: &str = include_str!("fixtures/port/agent-kafka-webhook-run.json");
const KAFKA_NODE_RUN: &str = include_str!("fixtures/port/agent-kafka-wf-node-run.json");

fn fixture(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn secret(text: &str) -> SecretString {
    SecretString::from(text.to_owned())
}

fn vectors_key() -> SecretString {
    secret(fixture(VECTORS)["clientSecret"].as_str().unwrap())
}

fn at(timestamp: &str) -> DateTime<Utc> {
    DateTime::from_timestamp(timestamp.parse().unwrap(), 0).unwrap()
}

#[test]
fn every_known_signature_of_port_is_proved_and_no_changed_byte_passes() {
    let key = vectors_key();
    for vector in fixture(VECTORS)["signature"].as_array().unwrap() {
        let text = |name: &str| vector[name].as_str().unwrap();
        let (raw, timestamp) = (text("raw"), text("timestamp"));
        let verify = |body: &[u8], signature: &str, now| {
            verify_portal(&key, Some(signature), Some(timestamp), body, now)
        };
        let signature = text("x-port-signature");
        assert_eq!(verify(raw.as_bytes(), signature, at(timestamp)), Ok(()), "{raw}");

        // A message may be rewritten on its way: the same JSON with other spaces.
        if !text("kind").starts_with("python_requests") {
            let spaced = raw.replace("\":", "\" : ").replacen('{', "{\n  ", 1);
            assert_eq!(verify(spaced.as_bytes(), signature, at(timestamp)), Ok(()), "{spaced}");
        }
        for changed in 0..raw.len() {
            let mut body = raw.as_bytes().to_vec();
            body[changed] ^= 1;
            assert!(verify(&body, signature, at(timestamp)).is_err(), "byte {changed} of {raw}");
        }
        let five_minutes = TimeDelta::minutes(5);
        for (age, proved) in [
            (five_minutes, Ok(())),
            (-five_minutes, Ok(())),
            (five_minutes + TimeDelta::seconds(1), Err(Refusal::Stale)),
            (-five_minutes - TimeDelta::seconds(1), Err(Refusal::Stale)),
        ] {
            assert_eq!(verify(raw.as_bytes(), signature, at(timestamp) + age), proved, "{age}");
        }
    }
}

#[test]
fn a_kafka_message_is_proved_by_the_signature_inside_it() {
    for message in [KAFKA_RUN, KAFKA_NODE_RUN] {
        assert_eq!(verify_kafka(&secret("test"), message.as_bytes()), Ok(()));
        assert_eq!(verify_kafka(&secret("tset"), message.as_bytes()), Err(Refusal::Mismatch));
        let compact = fixture(message).to_string();
        assert_eq!(verify_kafka(&secret("test"), compact.as_bytes()), Ok(()));
        for changed in 0..compact.len() {
            let mut body = compact.clone().into_bytes();
            body[changed] ^= 1;
            assert!(verify_kafka(&secret("test"), &body).is_err(), "byte {changed} of {compact}");
        }
    }
    for broken in
        ["", "[]", "{}", r#"{"headers":{}}"#, r#"{"headers":{"X-Port-Signature":"v1,x"}}"#]
    {
        assert_eq!(verify_kafka(&secret("test"), broken.as_bytes()), Err(Refusal::Malformed));
    }
}

#[test]
fn what_port_has_encrypted_is_opened_and_what_is_sealed_here_too() {
    let key = SealingKey::of(&vectors_key()).unwrap();
    for vector in fixture(VECTORS)["aes256-gcm"].as_array().unwrap() {
        let (plain, sealed) =
            (vector["plaintext"].as_str().unwrap(), vector["encrypted_base64"].as_str().unwrap());
        assert_eq!(key.open(sealed).unwrap().expose_secret(), plain);
        let mut changed = BASE64.decode(sealed).unwrap();
        for at in 0..changed.len() {
            changed[at] ^= 1;
            assert!(key.open(&BASE64.encode(&changed)).is_err(), "byte {at}");
            changed[at] ^= 1;
        }
        let (one, other) = (key.seal(plain).unwrap(), key.seal(plain).unwrap());
        assert_ne!(one, other, "never the same nonce twice");
        assert_eq!(key.open(&one).unwrap().expose_secret(), plain);
    }
    assert!(SealingKey::of(&secret("too short")).is_err());
    assert!(key.open("").is_err());
    let own = SealingKey::derived_from(&secret("the App's private key"));
    assert_eq!(own.open(&own.seal("s3cr3t").unwrap()).unwrap().expose_secret(), "s3cr3t");
    assert!(key.open(&own.seal("s3cr3t").unwrap()).is_err());
}

#[test]
fn what_the_browser_has_encrypted_is_opened_with_the_private_key_alone() {
    let vectors = fixture(CLIENT_SIDE);
    let pem = secret(vectors["private_key"].as_str().unwrap());
    let without = SealingKey::of(&vectors_key()).unwrap();
    let key = without.clone().with_client_side(&pem).unwrap();
    for vector in vectors["client-side"].as_array().unwrap() {
        let sealed = vector["encrypted_base64"].as_str().unwrap();
        assert_eq!(key.open(sealed).unwrap().expose_secret(), vector["plaintext"]);
        assert!(without.open(sealed).is_err());
        let bytes = BASE64.decode(sealed).unwrap();
        for at in (0..bytes.len()).step_by(7) {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(key.open(&BASE64.encode(&changed)).is_err(), "byte {at}");
        }
    }
    let own = key.seal("s3cr3t").unwrap();
    assert_eq!(key.open(&own).unwrap().expose_secret(), "s3cr3t");
    let public = secret(vectors["public_key"].as_str().unwrap());
    assert!(without.with_client_side(&public).is_err());
}

/// The messages as they lie in a topic or come by webhook, and every other value of every byte.
fn mutations(message: &str) -> impl Iterator<Item = (usize, Vec<u8>)> + '_ {
    (0..message.len()).flat_map(move |at| {
        let was = message.as_bytes()[at];
        (0..=255u8).filter(move |byte| *byte != was).map(move |byte| {
            let mut changed = message.as_bytes().to_vec();
            changed[at] = byte;
            (at, changed)
        })
    })
}

fn means_the_same(one: &[u8], other: &str) -> bool {
    let parsed: Option<Value> = serde_json::from_slice(one).ok();
    parsed.is_some_and(|parsed| parsed == fixture(other))
}

#[test]
fn a_signed_message_with_another_byte_is_refused_or_means_the_same() {
    let key = vectors_key();
    for vector in fixture(VECTORS)["signature"].as_array().unwrap() {
        let text = |name: &str| vector[name].as_str().unwrap();
        let (timestamp, signature) = (text("timestamp"), text("x-port-signature"));
        let raw = text("raw");
        for (at, changed) in mutations(raw) {
            let proof = verify_portal(
                &key,
                Some(signature),
                Some(timestamp),
                &changed,
                self::at(timestamp),
            );
            assert!(proof.is_err() || means_the_same(&changed, raw), "byte {at} of {raw}");
        }
    }
    for message in [KAFKA_RUN, KAFKA_NODE_RUN] {
        for (at, changed) in mutations(message) {
            let proved = verify_kafka(&secret("test"), &changed).is_ok();
            assert!(!proved || means_the_same(&changed, message), "byte {at} of {message}");
        }
    }
}

/// A claimed run carries no signature: it comes from the portal itself, over TLS. What is broken on
/// the way is refused, or is another run as a whole; nothing is half read.
#[test]
fn a_claimed_run_with_another_byte_is_refused_or_read_as_what_it_says() {
    for message in [
        include_str!("fixtures/port/agent-polling-run.json"),
        include_str!("fixtures/port/agent-polling-wf-node-run.json"),
    ] {
        let whole = fixture(message);
        let original = parse_portal_run(&whole).unwrap();
        for (at, changed) in mutations(message).step_by(3) {
            let Ok(claimed) = serde_json::from_slice::<Value>(&changed) else { continue };
            let Ok(run) = parse_portal_run(&claimed) else { continue };
            if claimed == whole {
                assert_eq!(run, original, "byte {at}");
            }
            let id = claimed.get("id").or_else(|| claimed.get("identifier"));
            assert_eq!(id.and_then(Value::as_str), Some(run.id.as_str()), "byte {at}");
        }
    }
}

#[test]
fn every_message_of_port_is_read() {
    let parse = |text: &str| parse_portal_message(text.as_bytes()).unwrap();
    let create = parse(include_str!("fixtures/port/v1-run-message-create.json"));
    assert_eq!(
        (create.id.as_str(), create.action.as_str()),
        ("r_QOz6WoOB1Q2lmhZZ", "create_microservice")
    );
    assert_eq!(create.inputs["region"], json!("eu-west-1"));
    assert_eq!((create.entity.clone(), create.title().as_str()), (None, "Create Microservice"));
    assert_eq!(create.operation.map(Operation::as_str), Some("create"));

    let day2 = parse(include_str!("fixtures/port/v1-run-message-day2.json"));
    assert_eq!(day2.entity_identifier().unwrap().as_str(), "my-microservice");
    assert_eq!(day2.entity.unwrap()["properties"]["region"], json!("eu-west-1"));
    assert_eq!(day2.operation.map(Operation::as_str), Some("day-2"));

    let kafka = parse(KAFKA_RUN);
    assert_eq!(kafka.id.as_str(), "r_jE5FhDURh4Uen2Qr");
    let Invocation::Delivery(delivery) = kafka.invocation else { panic!("{kafka:?}") };
    assert_eq!(delivery.message["headers"], json!({}), "Port's signature is no part of it");
    let node = parse(KAFKA_NODE_RUN);
    assert_eq!((node.id.as_str(), node.kind), ("wfnr_abc123", RunKind::WorkflowNode));

    let polled = parse(include_str!("fixtures/port/agent-polling-run.json"));
    assert_eq!((polled.id.as_str(), polled.action.as_str()), ("run_123", "deploy"));
    assert_eq!(polled.inputs, *json!({"environment": "production"}).as_object().unwrap());
    assert_eq!(polled.entity_identifier().unwrap().as_str(), "entity_123");
    // As Port's own agent hands them to its mapping file (`polling_to_webhook_processor.py`).
    let Invocation::Delivery(delivery) = polled.invocation else { panic!("{polled:?}") };
    assert_eq!(
        delivery.message,
        json!({
            "context": {"entity": "entity_123", "blueprint": "microservice", "runId": "run_123"},
            "payload": {
                "action": {
                    "identifier": "deploy",
                    "invocationMethod": {
                        "type": "WEBHOOK", "url": "http://localhost:8080/webhook",
                        "synchronized": false, "method": "POST", "headers": {},
                    },
                },
                "properties": {"environment": "production"},
            },
            "trigger": {"by": {"userId": "user_123"}},
            "headers": {},
        })
    );
    let node = parse(include_str!("fixtures/port/agent-polling-wf-node-run.json"));
    assert_eq!((node.id.as_str(), node.kind), ("wfnr_abc123", RunKind::WorkflowNode));
    let Invocation::Delivery(delivery) = node.invocation else { panic!("{node:?}") };
    assert_eq!(delivery.message["context"]["runId"], "wfnr_abc123");
    assert_eq!(delivery.message["context"]["nodeConfig"]["url"], "https://httpbin.org/post");

    let claimed = fixture(include_str!("fixtures/port/ocean-claim-action-run.json"));
    let claimed = parse_portal_run(&claimed["runs"][0]).unwrap();
    let Invocation::Workflow(workflow) = claimed.invocation else { panic!("{claimed:?}") };
    assert_eq!(
        (workflow.repository.to_string().as_str(), workflow.workflow.as_str()),
        ("port-labs/ocean", "deploy.yml")
    );
    assert_eq!(workflow.inputs, *json!({"environment": "prod"}).as_object().unwrap());

    let shapes = fixture(include_str!("fixtures/port/ocean-wf-node-run-shapes.json"));
    for (shape, action) in shapes.as_array().unwrap().iter().zip(["node-claim", "node-lookup"]) {
        let node = parse_portal_run(shape).unwrap();
        assert_eq!((node.kind, node.action.as_str()), (RunKind::WorkflowNode, action));
        assert!(matches!(node.invocation, Invocation::Unsupported(_)), "it names no repository");
    }

    for context in [
        include_str!("fixtures/port/trigger-data-self-service.json"),
        include_str!("fixtures/port/trigger-data-automation-0.json"),
        include_str!("fixtures/port/trigger-data-automation-1.json"),
    ] {
        let mut context = fixture(context);
        context["run"] = json!({"id": "r_1"});
        let run = parse_portal_run(&context).unwrap();
        assert_eq!(run.entity, None, "`{{}}` and null are no entity");
    }
}

struct Door {
    intake: Intake,
    clock: Clock,
    has_access_changed: Arc<AtomicBool>,
    _folder: TempDir,
}

async fn door() -> Door {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::system();
    let url = format!("sqlite://{}", folder.path().join("towpath.db").display());
    let has_access_changed = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&has_access_changed);
    let intake = Intake {
        store: Store::open(&url, clock.clone()).await.unwrap(),
        clock: clock.clone(),
        github_secrets: vec![secret("new"), secret("old")],
        portal_key: Some(vectors_key()),
        sealing_key: SealingKey::of(&vectors_key()).unwrap(),
        secret_names: Arc::new(|action| match action.as_str() {
            "add_documentdb" => vec!["password".to_owned()],
            _ => Vec::new(),
        }),
        access_changed: Arc::new(move || flag.store(true, Ordering::Relaxed)),
        seen: Arc::new(|_| ()),
    };
    Door { intake, clock, has_access_changed, _folder: folder }
}

fn mac(key: &str, text: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

impl Door {
    async fn portal(&self, body: &str) -> Answer {
        let timestamp = self.clock.now().timestamp().to_string();
        let signed = format!("{timestamp}.{body}");
        let code = mac(vectors_key().expose_secret(), signed.as_bytes());
        let signature = format!("v1,{}", BASE64.encode(code));
        let headers = PortalHeaders { signature: Some(&signature), timestamp: Some(&timestamp) };
        self.intake.portal(headers, body.as_bytes()).await
    }

    async fn github(&self, event: &str, body: &Value) -> Answer {
        let body = body.to_string();
        let signature = format!("sha256={}", hex::encode(mac("old", body.as_bytes())));
        let (event, delivery) = (Some(event), Some("72d3162e-cc78-11e3-81ab-4c9367dc0958"));
        let headers = GitHubHeaders { event, delivery, signature: Some(&signature) };
        self.intake.github(headers, body.as_bytes()).await
    }
}

#[tokio::test]
async fn a_proved_action_run_is_on_disk_when_it_is_answered() {
    let door = door().await;
    let body = json!({"action": "deploy", "run": {"id": "r_1"}, "inputs": {}}).to_string();
    let run = RunId::new("r_1").unwrap();
    for _ in 0..2 {
        assert_eq!(door.portal(&body).await, Answer::Run(run.clone()));
    }
    assert!(door.intake.store.run(&run).await.unwrap().is_some());
    assert_eq!(door.portal("{}").await, {
        let reason = parse_portal_message(b"{}").unwrap_err().to_string();
        Answer::NotUnderstood(reason)
    });
    let unsigned = door.intake.portal(PortalHeaders::default(), body.as_bytes()).await;
    assert_eq!(unsigned, Answer::Unproved);
    assert_eq!(door.intake.kafka(body.as_bytes()).await, Answer::Unproved);
}

#[tokio::test]
async fn a_secret_input_in_clear_reaches_the_disk_only_sealed() {
    let door = door().await;
    let clear = "correct horse battery staple";
    let method = json!({"type": "GITHUB", "org": "acme", "repo": "infra", "workflow": "w.yml"});
    let body = json!({"action": "add_documentdb", "context": {"runId": "r_1"}, "payload": {
        "action": {"invocationMethod": method}, "properties": {"name": "orders", "password": clear}}});
    let run = RunId::new("r_1").unwrap();
    assert_eq!(door.portal(&body.to_string()).await, Answer::Run(run.clone()));

    let request = door.intake.store.run(&run).await.unwrap().unwrap().request;
    let stored = serde_json::to_string(&request).unwrap();
    assert!(!stored.contains(clear), "{stored}");
    assert!(stored.contains("orders"));
    assert_eq!(request.encrypted, ["password"]);
    let key = SealingKey::of(&vectors_key()).unwrap();
    let sealed = request.inputs["password"].as_str().unwrap();
    assert_eq!(key.open(sealed).unwrap().expose_secret(), clear);

    // What comes encrypted stays as it came.
    let body = json!({"action": "add_documentdb", "run": {"id": "r_2"}, "inputs": {"password": sealed},
        "encrypted": ["password"]});
    door.portal(&body.to_string()).await;
    let again = door.intake.store.run(&RunId::new("r_2").unwrap()).await.unwrap().unwrap();
    assert_eq!(again.request.inputs["password"], json!(sealed));
}

#[tokio::test]
async fn a_delivery_of_github_is_proved_read_and_matched() {
    let door = door().await;
    let push = json!({"ref": "refs/heads/main", "after": "a".repeat(40), "sender": null,
        "repository": {"full_name": "acme/infra"}});
    assert_eq!(door.github("push", &push).await, Answer::Ignored, "it concerns no run");
    assert_eq!(door.github("star", &json!({})).await, Answer::Ignored);
    assert!(matches!(door.github("push", &json!({})).await, Answer::NotUnderstood(_)));
    assert!(!door.has_access_changed.load(Ordering::Relaxed));
    assert_eq!(door.github("installation", &json!({"action": "created"})).await, Answer::Recorded);
    assert!(door.has_access_changed.load(Ordering::Relaxed));

    let unsigned = GitHubHeaders { event: Some("star"), ..GitHubHeaders::default() };
    assert_eq!(door.intake.github(unsigned, b"{}").await, Answer::Unproved);
}

#[tokio::test]
async fn without_a_secret_nothing_is_let_in() {
    let mut door = door().await;
    door.intake.github_secrets.clear();
    door.intake.portal_key = None;
    let body = json!({"action": "deploy", "run": {"id": "r_1"}, "inputs": {}}).to_string();
    assert_eq!(door.portal(&body).await, Answer::Unproved);
    assert_eq!(door.intake.kafka(KAFKA_RUN.as_bytes()).await, Answer::Unproved);
    assert_eq!(door.github("star", &json!({})).await, Answer::Unproved);
    let filter = RunFilter { limit: 1, ..RunFilter::default() };
    assert!(door.intake.store.runs(&filter).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_store_that_is_away_is_said_and_nothing_is_lost_silently() {
    let door = door().await;
    door.intake.store.close().await;
    let body = json!({"action": "deploy", "run": {"id": "r_1"}, "inputs": {}}).to_string();
    assert_eq!(door.portal(&body).await, Answer::Unavailable);
}
