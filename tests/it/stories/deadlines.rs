//! A run that waits for too long says so, and ends where its template wants that: never blindly, and
//! after a time in which the service was down as well.

use std::time::Duration;

use serde_json::json;
use towpath::domain::RunId;
use towpath::sandbox::github::{Fault, MergeMethod};

use crate::world::{Kind, World, newest_run};

const DAY: Duration = Duration::from_hours(24);

/// Every run ends when it has waited for too long.
fn that_ends() -> Kind {
    let all = "{queued: {end: true}, running: {end: true}, approval: {end: true}, \
               turn: {end: true}, review: {end: true}, apply: {after: 7d, end: true}}";
    Kind::default().with("entity:\n", &format!("deadlines: {all}\nentity:\n"))
}

/// Nothing ends by itself.
fn that_waits() -> Kind {
    Kind::default().with("entity:\n", "deadlines: {apply: {end: false}}\nentity:\n")
}

/// Where a run may stay for too long: what leads there, how its log says it, how long the usual
/// deadline is, and the label with which it ends.
#[derive(Clone, Copy)]
enum Stay {
    Queued,
    Running,
    Approval,
    Turn,
    Review,
    Apply,
}

const STAYS: [Stay; 6] =
    [Stay::Queued, Stay::Running, Stay::Approval, Stay::Turn, Stay::Review, Stay::Apply];

impl Stay {
    /// Brings a run there.
    async fn begin(self, world: &World) -> RunId {
        let run = match self {
            Self::Queued | Self::Running | Self::Approval => {
                world.shop.create_environment("production", true);
                let run = world.press("rollback_service", json!({}), Some("shop")).await;
                world.rest().await;
                let workflow = newest_run(&world.shop, "rollback.yml");
                match self {
                    Self::Running => workflow.start(),
                    Self::Approval => {
                        workflow.start();
                        workflow.job_waiting("deploy", "production");
                    }
                    _ => {}
                }
                run
            }
            Self::Turn => {
                world.press("add_database", json!({"name": "orders"}), Some("shop")).await;
                world.rest().await;
                world.press("add_database", json!({"name": "orders"}), Some("shop")).await
            }
            Self::Review | Self::Apply => {
                let run =
                    world.press("add_database", json!({"name": "orders"}), Some("shop")).await;
                world.rest().await;
                if matches!(self, Self::Apply) {
                    world.newest_pull().merge("octocat", MergeMethod::Squash);
                }
                run
            }
        };
        world.rest().await;
        run
    }

    fn told(self) -> (&'static str, Duration, &'static str) {
        match self {
            Self::Queued => ("has not begun for 6 hours", DAY / 4, "Not started in time"),
            Self::Running => ("has not ended for 1 day", DAY, "Not ended in time"),
            Self::Approval => {
                ("Nobody has approved the workflow for 7 days", 7 * DAY, "Not approved in time")
            }
            Self::Turn => ("in the way for 14 days", 14 * DAY, "Its turn did not come in time"),
            Self::Review => ("has been open for 30 days", 30 * DAY, "Not reviewed in time"),
            Self::Apply => ("nothing has applied it for 7 days", 7 * DAY, "Not applied in time"),
        }
    }
}

/// What the portal's log says of it, and how often.
fn said(world: &World, run: &RunId, line: &str) -> usize {
    world.portal_log(run).matches(line).count()
}

#[tokio::test]
async fn each_stage_has_its_time_and_says_once_that_it_is_over() {
    for stay in STAYS {
        let world = World::of(that_waits()).await;
        let run = stay.begin(&world).await;
        let (line, time, _) = stay.told();
        world.clock.advance(time.saturating_sub(Duration::from_hours(3)));
        world.look().await;
        world.rest().await;
        assert_eq!(said(&world, &run, line), 0, "{line}: an hour is left");
        for _ in 0..2 {
            world.look().await;
            world.rest().await;
            assert_eq!(said(&world, &run, line), 1, "{}", world.portal_log(&run));
        }
        let shown = world.portal.run(run.as_str()).unwrap();
        assert_eq!(shown.status, "IN_PROGRESS", "{line}");
        assert!(world.portal_log(&run).contains("This run waits on."));
        world.end().await;
    }
}

#[tokio::test]
async fn each_stage_ends_the_run_where_the_template_wants_it() {
    for stay in STAYS {
        let world = World::of(that_ends()).await;
        let run = stay.begin(&world).await;
        let (line, time, label) = stay.told();
        world.clock.advance(time);
        world.look().await;
        world.rest().await;
        world.until_portal(&run, "FAILURE", label).await;
        let log = world.portal_log(&run);
        assert!(log.contains(line) && log.contains("This run has ended"), "{log}");
        assert!(log.contains("http"), "it names the page: {log}");
        world.end().await;
    }
}

#[tokio::test]
async fn what_has_ended_on_github_is_heard_before_the_deadline() {
    let world = World::of(that_ends()).await;
    let workflow = Stay::Running.begin(&world).await;
    let change = Stay::Review.begin(&world).await;
    world.github.hold_webhooks();
    newest_run(&world.shop, "rollback.yml").complete("success");
    world.newest_pull().merge("octocat", MergeMethod::Squash);
    newest_run(&world.infrastructure, "apply.yml").complete("success");
    for held in world.github.held_webhooks() {
        world.github.lose_webhook(held.id);
    }
    world.clock.advance(40 * DAY);
    world.look().await;
    world.rest().await;
    world.until_portal(&workflow, "SUCCESS", "Succeeded").await;
    world.until_portal(&change, "SUCCESS", "Applied").await;
    for run in [&workflow, &change] {
        let log = world.portal_log(run);
        assert!(!log.contains("has ended;") && !log.contains("waits on"), "{log}");
    }
    world.end().await;
}

#[tokio::test]
async fn time_in_which_the_service_was_down_counts() {
    let mut world = World::of(that_ends()).await;
    let run = Stay::Review.begin(&world).await;
    world.stop().await;
    world.clock.advance(31 * DAY);
    world.start_service().await;
    world.look().await;
    world.rest().await;
    world.until_portal(&run, "FAILURE", "Not reviewed in time").await;
    world.end().await;
}

#[tokio::test]
async fn a_late_success_reaches_the_catalog() {
    let world = World::of(that_ends()).await;
    let run = Stay::Review.begin(&world).await;
    world.clock.advance(31 * DAY);
    world.look().await;
    world.rest().await;
    world.until_portal(&run, "FAILURE", "Not reviewed in time").await;
    let pull = world.newest_pull();
    assert!(world.portal_log(&run).contains("the pull request stays open"));
    pull.merge("octocat", MergeMethod::Squash);
    world.rest().await;
    newest_run(&world.infrastructure, "apply.yml").complete("success");
    world.rest().await;
    assert!(world.portal.entity("database", "orders").is_some());
    world.until_portal(&run, "FAILURE", "Not reviewed in time").await;
    world.end().await;
}

#[tokio::test]
async fn who_gave_up_waiting_for_its_turn_changes_nothing_when_it_comes() {
    let world = World::of(that_ends()).await;
    let second = Stay::Turn.begin(&world).await;
    world.clock.advance(14 * DAY);
    world.look().await;
    world.rest().await;
    world.until_portal(&second, "FAILURE", "Its turn did not come in time").await;
    world.newest_pull().close("octocat");
    world.rest().await;
    assert_eq!(world.infrastructure.pull_numbers().len(), 1);
    world.end().await;
}

#[tokio::test]
async fn a_stage_that_is_reached_again_has_its_time_again() {
    let world = World::of(that_waits()).await;
    let run = Stay::Approval.begin(&world).await;
    world.clock.advance(6 * DAY);
    let workflow = newest_run(&world.shop, "rollback.yml");
    workflow.approve("production");
    workflow.job_started("deploy");
    world.rest().await;
    workflow.job_waiting("promote", "production");
    world.rest().await;
    world.clock.advance(2 * DAY);
    world.look().await;
    world.rest().await;
    assert_eq!(said(&world, &run, "Nobody has approved"), 0, "{}", world.portal_log(&run));
    world.end().await;
}

#[tokio::test]
async fn what_a_run_does_by_itself_is_tried_for_a_day() {
    let world = World::start().await;
    world.github.fail("*", 0, u32::MAX, Fault::AnswerBefore(503));
    let run = world.press("add_database", json!({"name": "orders"}), Some("shop")).await;
    world.standstill().await;
    world.clock.advance(DAY.saturating_sub(Duration::from_hours(1)));
    world.standstill().await;
    let shown = world.portal.run(run.as_str()).unwrap();
    assert_eq!(shown.status, "IN_PROGRESS", "{}", shown.log_text());
    world.clock.advance(Duration::from_hours(1));
    world.standstill().await;
    world.until_portal(&run, "FAILURE", "Failed").await;
    assert!(world.portal_log(&run).contains("It did not work for a whole day"));
    world.end().await;
}
