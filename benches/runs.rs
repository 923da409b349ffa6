//! How many runs a second are taken from the message to the proposed pull request, by a service
//! with a GitHub that answers at once; beside what the bare requests to that GitHub take.
//!
//! `cargo bench --bench runs`
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on stops where it stands")]
#![expect(clippy::print_stdout, reason = "the figures")]

mod support {
    pub(crate) mod github;
    pub(crate) mod load;
    pub(crate) mod service;
}

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use towpath::template::{SourceFile, Templates};

use support::load::{Measured, send};
use support::{github, service};

/// Runs of each measurement.
const RUNS: usize = 4_000;

const TEMPLATE: &str = r#"
title: Database
inputs:
  type: object
  additionalProperties: false
  required: [name]
  properties:
    name: {type: string, pattern: "^[a-z][a-z0-9-]{1,30}$"}
    size: {type: integer, minimum: 1, maximum: 100, default: 10}
    note: {type: string, default: ""}
actions:
  add_database: {operation: create}
target: {repository: acme/infrastructure, path: "databases/{{ inputs.name }}"}
files: files
pull_request: {title: "{{ action.title }}: {{ inputs.name }}"}
entity: {blueprint: database, identifier: "{{ inputs.name }}"}
"#;

const MAIN: &str = r#"resource "terraform_data" "database" {
  input = {
    name = "{{ inputs.name }}"
    size = {{ inputs.size }}
    note = "{{ inputs.note }}"
  }
}
"#;

#[tokio::main]
async fn main() {
    let (github, made) = github::serve().await;
    // Twice, so that a drift of the machine shows.
    for pass in 0..2 {
        let bare = requests(github).await;
        println!("the two requests of a run, bare    {bare}, so {:.0} runs", bare.a_second() / 2.0);

        let folder = tempfile::tempdir().unwrap();
        let api = format!("http://{github}");
        let service = service::receive(&folder.path().join("bench.db"), &api, templates()).await;
        let stop = CancellationToken::new();
        let mut work = tokio::task::JoinSet::new();
        work.spawn(service.worker.clone().run(stop.clone()));
        // That GitHub has no limits is known with its first answer. Until then, what creates something
        // goes out one a second.
        let known = made.count();
        ask(service.address, &format!("first-{pass}"), 1).await;
        until_made(&made, known + 1).await;

        let before = made.count();
        let began = Instant::now();
        let accepted = ask(service.address, &format!("db-{pass}"), RUNS).await;
        println!("accepted, while others are done    {accepted}");
        until_made(&made, before + RUNS as u64).await;
        #[expect(clippy::cast_precision_loss, reason = "some thousands")]
        let a_second = RUNS as f64 / began.elapsed().as_secs_f64();
        println!("from message to proposed           {a_second:>8.0} a second");
        println!("ratio                              {:.2}\n", a_second / (bare.a_second() / 2.0));
        stop.cancel();
        work.join_all().await;
    }
}

async fn until_made(made: &github::Made, count: u64) {
    let began = Instant::now();
    while made.count() < count {
        assert!(began.elapsed() < Duration::from_mins(5), "{} of {count} made", made.count());
        sleep(Duration::from_millis(2)).await;
    }
}

fn templates() -> Templates {
    let file = |path: &str, text: &str| SourceFile {
        path: path.to_owned(),
        contents: text.as_bytes().to_vec(),
        executable: false,
    };
    let files =
        [file("database/template.yml", TEMPLATE), file("database/files/main.tf.tera", MAIN)];
    Templates::load(&files).unwrap_or_else(|found| panic!("{}", found[0]))
}

/// Asks for runs by the plain HTTP call.
async fn ask(to: SocketAddr, name: &str, count: usize) -> Measured {
    let name = name.to_owned();
    send(to, count, None, move |n| {
        let inputs = json!({"inputs": {"name": format!("{name}-{n}"), "note": "Orders & more"}});
        post(to, "/api/v1/actions/add_database/runs", &inputs.to_string())
    })
    .await
}

/// A look and a mutation for each run.
async fn requests(to: SocketAddr) -> Measured {
    send(to, RUNS * 2, None, move |n| {
        let query = if n % 2 == 0 { "query Look { x }" } else { "mutation Bare { x }" };
        post(to, "/graphql", &json!({"query": query, "variables": {}}).to_string())
    })
    .await
}

fn post(to: SocketAddr, path: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: {to}\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}
