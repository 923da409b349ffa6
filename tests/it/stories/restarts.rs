//! The service stops or crashes anywhere, and every step may be done twice: the same world.

use std::time::Duration;

use serde_json::json;
use towpath::domain::RunId;
use towpath::sandbox::github::MergeMethod;
use towpath::store::ClaimedStep;

use crate::world::{Kind, World, newest_run};

/// What is done to each step before it is settled.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Trial {
    /// It is done a second time with the same claim.
    Twice,
    /// The process ends after it was done and before it is settled; somebody claims it later.
    Crash,
}

async fn by_hand() -> World {
    World::of(Kind { by_hand: true, ..Kind::default() }).await
}

/// Works off everything, with each step tried.
pub(super) async fn work_off(world: &World, trial: Trial) {
    loop {
        world.github.webhooks_delivered().await;
        let claimed = world.worker().claim(1).await.unwrap();
        if claimed.is_empty() {
            let Some(due) = world.store().next_due().await.unwrap() else { return };
            let wait = (due - world.clock.now()).to_std().unwrap_or_default();
            world.clock.advance(wait);
            continue;
        }
        for step in claimed {
            try_step(world, step, trial).await;
        }
    }
}

async fn try_step(world: &World, step: ClaimedStep, trial: Trial) {
    let first = world.worker().execute(&step).await;
    if trial == Trial::Crash && !step.interrupted {
        // Nobody settles it: its lease ends.
        world.clock.advance(Duration::from_mins(3));
        return;
    }
    let done = if trial == Trial::Twice { world.worker().execute(&step).await } else { first };
    world.worker().settle(&step, done).await.unwrap();
}

async fn create_story(trial: Trial) {
    let world = by_hand().await;
    let run = world.press("add_database", json!({"name": "orders"}), Some("shop")).await;
    work_off(&world, trial).await;
    newest_run(&world.infrastructure, "plan.yml").complete("success");
    work_off(&world, trial).await;
    let pull = world.infrastructure.only_pull_request();
    assert_eq!((pull.now().labels.len(), pull.now().reviewers.len()), (1, 1));
    pull.approve("octocat");
    pull.merge("octocat", MergeMethod::Rebase);
    work_off(&world, trial).await;
    newest_run(&world.infrastructure, "apply.yml").complete("success");
    work_off(&world, trial).await;
    assert_one_of_each(&world, &run).await;
    world.end_with_violations(&["run-ended-twice", "run-exhausted"]).await;
}

async fn assert_one_of_each(world: &World, run: &RunId) {
    world.until_portal(run, "SUCCESS", "Applied").await;
    world.infrastructure.only_pull_request();
    assert_eq!(world.portal.entities("database").len(), 1);
    let log = world.portal_log(run);
    for line in ["is open", "was merged", "was applied"] {
        assert!(log.contains(line), "no {line} in:\n{log}");
    }
    let history = world.history(run).await;
    for line in ["is open", "was merged", "was applied", "written to the catalog"] {
        assert_eq!(history.matches(line).count(), 1, "{line} once in:\n{history}");
    }
}

async fn dispatch_story(trial: Trial) {
    let world = by_hand().await;
    let run = world.press("rollback_service", json!({}), Some("shop")).await;
    work_off(&world, trial).await;
    assert_eq!(world.shop.workflow_runs().len(), 1, "dispatched once");
    let workflow = newest_run(&world.shop, "rollback.yml");
    workflow.start();
    workflow.job_started("deploy");
    workflow.job_completed("deploy", "failure");
    workflow.complete("failure");
    work_off(&world, trial).await;
    world.until_portal(&run, "FAILURE", "Failed").await;
    assert_eq!(world.history(&run).await.matches("rollback.yml failed").count(), 1);
    assert_eq!(world.portal_log(&run).matches("rollback.yml failed").count(), 1);
    world.end_with_violations(&["run-ended-twice", "run-exhausted"]).await;
}

async fn delete_story(trial: Trial) {
    let world = by_hand().await;
    world.press("add_database", json!({"name": "orders"}), Some("shop")).await;
    work_off(&world, trial).await;
    world.newest_pull().merge("octocat", MergeMethod::Squash);
    newest_run(&world.infrastructure, "apply.yml").complete("success");
    work_off(&world, trial).await;
    let run = world.press("delete_database", json!({}), Some("orders")).await;
    work_off(&world, trial).await;
    world.newest_pull().merge("octocat", MergeMethod::Squash);
    newest_run(&world.infrastructure, "apply.yml").complete("success");
    work_off(&world, trial).await;
    world.until_portal(&run, "SUCCESS", "Applied").await;
    assert_eq!(world.portal.entities("database").len(), 0);
    assert_eq!(world.infrastructure.pull_numbers(), [1, 2]);
    world.end_with_violations(&["run-ended-twice", "run-exhausted"]).await;
}

#[tokio::test]
async fn a_create_of_which_every_step_is_done_twice() {
    create_story(Trial::Twice).await;
}

#[tokio::test]
async fn a_create_that_crashes_after_every_step() {
    create_story(Trial::Crash).await;
}

#[tokio::test]
async fn a_dispatch_that_crashes_after_every_step() {
    dispatch_story(Trial::Crash).await;
}

#[tokio::test]
async fn a_dispatch_of_which_every_step_is_done_twice() {
    dispatch_story(Trial::Twice).await;
}

#[tokio::test]
async fn a_delete_of_which_every_step_is_done_twice() {
    delete_story(Trial::Twice).await;
}

#[tokio::test]
async fn a_delete_that_crashes_after_every_step() {
    delete_story(Trial::Crash).await;
}

#[tokio::test]
async fn the_service_crashes_and_starts_again_between_and_within_all_that_happens() {
    let mut world = World::start().await;
    let run = world.press("add_database", json!({"name": "orders"}), Some("shop")).await;
    world.crash().await;
    world.start_service().await;
    world.after_a_crash().await;
    world.infrastructure.only_pull_request().merge("octocat", MergeMethod::Squash);
    world.github.webhooks_delivered().await;
    world.crash().await;
    world.start_service().await;
    world.after_a_crash().await;
    newest_run(&world.infrastructure, "apply.yml").complete("success");
    world.github.webhooks_delivered().await;
    world.crash().await;
    world.start_service().await;
    world.after_a_crash().await;
    assert_one_of_each(&world, &run).await;
    world.end_with_violations(&["run-ended-twice", "no-answer"]).await;
}

#[tokio::test]
async fn what_happened_while_the_service_was_down_is_found_by_looking() {
    let mut world = World::start().await;
    let run = world.press("add_database", json!({"name": "orders"}), Some("shop")).await;
    world.rest().await;
    world.stop().await;
    world.infrastructure.only_pull_request().merge("octocat", MergeMethod::Squash);
    newest_run(&world.infrastructure, "apply.yml").complete("success");
    world.github.webhooks_delivered().await;
    world.start_service().await;
    world.look().await;
    world.rest().await;
    assert_one_of_each(&world, &run).await;
    // GitHub could not deliver.
    world.end_with_violations(&["no-answer"]).await;
}

#[tokio::test]
async fn a_stop_in_order_finishes_what_it_has_begun() {
    for action in ["add_database", "rollback_service"] {
        let mut world = World::start().await;
        let inputs = if action == "add_database" { json!({"name": "orders"}) } else { json!({}) };
        let run = world.press(action, inputs, Some("shop")).await;
        world.stop().await;
        world.start_service().await;
        world.rest().await;
        let label = if action == "add_database" { "Waiting for review" } else { "Queued" };
        world.until_portal(&run, "IN_PROGRESS", label).await;
        assert!(world.infrastructure.pull_numbers().len() + world.shop.workflow_runs().len() == 1);
        world.end().await;
    }
}
