//! Several requests for one folder: one after another, in the order in which they came.

use std::time::Duration;

use serde_json::json;
use towpath::domain::RunId;
use towpath::sandbox::github::{Fault, MergeMethod};

use crate::world::{World, newest_run};

const MAIN: &str = "databases/orders/main.tf";

async fn resize(world: &World, size: u32) -> RunId {
    let run = world.press("resize_database", json!({"size": size}), Some("orders")).await;
    world.rest().await;
    run
}

/// `orders` stands, and so many changes of its size were asked for, one after another.
async fn with_changes<const N: usize>(world: &World) -> [RunId; N] {
    world.with_database("orders").await;
    let mut runs = Vec::new();
    for size in (20..).take(N) {
        runs.push(resize(world, size).await);
    }
    runs.try_into().expect("as many as were asked for")
}

/// The file as the newest pull request proposes it.
fn proposed(world: &World) -> String {
    let head = world.newest_pull().now().head_sha;
    world.infrastructure.file_at(&head, MAIN).expect("the file is there")
}

#[tokio::test]
async fn the_second_waits_for_the_first_and_is_rendered_on_what_it_made() {
    let world = World::start().await;
    let [first] = with_changes(&world).await;
    let other = world.press("resize_database", json!({"note": "hello"}), Some("orders")).await;
    world.rest().await;
    world.until_portal(&first, "IN_PROGRESS", "Waiting for review").await;
    world.until_portal(&other, "IN_PROGRESS", "Waiting").await;
    let pull = world.newest_pull();
    assert_eq!(pull.now().number, 2, "one pull request beside that of the create");
    let log = world.portal_log(&other);
    assert!(log.contains("#2") && log.contains(&world.pull_url(2)), "{log}");

    pull.merge("octocat", MergeMethod::Squash);
    world.rest().await;
    world.until_portal(&other, "IN_PROGRESS", "Waiting for review").await;
    let file = proposed(&world);
    assert!(file.contains("size = 20") && file.contains("hello"), "{file}");
    assert_eq!(world.portal_log(&other).matches("it is this run's turn").count(), 1);
    newest_run(&world.infrastructure, "apply.yml").complete("success");
    world.rest().await;
    world.end().await;
}

#[tokio::test]
async fn two_that_are_asked_for_at_once_are_two_pull_requests_one_after_another() {
    let world = World::start().await;
    world.with_database("orders").await;
    let (one, two) = tokio::join!(
        world.press("resize_database", json!({"size": 20}), Some("orders")),
        world.press("resize_database", json!({"note": "hello"}), Some("orders")),
    );
    world.rest().await;
    assert_eq!(world.infrastructure.pull_numbers(), [1, 2]);
    let waiting = world.label(&one).await == "Waiting";
    let (first, second) = if waiting { (&two, &one) } else { (&one, &two) };
    world.until_portal(first, "IN_PROGRESS", "Waiting for review").await;
    let log = world.until_portal(second, "IN_PROGRESS", "Waiting").await;
    assert!(format!("{log:?}").contains(&world.pull_url(2)), "{log:?}");
    world.newest_pull().merge("octocat", MergeMethod::Squash);
    world.rest().await;
    assert_eq!(world.infrastructure.pull_numbers(), [1, 2, 3]);
    newest_run(&world.infrastructure, "apply.yml").complete("success");
    world.end().await;
}

#[tokio::test]
async fn requests_for_other_folders_wait_for_nobody() {
    let world = World::start().await;
    for name in ["orders", "carts"] {
        let run = world.press("add_database", json!({"name": name}), Some("shop")).await;
        world.rest().await;
        world.until_portal(&run, "IN_PROGRESS", "Waiting for review").await;
    }
    assert_eq!(world.infrastructure.pull_numbers(), [1, 2]);
    world.end().await;
}

#[tokio::test]
async fn a_pull_request_that_is_closed_lets_the_next_go_on_in_the_order_of_asking() {
    let world = World::start().await;
    let runs: [RunId; 3] = with_changes(&world).await;
    for (n, run) in runs.iter().enumerate() {
        world.until_portal(run, "IN_PROGRESS", "Waiting for review").await;
        assert!(proposed(&world).contains(&format!("size = 2{n}")), "{}", proposed(&world));
        for later in &runs[n + 1..] {
            assert_eq!(world.label(later).await, "Waiting");
        }
        world.newest_pull().close("octocat");
        world.rest().await;
        world.until_portal(run, "FAILURE", "Declined").await;
    }
    assert_eq!(world.infrastructure.pull_numbers(), [1, 2, 3, 4]);
    world.end().await;
}

#[tokio::test]
async fn the_last_in_the_row_is_told_of_each_pull_request_that_it_waits_for() {
    let world = World::start().await;
    let [_, _, last] = with_changes(&world).await;
    world.newest_pull().close("octocat");
    world.rest().await;
    world.newest_pull().close("octocat");
    world.rest().await;
    world.until_portal(&last, "IN_PROGRESS", "Waiting for review").await;
    let log = world.portal_log(&last);
    for number in [2, 3] {
        assert_eq!(log.matches(&format!("#{number} changes")).count(), 1, "{log}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_merge_that_nobody_told_of_is_found_and_ends_the_wait() {
    let mut world = World::start().await;
    let [_, second] = with_changes(&world).await;
    world.stop().await;
    world.newest_pull().merge("octocat", MergeMethod::Squash);
    newest_run(&world.infrastructure, "apply.yml").complete("success");
    world.github.webhooks_delivered().await;
    world.start_service().await;
    world.until_portal(&second, "IN_PROGRESS", "Waiting").await;
    world.look().await;
    world.rest().await;
    world.until_portal(&second, "IN_PROGRESS", "Waiting for review").await;
    assert!(proposed(&world).contains("size = 21"));
    world.end().await;
}

#[tokio::test]
async fn a_wait_ends_when_what_came_first_is_gone() {
    let world = World::start().await;
    let [first, second] = with_changes(&world).await;
    world.github.fail_next("repository", Fault::AnswerBefore(404));
    world.look().await;
    world.rest().await;
    world.until_portal(&first, "FAILURE", "Failed").await;
    world.until_portal(&second, "IN_PROGRESS", "Waiting for review").await;
    world.end_with_refusals().await;
}

#[tokio::test]
async fn a_wait_asks_nothing_of_github() {
    let world = World::start().await;
    world.with_database("orders").await;
    resize(&world, 20).await;
    world.forget_requests();
    let second = resize(&world, 21).await;
    world.until_portal(&second, "IN_PROGRESS", "Waiting").await;
    assert_eq!(world.asked_of_github(), Vec::<String>::new());
    for _ in 0..3 {
        world.look().await;
        world.rest().await;
    }
    let asked = world.asked_of_github();
    assert_eq!(asked.iter().filter(|asked| asked.contains("graphql")).count(), 3, "{asked:?}");
    assert_eq!(world.portal_log(&second).matches("#2 changes").count(), 1, "said once");
    world.end().await;
}

#[tokio::test]
async fn a_wait_survives_crashes() {
    let mut world = World::start().await;
    let [_, second] = with_changes(&world).await;
    world.crash().await;
    world.start_service().await;
    world.after_a_crash().await;
    world.until_portal(&second, "IN_PROGRESS", "Waiting").await;
    world.newest_pull().close("octocat");
    world.github.webhooks_delivered().await;
    world.crash().await;
    world.start_service().await;
    world.clock.advance(Duration::from_mins(3));
    world.rest().await;
    world.until_portal(&second, "IN_PROGRESS", "Waiting for review").await;
    world.end_with_violations(&["no-answer"]).await;
}
