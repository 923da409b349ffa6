//! Somebody does not want a run any more: what has not begun is not begun, a workflow is stopped, a
//! pull request is closed, and what is merged stays.

use std::time::Duration;

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use towpath::domain::RunId;
use towpath::sandbox::github::{Fault, MergeMethod};

use crate::world::{World, newest_run};

const STOP: &str = "POST /repos/{owner}/{repo}/actions/runs/{run_id}/cancel";
const COMMENT: &str = "POST /repos/{owner}/{repo}/issues/{issue_number}/comments";
const DISPATCH: &str = "POST /repos/{owner}/{repo}/actions/workflows/{workflow_id}/dispatches";

/// Asks the API that a run be cancelled: the status, and what is said.
pub(super) async fn ask(world: &World, run: &str) -> (StatusCode, Value) {
    let url = format!("http://{}/api/v1/runs/{run}/cancel", world.address());
    let body = json!({"user": "jane@acme.example"});
    let answer = Client::new().post(url).json(&body).send().await.unwrap();
    let status = answer.status();
    (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap())
}

pub(super) async fn cancel(world: &World, run: &RunId) {
    let (status, said) = ask(world, run.as_str()).await;
    assert_eq!((status, &said["run"]), (StatusCode::ACCEPTED, &json!(run)));
}

async fn proposed(world: &World) -> RunId {
    let run = world.press("add_database", json!({"name": "orders"}), Some("shop")).await;
    world.rest().await;
    run
}

async fn assert_closed_once(world: &World, run: &RunId) {
    world.until_portal(run, "FAILURE", "Cancelled").await;
    let log = world.portal_log(run);
    assert_eq!(log.matches("jane@acme.example cancelled this run").count(), 1, "{log}");
    assert!(log.contains("pull request #1 is closed without a merge"), "{log}");
    let pull = world.infrastructure.only_pull_request();
    assert!(!pull.now().is_open);
    let comments = pull.now().comments;
    assert_eq!(comments.len(), 1, "said once: {comments:?}");
    assert!(comments[0].contains("jane") && comments[0].contains(run.as_str()), "{comments:?}");
    assert_eq!(world.infrastructure.branches(), ["main"], "the branch is gone");
}

#[tokio::test]
async fn a_pull_request_is_closed_with_a_word_and_its_branch_goes() {
    let world = World::start().await;
    let run = proposed(&world).await;
    cancel(&world, &run).await;
    world.rest().await;
    assert_closed_once(&world, &run).await;
    let (status, said) = ask(&world, run.as_str()).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(said["error"]["message"].as_str().unwrap().contains("has ended already"), "{said}");
    assert_eq!(ask(&world, "r_unknown").await.0, StatusCode::NOT_FOUND);
    world.end().await;
}

#[tokio::test]
async fn who_waits_behind_has_its_turn() {
    let world = World::start().await;
    let first = proposed(&world).await;
    let second = world.press("add_database", json!({"name": "orders"}), Some("shop")).await;
    world.rest().await;
    world.until_label(&second, "Waiting").await;
    cancel(&world, &first).await;
    world.rest().await;
    world.until_portal(&second, "IN_PROGRESS", "Waiting for review").await;
    // Who waits in line is in nobody's way.
    let third = world.press("add_database", json!({"name": "orders"}), Some("shop")).await;
    world.rest().await;
    cancel(&world, &third).await;
    world.rest().await;
    world.until_portal(&third, "FAILURE", "Cancelled").await;
    assert!(world.portal_log(&third).contains("Nothing was done for it"));
    world.end().await;
}

#[tokio::test]
async fn the_commits_of_a_person_are_kept() {
    let world = World::start().await;
    let run = proposed(&world).await;
    let branch = world.newest_pull().now().head;
    let mine = [("databases/orders/extra.tf", Some("# Mine.\n"))];
    world.infrastructure.push("octocat", &branch, &mine, "Mine");
    world.rest().await;
    cancel(&world, &run).await;
    world.rest().await;
    world.until_portal(&run, "FAILURE", "Cancelled").await;
    assert!(world.infrastructure.branches().contains(&branch));
    world.end().await;
}

#[tokio::test]
async fn a_lost_answer_at_every_request_closes_it_once() {
    // A look, the comment, the close, the branch, and the check that says so.
    for at in 0..5 {
        let world = World::start().await;
        let run = proposed(&world).await;
        world.github.fail("*", at, 1, Fault::LoseAnswer);
        cancel(&world, &run).await;
        world.rest().await;
        world.github.clear_faults();
        assert_closed_once(&world, &run).await;
        world.end_with_violations(&["no-answer"]).await;
    }
}

#[tokio::test]
async fn a_crash_in_between_closes_it_once() {
    for held in [COMMENT, "PATCH /repos/{owner}/{repo}/pulls/{pull_number}"] {
        let mut world = World::start().await;
        let run = proposed(&world).await;
        world.github.fail_next(held, Fault::HoldAnswer);
        cancel(&world, &run).await;
        let pull = world.infrastructure.only_pull_request();
        let said = || !pull.now().comments.is_empty() && (held == COMMENT || !pull.now().is_open);
        world.eventually("it is done on GitHub", said).await;
        world.crash().await;
        world.github.release_answers();
        world.start_service().await;
        world.after_a_crash().await;
        assert_closed_once(&world, &run).await;
        world.end_with_violations(&["no-answer"]).await;
    }
}

#[tokio::test]
async fn a_workflow_is_stopped_and_the_run_ends_as_github_says() {
    let world = World::start().await;
    let run = world.press("rollback_service", json!({}), Some("shop")).await;
    world.rest().await;
    let workflow = newest_run(&world.shop, "rollback.yml");
    workflow.start();
    workflow.job_started("deploy");
    world.rest().await;
    world.github.fail_next(STOP, Fault::LoseAnswer);
    cancel(&world, &run).await;
    world.rest().await;
    assert_eq!(workflow.now().conclusion.as_deref(), Some("cancelled"));
    world.until_portal(&run, "FAILURE", "Cancelled").await;
    let log = world.portal_log(&run);
    assert!(log.contains("jane@acme.example cancels this run"), "{log}");
    world.end_with_violations(&["no-answer"]).await;
}

#[tokio::test]
async fn a_workflow_that_ends_first_ends_as_it_does() {
    let world = World::start().await;
    let run = world.press("rollback_service", json!({}), Some("shop")).await;
    world.rest().await;
    world.github.hold_webhooks();
    newest_run(&world.shop, "rollback.yml").complete("success");
    cancel(&world, &run).await;
    world.until_portal(&run, "SUCCESS", "Succeeded").await;
    world.github.release_all_webhooks();
    world.rest().await;
    world.end_with_refusals().await;
}

#[tokio::test]
async fn what_has_not_begun_is_not_begun_however_long_it_would_have_waited() {
    let world = World::start().await;
    world.press("rollback_service", json!({}), Some("shop")).await;
    world.rest().await;
    world.github.fail_next(DISPATCH, Fault::SecondaryLimit(Duration::from_hours(1)));
    let run = world.press("rollback_service", json!({}), Some("shop")).await;
    world.standstill().await;
    world.forget_requests();
    cancel(&world, &run).await;
    world.rest().await;
    world.until_portal(&run, "FAILURE", "Cancelled").await;
    assert!(world.portal_log(&run).contains("Nothing was done for it"));
    assert_eq!(world.asked_of_github(), Vec::<String>::new());
    world.clock.advance(Duration::from_hours(2));
    world.rest().await;
    assert_eq!(world.shop.workflow_runs().len(), 1);
    world.end_with_refusals().await;
}

#[tokio::test]
async fn what_is_merged_stays_and_it_is_said_why() {
    let world = World::start().await;
    let run = proposed(&world).await;
    // The merge is not heard of yet.
    world.github.hold_webhooks();
    world.newest_pull().merge("octocat", MergeMethod::Squash);
    cancel(&world, &run).await;
    world.until_label(&run, "Applying").await;
    world.github.release_all_webhooks();
    world.rest().await;
    let log = world.portal_log(&run);
    assert!(log.contains("the merge came first"), "{log}");
    let (status, said) = ask(&world, run.as_str()).await;
    assert_eq!(status, StatusCode::CONFLICT);
    let said = said["error"]["message"].as_str().unwrap();
    assert!(said.contains("#1 is merged") && said.contains("takes it back"), "{said}");
    newest_run(&world.infrastructure, "apply.yml").complete("success");
    world.rest().await;
    world.until_portal(&run, "SUCCESS", "Applied").await;
    world.end().await;
}

#[tokio::test]
async fn what_github_does_not_let_be_closed_goes_on_and_says_so() {
    let world = World::start().await;
    let run = proposed(&world).await;
    world.github.grant("acme", "pull_requests", Some("read"));
    world.github.expire_tokens();
    cancel(&world, &run).await;
    world.rest().await;
    world.until_portal(&run, "IN_PROGRESS", "Waiting for review").await;
    let log = world.portal_log(&run);
    assert!(log.contains("could not be cancelled, and goes on"), "{log}");
    assert!(world.newest_pull().now().is_open);
    world.end_with_refusals().await;
}
