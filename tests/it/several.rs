//! Several processes on one PostgreSQL: what any of them does, each tells as it happens; SQLite is for
//! one. And what they count has the names that the dashboard and the alerts look for.

use std::path::Path;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use towpath::clock::Clock;
use towpath::sandbox::github::{Fault, Sandbox, SandboxConfig, SandboxGitHub, SandboxRepository};
use towpath::store::Store;

use crate::support::postgres;
use crate::support::process::{Environment, Process};
use crate::world;

const DISPATCH: &str = "POST /repos/{owner}/{repo}/actions/workflows/{workflow_id}/dispatches";
/// How often it is seen whether something has come.
const GLANCE: Duration = Duration::from_millis(10);

/// Starts an action by the API of a process, and answers its run.
async fn start(process: &Process) -> String {
    let body = json!({"inputs": {}, "entity": "shop"});
    let start = reqwest::Client::new().post(process.url("/api/v1/actions/rollback_service/runs"));
    let answer: Value = start.json(&body).send().await.unwrap().json().await.unwrap();
    answer["run"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

/// The history of a run as a process tells it, until its end.
async fn history(process: &Process, run: &str) -> String {
    let stream = reqwest::get(process.url(&format!("/api/v1/runs/{run}/events"))).await.unwrap();
    let told = stream.text().await.unwrap();
    let lines = told.lines().filter(|line| !line.is_empty() && !line.starts_with(':'));
    lines.collect::<Vec<_>>().join("\n")
}

/// When the nth workflow run is there, it succeeds.
async fn succeed(shop: &SandboxRepository, nth: usize) {
    while shop.workflow_runs().len() < nth {
        tokio::time::sleep(GLANCE).await;
    }
    shop.last_workflow_run().complete("success");
}

fn write_templates(folder: &Path) {
    let files = folder.join("database").join("files");
    std::fs::create_dir_all(&files).unwrap();
    std::fs::write(files.join("main.tf.tera"), world::MAIN).unwrap();
    std::fs::write(files.with_file_name("template.yml"), world::TEMPLATE).unwrap();
}

/// A GitHub, and the environment of processes that work with it.
async fn github_for(folder: &Path, database: String) -> (SandboxGitHub, Environment) {
    let mut config = SandboxConfig::new(folder.join("github"), Clock::system());
    config.webhook_secret = Some("the sandbox's webhook secret".to_owned());
    let github = Sandbox::start(config).await.unwrap();
    let templates = folder.join("templates");
    write_templates(&templates);
    let environment = Environment::from([
        ("TOWPATH_DATABASE_URL", database),
        ("TOWPATH_TEMPLATES", templates.display().to_string()),
        ("GITHUB_API_URL", github.url()),
    ]);
    (github, environment)
}

async fn each_tells_what_any_does(count: usize, folder: &Path, database: String) {
    let (github, environment) = github_for(folder, database).await;
    let shop = world::service_repository(&github, "acme/shop");
    let mut processes = Vec::new();
    for _ in 0..count {
        processes.push(Process::serve_after(":", &environment).await);
    }
    github.set_webhook_url(&processes[0].url("/hooks/github"));
    for nth in 1..=3 {
        let run = start(&processes[0]).await;
        let told = join_all(processes.iter().map(|process| history(process, &run)));
        let (told, ()) = tokio::join!(told, succeed(&shop, nth));
        assert!(told.iter().all(|history| *history == told[0]), "{told:?}");
        let is_whole = ["Received", "Workflow rollback.yml succeeded.", "event: end", "SUCCESS"];
        for part in is_whole {
            assert!(told[0].contains(part), "no {part} in:\n{}", told[0]);
        }
    }
    let mut counted = String::new();
    for process in &processes {
        counted += &reqwest::get(process.url("/metrics")).await.unwrap().text().await.unwrap();
    }
    for name in described_metrics() {
        assert!(counted.contains(&format!("\n{name}")), "nobody counts {name}:\n{counted}");
    }
    for histogram in ["towpath_step_seconds_bucket", "towpath_http_request_seconds_bucket"] {
        assert!(counted.contains(histogram), "no {histogram}:\n{counted}");
    }
}

/// When a run says that it waits for GitHub.
async fn until_it_waits(process: &Process, run: &str) {
    loop {
        let url = process.url(&format!("/api/v1/runs/{run}"));
        let told: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
        let label = told["label"].as_str().unwrap_or_else(|| panic!("{told}"));
        if label.starts_with("Waiting for GitHub until") {
            return;
        }
        assert_ne!(told["status"], "FAILURE", "{told}");
        tokio::time::sleep(GLANCE).await;
    }
}

/// The requests that were made for an account.
fn asked(github: &SandboxGitHub) -> usize {
    let asked = github.requests();
    asked.iter().filter(|it| it.path.starts_with("/repos/") || it.path == "/graphql").count()
}

async fn the_next_process_keeps_to_a_limit(folder: &Path, database: String) {
    let (github, environment) = github_for(folder, database.clone()).await;
    let _shop = world::service_repository(&github, "acme/shop");
    github.fail_next(DISPATCH, Fault::SecondaryLimit(Duration::from_mins(10)));
    let first = Process::serve_after(":", &environment).await;
    until_it_waits(&first, &start(&first).await).await;
    // It is written down beside the run.
    let store = Store::open(&database, Clock::system()).await.unwrap();
    while store.limits().await.unwrap().is_empty() {
        tokio::time::sleep(GLANCE).await;
    }
    store.close().await;
    let asked_by_the_first = asked(&github);
    first.kill();

    let next = Process::serve_after(":", &environment).await;
    until_it_waits(&next, &start(&next).await).await;
    assert_eq!(asked(&github), asked_by_the_first, "{:?}", github.requests());
}

/// The metrics in the table of the operations page, to which the dashboard and the alerts are held.
fn described_metrics() -> Vec<String> {
    let page = std::fs::read_to_string("docs/operations.md").unwrap();
    let rows = page.lines().filter(|line| line.starts_with("| `towpath_"));
    let names = rows.flat_map(|row| row.split('|').nth(1).unwrap_or_default().split('`'));
    let names = names.filter(|word| word.starts_with("towpath_"));
    let names: Vec<String> =
        names.map(|name| name.split('{').next().unwrap_or_default().to_owned()).collect();
    assert!(names.len() >= 8, "{names:?}");
    names
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgres_each_process_tells_what_any_of_them_does() {
    let folder = tempfile::tempdir().unwrap();
    if let Some(database) = postgres::new_database() {
        each_tells_what_any_does(2, folder.path(), database).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sqlite_one_process_tells_what_it_does() {
    let folder = tempfile::tempdir().unwrap();
    let database = format!("sqlite://{}", folder.path().join("towpath.db").display());
    each_tells_what_any_does(1, folder.path(), database).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgres_the_next_process_keeps_to_a_limit_of_github() {
    let folder = tempfile::tempdir().unwrap();
    if let Some(database) = postgres::new_database() {
        the_next_process_keeps_to_a_limit(folder.path(), database).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sqlite_the_next_process_keeps_to_a_limit_of_github() {
    let folder = tempfile::tempdir().unwrap();
    let database = format!("sqlite://{}", folder.path().join("towpath.db").display());
    the_next_process_keeps_to_a_limit(folder.path(), database).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sqlite_a_second_process_is_refused_until_the_first_has_ended() {
    let folder = tempfile::tempdir().unwrap();
    let templates = folder.path().join("templates");
    write_templates(&templates);
    let database = folder.path().join("towpath.db");
    let environment = Environment::from([
        ("TOWPATH_DATABASE_URL", format!("sqlite://{}", database.display())),
        ("TOWPATH_TEMPLATES", templates.display().to_string()),
        ("GITHUB_API_URL", "http://127.0.0.1:9".to_owned()),
    ]);
    let first = Process::serve_after(":", &environment).await;
    let said = Process::refused(&environment);
    assert!(said.contains("Another service uses the database"), "{said}");
    assert!(said.contains("stop the other, or set TOWPATH_DATABASE_URL"), "{said}");
    first.kill();
    Process::serve_after(":", &environment).await.stop();
}
