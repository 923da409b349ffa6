//! Another portal in Port's place: it starts an action by a plain call, and hears what becomes of it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use clap::Parser;
use hmac::{Hmac, KeyInit as _, Mac as _};
use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use towpath::cli::folder;
use towpath::cli::service::{Service, Surroundings};
use towpath::clock::Clock;
use towpath::config::RawSettings;
use towpath::lifecycle::Lifecycle;
use towpath::sandbox::github::SANDBOX_APP_KEY;

const SECRET: &str = "the secret of the events";
const TOKEN: &str = "the token of the other portal";

#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    settings: RawSettings,
}

struct Heard {
    headers: HeaderMap,
    body: String,
}

impl Heard {
    fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    fn event(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    fn assert_is_signed(&self) {
        let (id, timestamp) = (self.header("webhook-id"), self.header("webhook-timestamp"));
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
        mac.update(format!("{id}.{timestamp}.{}", self.body).as_bytes());
        let signature = format!("v1,{}", BASE64.encode(mac.finalize().into_bytes()));
        assert_eq!(self.header("webhook-signature"), signature);
        assert_eq!(self.header("content-type"), "application/cloudevents+json");
    }
}

/// What a portal answers, one after another; then 204.
type Answers = Arc<Mutex<Vec<StatusCode>>>;

async fn listener(answers: Vec<StatusCode>) -> (String, UnboundedReceiver<Heard>) {
    let (send, heard) = unbounded_channel();
    let answers: Answers = Arc::new(Mutex::new(answers));
    let app =
        axum::Router::new().route("/events", axum::routing::post(hear)).with_state((send, answers));
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/events", socket.local_addr().unwrap());
    #[expect(clippy::disallowed_methods, reason = "ends with the test")]
    tokio::spawn(async move { axum::serve(socket, app).await });
    (url, heard)
}

async fn hear(
    State((send, answers)): State<(UnboundedSender<Heard>, Answers)>,
    headers: HeaderMap,
    body: String,
) -> StatusCode {
    let answer = answers.lock().unwrap().pop().unwrap_or(StatusCode::NO_CONTENT);
    send.send(Heard { headers, body }).unwrap();
    answer
}

#[tokio::test]
async fn another_portal_starts_an_action_and_hears_its_end_although_it_was_away() {
    let (url, mut heard) = listener(vec![StatusCode::SERVICE_UNAVAILABLE]).await;
    let folder = tempfile::tempdir().unwrap();
    let database = format!("sqlite://{}", folder.path().join("t.db").display());
    let flags = [
        ["--database-url", &database],
        ["--github-api-url", "http://127.0.0.1:9"],
        ["--github-app-id", "Iv1.sandbox"],
        ["--github-app-private-key", SANDBOX_APP_KEY],
        ["--events-url", &url],
        ["--events-secret", SECRET],
        ["--api-token", TOKEN],
    ];
    let flags = ["towpath"].into_iter().chain(flags.into_iter().flatten());
    let settings = Flags::parse_from(flags).settings.check().unwrap();
    let (clock, lifecycle) = (Clock::system(), Lifecycle::new());
    let surroundings = Surroundings {
        listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
        clock: clock.clone(),
        lifecycle: lifecycle.clone(),
        metrics: PrometheusBuilder::new().build_recorder().handle(),
    };
    let templates = folder::load(&[]).unwrap();
    let service = Service::start(&settings, templates, surroundings).await.unwrap();

    let start = async |token: &str| ask(service.address, token).await;
    assert_eq!(start("a wrong one, as long as the other").await.0, 401);
    let (status, answer) = start(TOKEN).await;
    assert_eq!(status, 202, "{answer}");
    assert_eq!(start(TOKEN).await, (202, answer.clone()), "the key is the same, so the run is");

    let first = heard.recv().await.unwrap();
    clock.advance(Duration::from_secs(10));
    let second = heard.recv().await.unwrap();
    second.assert_is_signed();
    assert_eq!(first.event(), second.event(), "the same event under the same id");
    assert_eq!(first.header("webhook-id"), second.header("webhook-id"));
    let event = second.event();
    assert_eq!(event["specversion"], "1.0");
    assert_eq!(event["type"], "dev.towpath.run.ended");
    assert_eq!(event["subject"], answer["run"]);
    assert_eq!(event["data"]["status"], "FAILURE");
    assert_eq!(event["data"]["action"], "unheard_of");
    assert!(event["data"]["log"].to_string().contains("unheard_of"), "{event}");

    lifecycle.stop();
    lifecycle.drain(Duration::from_secs(30)).await;
}

/// Starts an action from elsewhere: through a proxy.
async fn ask(service: SocketAddr, token: &str) -> (u16, Value) {
    let request = reqwest::Client::new()
        .post(format!("http://{service}/api/v1/actions/unheard_of/runs"))
        .header("x-forwarded-for", "10.1.2.3")
        .header("idempotency-key", "task-7")
        .bearer_auth(token)
        .json(&json!({"inputs": {"name": "orders"}, "user": "ada@example.com"}));
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    (status, answer.json().await.unwrap())
}
