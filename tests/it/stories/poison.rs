//! What cannot be done at all is put aside, holds up nothing, and is done once more when somebody
//! says so.

use std::process::Command;
use std::time::Duration;

use serde_json::json;
use tokio_util::sync::CancellationToken;
use towpath::store::Holder;

use crate::world::{Kind, World};

/// Runs `towpath replay` beside the service: whether it went well, and what it said.
fn replay(world: &World, arguments: &[&str]) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_towpath"))
        .arg("replay")
        .args(["--database-url", &world.database_url()])
        .args(arguments)
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

#[tokio::test]
async fn a_step_that_ends_the_program_again_and_again_is_put_aside_and_replayed_by_hand() {
    let world = World::of(Kind { by_hand: true, ..Kind::default() }).await;
    let run = world.press("add_database", json!({"name": "orders"}), Some("shop")).await;
    assert_eq!(replay(&world, &[]), (true, "No step is parked.\n".to_owned()));
    for _ in 0..6 {
        // Nobody settles it, as if the program had ended: its lease ends.
        let claimed = world.worker().claim(1).await.unwrap();
        assert_eq!(claimed[0].step.kind(), "begin");
        world.clock.advance(Duration::from_mins(3));
    }
    let other = world.press("rollback_service", json!({}), Some("shop")).await;
    world.worker().run_until_idle().await.unwrap();
    world.until_portal(&other, "IN_PROGRESS", "Queued").await;
    assert!(world.infrastructure.pull_numbers().is_empty());

    let (_, shown) = replay(&world, &[]);
    assert!(shown.contains(&format!("begin of the run {run}")), "{shown}");
    assert!(shown.contains("The program ended 5 times while it did this step."), "{shown}");
    let id = shown.split_whitespace().next().unwrap();
    assert!(!replay(&world, &["4711"]).0);
    let (went_well, said) = replay(&world, &[id]);
    assert!(went_well, "{said}");
    assert!(!replay(&world, &[id]).0, "once");
    assert_eq!(replay(&world, &["--all"]), (true, String::new()));

    // A second passes between two writes.
    world.clock.advance(Duration::from_secs(2));
    world.worker().run_until_idle().await.unwrap();
    world.until_portal(&run, "IN_PROGRESS", "Waiting for review").await;
    assert!(
        world.history(&run).await.contains("The step begin was put aside, and is done once more.")
    );
    world.end().await;
}

#[tokio::test]
async fn a_step_that_was_only_under_way_when_the_program_ended_is_done() {
    let world = World::of(Kind { by_hand: true, ..Kind::default() }).await;
    for _ in 0..3 {
        world.press("rollback_service", json!({}), Some("shop")).await;
    }
    for _ in 0..4 {
        world.worker().claim(10).await.unwrap();
        world.clock.advance(Duration::from_mins(3));
    }
    // The others wait until the first suspect is done: none is parked for what another did.
    let stop = CancellationToken::new();
    let work = async {
        world.rest().await;
        stop.cancel();
    };
    tokio::join!(world.worker().clone().run(stop.clone()), work);
    assert_eq!(world.shop.workflow_runs().len(), 3);
    world.end().await;
}

/// A step with which six processes ended, one after another. `tried`: each did nothing else that is
/// suspected; else something beside the step ended them.
async fn with_six_ends(tried: bool) -> World {
    let world = World::of(Kind { by_hand: true, ..Kind::default() }).await;
    world.press("rollback_service", json!({}), Some("shop")).await;
    for _ in 0..6 {
        let claimed = world.worker().claim(1).await.unwrap();
        let process = Holder::new();
        world.store().is_there(process, Duration::from_secs(10)).await.unwrap();
        if tried {
            let step = &claimed[0];
            let length = Duration::from_secs(10);
            assert!(world.store().begin_trial(process, step, length).await.unwrap());
            let another = world.store().begin_trial(Holder::new(), step, length).await.unwrap();
            assert!(!another, "one at a time");
        }
        world.clock.advance(Duration::from_mins(3));
        world.store().note_ended_processes(Holder::new()).await.unwrap();
    }
    world.worker().run_until_idle().await.unwrap();
    world
}

#[tokio::test]
async fn a_step_that_is_hit_again_and_again_by_what_ends_the_program_from_outside_is_done() {
    let world = with_six_ends(false).await;
    assert_eq!(world.store().parked_steps(None, 10).await.unwrap(), []);
    assert_eq!(world.shop.workflow_runs().len(), 1);
    world.end().await;
}

#[tokio::test]
async fn a_step_that_ended_every_process_that_tried_it_alone_is_put_aside() {
    let world = with_six_ends(true).await;
    assert_eq!(world.store().parked_steps(None, 10).await.unwrap().len(), 1);
    assert!(world.shop.workflow_runs().is_empty());
    assert!(replay(&world, &["--all"]).0);
    world.worker().run_until_idle().await.unwrap();
    assert_eq!(world.shop.workflow_runs().len(), 1);
    world.end().await;
}

/// Again and again the database stands still for longer than a claim holds; every process lives on.
#[tokio::test]
async fn a_step_whose_claim_was_lost_by_processes_that_live_is_done() {
    let world = World::of(Kind { by_hand: true, ..Kind::default() }).await;
    world.press("rollback_service", json!({}), Some("shop")).await;
    let store = world.store();
    let mut had = world.worker().claim(1).await.unwrap().remove(0);
    for round in 0..8 {
        world.clock.advance(Duration::from_mins(3));
        // Noticed before or after somebody else has taken it up.
        if round % 2 == 0 {
            store.outlives_its_claim(&had).await.unwrap();
        }
        let next = world.worker().claim(1).await.unwrap().remove(0);
        if round % 2 == 1 {
            store.outlives_its_claim(&had).await.unwrap();
        }
        assert!(next.interrupted, "it is looked whether the one before has done it");
        assert_eq!(store.interruptions(&next).await.unwrap(), 1);
        had = next;
    }
    world.clock.advance(Duration::from_mins(3));
    world.worker().run_until_idle().await.unwrap();
    assert_eq!(world.shop.workflow_runs().len(), 1);
    world.end().await;
}

#[test]
fn a_database_that_is_not_there_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nowhere.db");
    let output = Command::new(env!("CARGO_BIN_EXE_towpath"))
        .args(["replay", "--all", "--database-url", &format!("sqlite://{}", path.display())])
        .output()
        .unwrap();
    assert!(!output.status.success() && !path.exists());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("There is no database") && said.contains("--database-url"), "{said}");
}
