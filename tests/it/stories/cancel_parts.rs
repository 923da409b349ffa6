//! Somebody does not want a run of several parts any more: each part is cancelled as far as it can
//! be, once, and the run ends when it is known what became of all of them.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::json;
use towpath::domain::RunId;
use towpath::sandbox::github::{Fault, MergeMethod};

use super::cancel::{ask, cancel};
use super::parts::{Two, with_new_repository};
use crate::world::newest_run;

const DISPATCH: &str = "POST /repos/{owner}/{repo}/actions/workflows/{workflow_id}/dispatches";

/// Asks for it twice in a row. By the second time it may be done.
async fn cancel_twice(two: &Two, run: &RunId) {
    cancel(&two.world, run).await;
    let (status, said) = ask(&two.world, run.as_str()).await;
    let is_done = said.to_string().contains("has ended already: Cancelled");
    assert!(status == StatusCode::ACCEPTED || is_done, "{said}");
}

/// GitHub takes nothing for an hour, which is known since this was asked of it.
fn limited_at(two: &Two, request: &str) {
    two.world.github.fail_next(request, Fault::SecondaryLimit(Duration::from_hours(1)));
}

/// A run that is as far as it can be for now.
async fn pressed(two: &Two) -> RunId {
    let run = two.world.press("add_database", json!({"name": "orders"}), Some("shop")).await;
    two.world.standstill().await;
    two.nothing_was_opened();
    two.world.forget_requests();
    run
}

/// It is cancelled, and nothing was done for it, nor is later.
async fn assert_nothing_was_done(two: &Two, run: &RunId) {
    two.world.until_portal(run, "FAILURE", "Cancelled").await;
    assert_eq!(two.world.asked_of_github(), Vec::<String>::new());
    let (status, said) = ask(&two.world, run.as_str()).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(said.to_string().contains("has ended already: Cancelled"), "{said}");
    two.world.clock.advance(Duration::from_hours(2));
    two.world.rest().await;
    two.nothing_was_opened();
}

#[tokio::test]
async fn before_it_was_looked_whether_it_can_be_done_it_ends_however_long_that_would_take() {
    let two = Two::start().await;
    limited_at(&two, DISPATCH);
    two.world.press("rollback_service", json!({}), Some("shop")).await;
    two.world.standstill().await;
    let run = pressed(&two).await;
    cancel_twice(&two, &run).await;
    two.world.standstill().await;
    assert_nothing_was_done(&two, &run).await;
    let log = two.world.portal_log(&run);
    assert_eq!(log.matches("Nothing was done for it").count(), 1, "{log}");
    two.world.end_with_refusals().await;
}

#[tokio::test]
async fn parts_that_wait_for_their_turn_are_given_up_and_who_comes_first_goes_on() {
    let two = Two::start().await;
    two.with_database().await;
    let first = two.press("resize_database", json!({"size": 20})).await;
    let second = two.press("resize_database", json!({"size": 30})).await;
    two.world.until_portal(&second, "IN_PROGRESS", "Waiting").await;
    two.world.forget_requests();
    cancel_twice(&two, &second).await;
    two.world.rest().await;
    two.world.until_portal(&second, "FAILURE", "Cancelled").await;
    assert_eq!(two.world.asked_of_github(), Vec::<String>::new());
    let log = two.world.portal_log(&second);
    assert_eq!(log.matches("Nothing was done for it").count(), 2, "{log}");
    two.land().await;
    two.world.until_portal(&first, "SUCCESS", "Applied").await;
    assert_eq!(two.config.pull_numbers(), [1, 2], "nothing was opened for it");
    two.world.end().await;
}

#[tokio::test]
async fn two_open_pull_requests_are_closed_once_and_the_run_waits_for_both() {
    let two = Two::start().await;
    let world = &two.world;
    let run = two.create().await;
    cancel_twice(&two, &run).await;
    world.rest().await;
    world.until_portal(&run, "FAILURE", "Cancelled").await;
    let log = world.portal_log(&run);
    assert_eq!(log.matches("cancels this run, in each repository").count(), 1, "{log}");
    assert_eq!(log.matches("#1 is closed without a merge").count(), 2, "{log}");
    assert_eq!(log.matches("It is cancelled in each repository").count(), 1, "{log}");
    assert!(!log.contains("Still open"), "{log}");
    for pull in [world.newest_pull(), two.newest_config()] {
        assert!(!pull.now().is_open);
        let comments = pull.now().comments;
        assert_eq!(comments.len(), 1, "said once: {comments:?}");
        assert!(comments[0].contains(&format!("the run {run} that")), "{comments:?}");
    }
    for repository in [&world.infrastructure, &two.config] {
        assert_eq!(repository.branches(), ["main"], "the branch is gone");
    }
    let (status, said) = ask(world, run.as_str()).await;
    assert_eq!(status, StatusCode::CONFLICT, "{said}");
    two.world.end().await;
}

#[tokio::test]
async fn what_is_merged_stays_and_what_is_open_is_closed() {
    let two = Two::start().await;
    let world = &two.world;
    let run = two.create().await;
    world.newest_pull().merge("octocat", MergeMethod::Squash);
    world.rest().await;
    cancel_twice(&two, &run).await;
    world.rest().await;
    assert!(!two.config.only_pull_request().now().is_open);
    world.until_portal(&run, "IN_PROGRESS", "Applying").await;
    cancel(world, &run).await;
    world.rest().await;
    newest_run(&world.infrastructure, "apply.yml").complete("success");
    world.rest().await;
    world.until_portal(&run, "FAILURE", "Cancelled").await;
    let log = world.portal_log(&run);
    for line in
        ["cancels this run, in each", "#1 is merged", "Applied already: acme/infrastructure"]
    {
        assert_eq!(log.matches(line).count(), 1, "{line} once in {log}");
    }
    assert_eq!(world.portal.entity("database", "orders"), None);
    two.world.end().await;
}

#[tokio::test]
async fn what_cannot_be_closed_goes_on_and_can_be_cancelled_later() {
    let two = Two::start().await;
    let world = &two.world;
    let run = two.create().await;
    world.github.grant("acme", "pull_requests", Some("read"));
    world.github.expire_tokens();
    cancel_twice(&two, &run).await;
    world.rest().await;
    world.until_portal(&run, "IN_PROGRESS", "Waiting for review: 0 of 2 merged").await;
    let log = world.portal_log(&run);
    assert_eq!(log.matches("could not be cancelled, and goes on").count(), 2, "{log}");
    world.github.grant("acme", "pull_requests", Some("write"));
    world.github.expire_tokens();
    cancel_twice(&two, &run).await;
    world.rest().await;
    world.until_portal(&run, "FAILURE", "Cancelled").await;
    assert!(!two.newest_config().now().is_open && !world.newest_pull().now().is_open);
    two.world.end_with_refusals().await;
}

#[tokio::test]
async fn where_the_new_repository_is_not_made_yet_nothing_that_waits_for_it_begins() {
    let two = Two::of(with_new_repository()).await;
    let world = &two.world;
    world.github.grant("acme", "administration", Some("write"));
    limited_at(&two, "POST /orgs/{org}/repos");
    let run = pressed(&two).await;
    cancel_twice(&two, &run).await;
    world.rest().await;
    assert_nothing_was_done(&two, &run).await;
    two.world.end_with_refusals().await;
}
