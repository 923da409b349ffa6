//! Webhooks that GitHub could not deliver are read from its log, and taken in once.

use serde_json::json;
use towpath::sandbox::github::{Fault, MergeMethod};

use crate::world::{World, newest_run};

const PAYLOAD: &str = "GET /app/hook/deliveries/{delivery_id}";

/// How many payloads were read from the log.
fn payloads_read(world: &World) -> usize {
    world.github.requests().iter().filter(|request| request.operation() == PAYLOAD).count()
}

#[tokio::test]
async fn what_failed_while_the_service_was_down_is_taken_in_from_the_log() {
    let mut world = World::start().await;
    let change = world.press("add_database", json!({"name": "orders"}), Some("shop")).await;
    let dispatch = world.press("rollback_service", json!({}), Some("shop")).await;
    world.rest().await;
    world.stop().await;
    world.newest_pull().merge("octocat", MergeMethod::Squash);
    newest_run(&world.infrastructure, "apply.yml").complete("success");
    newest_run(&world.shop, "rollback.yml").complete("success");
    // Nothing of what follows concerns a run.
    world.shop.push("octocat", "main", &[("x", Some("y"))], "Other work");
    world.github.webhooks_delivered().await;
    world.clock.advance(std::time::Duration::from_hours(47));
    world.start_service().await;
    assert!(world.read_the_delivery_log().await >= 3);
    world.rest().await;
    world.until_portal(&change, "SUCCESS", "Applied").await;
    world.until_portal(&dispatch, "SUCCESS", "Succeeded").await;
    let read = payloads_read(&world);
    assert_eq!(world.read_the_delivery_log().await, 0, "everything is taken in");
    assert_eq!(payloads_read(&world), read, "and nothing is read again");
    world.end().await;
}

#[tokio::test]
async fn what_arrived_by_a_redelivery_is_not_done_twice() {
    let world = World::start().await;
    let run = world.press("add_database", json!({"name": "orders"}), Some("shop")).await;
    world.rest().await;
    world.github.hold_webhooks();
    world.newest_pull().merge("octocat", MergeMethod::Squash);
    newest_run(&world.infrastructure, "apply.yml").complete("success");
    for held in world.github.held_webhooks() {
        world.github.drop_webhook(held.id);
        world.github.duplicate_webhook(held.id);
    }
    world.rest().await;
    world.until_portal(&run, "SUCCESS", "Applied").await;
    let history = world.history(&run).await;
    assert_eq!(world.read_the_delivery_log().await, 0);
    world.rest().await;
    assert_eq!(world.history(&run).await, history);
    world.end().await;
}

#[tokio::test]
async fn one_whose_payload_is_gone_holds_up_none_behind_it() {
    let world = World::start().await;
    let run = world.press("rollback_service", json!({}), Some("shop")).await;
    world.rest().await;
    world.github.hold_webhooks();
    let workflow = newest_run(&world.shop, "rollback.yml");
    workflow.start();
    workflow.complete("success");
    for held in world.github.held_webhooks() {
        world.github.drop_webhook(held.id);
    }
    world.github.fail_next(PAYLOAD, Fault::AnswerBefore(404));
    assert!(world.read_the_delivery_log().await > 0);
    world.rest().await;
    // What was gone may have been the end, which is found by looking.
    let shown = world.portal.run(run.as_str()).expect("the portal has the run");
    if shown.status == "IN_PROGRESS" {
        world.look().await;
    }
    world.rest().await;
    world.until_portal(&run, "SUCCESS", "Succeeded").await;
    let read = payloads_read(&world);
    world.read_the_delivery_log().await;
    assert_eq!(payloads_read(&world), read, "what is gone is not asked for again");
    world.end_with_refusals().await;
}

#[tokio::test]
async fn a_pass_that_is_cut_short_goes_on_where_it_ended() {
    let world = World::start().await;
    let run = world.press("rollback_service", json!({}), Some("shop")).await;
    world.rest().await;
    world.github.hold_webhooks();
    let workflow = newest_run(&world.shop, "rollback.yml");
    workflow.start();
    workflow.job_started("deploy");
    workflow.complete("success");
    let held = world.github.held_webhooks();
    for held in &held {
        world.github.drop_webhook(held.id);
    }
    world.github.fail(PAYLOAD, 1, 1, Fault::AnswerBefore(502));
    world.try_the_delivery_log().await.expect_err("it is cut short");
    world.read_the_delivery_log().await;
    assert_eq!(payloads_read(&world), held.len() + 1, "each once, and the one that failed again");
    world.rest().await;
    world.until_portal(&run, "SUCCESS", "Succeeded").await;
    world.end_with_refusals().await;
}

#[tokio::test]
async fn a_quiet_hour_costs_one_request() {
    let world = World::start().await;
    world.press("rollback_service", json!({}), Some("shop")).await;
    world.rest().await;
    world.forget_requests();
    world.read_the_delivery_log().await;
    let asked = world.github.requests();
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert_eq!(asked[0].operation(), "GET /app/hook/deliveries");
    world.end().await;
}
