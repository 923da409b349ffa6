//! How long the pages take over HTTP, and how large they are, with many runs in the database: most
//! done, one in fifty failed, one in a thousand waiting for a review.
//!
//! `cargo bench --bench dashboard`; `-- --runs 1000000` for another number of runs.
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on stops where it stands")]
#![expect(clippy::print_stdout, reason = "the figures")]

mod support {
    pub(crate) mod service;
}

use std::path::Path;
use std::time::Instant;

use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use towpath::clock::Clock;
use towpath::domain::action_run::RunKind;
use towpath::domain::{ActionId, ActionRun, Invocation, RunId, User};
use towpath::store::Store;
use towpath::template::Templates;

use support::service;

/// How often each page is asked for.
const TIMES: usize = 100;
const PAGES: [&str; 6] =
    ["/", "/?state=failure", "/?q=r_99", "/?before=r_50000", "/health", "/actions"];

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("bench.db");
    let runs = runs_wanted();
    fill(&database, runs).await;
    let service = service::receive(&database, "http://127.0.0.1:9", Templates::default()).await;
    println!("{runs} runs, {TIMES} answers each, one after another:");
    for page in PAGES {
        let address = format!("http://{}{page}", service.address);
        let client = reqwest::Client::new();
        let mut times = Vec::new();
        let mut bytes = 0;
        for _ in 0..TIMES {
            let began = Instant::now();
            let answer = client.get(&address).send().await.unwrap().error_for_status().unwrap();
            bytes = answer.bytes().await.unwrap().len();
            times.push(began.elapsed().as_secs_f64() * 1000.0);
        }
        times.sort_by(f64::total_cmp);
        println!(
            "  {page:<18} median {:>6.1} ms, p99 {:>6.1} ms, {bytes:>6} bytes",
            times[TIMES / 2],
            times[TIMES - 2]
        );
    }
}

fn runs_wanted() -> usize {
    let mut arguments = std::env::args().skip_while(|argument| argument != "--runs").skip(1);
    arguments.next().map_or(100_000, |wanted| wanted.parse().unwrap())
}

/// One run by the front of the store, and copies of it at other stages and of other ages.
async fn fill(database: &Path, wanted: usize) {
    let url = format!("sqlite://{}", database.display());
    let store = Store::open(&url, Clock::system()).await.unwrap();
    store.accept_run(&request()).await.unwrap();
    store.close().await;

    let options = SqliteConnectOptions::new().filename(database);
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
    let insert = format!(
        "WITH RECURSIVE more(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM more WHERE n < {wanted})
         INSERT INTO runs (id, action, stage, status, label, repository, links, request,
                           created_at, updated_at, ended_at)
         SELECT 'r_' || n, action,
                CASE WHEN n % 50 = 0 THEN 'failed' WHEN n % 1000 = 1 THEN 'proposed' ELSE 'done' END,
                CASE WHEN n % 50 = 0 THEN 'FAILURE' WHEN n % 1000 = 1 THEN 'IN_PROGRESS'
                     ELSE 'SUCCESS' END,
                'Applied', 'acme/infrastructure', links, request,
                created_at - n * 60000, updated_at - n * 60000,
                CASE WHEN n % 1000 = 1 THEN NULL ELSE updated_at - n * 60000 END
         FROM more, runs WHERE runs.id = 'r_1'"
    );
    sqlx::query(sqlx::AssertSqlSafe(insert)).execute(&pool).await.unwrap();
    pool.close().await;
}

fn request() -> ActionRun {
    ActionRun {
        id: RunId::new("r_1").unwrap(),
        kind: RunKind::Action,
        action: ActionId::new("add_documentdb").unwrap(),
        action_title: Some("Add a DocumentDB cluster".to_owned()),
        operation: None,
        inputs: serde_json::Map::new(),
        entity: None,
        user: User { email: Some("jane@acme.example".to_owned()), ..User::default() },
        organization: None,
        encrypted: Vec::new(),
        invocation: Invocation::Template,
    }
}
