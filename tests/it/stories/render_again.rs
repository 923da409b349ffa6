//! The base moves under an open pull request: it is rendered again, unless it is a person's by now.

use std::time::Duration;

use serde_json::json;
use towpath::domain::observation::RenderAgainAsked;
use towpath::domain::{DeliveryId, Observation, PullRequestNumber, RunId};
use towpath::sandbox::github::{Fault, MergeMethod};

use crate::world::{Kind, World, newest_run};

const MAIN: &str = "databases/orders/main.tf";

/// `orders` stands, and a change of its size is proposed.
async fn with_change(world: &World) -> RunId {
    world.with_database("orders").await;
    let run = world.press("resize_database", json!({"size": 20}), Some("orders")).await;
    world.rest().await;
    run
}

/// A person edits the file on the base, elsewhere than the change does.
fn edit_the_base(world: &World) {
    let before = world.infrastructure.file_at("main", MAIN).unwrap();
    let edited = before.replace("output \"endpoint\" {", "# By hand.\noutput \"endpoint\" {");
    assert_ne!(edited, before);
    world.infrastructure.push("octocat", "main", &[(MAIN, Some(&edited))], "By hand");
    newest_run(&world.infrastructure, "apply.yml").complete("success");
}

/// The same edit, in a way that git cannot merge with the change.
fn edit_the_same_lines(world: &World) {
    let before = world.infrastructure.file_at("main", MAIN).unwrap();
    let edited = before.replace("size = 10", "size = 12");
    assert_ne!(edited, before);
    world.infrastructure.push("octocat", "main", &[(MAIN, Some(&edited))], "By hand");
    newest_run(&world.infrastructure, "apply.yml").complete("success");
}

fn proposed(world: &World) -> String {
    let head = world.newest_pull().now().head_sha;
    world.infrastructure.file_at(&head, MAIN).expect("the file is there")
}

fn push_to_the_pull_request(world: &World) -> String {
    let branch = world.newest_pull().now().head;
    let mine = [("databases/orders/extra.tf", Some("# Mine.\n"))];
    world.infrastructure.push("octocat", &branch, &mine, "Mine")
}

/// Works off everything by hand, up to a step of this kind.
async fn work_off(world: &World, until: Option<&str>) {
    loop {
        world.github.webhooks_delivered().await;
        let claimed = world.worker().claim(1).await.unwrap();
        for step in &claimed {
            if Some(step.step.kind()) == until {
                world.store().release(step, world.clock.now()).await.unwrap();
                return;
            }
            let done = world.worker().execute(step).await;
            world.worker().settle(step, done).await.unwrap();
        }
        if claimed.is_empty() {
            let Some(due) = world.store().next_due().await.unwrap() else { return };
            let wait = (due - world.clock.now()).to_std().unwrap_or_default();
            world.clock.advance(wait);
        }
    }
}

async fn assert_rendered_again_once(world: &World, run: &RunId) {
    let file = proposed(world);
    assert!(file.contains("# By hand.") && file.contains("size = 20"), "{file}");
    let pull = world.newest_pull();
    assert!(pull.now().number == 2 && pull.now().is_open);
    assert!(world.infrastructure.is_verified(&pull.now().head_sha), "signed by GitHub");
    assert_eq!(world.history(run).await.matches("was rendered again").count(), 1);
    pull.merge("octocat", MergeMethod::Squash);
    world.rest().await;
    newest_run(&world.infrastructure, "apply.yml").complete("success");
    world.rest().await;
    world.until_portal(run, "SUCCESS", "Applied").await;
}

#[tokio::test]
async fn what_was_changed_on_the_base_is_taken_in() {
    let world = World::start().await;
    let run = with_change(&world).await;
    newest_run(&world.infrastructure, "plan.yml").complete("success");
    world.rest().await;
    edit_the_base(&world);
    world.rest().await;
    let log = world.portal_log(&run);
    assert!(log.contains(MAIN) && log.contains("on main"), "{log}");
    assert!(!log.contains("Somebody pushed"), "{log}");
    world.until_portal(&run, "IN_PROGRESS", "Waiting for review").await;
    newest_run(&world.infrastructure, "plan.yml").complete("success");
    world.rest().await;
    world.until_portal(&run, "IN_PROGRESS", "Planned").await;
    assert_rendered_again_once(&world, &run).await;
    world.end().await;
}

#[tokio::test]
async fn a_conflict_that_nobody_told_of_is_found() {
    let mut world = World::start().await;
    let run = world.press("add_database", json!({"name": "orders"}), Some("shop")).await;
    world.rest().await;
    world.stop().await;
    let extra = "databases/orders/main.tf";
    world.infrastructure.push("octocat", "main", &[(extra, Some("# Mine.\n"))], "Mine");
    newest_run(&world.infrastructure, "apply.yml").complete("success");
    world.github.webhooks_delivered().await;
    world.start_service().await;
    // GitHub finds out whether it conflicts when it is asked, and says so the next time.
    for _ in 0..4 {
        world.look().await;
        world.rest().await;
    }
    world.until_portal(&run, "IN_PROGRESS", "Waiting for review").await;
    let log = world.portal_log(&run);
    assert_eq!(log.matches("cannot be rendered again").count(), 1, "{log}");
    assert!(log.contains("exists"), "{log}");
    world.end().await;
}

#[tokio::test]
async fn a_conflict_is_resolved_by_rendering_again() {
    let mut world = World::start().await;
    let run = with_change(&world).await;
    world.stop().await;
    edit_the_base(&world);
    let manifest = "databases/orders/.towpath.yml";
    let before = world.infrastructure.file_at("main", manifest).unwrap();
    let touched = before.replace("\nrun: ", "\nrun: by-hand-");
    assert_ne!(touched, before);
    world.infrastructure.push("octocat", "main", &[(manifest, Some(&touched))], "Look");
    newest_run(&world.infrastructure, "apply.yml").complete("success");
    world.github.webhooks_delivered().await;
    world.start_service().await;
    for _ in 0..3 {
        world.look().await;
        world.rest().await;
    }
    assert_rendered_again_once(&world, &run).await;
    world.end().await;
}

#[tokio::test]
async fn the_commits_of_a_person_are_kept_and_they_are_told_what_to_do_once() {
    let world = World::start().await;
    let run = with_change(&world).await;
    let theirs = push_to_the_pull_request(&world);
    world.rest().await;
    for _ in 0..2 {
        edit_the_base(&world);
        world.rest().await;
    }
    assert_eq!(world.newest_pull().now().head_sha, theirs);
    let log = world.portal_log(&run);
    assert_eq!(log.matches("their commits are kept").count(), 1, "{log}");
    assert!(log.contains("Merge main into"), "{log}");
    world.end().await;
}

#[tokio::test]
async fn a_person_who_pushes_in_the_last_moment_is_first() {
    let world = World::of(Kind { by_hand: true, ..Kind::default() }).await;
    world.press("add_database", json!({"name": "orders"}), Some("shop")).await;
    work_off(&world, None).await;
    world.newest_pull().merge("octocat", MergeMethod::Squash);
    newest_run(&world.infrastructure, "apply.yml").complete("success");
    work_off(&world, None).await;
    let run = world.press("resize_database", json!({"size": 20}), Some("orders")).await;
    work_off(&world, None).await;
    edit_the_base(&world);
    // The new commit is written, and the branch is to be moved.
    work_off(&world, Some("move_branch")).await;
    let theirs = push_to_the_pull_request(&world);
    work_off(&world, None).await;
    assert_eq!(world.newest_pull().now().head_sha, theirs);
    let log = world.portal_log(&run);
    assert!(log.contains("their commits are kept"), "{log}");
    world.end().await;
}

#[tokio::test]
async fn pushes_elsewhere_ask_nothing() {
    let world = World::start().await;
    let run = with_change(&world).await;
    let head = world.newest_pull().now().head_sha;
    world.forget_requests();
    world.infrastructure.push("octocat", "main", &[("README.md", Some("Hello\n"))], "Read");
    newest_run(&world.infrastructure, "apply.yml").complete("success");
    world.rest().await;
    assert_eq!(world.asked_of_github(), Vec::<String>::new());
    let beside = [("databases/orders/NOTES.md", Some("Mind the gap.\n"))];
    world.infrastructure.push("octocat", "main", &beside, "Notes");
    newest_run(&world.infrastructure, "apply.yml").complete("success");
    world.rest().await;
    assert_eq!(world.asked_of_github().len(), 1, "one look");
    assert_eq!(world.newest_pull().now().head_sha, head);
    assert!(!world.history(&run).await.contains("rendered again"));
    world.end().await;
}

#[tokio::test]
async fn an_edit_of_the_same_lines_on_the_base_is_left_to_people_with_file_and_lines() {
    let world = World::start().await;
    let run = with_change(&world).await;
    let head = world.newest_pull().now().head_sha;
    edit_the_same_lines(&world);
    world.rest().await;
    for _ in 0..3 {
        world.look().await;
        world.rest().await;
    }
    assert_eq!(world.newest_pull().now().head_sha, head);
    let log = world.portal_log(&run);
    assert_eq!(log.matches("cannot be rendered again").count(), 1, "{log}");
    assert!(log.contains(MAIN) && log.contains("line"), "{log}");
    world.until_portal(&run, "IN_PROGRESS", "Waiting for review").await;
    world.end().await;
}

#[tokio::test]
async fn whoever_asks_for_it_gets_it() {
    let world = World::start().await;
    let run = with_change(&world).await;
    let head = world.newest_pull().now().head_sha;
    let asked = Observation::RenderAgain(RenderAgainAsked {
        repository: "acme/infrastructure".parse().unwrap(),
        number: PullRequestNumber(2),
        by: "octocat".to_owned(),
    });
    // In the same second, the same commit would have the same name.
    world.clock.advance(Duration::from_mins(1));
    let delivery = |id: &str| DeliveryId::new(id).unwrap();
    world.store().accept_observation(&delivery("one"), &asked).await.unwrap();
    world.rest().await;
    assert_ne!(world.newest_pull().now().head_sha, head);
    let log = world.portal_log(&run);
    assert!(log.contains("rendered again on main, because octocat asked for it"), "{log}");
    world.newest_pull().close("octocat");
    world.rest().await;
    world.store().accept_observation(&delivery("two"), &asked).await.unwrap();
    world.rest().await;
    assert!(world.history(&run).await.contains("but it is not open"));
    world.end().await;
}

#[tokio::test]
async fn a_lost_answer_at_every_request_renders_it_again_once() {
    // A look, the commit of the base, a tree, a commit; a look, the branch, the text.
    for at in 0..7 {
        let world = World::start().await;
        let run = with_change(&world).await;
        world.github.fail("*", at, 1, Fault::LoseAnswer);
        edit_the_base(&world);
        world.rest().await;
        world.github.clear_faults();
        assert_rendered_again_once(&world, &run).await;
        world.end_with_violations(&["no-answer"]).await;
    }
}

#[tokio::test]
async fn a_crash_in_between_renders_it_again_once() {
    let mut world = World::start().await;
    let run = with_change(&world).await;
    world.github.fail_next("updateRefs", Fault::HoldAnswer);
    edit_the_base(&world);
    world.eventually("the branch is moved", || proposed(&world).contains("# By hand.")).await;
    world.crash().await;
    world.github.release_answers();
    world.start_service().await;
    world.clock.advance(Duration::from_mins(3));
    world.rest().await;
    assert_rendered_again_once(&world, &run).await;
    world.end_with_violations(&["no-answer"]).await;
}
