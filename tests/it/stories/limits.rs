//! GitHub's limits are kept, and what waits for them says so and goes out in order.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::json;
use towpath::domain::RunId;
use towpath::sandbox::github::{Fault, Limits};

use crate::world::{Kind, World};

const DISPATCH: &str = "POST /repos/{owner}/{repo}/actions/workflows/{workflow_id}/dispatches";

/// Lets time pass from one due step to the next, until none is left.
async fn until_all_is_done(world: &World) {
    while let Some(due) = world.store().next_due().await.unwrap() {
        let wait = (due - world.clock.now()).to_std().unwrap_or_default();
        // What is due is being done; who holds a step for two minutes is at work.
        if wait > Duration::ZERO && wait < Duration::from_mins(1) || wait > Duration::from_mins(2) {
            world.clock.advance(wait);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_thousand_actions_at_once_go_out_as_github_takes_them_and_none_is_refused() {
    const ACTIONS: usize = 1_000;
    let kind = Kind { limits: Limits::All, embedded_portal: true, ..Kind::default() };
    let world = World::of(kind).await;
    let started = world.clock.now();
    let url = format!("http://{}/api/v1/actions/rollback_service/runs", world.address());
    let client = reqwest::Client::new();
    let mut runs = Vec::new();
    for n in 0..ACTIONS {
        let body = json!({"inputs": {"note": n.to_string()}, "entity": {"identifier": "shop"}});
        let answer = client.post(&url).json(&body).send().await.unwrap();
        let answer: serde_json::Value =
            serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        runs.push(RunId::new(answer["run"].as_str().unwrap()).unwrap());
    }
    until_all_is_done(&world).await;

    let asked = world.github.requests();
    let refused: Vec<_> = asked.iter().filter(|request| request.status >= 400).collect();
    assert_eq!(refused, [] as [&towpath::sandbox::github::RecordedRequest; 0]);
    assert_eq!(asked.iter().filter(|request| request.operation() == DISPATCH).count(), ACTIONS);
    let took = world.clock.now() - started;
    assert!(took < chrono::TimeDelta::minutes(135), "480 go out in an hour: {took}");

    let order: Vec<usize> = world.shop.workflow_runs().iter().map(|run| nth(&run.inputs)).collect();
    let displaced = order.iter().enumerate().map(|(at, nth)| at.abs_diff(*nth)).max().unwrap();
    assert!(displaced < 128, "no more than work side by side: {displaced}");

    let last = world.history(runs.last().unwrap()).await;
    // Whoever is late when its turn comes has those behind it wait for longer, which they say.
    let told: Vec<_> = last.lines().filter(|line| line.contains("This run waits until")).collect();
    let times: HashSet<_> = told.iter().collect();
    assert!(!told.is_empty() && times.len() == told.len(), "{last}");
    world.end().await;
}

fn nth(inputs: &serde_json::Map<String, serde_json::Value>) -> usize {
    inputs["note"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn one_refusal_stops_all_and_each_run_says_until_when() {
    let world = World::start().await;
    world.press("rollback_service", json!({}), Some("shop")).await;
    world.rest().await;
    world.forget_requests();
    world.github.fail_next(DISPATCH, Fault::SecondaryLimit(Duration::from_mins(10)));
    let mut runs = Vec::new();
    for _ in 0..3 {
        runs.push(world.press("rollback_service", json!({}), Some("shop")).await);
    }
    world.standstill().await;
    let asked = world.github.requests();
    assert_eq!(asked.len(), 1, "what waits asks nothing: {asked:?}");
    for run in &runs {
        let shown = world.portal.run(run.as_str()).unwrap();
        let label = shown.label.unwrap();
        assert!(label.starts_with("Waiting for GitHub until "), "{label}");
    }
    world.clock.advance(Duration::from_mins(11));
    world.rest().await;
    assert_eq!(world.shop.workflow_runs().len(), 4);
    for run in &runs {
        world.until_portal(run, "IN_PROGRESS", "Queued").await;
        let log = world.portal_log(run);
        assert_eq!(log.matches("This run waits until").count(), 1, "{log}");
    }
    world.end_with_refusals().await;
}

#[tokio::test]
async fn what_is_open_is_followed_with_what_was_kept_back() {
    let world = World::start().await;
    let mut open = Vec::new();
    for _ in 0..2 {
        open.push(world.press("rollback_service", json!({}), Some("shop")).await);
        world.rest().await;
    }
    let workflows: Vec<u64> = world.shop.workflow_runs().iter().map(|run| run.id).collect();
    world.github.leave_of_rate_limit("acme", 400);
    for (run, workflow) in open.iter().zip(workflows) {
        world.shop.workflow_run(workflow).complete("failure");
        world.standstill().await;
        world.until_portal(run, "FAILURE", "Failed").await;
        world.press("rollback_service", json!({}), Some("shop")).await;
        world.standstill().await;
        assert_eq!(world.shop.workflow_runs().len(), 2, "nothing new is begun");
    }
    world.clock.advance(Duration::from_mins(61));
    world.rest().await;
    assert_eq!(world.shop.workflow_runs().len(), 4);
    world.end().await;
}
