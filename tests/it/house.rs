//! Keeping house: the database is copied while it is in use, gives its room back, and says so when
//! the disk is full.

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use chrono::TimeDelta;
use reqwest::StatusCode;
use serde_json::{Map, Value, json};
use towpath::clock::Clock;
use towpath::domain::action_run::RunKind;
use towpath::domain::{ActionId, ActionRun, Invocation, RunId, Status, User};
use towpath::plan::Decision;
use towpath::plan::step::Lane;
use towpath::store::Store;

use crate::support::process::{Environment, Process};
use crate::world::World;

fn backup(url: &str, copy: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_towpath"))
        .args(["backup", "--database-url", url])
        .arg(copy)
        .output()
        .unwrap()
}

fn database_in(folder: &Path) -> String {
    format!("sqlite://{}", folder.join("towpath.db").display())
}

#[tokio::test]
async fn a_backup_that_is_taken_while_the_service_works_can_be_gone_on_with() {
    let mut world = World::start().await;
    if !world.database_url().starts_with("sqlite") {
        return world.end().await;
    }
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.db");
    let run = world.press("add_database", json!({"name": "orders"}), Some("shop")).await;
    // The copy is of one moment, whichever that is: at the latest the run was accepted.
    let done = backup(&world.database_url(), &copy);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    world.rest().await;

    let again = backup(&world.database_url(), &copy);
    let said = String::from_utf8_lossy(&again.stderr);
    assert!(!again.status.success() && said.contains("is there already"), "{said}");

    world.stop().await;
    world.empty_the_database();
    let place = world.database_url();
    std::fs::copy(&copy, place.strip_prefix("sqlite://").unwrap()).unwrap();
    world.start_service().await;
    world.after_a_crash().await;
    world
        .infrastructure
        .only_pull_request()
        .merge("octocat", towpath::sandbox::github::MergeMethod::Squash);
    world.rest().await;
    world.until_portal(&run, "IN_PROGRESS", "Applying").await;
    world.end_with_refusals().await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_backup_is_readable_by_nobody_else() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().unwrap();
    let url = database_in(folder.path());
    Store::open(&url, Clock::system()).await.unwrap().close().await;
    let copy = folder.path().join("copy.db");
    assert!(backup(&url, &copy).status.success());
    assert_eq!(copy.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let names = std::fs::read_dir(folder.path()).unwrap().map(|it| it.unwrap().file_name());
    let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["copy.db", "towpath.db"], "nothing else is left behind");
}

#[test]
fn a_backup_that_cannot_be_made_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    for (url, way_out) in [
        ("postgres://user@nowhere/towpath".to_owned(), "pg_dump"),
        (database_in(folder.path()), "TOWPATH_DATABASE_URL"),
    ] {
        let refused = backup(&url, &folder.path().join("copy.db"));
        let said = String::from_utf8_lossy(&refused.stderr);
        assert!(!refused.status.success() && said.contains(way_out), "{said}");
    }
}

#[tokio::test]
async fn the_room_of_removed_runs_is_given_back_to_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::system();
    let store = Store::open(&database_in(folder.path()), clock.clone()).await.unwrap();
    for number in 0..150 {
        store.accept_run(&large_request(number)).await.unwrap();
    }
    for begin in store.claim(&[Lane::Work], 150, Duration::from_mins(1)).await.unwrap() {
        let mut run = begin.run.clone();
        run.status = Status::Failure;
        store.settle(&begin, &Decision::unchanged(run), None).await.unwrap();
    }
    store.close().await;
    let size = || folder.path().join("towpath.db").metadata().unwrap().len();
    let full = size();

    clock.advance(Duration::from_hours(24 * 40));
    let store = Store::open(&database_in(folder.path()), clock).await.unwrap();
    store.sweep_house(TimeDelta::days(30)).await.unwrap();
    store.close().await;
    assert!(size() * 10 < full, "{full} bytes, and then {}", size());
}

fn large_request(number: u32) -> ActionRun {
    let mut inputs = Map::new();
    inputs.insert("text".to_owned(), json!("x".repeat(20_000)));
    ActionRun {
        id: RunId::new(format!("r_{number}")).unwrap(),
        kind: RunKind::Action,
        action: ActionId::new("add_database").unwrap(),
        action_title: None,
        operation: None,
        inputs,
        entity: None,
        user: User::default(),
        organization: None,
        encrypted: Vec::new(),
        invocation: Invocation::Template,
    }
}

/// Starts an action by the API: the answer, and the run where there is one.
async fn start(process: &Process, key: u32) -> (StatusCode, Option<String>) {
    let body = json!({"inputs": {"text": "x".repeat(20_000)}});
    let start = reqwest::Client::new()
        .post(process.url("/api/v1/actions/unknown/runs"))
        .header("idempotency-key", key.to_string())
        .json(&body);
    let answer = start.send().await.unwrap();
    let status = answer.status();
    let body: Value = answer.json().await.unwrap();
    (status, body["run"].as_str().map(str::to_owned))
}

/// How often the same is refused in a row until the disk is taken for full.
const FULL: usize = 5;

#[tokio::test]
async fn a_full_disk_is_answered_with_503_and_what_was_accepted_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let environment = Environment::from([
        ("TOWPATH_DATABASE_URL", database_in(folder.path())),
        ("GITHUB_API_URL", "http://127.0.0.1:9".to_owned()),
    ]);
    // No file may grow beyond a megabyte: writing fails as on a full disk, but for the error's name.
    let process = Process::serve_after("trap '' XFSZ; ulimit -S -f 2048", &environment).await;
    let mut accepted = Vec::new();
    let mut key = 0;
    let mut refused_in_a_row = 0;
    // What moves from the log of what was written to the database makes room for a while, until both
    // are full.
    while refused_in_a_row < FULL {
        assert!(key < 500, "the disk became full, and stayed so");
        match start(&process, key).await {
            (StatusCode::ACCEPTED, run) => {
                accepted.push(run.unwrap());
                key += 1;
                refused_in_a_row = 0;
            }
            (StatusCode::SERVICE_UNAVAILABLE, None) => refused_in_a_row += 1,
            other => panic!("{other:?}\n{}", process.log()),
        }
    }
    let refused = key;
    assert!(accepted.len() > 3, "{}", accepted.len());

    // Somebody makes room; the service goes on by itself.
    let pid = process.id().to_string();
    let more = Command::new("prlimit").args(["--pid", &pid, "--fsize=unlimited"]).status();
    assert!(more.unwrap().success());
    let (status, run) = start(&process, refused).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{}", process.log());
    accepted.extend(run);
    process.kill();

    let store = Store::open(&database_in(folder.path()), Clock::system()).await.unwrap();
    for run in &accepted {
        let run = RunId::new(run.as_str()).unwrap();
        assert!(store.run(&run).await.unwrap().is_some(), "{run} was accepted");
    }
    let all = towpath::store::RunFilter { limit: 500, ..Default::default() };
    assert_eq!(store.runs(&all).await.unwrap().len(), accepted.len(), "nothing else is there");
}
