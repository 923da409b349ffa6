//! What GitHub tells of a run of several parts comes in any order, twice, or long afterwards: one
//! entity, and the right end.

use towpath::domain::RunId;
use towpath::sandbox::github::MergeMethod;

use super::parts::Two;
use crate::world::newest_run;

/// A whole story on GitHub, of which no webhook has come yet.
async fn played(two: &Two) -> RunId {
    two.world.github.hold_webhooks();
    let run = two.create().await;
    let infrastructure = &two.world.infrastructure;
    let plan = newest_run(infrastructure, "plan.yml");
    plan.start();
    plan.complete("success");
    let pulls = [infrastructure.only_pull_request(), two.config.only_pull_request()];
    for pull in &pulls {
        pull.approve("octocat");
        pull.merge("octocat", MergeMethod::Squash);
    }
    let apply = newest_run(infrastructure, "apply.yml");
    apply.start();
    apply.complete("success");
    run
}

fn held(two: &Two) -> Vec<u64> {
    two.world.github.held_webhooks().iter().map(|held| held.id).collect()
}

async fn assert_applied_once(two: &Two, run: &RunId) {
    two.world.until_portal(run, "SUCCESS", "Applied").await;
    assert_eq!(two.world.portal.entities("database").len(), 1);
    let history = two.world.history(run).await;
    let log = two.world.portal_log(run);
    for (line, times) in [
        ("acme/infrastructure: Pull request #1 was merged", 1),
        ("acme/config: Pull request #1 was merged", 1),
        ("Everything is applied", 1),
        ("written to the catalog", 1),
    ] {
        assert_eq!(history.matches(line).count(), times, "{line} in:\n{history}");
        assert!(log.matches(line).count() <= times, "{line} in:\n{log}");
    }
}

#[tokio::test]
async fn webhooks_in_any_order_and_twice_lead_to_the_same_end() {
    for seed in 0..12 {
        let two = Two::start().await;
        let run = played(&two).await;
        let mut chance = fastrand::Rng::with_seed(seed);
        let once = held(&two);
        let mut all: Vec<u64> = once.iter().chain(&once).copied().collect();
        chance.shuffle(&mut all);
        two.world.github.release_webhooks(&all);
        two.world.rest().await;
        assert_applied_once(&two, &run).await;
        two.world.end().await;
    }
}

#[tokio::test]
async fn webhooks_that_come_in_two_halves_with_a_look_between_lead_to_the_same_end() {
    for seed in 0..6 {
        let two = Two::start().await;
        let run = played(&two).await;
        let mut all = held(&two);
        fastrand::Rng::with_seed(seed).shuffle(&mut all);
        let (early, late) = all.split_at(all.len() / 2);
        two.world.github.release_webhooks(early);
        // Of some halves everything follows: a merge has the apply looked for.
        two.world.look_at_what_is_open().await;
        two.world.rest().await;
        two.world.github.release_webhooks(late);
        two.world.rest().await;
        assert_applied_once(&two, &run).await;
        two.world.end().await;
    }
}

#[tokio::test]
async fn webhooks_that_come_when_the_run_has_ended_change_nothing_for_the_portal() {
    let two = Two::start().await;
    let run = played(&two).await;
    two.world.look().await;
    two.world.rest().await;
    assert_applied_once(&two, &run).await;
    let log = two.world.portal_log(&run);
    let twice: Vec<u64> = held(&two).into_iter().flat_map(|id| [id, id]).collect();
    two.world.github.release_webhooks(&twice);
    two.world.rest().await;
    assert_applied_once(&two, &run).await;
    assert_eq!(two.world.portal_log(&run), log);
    two.world.end().await;
}
