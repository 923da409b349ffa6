//! Queues for folders: who asked first for a folder changes it first, whatever process it asked in.

use futures_util::future::join_all;
use serde_json::json;
use towpath::domain::run::{ApplySignal, PullRequestWork, Work};
use towpath::domain::{BranchName, Run, RunId, Stage, Status};
use towpath::plan::Step;
use towpath::plan::step::Lane;
use towpath::store::{Place, Store};

use super::{Database, LEASE, claim, claim_one, repository, request, unchanged};

fn place(path: &str) -> Place {
    Place { repository: repository(), path: path.to_owned() }
}

pub(super) fn work() -> Work {
    Work::PullRequest(Box::new(PullRequestWork {
        template: "database".parse().unwrap(),
        repository: repository(),
        base: None,
        branch: BranchName::new("towpath/add").unwrap(),
        path: None,
        part: None,
        behind: None,
        new_repository: None,
        rendered_on: None,
        context: json!({}),
        plan: None,
        apply: ApplySignal::Merge,
        entity: None,
        pull_request: None,
        planned: None,
        plan_summary: None,
        applies: Vec::new(),
        own_check: None,
        cancelled_by: None,
    }))
}

/// A run that is to propose a change.
async fn proposing(store: &Store, id: &str) -> RunId {
    store.accept_run(&request(id)).await.unwrap();
    let begin = claim_one(store, Lane::Work).await;
    let run = Run { work: Some(work()), ..begin.run.clone() };
    store.settle(&begin, &unchanged(run), None).await.unwrap();
    begin.run.id
}

async fn ahead(store: &Store, run: &RunId, path: &str) -> Option<RunId> {
    store.queue_for(run, &place(path)).await.unwrap().map(|run| run.id)
}

/// The run has a step, and ends with it.
async fn end(store: &Store, run: &RunId) {
    store.request_look(std::slice::from_ref(run)).await.unwrap();
    let claimed = claim(store, Lane::Work).await;
    let claimed = claimed.into_iter().find(|step| step.run.id == *run).unwrap();
    let ended = Run {
        stage: Stage::Declined,
        status: Status::Failure,
        ended_at: Some(claimed.created_at),
        ..claimed.run.clone()
    };
    store.settle(&claimed, &unchanged(ended), None).await.unwrap();
}

pub(super) async fn whoever_asks_first_has_the_turn_until_it_ends(database: Database) {
    let store = database.open().await;
    let one = proposing(&store, "r_1").await;
    let two = proposing(&store, "r_2").await;
    let three = proposing(&store, "r_3").await;
    assert_eq!(ahead(&store, &two, "a").await, None);
    assert_eq!(ahead(&store, &one, "a").await, Some(two.clone()));
    assert_eq!(ahead(&store, &three, "a").await, Some(two.clone()));
    assert_eq!(ahead(&store, &two, "a").await, None, "nobody waits for itself");
    assert_eq!(ahead(&store, &three, "b").await, None, "another folder");
    store.close().await;

    let store = database.open().await;
    assert_eq!(ahead(&store, &one, "a").await, Some(two.clone()), "after a restart");
    end(&store, &two).await;
    let woken = claim(&store, Lane::Work).await;
    let woken: Vec<_> = woken.iter().map(|step| (step.run.id.clone(), &step.step)).collect();
    let again = &Step::Propose;
    assert_eq!(woken, [(one.clone(), again), (three.clone(), again)]);
    assert_eq!(ahead(&store, &three, "a").await, Some(one.clone()));
    assert_eq!(ahead(&store, &one, "a").await, None);
}

pub(super) async fn of_many_at_once_one_has_the_turn_and_nobody_is_forgotten(database: Database) {
    const RUNS: usize = 12;
    let mut stores = vec![database.open().await];
    let mut runs = Vec::new();
    for n in 0..RUNS {
        runs.push(proposing(&stores[0], &format!("r_{n}")).await);
    }
    stores.push(database.open().await);
    let asked = runs.iter().enumerate().map(|(n, run)| ahead(&stores[n % 2], run, "a"));
    let asked = join_all(asked).await;
    assert_eq!(asked.iter().filter(|ahead| ahead.is_none()).count(), 1);
    let mut left: Vec<RunId> = runs;
    while !left.is_empty() {
        let mut first = Vec::new();
        for run in &left {
            if ahead(&stores[0], run, "a").await.is_none() {
                first.push(run.clone());
            }
        }
        let [first] = first.as_slice() else { panic!("{first:?} all have the turn") };
        // What was claimed before is claimed again when its lease has ended.
        database.clock.advance(LEASE);
        end(&stores[1], first).await;
        left.retain(|run| run != first);
    }
}
