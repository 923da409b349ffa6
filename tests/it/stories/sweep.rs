//! What it costs to follow what is silent: many pull requests are one question, and what has not
//! changed is taken from no budget.

use serde_json::json;
use towpath::domain::RunId;
use towpath::sandbox::github::{Limits, MergeMethod, RecordedRequest};

use crate::world::{Kind, World, newest_run};

const RUN: &str = "GET /repos/{owner}/{repo}/actions/runs/{run_id}";

/// A world whose pull requests have no plan to wait for.
async fn without_a_plan() -> World {
    let kind = Kind { limits: Limits::None, ..Kind::default() };
    World::of(kind.with("plan: {workflow: plan.yml}\n", "")).await
}

/// So many open pull requests.
async fn with_open(world: &World, count: usize) -> Vec<RunId> {
    let mut runs = Vec::new();
    for n in 0..count {
        let inputs = json!({"name": format!("orders-{n}")});
        runs.push(world.press("add_database", inputs, Some("shop")).await);
        if n % 10 == 9 {
            world.rest().await;
        }
    }
    world.rest().await;
    runs
}

/// What is asked of GitHub in a look at everything that is silent. The token of an hour before is
/// renewed, and not counted.
async fn asked_in_a_look(world: &World) -> Vec<RecordedRequest> {
    world.forget_requests();
    world.look().await;
    world.rest().await;
    let asked = world.github.requests().into_iter();
    asked.filter(|request| !request.path.ends_with("/access_tokens")).collect()
}

#[tokio::test]
async fn a_hundred_silent_pull_requests_are_two_questions() {
    let world = without_a_plan().await;
    with_open(&world, 100).await;
    for _ in 0..2 {
        let asked = asked_in_a_look(&world).await;
        let asked: Vec<_> = asked.iter().map(RecordedRequest::operation).collect();
        assert_eq!(asked, ["graphql nodes", "graphql nodes"]);
        assert_eq!(world.sweep().await, 0, "they were looked at a moment ago");
    }
    world.end().await;
}

#[tokio::test]
async fn one_of_many_to_which_something_has_happened_is_looked_at_alone() {
    let world = without_a_plan().await;
    let runs = with_open(&world, 5).await;
    world.github.hold_webhooks();
    let run = world.store().run(&runs[4]).await.unwrap().unwrap();
    let number = run.pull_request().unwrap().number;
    world.infrastructure.pull_request(number.0).merge("octocat", MergeMethod::Squash);
    newest_run(&world.infrastructure, "apply.yml").complete("success");
    for held in world.github.held_webhooks() {
        world.github.lose_webhook(held.id);
    }
    world.look().await;
    world.rest().await;
    world.until_portal(&runs[4], "SUCCESS", "Applied").await;
    let looks = world.asked_of_github();
    assert_eq!(looks.iter().filter(|call| *call == "graphql nodes").count(), 1, "{looks:?}");
    for run in &runs[..4] {
        world.until_portal(run, "IN_PROGRESS", "Waiting for review").await;
    }
    world.end().await;
}

#[tokio::test]
async fn a_silent_workflow_is_one_question_that_costs_nothing() {
    let world = World::start().await;
    let run = world.press("rollback_service", json!({}), Some("shop")).await;
    world.rest().await;
    newest_run(&world.shop, "rollback.yml").start();
    world.rest().await;
    let mut statuses = Vec::new();
    for _ in 0..3 {
        let asked = asked_in_a_look(&world).await;
        let [look] = &asked[..] else { panic!("not one question: {asked:?}") };
        assert_eq!(look.operation(), RUN);
        statuses.push(look.status);
    }
    assert_eq!(statuses, [200, 304, 304]);

    // What has changed is told in full.
    world.github.hold_webhooks();
    newest_run(&world.shop, "rollback.yml").complete("success");
    for held in world.github.held_webhooks() {
        world.github.lose_webhook(held.id);
    }
    world.look().await;
    world.rest().await;
    world.until_portal(&run, "SUCCESS", "Succeeded").await;
    world.end().await;
}
