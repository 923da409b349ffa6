//! Traces and logs of the program as it runs: what was done for a run is found by the run.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use serde_json::{Value, json};

use crate::support::process::{Environment, Process};

type Received = Arc<Mutex<Vec<Bytes>>>;

/// Something that takes traces and events: its address, and what it took of both.
async fn receiver() -> (String, Received, Received) {
    let (traces, events) = (Received::default(), Received::default());
    let take = |taken: &Received| {
        let taken = Arc::clone(taken);
        post(move |body: Bytes| async move { taken.lock().unwrap().push(body) })
    };
    let app: Router =
        Router::new().route("/v1/traces", take(&traces)).route("/events", take(&events));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    #[expect(clippy::disallowed_methods, reason = "ends with the test")]
    tokio::spawn(async move { axum::serve(listener, app).await });
    (address, traces, events)
}

fn spans(received: &Received) -> Vec<Span> {
    let bodies = received.lock().unwrap();
    let requests = bodies.iter().map(|body| ExportTraceServiceRequest::decode(body.clone()));
    let resources = requests.flat_map(|request| request.unwrap().resource_spans);
    let scopes = resources.flat_map(|resource| resource.scope_spans);
    scopes.flat_map(|scope| scope.spans).collect()
}

/// Until its end was told.
async fn run_to_its_end(process: &Process, events: &Received) -> String {
    let client = reqwest::Client::new();
    let start = client.post(process.url("/api/v1/actions/unknown/runs")).json(&json!({}));
    let started: Value = start.send().await.unwrap().json().await.unwrap();
    let run = started["run"].as_str().unwrap().to_owned();
    let began = Instant::now();
    loop {
        let shown = client.get(process.url(&format!("/api/v1/runs/{run}"))).send().await.unwrap();
        let shown: Value = shown.json().await.unwrap();
        let is_end = |event: &Bytes| {
            let event: Value = serde_json::from_slice(event).unwrap();
            event["subject"] == run.as_str() && event["type"] == "dev.towpath.run.ended"
        };
        if shown["status"] == "FAILURE" && events.lock().unwrap().iter().any(is_end) {
            return run;
        }
        assert!(began.elapsed() < Duration::from_mins(1), "{shown}\n{}", process.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_done_for_a_run_is_one_trace_and_its_log_lines_name_it() {
    let (endpoint, received, events) = receiver().await;
    let folder = tempfile::tempdir().unwrap();
    let environment = Environment::from([
        ("TOWPATH_DATABASE_URL", format!("sqlite://{}", folder.path().join("t.db").display())),
        ("TOWPATH_LOG", "warn,towpath=debug".to_owned()),
        ("TOWPATH_LOG_FORMAT", "json".to_owned()),
        ("GITHUB_API_URL", "http://127.0.0.1:9".to_owned()),
        ("TOWPATH_EVENTS_URL", format!("{endpoint}/events")),
        ("TOWPATH_EVENTS_SECRET", "the secret of the events".to_owned()),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint),
    ]);
    let process = Process::serve_after(":", &environment).await;
    let runs = [run_to_its_end(&process, &events).await, run_to_its_end(&process, &events).await];
    let log = process.stop();

    let spans = spans(&received);
    let attribute = |span: &Span, key: &str| {
        let found = span.attributes.iter().find(|attribute| attribute.key == key);
        found.map(|attribute| format!("{:?}", attribute.value)).unwrap_or_default()
    };
    let mut traces = BTreeSet::new();
    for run in &runs {
        let of_run: Vec<&Span> =
            spans.iter().filter(|span| attribute(span, "run.id").contains(run.as_str())).collect();
        let names: BTreeSet<&str> = of_run.iter().map(|span| span.name.as_str()).collect();
        assert!(names.is_superset(&BTreeSet::from(["message", "begin", "end"])), "{names:?}");
        let ids: BTreeSet<&[u8]> = of_run.iter().map(|span| span.trace_id.as_slice()).collect();
        assert_eq!(ids.len(), 1, "one trace");
        traces.extend(ids);
    }
    assert_eq!(traces.len(), 2, "to each run its own");

    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).expect(line));
    let of_steps: Vec<Value> = lines.filter(|line| line["message"] == "step").collect();
    assert!(of_steps.len() >= 4, "{log}");
    for line in of_steps {
        let run = line["run.id"].as_str().or_else(|| line["spans"][0]["run.id"].as_str());
        assert!(runs.iter().any(|known| Some(known.as_str()) == run), "{line}");
    }
}
