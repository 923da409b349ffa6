//! Answers are lost after their effect, GitHub limits, the portal is away: one effect, and the right
//! end.

use std::time::Duration;

use serde_json::json;
use towpath::domain::RunId;
use towpath::sandbox::github::{Fault, MergeMethod};
use towpath::sandbox::portal;

use crate::world::{Kind, World, newest_run};

const DISPATCH: &str = "POST /repos/{owner}/{repo}/actions/workflows/{workflow_id}/dispatches";
const TOKEN: &str = "POST /app/installations/{installation_id}/access_tokens";

/// A fault of the portal, once.
fn once(method: &str, path: &str, kind: portal::FaultKind) -> portal::Fault {
    portal::Fault { method: method.to_owned(), path: path.to_owned(), times: 1, kind }
}

/// The whole story of a database, in which something goes wrong on its way.
async fn whole_story(world: &World) -> RunId {
    let run = world.press("add_database", json!({"name": "orders"}), Some("shop")).await;
    world.rest().await;
    world.infrastructure.only_pull_request().merge("octocat", MergeMethod::Squash);
    world.rest().await;
    newest_run(&world.infrastructure, "apply.yml").complete("success");
    world.rest().await;
    run
}

async fn assert_one_of_each(world: &World, run: &RunId) {
    world.until_portal(run, "SUCCESS", "Applied").await;
    let pull = world.infrastructure.only_pull_request().now();
    assert_eq!(
        (pull.labels, pull.reviewers),
        (vec!["self-service".to_owned()], vec!["octocat".to_owned()])
    );
    assert_eq!(world.infrastructure.branches().len(), 2, "{:?}", world.infrastructure.branches());
    let entity = world.portal.entity("database", "orders").expect("the entity is there");
    assert_eq!(entity["properties"]["size"], json!(10));
    let log = world.portal_log(run);
    for line in ["Received", "is open", "was merged", "was applied", "written to the catalog"] {
        assert_eq!(log.matches(line).count(), 1, "{line} once in:\n{log}");
    }
}

/// The whole story, with one fault of GitHub's at an operation.
async fn with_fault(operation: &str, fault: Fault) {
    let world = World::start().await;
    world.github.fail_next(operation, fault);
    let run = whole_story(&world).await;
    assert_one_of_each(&world, &run).await;
    world.end_with_refusals().await;
}

#[tokio::test]
async fn the_answer_to_the_proposal_is_lost() {
    with_fault("createPullRequest", Fault::LoseAnswer).await;
}

#[tokio::test]
async fn the_proposal_is_answered_with_a_bad_gateway_after_its_effect() {
    with_fault("createPullRequest", Fault::AnswerAfter(502)).await;
}

#[tokio::test]
async fn the_proposal_is_answered_with_a_bad_gateway_before_its_effect() {
    with_fault("createPullRequest", Fault::AnswerBefore(502)).await;
}

#[tokio::test]
async fn the_look_at_the_target_is_lost() {
    with_fault("repository", Fault::LoseAnswer).await;
}

#[tokio::test]
async fn the_answer_to_labels_and_reviewers_is_lost() {
    with_fault("addLabelsToLabelable", Fault::LoseAnswer).await;
}

#[tokio::test]
async fn the_answer_with_the_token_is_lost() {
    with_fault(TOKEN, Fault::LoseAnswer).await;
}

#[tokio::test]
async fn a_token_that_github_forgot_is_fetched_again() {
    let world = World::start().await;
    world.press("rollback_service", json!({}), Some("shop")).await;
    world.rest().await;
    world.github.expire_tokens();
    let run = whole_story(&world).await;
    assert_one_of_each(&world, &run).await;
    world.end_with_refusals().await;
}

#[tokio::test]
async fn a_token_that_is_refused_as_soon_as_it_was_given_ends_no_run() {
    let world = World::start().await;
    world.github.fail("createPullRequest", 0, 2, Fault::AnswerBefore(401));
    let run = whole_story(&world).await;
    assert_one_of_each(&world, &run).await;
    world.end_with_refusals().await;
}

/// A part of the one document that makes branch, commit and pull request goes wrong.
async fn with_partial_fault(field: &str) {
    let world = World::start().await;
    world.github.fail_field_next(field);
    let run = whole_story(&world).await;
    assert_one_of_each(&world, &run).await;
    world.end_with_refusals().await;
}

#[tokio::test]
async fn the_branch_alone_goes_wrong() {
    with_partial_fault("createRef").await;
}

#[tokio::test]
async fn the_commit_alone_goes_wrong() {
    with_partial_fault("createCommitOnBranch").await;
}

#[tokio::test]
async fn a_base_that_moves_after_the_branch_was_made_and_before_the_commit_is_the_base() {
    let world = World::start().await;
    world.github.fail_field_next("createCommitOnBranch");
    let run = world.press("add_database", json!({"name": "orders"}), Some("shop")).await;
    world.eventually("the branch is made", || world.infrastructure.branches().len() == 2).await;
    let news = [("README.md", Some("News\n"))];
    world.infrastructure.push("octocat", "main", &news, "News");
    newest_run(&world.infrastructure, "apply.yml").complete("success");
    world.rest().await;
    let pull = world.infrastructure.only_pull_request();
    let head = pull.now().head_sha;
    assert_eq!(world.infrastructure.file_at(&head, "README.md").unwrap(), "News\n");
    assert!(world.infrastructure.file_at(&head, "databases/orders/main.tf").is_some());
    pull.merge("octocat", MergeMethod::Squash);
    world.rest().await;
    newest_run(&world.infrastructure, "apply.yml").complete("success");
    world.rest().await;
    assert_one_of_each(&world, &run).await;
    world.end_with_refusals().await;
}

#[tokio::test]
async fn the_pull_request_alone_goes_wrong() {
    with_partial_fault("createPullRequest").await;
}

#[tokio::test]
async fn the_answer_to_a_dispatch_is_lost() {
    for fault in [Fault::LoseAnswer, Fault::AnswerAfter(502), Fault::AnswerBefore(502)] {
        let world = World::start().await;
        world.github.fail_next(DISPATCH, fault);
        let run = world.press("rollback_service", json!({}), Some("shop")).await;
        world.rest().await;
        assert_eq!(world.shop.workflow_runs().len(), 1);
        newest_run(&world.shop, "rollback.yml").complete("success");
        world.rest().await;
        world.until_portal(&run, "SUCCESS", "Succeeded").await;
        world.end_with_refusals().await;
    }
}

#[tokio::test]
async fn every_answer_of_the_portal_is_lost_once() {
    let run = "/v1/actions/runs/{run}";
    let entities = "/v1/blueprints/{blueprint}/entities";
    for (method, path) in [
        ("POST", "/v1/auth/access_token"),
        ("PATCH", run),
        ("POST", "/v1/actions/runs/{run}/logs"),
        ("POST", entities),
    ] {
        for kind in [portal::FaultKind::LoseAnswer, portal::FaultKind::LoseRequest] {
            let world = World::start().await;
            world.portal.inject(once(method, path, kind));
            let run = whole_story(&world).await;
            assert_one_of_each(&world, &run).await;
            world.end_with_refusals().await;
        }
    }
}

#[tokio::test]
async fn every_later_answer_of_the_portal_is_lost() {
    // Each call after the pull request: among them the one with the end.
    for skipped in 0..6 {
        let world = World::start().await;
        let run = world.press("add_database", json!({"name": "orders"}), Some("shop")).await;
        world.rest().await;
        world.newest_pull().merge("octocat", MergeMethod::Squash);
        if skipped >= 3 {
            world.rest().await;
        }
        for _ in 0..=skipped % 3 {
            for path in ["/v1/actions/runs/{run}", "/v1/actions/runs/{run}/logs"] {
                let method = if path.ends_with("logs") { "POST" } else { "PATCH" };
                world.portal.inject(once(method, path, portal::FaultKind::LoseAnswer));
            }
        }
        newest_run(&world.infrastructure, "apply.yml").complete("success");
        world.rest().await;
        assert_one_of_each(&world, &run).await;
        world.end_with_refusals().await;
    }
}

#[tokio::test]
async fn the_answer_to_the_deletion_of_an_entity_is_lost() {
    let world = World::start().await;
    world.with_database("orders").await;
    let path = "/v1/blueprints/{blueprint}/entities/{entity}";
    world.portal.inject(once("DELETE", path, portal::FaultKind::LoseAnswer));
    let run = world.press("delete_database", json!({}), Some("orders")).await;
    world.rest().await;
    world.newest_pull().merge("octocat", MergeMethod::Squash);
    world.rest().await;
    newest_run(&world.infrastructure, "apply.yml").complete("success");
    world.rest().await;
    world.until_portal(&run, "SUCCESS", "Applied").await;
    assert_eq!(world.portal.entity("database", "orders"), None);
    world.end_with_refusals().await;
}

#[tokio::test]
async fn a_secondary_limit_is_waited_for_as_long_as_github_says() {
    let wait = Duration::from_mins(10);
    for (operation, action, fault) in [
        (DISPATCH, "rollback_service", Fault::SecondaryLimit(wait)),
        (DISPATCH, "rollback_service", Fault::TooManyRequests(wait)),
    ] {
        let world = World::start().await;
        world.github.fail_next(operation, fault);
        let run = world.press(action, json!({}), Some("shop")).await;
        world.standstill().await;
        world.clock.advance(Duration::from_mins(8));
        world.standstill().await;
        assert_eq!(world.shop.workflow_runs().len(), 0, "not before it is allowed");
        world.clock.advance(Duration::from_mins(3));
        world.rest().await;
        assert_eq!(world.shop.workflow_runs().len(), 1);
        world.until_portal(&run, "IN_PROGRESS", "Queued").await;
        world.end_with_refusals().await;
    }
}

#[tokio::test]
async fn a_secondary_limit_of_graphql_is_waited_for_a_minute_and_there_is_one_pull_request() {
    with_fault("createPullRequest", Fault::SecondaryLimit(Duration::from_mins(1))).await;
}

#[tokio::test]
async fn an_hourly_limit_is_waited_for() {
    let world = World::start().await;
    world.press("rollback_service", json!({}), Some("shop")).await;
    world.rest().await;
    world.github.exhaust_rate_limit("acme");
    let run = world.press("add_database", json!({"name": "orders"}), Some("shop")).await;
    world.standstill().await;
    assert_eq!(world.infrastructure.pull_numbers(), [0; 0]);
    world.clock.advance(Duration::from_mins(61));
    world.rest().await;
    world.until_portal(&run, "IN_PROGRESS", "Waiting for review").await;
    world.end_with_refusals().await;
}

#[tokio::test]
async fn reports_wait_while_the_portal_is_away_and_the_work_goes_on() {
    let world = World::start().await;
    for (method, path) in
        [("PATCH", "/v1/actions/runs/{run}"), ("POST", "/v1/actions/runs/{run}/logs")]
    {
        let away = portal::FaultKind::Answer { status: 503, headers: Vec::new() };
        world.portal.inject(portal::Fault { times: 1000, ..once(method, path, away) });
    }
    let run = world.press("add_database", json!({"name": "orders"}), Some("shop")).await;
    world.standstill().await;
    world.infrastructure.only_pull_request().merge("octocat", MergeMethod::Squash);
    world.standstill().await;
    newest_run(&world.infrastructure, "apply.yml").complete("success");
    world.standstill().await;
    assert!(world.portal.entity("database", "orders").is_some(), "the work goes on");
    assert_eq!(world.portal_log(&run), "");
    world.portal.clear_faults();
    world.clock.advance(Duration::from_mins(10));
    world.rest().await;
    assert_one_of_each(&world, &run).await;
    let log = world.portal_log(&run);
    let at = |line: &str| log.find(line).unwrap();
    assert!(
        at("Received") < at("is open")
            && at("is open") < at("was merged")
            && at("was merged") < at("was applied")
    );
    world.end().await;
}

#[tokio::test]
async fn a_portal_that_limits_is_told_later() {
    let world = World::start().await;
    let headers = vec![("retry-after", "30".to_owned())];
    let limited = portal::FaultKind::Answer { status: 429, headers };
    world.portal.inject(once("PATCH", "/v1/actions/runs/{run}", limited));
    let run = whole_story(&world).await;
    assert_one_of_each(&world, &run).await;
    world.end_with_refusals().await;
}

#[tokio::test]
async fn a_run_that_the_portal_has_ended_itself_ends_there_and_the_entity_is_still_true() {
    let world = World::start().await;
    let run = world.press("add_database", json!({"name": "orders"}), Some("shop")).await;
    world.rest().await;
    world.end_in_the_portal(&run).await;
    world.newest_pull().merge("octocat", MergeMethod::Squash);
    world.rest().await;
    newest_run(&world.infrastructure, "apply.yml").complete("success");
    world.rest().await;
    assert_eq!(world.portal.run(run.as_str()).unwrap().status, "FAILURE");
    assert!(world.portal.entity("database", "orders").is_some());
    assert_eq!(world.store().counts().await.unwrap().steps_parked, 0);
    world.end_with_violations(&["run-exhausted", "entity-after-end", "run-ended-twice"]).await;
}

#[tokio::test]
async fn a_revoked_token_of_the_portal_is_fetched_again() {
    let world = World::start().await;
    let run = world.press("add_database", json!({"name": "orders"}), Some("shop")).await;
    world.rest().await;
    world.portal.revoke_token();
    world.newest_pull().merge("octocat", MergeMethod::Squash);
    world.rest().await;
    newest_run(&world.infrastructure, "apply.yml").complete("success");
    world.rest().await;
    assert_one_of_each(&world, &run).await;
    world.end().await;
}

#[tokio::test]
async fn the_git_data_way_survives_a_lost_answer_at_every_request() {
    for at in 0..6 {
        let mut kind = Kind::default();
        kind.files.push(("bin/check.sh".to_owned(), "#!/bin/sh\nexit 0\n".to_owned(), true));
        let world = World::of(kind).await;
        world.press("rollback_service", json!({}), Some("shop")).await;
        world.rest().await;
        world.github.fail("*", at, 1, Fault::LoseAnswer);
        let run = world.press("add_database", json!({"name": "orders"}), Some("shop")).await;
        world.rest().await;
        world.github.clear_faults();
        let pull = world.infrastructure.only_pull_request();
        assert_eq!(world.infrastructure.branches().len(), 2);
        pull.merge("octocat", MergeMethod::Squash);
        world.rest().await;
        newest_run(&world.infrastructure, "apply.yml").complete("success");
        world.rest().await;
        assert_one_of_each(&world, &run).await;
        world.end_with_refusals().await;
    }
}

#[tokio::test]
async fn what_is_heard_does_not_wait_behind_a_look_that_fails() {
    let world = World::start().await;
    let run = world.press("add_database", json!({"name": "orders"}), Some("shop")).await;
    world.rest().await;
    // Every look fails, for as long as it lasts; webhooks come.
    world.github.fail("*", 0, 3, Fault::AnswerBefore(503));
    world.look().await;
    world.infrastructure.only_pull_request().close("octocat");
    world.rest().await;
    world.until_portal(&run, "FAILURE", "Declined").await;
    let steps = world.store().steps_of(&run).await.unwrap();
    let look = steps.iter().find(|step| step.step.kind() == "look").expect("it was looked");
    assert_eq!((look.attempt, look.state), (3, towpath::store::StepState::Done));
    world.end_with_refusals().await;
}

#[tokio::test]
async fn a_change_that_is_merged_before_its_lost_answer_is_found_reaches_the_catalog() {
    let world = World::start().await;
    world.with_database("orders").await;
    world.github.fail_next("createPullRequest", Fault::LoseAnswer);
    let run = world.press("resize_database", json!({"size": 20}), Some("orders")).await;
    world.eventually("the change", || world.infrastructure.pull_numbers().len() == 2).await;
    world.newest_pull().merge("octocat", MergeMethod::Squash);
    world.rest().await;
    newest_run(&world.infrastructure, "apply.yml").complete("success");
    world.rest().await;
    world.until_portal(&run, "SUCCESS", "Applied").await;
    let entity = world.portal.entity("database", "orders").unwrap();
    assert_eq!(entity["properties"]["size"], json!(20));
    world.end_with_refusals().await;
}
