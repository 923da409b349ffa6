//! Whatever comes twice, late, or in another order: one effect, and the right end.

use serde_json::json;
use towpath::domain::{RunId, Stage};
use towpath::sandbox::github::{Fault, MergeMethod};
use towpath::sandbox::portal::{Delivered, Trigger};

use crate::world::{Kind, World, newest_run};

const DISPATCH: &str = "POST /repos/{owner}/{repo}/actions/workflows/{workflow_id}/dispatches";

#[tokio::test]
async fn the_same_message_five_times_at_once_is_one_pull_request() {
    let world = World::start().await;
    let run = world.press("add_database", json!({"name": "orders"}), Some("shop")).await;
    let again = || world.portal.deliver_again(run.as_str());
    let answers = futures_util::future::join_all((0..5).map(|_| again())).await;
    assert_eq!(answers, [const { Delivered::Answered(202) }; 5]);
    world.rest().await;
    assert_eq!(world.infrastructure.pull_numbers(), [1]);
    assert_eq!(world.infrastructure.branches().len(), 2);
    world.end().await;
}

#[tokio::test]
async fn the_same_message_five_times_at_once_is_one_dispatch() {
    let world = World::start().await;
    let run = world.press("rollback_service", json!({}), Some("shop")).await;
    let again = || world.portal.deliver_again(run.as_str());
    tokio::join!(again(), again(), again(), again(), again());
    world.rest().await;
    assert_eq!(world.shop.workflow_runs().len(), 1);
    world.portal.deliver_again(run.as_str()).await;
    world.rest().await;
    assert_eq!(world.shop.workflow_runs().len(), 1);
    world.end().await;
}

#[tokio::test]
async fn every_delivery_twice_changes_nothing() {
    let world = World::start().await;
    world.github.hold_webhooks();
    let run = played(&world).await;
    let held: Vec<u64> = world.github.held_webhooks().iter().map(|held| held.id).collect();
    let twice: Vec<u64> = held.iter().flat_map(|id| [*id, *id]).collect();
    world.github.release_webhooks(&twice);
    world.rest().await;
    assert_applied_once(&world, &run).await;
    world.end().await;
}

#[tokio::test]
async fn webhooks_in_any_order_lead_to_the_same_end() {
    for seed in 0..12 {
        let world = World::start().await;
        world.github.hold_webhooks();
        let run = played(&world).await;
        let mut held: Vec<u64> = world.github.held_webhooks().iter().map(|held| held.id).collect();
        fastrand::Rng::with_seed(seed).shuffle(&mut held);
        world.github.release_webhooks(&held);
        world.rest().await;
        assert_applied_once(&world, &run).await;
        world.end().await;
    }
}

/// A whole story on GitHub, of which no webhook has come yet.
async fn played(world: &World) -> RunId {
    let run = world.press("add_database", json!({"name": "orders"}), Some("shop")).await;
    world.rest().await;
    let pull = world.infrastructure.only_pull_request();
    let plan = newest_run(&world.infrastructure, "plan.yml");
    plan.start();
    plan.complete("success");
    pull.approve("octocat");
    pull.merge("octocat", MergeMethod::Squash);
    let apply = newest_run(&world.infrastructure, "apply.yml");
    apply.start();
    apply.complete("success");
    run
}

async fn assert_applied_once(world: &World, run: &RunId) {
    world.until_portal(run, "SUCCESS", "Applied").await;
    assert!(world.portal.entity("database", "orders").is_some());
    let history = world.history(run).await;
    for line in ["was merged", "The change was applied", "written to the catalog"] {
        assert_eq!(history.matches(line).count(), 1, "{line} once in:\n{history}");
    }
    let log = world.portal_log(run);
    assert_eq!(log.matches("was merged").count(), 1, "{log}");
}

#[tokio::test]
async fn a_decline_in_any_order_stays_one() {
    for seed in 0..6 {
        let world = World::start().await;
        world.github.hold_webhooks();
        let run = world.press("add_database", json!({"name": "orders"}), Some("shop")).await;
        world.rest().await;
        let pull = world.infrastructure.only_pull_request();
        pull.close("octocat");
        let mut held: Vec<u64> = world.github.held_webhooks().iter().map(|held| held.id).collect();
        fastrand::Rng::with_seed(seed).shuffle(&mut held);
        world.github.release_webhooks(&held);
        world.rest().await;
        world.until_portal(&run, "FAILURE", "Declined").await;
        let history = world.history(&run).await;
        assert!(!history.contains("opened again"), "{history}");
        let checks = world.infrastructure.checks(&pull.now().head_sha);
        assert_eq!(checks[0].title, "Closed without a merge", "{checks:?}");
        world.end().await;
    }
}

#[tokio::test]
async fn a_dispatch_in_any_order_leads_to_the_same_end() {
    for seed in 0..12 {
        let world = World::start().await;
        world.github.hold_webhooks();
        let run = world.press("rollback_service", json!({}), Some("shop")).await;
        world.rest().await;
        let workflow = newest_run(&world.shop, "rollback.yml");
        workflow.start();
        workflow.job_started("deploy");
        workflow.job_completed("deploy", "failure");
        workflow.complete("failure");
        let mut held: Vec<u64> = world.github.held_webhooks().iter().map(|held| held.id).collect();
        fastrand::Rng::with_seed(seed).shuffle(&mut held);
        world.github.release_webhooks(&held);
        world.rest().await;
        world.until_portal(&run, "FAILURE", "Failed").await;
        let history = world.history(&run).await;
        assert_eq!(history.matches("rollback.yml failed").count(), 1, "{history}");
        world.end().await;
    }
}

#[tokio::test]
async fn a_workflow_that_ends_before_its_dispatch_is_answered_is_not_missed() {
    let world = World::start().await;
    world.github.fail_next(DISPATCH, Fault::HoldAnswer);
    let run = world.press("rollback_service", json!({}), Some("shop")).await;
    world.eventually("the dispatch", || !world.shop.workflow_runs().is_empty()).await;
    let workflow = newest_run(&world.shop, "rollback.yml");
    workflow.start();
    workflow.complete("success");
    world.github.webhooks_delivered().await;
    let known = world.store().run(&run).await.unwrap().unwrap();
    assert_eq!(known.stage, Stage::Received, "it cannot be known yet");
    world.github.release_answers();
    world.rest().await;
    world.until_portal(&run, "SUCCESS", "Succeeded").await;
    assert_eq!(world.shop.workflow_runs().len(), 1);
    world.end().await;
}

#[tokio::test]
async fn a_workflow_that_ends_while_the_answer_is_lost_is_not_missed() {
    let world = World::start().await;
    world.github.hold_webhooks();
    world.github.fail_next(DISPATCH, Fault::LoseAnswer);
    let run = world.press("rollback_service", json!({}), Some("shop")).await;
    world.eventually("the dispatch", || !world.shop.workflow_runs().is_empty()).await;
    newest_run(&world.shop, "rollback.yml").complete("success");
    world.github.release_all_webhooks();
    world.rest().await;
    world.until_portal(&run, "SUCCESS", "Succeeded").await;
    assert_eq!(world.shop.workflow_runs().len(), 1);
    world.end().await;
}

#[tokio::test]
async fn a_pull_request_that_is_merged_before_its_answer_is_not_missed() {
    let world = World::start().await;
    world.github.fail_next("createPullRequest", Fault::HoldAnswer);
    let run = world.press("add_database", json!({"name": "orders"}), Some("shop")).await;
    world.eventually("the pull request", || !world.infrastructure.pull_numbers().is_empty()).await;
    world.newest_pull().merge("octocat", MergeMethod::Squash);
    newest_run(&world.infrastructure, "apply.yml").complete("success");
    world.github.webhooks_delivered().await;
    world.github.release_answers();
    world.rest().await;
    // What came too early for its pull request is found by the next look.
    world.look().await;
    world.rest().await;
    world.until_portal(&run, "SUCCESS", "Applied").await;
    world.end().await;
}

#[tokio::test]
async fn a_silent_run_is_looked_at_where_every_webhook_was_lost() {
    let world = World::start().await;
    world.github.hold_webhooks();
    let change = played(&world).await;
    let dispatch = world.press("rollback_service", json!({}), Some("shop")).await;
    world.rest().await;
    newest_run(&world.shop, "rollback.yml").complete("success");
    for held in world.github.held_webhooks() {
        world.github.lose_webhook(held.id);
    }
    world.look().await;
    world.rest().await;
    world.until_portal(&change, "SUCCESS", "Applied").await;
    world.until_portal(&dispatch, "SUCCESS", "Succeeded").await;
    world.end().await;
}

#[tokio::test]
async fn a_button_pressed_twice_is_two_runs() {
    let world = World::of(Kind::default()).await;
    for name in ["one", "two"] {
        let inputs = json!({"name": name}).as_object().cloned().unwrap();
        let entity = Some("shop".to_owned());
        let pressed = Trigger { action: "add_database".to_owned(), inputs, entity, user: None };
        world.portal.trigger(pressed).await.unwrap();
    }
    world.rest().await;
    assert_eq!(world.infrastructure.pull_numbers(), [1, 2]);
    world.end().await;
}
