//! How much is asked of GitHub and of the portal. Tokens and look-ups of installations are warmed by
//! an earlier run and not counted: each is kept for an hour.

use serde_json::json;
use towpath::domain::RunId;
use towpath::sandbox::github::MergeMethod;

use crate::world::{Kind, World, newest_run};

const LOOK: &str = "graphql repository+user";
const MAKE: &str = "graphql createRef+createCommitOnBranch+createPullRequest";
const DECORATE: &str = "graphql addLabelsToLabelable+requestReviews";
const CHECK: &str = "POST /repos/{owner}/{repo}/check-runs";
const CHANGE_CHECK: &str = "PATCH /repos/{owner}/{repo}/check-runs/{check_run_id}";

/// A workflow that was dispatched on a named branch with a warm service, and nothing counted yet.
/// The clock stands: what happens at once stays at once on a machine that is slow.
async fn warm() -> World {
    let world = World::start().await;
    world.clock.stop();
    world.press("rollback_service", json!({}), Some("shop")).await;
    world.rest().await;
    newest_run(&world.shop, "rollback.yml").complete("success");
    world.rest().await;
    world.forget_requests();
    world
}

async fn dispatch(world: &World) -> RunId {
    let run = world.press("rollback_service", json!({}), Some("shop")).await;
    world.rest().await;
    run
}

#[tokio::test]
async fn a_pull_request_is_two_requests_and_its_check_one_whatever_the_number_of_files() {
    for files in [1, 10, 100] {
        let mut kind = Kind::default();
        for n in 1..files {
            kind.files.push((
                format!("part-{n}.tf.tera"),
                "# {{ inputs.name }}\n".to_owned(),
                false,
            ));
        }
        let world = World::of(kind).await;
        world.infrastructure.create_label("self-service");
        world.press("rollback_service", json!({}), Some("shop")).await;
        world.rest().await;
        world.forget_requests();
        world.press("add_database", json!({"name": "orders"}), Some("shop")).await;
        world.rest().await;
        assert_eq!(world.asked_of_github(), [LOOK, MAKE, DECORATE, CHECK], "of {files} files");
        let head = world.newest_pull().now().head_sha;
        let made = world.infrastructure.files_at(&head);
        let made = made.iter().filter(|path| path.starts_with("databases/orders/"));
        assert_eq!(made.count(), files + 1, "the files, and .towpath.yml");
        world.end().await;
    }
}

#[tokio::test]
async fn without_labels_and_reviewers_there_is_no_third_request() {
    let kind = Kind::default().with("  reviewers: [octocat]\n  labels: [self-service]\n", "");
    let world = World::of(kind).await;
    world.press("add_database", json!({"name": "orders"}), Some("shop")).await;
    world.rest().await;
    assert_eq!(world.asked_of_github(), ["graphql repository", MAKE, CHECK]);
    world.end().await;
}

#[tokio::test]
async fn a_change_by_what_is_remembered_is_two_requests_and_one_more_to_merge() {
    let world = World::start().await;
    world.with_database("orders").await;
    world.forget_requests();
    world.press("resize_database", json!({"size": 20}), Some("orders")).await;
    world.rest().await;
    assert_eq!(world.asked_of_github(), [LOOK, MAKE, DECORATE, CHECK]);
    world.end().await;
}

#[tokio::test]
async fn review_and_apply_ask_nothing_and_a_merge_is_one_look_and_a_word_on_the_check() {
    let world = World::start().await;
    world.press("add_database", json!({"name": "orders"}), Some("shop")).await;
    world.rest().await;
    world.forget_requests();
    let pull = world.newest_pull();
    pull.approve("octocat");
    pull.merge("octocat", MergeMethod::Squash);
    world.rest().await;
    newest_run(&world.infrastructure, "apply.yml").complete("success");
    world.rest().await;
    assert!(world.portal.entity("database", "orders").is_some());
    // The merge is heard of as a push to the base first, which may need the pull request anew.
    assert_eq!(world.asked_of_github(), [LOOK, CHANGE_CHECK]);
    world.end().await;
}

#[tokio::test]
async fn a_dispatch_is_one_request_to_github_and_four_to_the_portal() {
    let world = warm().await;
    let run = dispatch(&world).await;
    let workflow = newest_run(&world.shop, "rollback.yml");
    workflow.start();
    workflow.job_started("deploy");
    world.rest().await;
    workflow.job_completed("deploy", "success");
    workflow.complete("success");
    world.rest().await;
    world.until_portal(&run, "SUCCESS", "Succeeded").await;
    let dispatch = "POST /repos/{owner}/{repo}/actions/workflows/{workflow_id}/dispatches";
    assert_eq!(world.asked_of_github(), [dispatch]);
    let told = world.asked_of_portal();
    let bodies: Vec<_> = world.portal.requests().into_iter().map(|call| call.body).collect();
    assert_eq!(told.len(), 4, "{bodies:#?}");
    assert!(!told.iter().any(|call| call.contains("access_token")), "the token is kept");
    world.end().await;
}

#[tokio::test]
async fn deliveries_that_concern_no_run_cost_nothing() {
    let world = warm().await;
    world.shop.push("octocat", "main", &[("x", Some("y"))], "Other work");
    world.infrastructure.push("octocat", "topic", &[("x", Some("y"))], "Other work");
    let pull = world.infrastructure.open_pull_request("octocat", "topic", "Other work");
    pull.approve("hubot");
    pull.merge("octocat", MergeMethod::Squash);
    newest_run(&world.infrastructure, "apply.yml").complete("success");
    let tip = world.shop.head("main").unwrap();
    world.shop.set_status("octocat", &tip, "ci", "success");
    world.rest().await;
    assert!(world.github.webhook_log().iter().all(|(_, _, status)| *status == 202));
    assert_eq!(world.github.requests(), []);
    assert_eq!(world.portal.requests(), []);
    world.end().await;
}
