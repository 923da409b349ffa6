//! The pull request carries a check: what was asked for, what was proved, what the plan would change,
//! and a button to render it again. It blocks and delays nothing.

use std::time::Duration;

use serde_json::json;
use towpath::domain::RunId;
use towpath::sandbox::github::{Fault, MergeMethod, SandboxCheck};

use crate::world::{Kind, World, artifact, newest_run};

const MAKE: &str = "POST /repos/{owner}/{repo}/check-runs";
const CHANGE: &str = "PATCH /repos/{owner}/{repo}/check-runs/{check_run_id}";

async fn proposed(world: &World) -> RunId {
    let inputs = json!({"name": "orders", "note": "for | the <shop> @octocat"});
    let run = world.press("add_database", inputs, Some("shop")).await;
    world.rest().await;
    run
}

/// The one check on the head of the newest pull request.
fn check(world: &World) -> SandboxCheck {
    let all = world.infrastructure.checks(&world.newest_pull().now().head_sha);
    let [one] = all.as_slice() else { panic!("{} checks: {all:?}", all.len()) };
    assert_eq!(one.name, "Towpath");
    one.clone()
}

async fn merge_and_apply(world: &World, run: &RunId) {
    world.newest_pull().merge("octocat", MergeMethod::Squash);
    world.rest().await;
    newest_run(&world.infrastructure, "apply.yml").complete("success");
    world.rest().await;
    world.until_portal(run, "SUCCESS", "Applied").await;
}

#[tokio::test]
async fn it_says_what_was_asked_for_and_proved_and_what_the_plan_would_change() {
    let world = World::start().await;
    world.forget_requests();
    let run = proposed(&world).await;
    let asked = world.asked_of_github();
    assert_eq!(asked.last().map(String::as_str), Some(MAKE), "one request more: {asked:?}");
    assert_eq!(asked.len(), 4);
    let first = check(&world);
    assert_eq!(first.conclusion.as_deref(), Some("success"), "it holds nobody up");
    assert_eq!(
        (first.title.as_str(), &*first.buttons),
        ("Guardrails passed", &["Re-render".to_owned()][..])
    );
    for part in [
        "`jane`",
        "| Name | `orders` |",
        "| Note | `for ¦ the <shop> @octocat` |",
        "The inputs (3) keep to the rules of the template `database`",
        "2 files were rendered and read back",
        "Nothing outside `databases/orders` is touched",
        "Not known yet",
        run.as_str(),
    ] {
        assert!(first.summary.contains(part), "no {part} in:\n{}", first.summary);
    }

    let change = |name: &str, action: &str| json!({"address": name, "mode": "managed", "change": {"actions": [action]}});
    let plan = json!({"format_version": "1.2", "resource_changes": [
        change("terraform_data.orders", "create"), change("terraform_data.old", "delete"),
    ]});
    let planned = newest_run(&world.infrastructure, "plan.yml");
    planned.artifact("towpath-plan", artifact("plan.json", &plan));
    world.forget_requests();
    planned.complete("success");
    world.rest().await;
    assert!(world.asked_of_github().contains(&CHANGE.to_owned()));
    let second = check(&world);
    assert_eq!(second.id, first.id, "the same check, written again");
    assert_eq!(second.title, "Guardrails passed, planned: +1 ~0 -1");
    assert!(second.summary.contains("- create `terraform_data.orders`"), "{}", second.summary);

    merge_and_apply(&world, &run).await;
    let last = check(&world);
    assert_eq!((last.title.as_str(), last.buttons.len()), ("Merged", 0));
    world.end().await;
}

#[tokio::test]
async fn a_plan_that_failed_is_said_and_is_no_failure_of_the_check() {
    let world = World::start().await;
    proposed(&world).await;
    newest_run(&world.infrastructure, "plan.yml").complete("failure");
    world.rest().await;
    let shown = check(&world);
    assert_eq!(shown.conclusion.as_deref(), Some("neutral"));
    assert_eq!(shown.title, "Guardrails passed, the plan failed");
    world.newest_pull().close("octocat");
    world.rest().await;
    let shown = check(&world);
    assert_eq!(shown.title, "Closed without a merge");
    assert_eq!(shown.conclusion.as_deref(), Some("neutral"));
    world.end().await;
}

#[tokio::test]
async fn who_presses_re_render_has_it_rendered_again_and_checked_there() {
    let world = World::start().await;
    let run = proposed(&world).await;
    newest_run(&world.infrastructure, "plan.yml").complete("success");
    world.rest().await;
    let (before, head) = (check(&world), world.newest_pull().now().head_sha);
    // In the same second, the same commit would have the same name.
    world.clock.advance(Duration::from_mins(1));
    world.infrastructure.press_check("octocat", before.id, "render_again");
    world.rest().await;
    assert_ne!(world.newest_pull().now().head_sha, head);
    let log = world.portal_log(&run);
    assert!(log.contains("rendered again on main, because octocat asked for it"), "{log}");
    let after = check(&world);
    assert_ne!(after.id, before.id);
    assert!(after.summary.contains("Not known yet"), "the plan was of the commit before");
    // GitHub's own button for a check.
    world.clock.advance(Duration::from_mins(1));
    world.infrastructure.rerun_check("ada", after.id);
    world.rest().await;
    assert!(world.portal_log(&run).contains("because ada asked for it"));
    merge_and_apply(&world, &run).await;
    world.end().await;
}

#[tokio::test]
async fn who_has_all_checks_run_again_gets_it_written_again_for_the_head() {
    let world = World::start().await;
    let run = proposed(&world).await;
    newest_run(&world.infrastructure, "plan.yml").complete("success");
    world.rest().await;
    let (before, head) = (check(&world), world.newest_pull().now().head_sha);
    for _ in 0..2 {
        world.clock.advance(Duration::from_mins(1));
        world.forget_requests();
        world.github.hold_webhooks();
        world.infrastructure.rerun_checks("octocat", &head);
        assert!(world.infrastructure.awaits_checks(&head), "GitHub shows it as still to come");
        world.github.release_all_webhooks();
        world.rest().await;
        assert!(!world.infrastructure.awaits_checks(&head));
        assert_eq!(check(&world), before, "the same check with the same words");
        assert_eq!(world.asked_of_github(), [CHANGE], "nothing is rendered again");
    }
    // The commits of a person, too; and no older one.
    let branch = world.newest_pull().now().head;
    let mine = [("databases/orders/extra.tf", Some("# Mine.\n"))];
    let theirs = world.infrastructure.push("octocat", &branch, &mine, "Mine");
    world.rest().await;
    world.forget_requests();
    world.infrastructure.rerun_checks("octocat", &head);
    world.rest().await;
    assert_eq!(world.asked_of_github(), Vec::<String>::new());
    world.infrastructure.rerun_checks("octocat", &theirs);
    world.rest().await;
    assert!(!world.infrastructure.awaits_checks(&theirs));
    merge_and_apply(&world, &run).await;
    let merged = check(&world);
    world.clock.advance(Duration::from_mins(1));
    world.infrastructure.rerun_checks("octocat", &theirs);
    world.rest().await;
    assert!(!world.infrastructure.awaits_checks(&theirs), "also when the run has ended");
    assert_eq!(check(&world), merged);
    world.end().await;
}

#[tokio::test]
async fn the_commits_of_a_person_carry_a_check_that_promises_nothing_and_blocks_nothing() {
    let world = World::start().await;
    let run = proposed(&world).await;
    let branch = world.newest_pull().now().head;
    let mine = [("databases/orders/extra.tf", Some("# Mine.\n"))];
    world.infrastructure.push("octocat", &branch, &mine, "Mine");
    world.rest().await;
    let theirs = check(&world);
    assert_eq!(theirs.conclusion.as_deref(), Some("neutral"));
    assert_eq!(theirs.title, "Changed by somebody after it was rendered");
    world.infrastructure.press_check("octocat", theirs.id, "render_again");
    world.rest().await;
    let told = check(&world);
    assert!(told.summary.contains("their commits are kept"), "{}", told.summary);
    merge_and_apply(&world, &run).await;
    world.end().await;
}

#[tokio::test]
async fn without_the_permission_it_is_said_once_and_everything_else_goes_on() {
    let world = World::start().await;
    world.github.grant("acme", "checks", None);
    world.forget_requests();
    let run = proposed(&world).await;
    newest_run(&world.infrastructure, "plan.yml").complete("success");
    world.rest().await;
    merge_and_apply(&world, &run).await;
    let log = world.portal_log(&run);
    assert_eq!(log.matches("carries no check").count(), 1, "{log}");
    assert!(log.contains("not accessible by integration"), "{log}");
    let asked = world.asked_of_github();
    assert_eq!(asked.iter().filter(|asked| **asked == MAKE).count(), 1, "{asked:?}");
    world.end_with_refusals().await;
}

#[tokio::test]
async fn a_github_that_takes_no_checks_holds_nothing_up_and_gets_it_later() {
    for fault in [Fault::AnswerBefore(503), Fault::SecondaryLimit(Duration::from_hours(1))] {
        let world = World::start().await;
        world.github.fail(MAKE, 0, 50, fault.clone());
        let run = proposed(&world).await;
        world.until_portal(&run, "IN_PROGRESS", "Waiting for review").await;
        let head = world.newest_pull().now().head_sha;
        assert_eq!(world.infrastructure.checks(&head).len(), 0, "{fault:?}");
        let log = world.portal_log(&run);
        assert!(!log.contains("waits until"), "nobody is told that it is late: {log}");
        world.github.clear_faults();
        world.look().await;
        world.rest().await;
        assert_eq!(check(&world).title, "Guardrails passed", "{fault:?}");
        merge_and_apply(&world, &run).await;
        world.end_with_violations(&[]).await;
    }
}

#[tokio::test]
async fn a_lost_answer_or_a_crash_leaves_one_check() {
    let world = World::start().await;
    world.github.fail_next(MAKE, Fault::LoseAnswer);
    let run = proposed(&world).await;
    assert_eq!(check(&world).title, "Guardrails passed");
    merge_and_apply(&world, &run).await;
    assert_eq!(check(&world).title, "Merged", "the one whose answer was lost");
    world.end_with_violations(&["no-answer"]).await;

    let mut world = World::start().await;
    world.github.fail_next(MAKE, Fault::HoldAnswer);
    let run = world.press("add_database", json!({"name": "orders"}), Some("shop")).await;
    let made = || {
        let numbers = world.infrastructure.pull_numbers();
        let head = |number: &u64| world.infrastructure.pull_request(*number).now().head_sha;
        numbers.first().map(head).is_some_and(|head| !world.infrastructure.checks(&head).is_empty())
    };
    world.eventually("the check is made", made).await;
    world.crash().await;
    world.github.release_answers();
    world.start_service().await;
    world.after_a_crash().await;
    assert_eq!(check(&world).title, "Guardrails passed");
    merge_and_apply(&world, &run).await;
    world.end_with_violations(&["no-answer"]).await;
}

#[tokio::test]
async fn a_day_2_change_and_a_delete_say_what_changes_and_what_goes() {
    let world = World::of(Kind::default()).await;
    world.with_database("orders").await;
    world.press("resize_database", json!({"size": 20}), Some("orders")).await;
    world.rest().await;
    let shown = check(&world);
    assert!(shown.summary.contains("| Size | `10` | `20` |"), "{}", shown.summary);
    world.newest_pull().close("octocat");
    world.rest().await;
    world.press("delete_database", json!({}), Some("orders")).await;
    world.rest().await;
    let shown = check(&world);
    assert!(
        shown.summary.contains("2 files are removed that an action had rendered"),
        "{}",
        shown.summary
    );
    world.end().await;
}
