//! What the store promises, on SQLite and, where it is there, on PostgreSQL.
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the answer")]

use std::time::Duration;

use chrono::TimeDelta;
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use towpath::clock::Clock;
use towpath::domain::action_run::RunKind;
use towpath::domain::observation::{Conclusion, PushSeen, RunPhase, WorkflowRunSeen};
use towpath::domain::{
    ActionId, ActionRun, BranchName, CommitSha, DeliveryId, EntityRef, EntityUpsert, Event,
    Invocation, Link, Observation, RepositoryName, Run, RunId, Stage, Status, User, WorkflowRunId,
};
use towpath::plan::step::{Lane, Progress};
use towpath::plan::{Decision, Step};
use towpath::store::{
    Accepted, ClaimedStep, EntityChange, Error, Holder, Place, Rate, Recorded, RunFilter,
    StepState, Store, Turn,
};

use crate::support::postgres::new_database;
use folder_queue::{
    of_many_at_once_one_has_the_turn_and_nobody_is_forgotten,
    whoever_asks_first_has_the_turn_until_it_ends,
};
use limits::what_github_has_told_is_kept_until_it_is_over;
use parts::{
    an_entity_has_a_place_for_each_target, parts_are_made_with_their_whole_and_told_by_steps,
    parts_are_removed_with_their_whole_and_not_while_one_is_open,
};

mod folder_queue;
mod known;
mod limits;
mod parts;

const LEASE: Duration = Duration::from_mins(1);
const KEEP_RUNS: TimeDelta = TimeDelta::days(365);

/// A database that outlives the stores that are opened on it.
struct Database {
    url: String,
    clock: Clock,
    /// Of SQLite: it is removed with this.
    folder: Option<TempDir>,
}

impl Database {
    fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("towpath.db").display());
        Self { url, clock: Clock::system(), folder: Some(folder) }
    }

    fn postgres() -> Option<Self> {
        let url = new_database()?;
        Some(Self { url, clock: Clock::system(), folder: None })
    }

    async fn open(&self) -> Store {
        Store::open(&self.url, self.clock.clone()).await.unwrap()
    }
}

/// Each story as a test on either database.
macro_rules! stories {
    ($($story:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $story() {
                super::$story(super::Database::sqlite()).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $story() {
                if let Some(database) = super::Database::postgres() {
                    super::$story(database).await;
                }
            })*
        }
    };
}

stories! {
    what_github_has_told_is_kept_until_it_is_over,
    the_same_run_five_times_at_once_is_accepted_once,
    many_messages_at_once_are_all_accepted,
    what_was_accepted_is_there_after_a_restart,
    steps_of_a_lane_go_one_after_another,
    the_two_lanes_of_a_run_do_not_wait_for_each_other,
    two_workers_never_hold_the_same_step,
    steps_that_are_added_at_once_are_worked_off_one_by_one,
    a_step_whose_lease_has_ended_is_given_to_somebody_else,
    of_several_that_settle_at_once_only_who_lost_the_lease_is_refused,
    a_line_with_the_character_nul_keeps_what_comes_after_it,
    a_step_that_is_held_on_to_is_given_to_nobody_else,
    an_end_that_a_suspect_had_no_part_in_begins_its_count_anew,
    a_migration_that_only_adds_leaves_a_running_version_working,
    a_postponed_step_comes_back_at_its_time_with_the_next_attempt,
    a_released_step_comes_back_at_once_as_the_same_attempt,
    a_parked_step_holds_up_nothing_and_can_be_replayed,
    reports_that_wait_together_are_handed_out_together,
    a_report_does_not_overwrite_what_the_work_has_written,
    a_delivery_that_concerns_nobody_leaves_no_trace,
    a_repeated_delivery_is_recorded_once,
    what_was_seen_before_the_dispatch_answered_is_adopted,
    an_observation_and_the_link_it_waits_for_never_miss_each_other,
    what_waits_too_long_is_swept_away,
    a_run_that_ended_long_ago_is_removed_and_what_it_made_stays,
    a_run_is_found_by_its_links_until_they_are_taken_off,
    what_two_runs_wait_for_is_adopted_by_both,
    runs_are_listed_by_page_and_filter,
    an_entity_keeps_what_is_not_named,
    a_silent_run_comes_up_for_a_look_until_it_has_ended,
    a_database_of_a_newer_version_is_refused,
    listeners_hear_of_a_run_after_the_commit,
    what_is_kept_is_found_again,
    of_several_processes_one_has_the_turn_until_it_ends,
    whoever_asks_first_has_the_turn_until_it_ends,
    of_many_at_once_one_has_the_turn_and_nobody_is_forgotten,
    parts_are_made_with_their_whole_and_told_by_steps,
    parts_are_removed_with_their_whole_and_not_while_one_is_open,
    an_entity_has_a_place_for_each_target,
    what_is_created_goes_out_one_after_another_and_not_too_much_in_an_hour,
    what_github_refuses_puts_off_all_that_follow_in_their_order,
}

fn request(id: &str) -> ActionRun {
    let mut inputs = Map::new();
    inputs.insert("name".to_owned(), json!("orders"));
    ActionRun {
        id: RunId::new(id).unwrap(),
        kind: RunKind::Action,
        action: ActionId::new("add_documentdb").unwrap(),
        action_title: None,
        operation: None,
        inputs,
        entity: None,
        user: User::default(),
        organization: None,
        encrypted: Vec::new(),
        invocation: Invocation::Template,
    }
}

fn repository() -> RepositoryName {
    "acme/infrastructure".parse().unwrap()
}

fn delivery(name: &str) -> DeliveryId {
    DeliveryId::new(name).unwrap()
}

fn workflow_run(id: u64) -> WorkflowRunSeen {
    WorkflowRunSeen {
        repository: repository(),
        id: WorkflowRunId(id),
        attempt: 1,
        status: RunPhase::Completed,
        conclusion: Some(Conclusion::Success),
        file: "deploy.yml".to_owned(),
        title: None,
        event: "workflow_dispatch".to_owned(),
        branch: Some("main".to_owned()),
        head_sha: CommitSha::new("a".repeat(40)).unwrap(),
        html_url: "https://github.example/run".to_owned(),
        actor: None,
        created_at: None,
    }
}

fn pushed() -> Observation {
    let branch = BranchName::new("main").unwrap();
    Observation::Push(PushSeen {
        repository: repository(),
        branch,
        after: None,
        by: None,
        folders: vec![],
    })
}

fn pushed_link() -> Link {
    Link::branch(&repository(), &BranchName::new("main").unwrap())
}

fn progress(line: &str) -> Step {
    Step::Progress(Progress { log: vec![line.to_owned()], ..Progress::default() })
}

fn unchanged(run: Run) -> Decision {
    Decision::unchanged(run)
}

/// A decision that adds steps and links and changes nothing else.
fn decision(run: &Run, steps: Vec<Step>, links: Vec<Link>) -> Decision {
    Decision { steps, links, ..unchanged(run.clone()) }
}

/// A store with one run whose first step decided this.
async fn store_with(database: &Database, steps: Vec<Step>, links: Vec<Link>) -> (Store, RunId) {
    let store = database.open().await;
    let run = begun(&store, "r_1", steps, links).await;
    (store, run)
}

async fn begun(store: &Store, id: &str, steps: Vec<Step>, links: Vec<Link>) -> RunId {
    store.accept_run(&request(id)).await.unwrap();
    let begin = claim_one(store, Lane::Work).await;
    assert_eq!(begin.step, Step::Begin);
    store.settle(&begin, &decision(&begin.run, steps, links), None).await.unwrap();
    begin.run.id
}

async fn claim(store: &Store, lane: Lane) -> Vec<ClaimedStep> {
    store.claim(&[lane], 100, LEASE).await.unwrap()
}

async fn claim_one(store: &Store, lane: Lane) -> ClaimedStep {
    let mut claimed = claim(store, lane).await;
    assert_eq!(claimed.len(), 1, "{claimed:?}");
    claimed.remove(0)
}

async fn the_same_run_five_times_at_once_is_accepted_once(database: Database) {
    let store = database.open().await;
    let accepts = (0..5).map(|n| {
        let store = store.clone();
        async move {
            let mut request = request("r_1");
            request.inputs.insert("name".to_owned(), json!(n));
            (n, store.accept_run(&request).await.unwrap())
        }
    });
    let accepted = futures_util::future::join_all(accepts).await;
    let new: Vec<_> = accepted.iter().filter(|(_, one)| *one == Accepted::New).collect();
    assert_eq!(new.len(), 1, "{accepted:?}");

    let run = store.run(&RunId::new("r_1").unwrap()).await.unwrap().unwrap();
    assert_eq!(run.request.inputs["name"], json!(new[0].0), "the first body counts");
    assert_eq!(store.steps_of(&run.id).await.unwrap().len(), 1);
}

async fn many_messages_at_once_are_all_accepted(database: Database) {
    let (store, watcher) = store_with(&database, vec![], vec![pushed_link()]).await;
    let accepts = (0..150).map(|n| {
        let store = store.clone();
        async move {
            let delivery = delivery(&format!("d-{n}"));
            let (request, pushed) = (request(&format!("r_many_{n}")), pushed());
            let (run, seen) = tokio::join!(
                store.accept_run(&request),
                store.accept_observation(&delivery, &pushed)
            );
            assert_eq!(run.unwrap(), Accepted::New);
            assert_eq!(seen.unwrap(), Recorded::Concerns(1));
        }
    });
    futures_util::future::join_all(accepts).await;
    assert_eq!(store.counts().await.unwrap().runs, [(Stage::Received, 151)]);
    assert_eq!(store.steps_of(&watcher).await.unwrap().len(), 151);
}

async fn what_was_accepted_is_there_after_a_restart(database: Database) {
    let store = database.open().await;
    store.accept_run(&request("r_1")).await.unwrap();
    drop(store);

    let store = database.open().await;
    assert_eq!(store.accept_run(&request("r_1")).await.unwrap(), Accepted::Known);
    let begin = claim_one(&store, Lane::Work).await;
    assert_eq!(begin.run.request, request("r_1"));
    let mut run = begin.run.clone();
    "Waiting for review".clone_into(&mut run.label);
    let links = vec![pushed_link()];
    let events = vec![Event::progress("Opened a pull request.")];
    let settled = Decision { events, links, steps: vec![Step::Look], ..unchanged(run) };
    store.settle(&begin, &settled, None).await.unwrap();
    store.close().await;

    let store = database.open().await;
    let run = store.run(&begin.run.id).await.unwrap().unwrap();
    assert_eq!(run.label, "Waiting for review");
    let events = store.events(&run.id, 0).await.unwrap();
    assert_eq!((events[0].seq, events[0].message.as_str()), (1, "Opened a pull request."));
    assert_eq!(claim_one(&store, Lane::Work).await.step, Step::Look);
    let seen = store.accept_observation(&delivery("d-1"), &pushed()).await.unwrap();
    assert_eq!(seen, Recorded::Concerns(1));
}

async fn steps_of_a_lane_go_one_after_another(database: Database) {
    let (store, _) = store_with(&database, vec![Step::Dispatch, Step::Look], vec![]).await;
    let dispatch = claim_one(&store, Lane::Work).await;
    assert_eq!(dispatch.step, Step::Dispatch);
    assert!(claim(&store, Lane::Work).await.is_empty(), "the second waits for the first");
    store.settle(&dispatch, &unchanged(dispatch.run.clone()), None).await.unwrap();
    assert_eq!(claim_one(&store, Lane::Work).await.step, Step::Look);
}

async fn the_two_lanes_of_a_run_do_not_wait_for_each_other(database: Database) {
    let steps = vec![Step::Dispatch, progress("a"), progress("b")];
    let (store, _) = store_with(&database, steps, vec![]).await;
    let work = claim_one(&store, Lane::Work).await;
    let report = claim_one(&store, Lane::Report).await;
    assert_eq!((&work.step, &report.step), (&Step::Dispatch, &progress("a")));
    assert!(claim(&store, Lane::Report).await.is_empty());
}

async fn two_workers_never_hold_the_same_step(database: Database) {
    let store = database.open().await;
    for n in 0..40 {
        store.accept_run(&request(&format!("r_{n}"))).await.unwrap();
    }
    let worker = || async {
        let mut ids = Vec::new();
        loop {
            let claimed = store.claim(&[Lane::Work], 3, LEASE).await.unwrap();
            // On PostgreSQL, rows that somebody else is just claiming are passed over.
            if claimed.is_empty() {
                return ids;
            }
            ids.extend(claimed.into_iter().map(|step| step.id));
        }
    };
    let workers = (0..8).map(|_| worker());
    let mut ids: Vec<_> = futures_util::future::join_all(workers).await.concat();
    ids.extend(worker().await);
    ids.sort();
    let claimed = ids.len();
    ids.dedup();
    assert_eq!((ids.len(), claimed), (40, 40));
}

async fn steps_that_are_added_at_once_are_worked_off_one_by_one(database: Database) {
    const DELIVERIES: u64 = 80;
    // Nothing in common but the run.
    let seen = |n| WorkflowRunSeen {
        head_sha: CommitSha::new(format!("{n:040x}")).unwrap(),
        branch: None,
        ..workflow_run(n)
    };
    let links = (0..DELIVERIES).map(|n| Link::workflow_run(&repository(), WorkflowRunId(n)));
    let (store, _) = store_with(&database, vec![], links.collect()).await;
    let observe = async |n| {
        let seen = Observation::WorkflowRun(seen(n));
        let delivery = delivery(&format!("d-{n}"));
        store.accept_observation(&delivery, &seen).await.unwrap();
    };
    let work = async {
        let mut ids = Vec::new();
        while ids.len() < usize::try_from(DELIVERIES).unwrap() {
            for held in claim(&store, Lane::Work).await {
                let other = claim(&store, Lane::Work).await;
                assert!(other.is_empty(), "{:?} while {:?} is held", other[0].id, held.id);
                store.settle(&held, &unchanged(held.run.clone()), None).await.unwrap();
                ids.push(held.id);
            }
        }
        assert!(ids.is_sorted(), "{ids:?}");
    };
    tokio::join!(futures_util::future::join_all((0..DELIVERIES).map(observe)), work);
}

#[tokio::test]
async fn on_postgres_nobody_adds_a_step_to_a_run_that_somebody_else_has_locked() {
    let Some(database) = Database::postgres() else {
        return;
    };
    let (store, _) = store_with(&database, vec![], vec![pushed_link()]).await;
    let pool = sqlx::AnyPool::connect(&database.url).await.unwrap();
    let mut holder = pool.begin().await.unwrap();
    // Weaker than what a foreign key waits for: only a lock of the store's own waits for this.
    let lock = sqlx::query("SELECT id FROM runs FOR NO KEY UPDATE");
    lock.fetch_all(&mut *holder).await.unwrap();

    let somebody_waits = async {
        let waiting = "SELECT pid FROM pg_stat_activity
                       WHERE datname = current_database() AND wait_event_type = 'Lock'";
        while sqlx::query(waiting).fetch_all(&pool).await.unwrap().is_empty() {}
    };
    let (delivery, seen) = (delivery("d-1"), pushed());
    let accept = std::pin::pin!(store.accept_observation(&delivery, &seen));
    let somebody_waits = std::pin::pin!(somebody_waits);
    match futures_util::future::select(accept, somebody_waits).await {
        futures_util::future::Either::Left(_) => panic!("it did not wait"),
        futures_util::future::Either::Right(((), accept)) => {
            holder.commit().await.unwrap();
            assert_eq!(accept.await.unwrap(), Recorded::Concerns(1));
        }
    }
}

async fn a_step_whose_lease_has_ended_is_given_to_somebody_else(database: Database) {
    let store = database.open().await;
    store.accept_run(&request("r_1")).await.unwrap();
    let lost = claim_one(&store, Lane::Work).await;
    let before = database.clock.now();
    assert!(store.next_due().await.unwrap().unwrap() > before, "due when the lease ends");
    database.clock.advance(LEASE);

    let held = claim_one(&store, Lane::Work).await;
    assert_eq!((held.id, lost.attempt, held.attempt), (lost.id, 1, 2));

    // Whoever held it before writes nothing any more.
    let late = decision(&lost.run, vec![Step::Look], vec![pushed_link()]);
    assert!(matches!(store.settle(&lost, &late, None).await, Err(Error::LeaseLost)));
    assert!(matches!(store.park(&lost, "late").await, Err(Error::LeaseLost)));
    assert!(matches!(store.release(&lost, database.clock.now()).await, Err(Error::LeaseLost)));
    let put_off = store.postpone(&lost, database.clock.now(), "late").await;
    assert!(matches!(put_off, Err(Error::LeaseLost)));
    let seen = store.accept_observation(&delivery("d-1"), &pushed()).await.unwrap();
    assert_eq!(seen, Recorded::Nothing, "the late settle left no link");

    let done = unchanged(held.run.clone());
    store.settle(&held, &done, None).await.unwrap();
    assert!(matches!(store.settle(&held, &done, None).await, Err(Error::LeaseLost)));
    assert_eq!(store.steps_of(&held.run.id).await.unwrap().len(), 1);
}

async fn of_several_that_settle_at_once_only_who_lost_the_lease_is_refused(database: Database) {
    let store = database.open().await;
    store.accept_run(&request("r_0")).await.unwrap();
    let lost = claim_one(&store, Lane::Work).await;
    database.clock.advance(LEASE);
    for n in 1..4 {
        store.accept_run(&request(&format!("r_{n}"))).await.unwrap();
    }
    let mut held = claim(&store, Lane::Work).await;
    held.retain(|step| step.run.id != lost.run.id);
    assert_eq!(held.len(), 3);
    let settle = async |step: &ClaimedStep| {
        let next = vec![progress("one"), Step::Look, progress("two")];
        let line = |text: String| Event::progress(text);
        let lines = vec![line(format!("{} begins", step.run.id)), line("goes on".to_owned())];
        let decided = Decision { events: lines, ..decision(&step.run, next, vec![pushed_link()]) };
        store.settle(step, &decided, None).await
    };
    let (of_lost, first, second, third) =
        tokio::join!(settle(&lost), settle(&held[0]), settle(&held[1]), settle(&held[2]));
    assert!(matches!(of_lost, Err(Error::LeaseLost)));
    for settled in [first, second, third] {
        settled.unwrap();
    }
    for step in &held {
        let run = &step.run.id;
        let events = store.events(run, 0).await.unwrap();
        let lines: Vec<_> = events.iter().map(|it| (it.seq, &*it.message)).collect();
        assert_eq!(lines, [(1, &*format!("{run} begins")), (2, "goes on")]);
        let steps = store.steps_of(run).await.unwrap();
        let kinds: Vec<_> = steps.iter().map(|recorded| recorded.step.clone()).collect();
        assert_eq!(kinds, [Step::Begin, progress("one"), Step::Look, progress("two")]);
    }
    assert!(store.events(&lost.run.id, 0).await.unwrap().is_empty());
    assert_eq!(store.steps_of(&lost.run.id).await.unwrap().len(), 1, "nothing of it is written");
    assert_eq!(store.runs_by_link(&pushed_link()).await.unwrap().len(), 3);
}

async fn a_line_with_the_character_nul_keeps_what_comes_after_it(database: Database) {
    let store = database.open().await;
    store.accept_run(&request("r_1")).await.unwrap();
    let begin = claim_one(&store, Lane::Work).await;
    let lines = vec![Event::warning("before\0after \"it\" \\ \u{1}")];
    let decided =
        Decision { events: lines, ..decision(&begin.run, vec![progress("a\0b")], Vec::new()) };
    store.settle(&begin, &decided, None).await.unwrap();
    let events = store.events(&begin.run.id, 0).await.unwrap();
    assert_eq!(events[0].message, "before\u{fffd}after \"it\" \\ \u{1}");
    let steps = store.steps_of(&begin.run.id).await.unwrap();
    assert_eq!(steps[1].step, progress("a\0b"), "what a step is to do is kept to the letter");
}

async fn an_end_that_a_suspect_had_no_part_in_begins_its_count_anew(database: Database) {
    let store = database.open().await;
    store.accept_run(&request("r_1")).await.unwrap();
    let (one, other, survivor) = (Holder::new(), Holder::new(), Holder::new());
    let mut step = claim_one(&store, Lane::Work).await;
    for _ in 0..4 {
        // It ends each process that tries it.
        store.is_there(one, LEASE).await.unwrap();
        assert!(store.begin_trial(one, &step, LEASE).await.unwrap());
        assert!(!store.begin_trial(other, &step, LEASE).await.unwrap(), "one at a time");
        database.clock.advance(LEASE);
        store.note_ended_processes(survivor).await.unwrap();
        step = claim_one(&store, Lane::Work).await;
    }
    assert_eq!(store.interruptions(&step).await.unwrap(), 4);

    // A process that leaves in order has not ended without a word.
    store.is_there(other, LEASE).await.unwrap();
    store.leaves(other).await.unwrap();
    assert!(store.begin_trial(one, &step, LEASE).await.unwrap());
    store.end_trial(one).await.unwrap();
    store.note_ended_processes(survivor).await.unwrap();
    assert_eq!(store.interruptions(&step).await.unwrap(), 4);

    // This one tried nothing: something else has ended it.
    database.clock.advance(LEASE);
    store.note_ended_processes(survivor).await.unwrap();
    assert_eq!(store.interruptions(&step).await.unwrap(), 2);
}

async fn a_step_that_is_held_on_to_is_given_to_nobody_else(database: Database) {
    let store = database.open().await;
    store.accept_run(&request("r_1")).await.unwrap();
    let held = claim_one(&store, Lane::Work).await;
    for _ in 0..3 {
        database.clock.advance(LEASE / 2);
        store.renew(&held, LEASE).await.unwrap();
        assert!(claim(&store, Lane::Work).await.is_empty());
    }
    database.clock.advance(LEASE);
    claim_one(&store, Lane::Work).await;
    assert!(matches!(store.renew(&held, LEASE).await, Err(Error::LeaseLost)));
}

/// What a later version may do to the schema while this one runs (docs/adr/0013).
async fn a_migration_that_only_adds_leaves_a_running_version_working(database: Database) {
    let (store, watcher) = store_with(&database, vec![Step::Look], vec![pushed_link()]).await;
    let under_way = claim_one(&store, Lane::Work).await;
    for table in ["runs", "steps", "events", "links", "deliveries", "entities", "kept"] {
        for addition in ["later TEXT", "counted BIGINT NOT NULL DEFAULT 0"] {
            let alter = format!("ALTER TABLE {table} ADD COLUMN {addition}");
            support_sql(&database.url, sqlx::AssertSqlSafe(alter)).await;
        }
    }
    support_sql(&database.url, "CREATE TABLE later (id BIGINT PRIMARY KEY)").await;

    let named = json!({"blueprint": "database", "identifier": "orders"});
    let entity: Box<EntityUpsert> = Box::new(serde_json::from_value(named).unwrap());
    let put = EntityChange::Put { entity, place: None, part_places: Vec::new() };
    let next = decision(&under_way.run, vec![Step::Look, progress("a")], vec![]);
    store.settle(&under_way, &next, Some(&put)).await.unwrap();
    store.settle_report(&claim_one(&store, Lane::Report).await, &[]).await.unwrap();
    let seen = store.accept_observation(&delivery("d-1"), &pushed()).await.unwrap();
    assert_eq!(seen, Recorded::Concerns(1));
    assert_eq!(store.accept_run(&request("r_2")).await.unwrap(), Accepted::New);
    assert_eq!(claim(&store, Lane::Work).await.len(), 2);
    assert_eq!(store.run(&watcher).await.unwrap().unwrap().id, watcher);
    store.keep("a", "b").await.unwrap();
    store.sweep_house(KEEP_RUNS).await.unwrap();
}

#[tokio::test]
async fn on_postgres_a_change_is_heard_in_every_process() {
    let Some(database) = Database::postgres() else { return };
    let (one, other) = (database.open().await, database.open().await);
    let stop = CancellationToken::new();
    let (mut changes, mut wake) = (other.changes(), other.wake());
    let tell = async {
        // The first may be told before the other listens.
        for number in 0.. {
            one.accept_run(&request(&format!("r_{number}"))).await.unwrap();
            let heard = tokio::time::timeout(Duration::from_millis(500), changes.recv()).await;
            if let Ok(heard) = heard {
                assert!(heard.unwrap().as_str().starts_with("r_"));
                break;
            }
            assert!(number < 60, "nothing was heard");
        }
        wake.changed().await.unwrap();
        stop.cancel();
    };
    tokio::join!(
        one.clone().share_changes(stop.clone()),
        other.clone().share_changes(stop.clone()),
        tell
    );
}

#[test]
fn every_migration_after_the_first_only_adds() {
    for dialect in ["sqlite", "postgres"] {
        for entry in std::fs::read_dir(format!("src/store/migrations/{dialect}")).unwrap() {
            let path = entry.unwrap().path();
            if path.ends_with("0001_begin.sql") {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.lines().map(|line| line.split("--").next().unwrap_or_default());
            let code = code.collect::<Vec<_>>().join(" ").to_uppercase();
            for statement in code.split(';').map(str::trim).filter(|text| !text.is_empty()) {
                assert!(only_adds(statement), "{}: {statement}", path.display());
            }
        }
    }
}

/// A new table, a new index that forbids nothing, or a new column that nobody has to fill.
fn only_adds(statement: &str) -> bool {
    let column = statement.starts_with("ALTER TABLE") && statement.contains(" ADD COLUMN ");
    let is_optional = !statement.contains("NOT NULL") || statement.contains(" DEFAULT ");
    statement.starts_with("CREATE TABLE")
        || statement.starts_with("CREATE INDEX")
        || column && is_optional && !statement.contains("UNIQUE")
}

async fn a_postponed_step_comes_back_at_its_time_with_the_next_attempt(database: Database) {
    let (store, run) = store_with(&database, vec![Step::Dispatch, Step::Look], vec![]).await;
    let first = claim_one(&store, Lane::Work).await;
    let until = database.clock.now() + Duration::from_mins(5);
    store.postpone(&first, until, "GitHub is away").await.unwrap();

    assert!(claim(&store, Lane::Work).await.is_empty(), "nothing overtakes it");
    assert_eq!(store.next_due().await.unwrap(), Some(until));
    let steps = store.steps_of(&run).await.unwrap();
    assert_eq!(steps[1].last_error.as_deref(), Some("GitHub is away"));

    database.clock.advance(Duration::from_mins(5));
    let second = claim_one(&store, Lane::Work).await;
    assert_eq!((second.id, second.attempt), (first.id, 2));
}

async fn a_released_step_comes_back_at_once_as_the_same_attempt(database: Database) {
    let (store, _) = store_with(&database, vec![Step::Dispatch], vec![]).await;
    let first = claim_one(&store, Lane::Work).await;
    store.release(&first, database.clock.now()).await.unwrap();
    let again = claim_one(&store, Lane::Work).await;
    assert_eq!((again.id, again.attempt), (first.id, 1));
}

async fn a_parked_step_holds_up_nothing_and_can_be_replayed(database: Database) {
    let (store, _) = store_with(&database, vec![Step::Dispatch, Step::Look], vec![]).await;
    let parked = claim_one(&store, Lane::Work).await;
    store.park(&parked, "no way").await.unwrap();
    assert_eq!(store.counts().await.unwrap().steps_parked, 1);
    let look = claim_one(&store, Lane::Work).await;
    assert_eq!(look.step, Step::Look);

    let shown = store.parked_steps(None, 10).await.unwrap();
    let [step] = shown.as_slice() else { panic!("{shown:?}") };
    assert_eq!(
        (step.id, step.kind.as_str(), step.reason.as_str()),
        (parked.id, "dispatch", "no way")
    );
    assert_eq!(store.parked_step(parked.id).await.unwrap().as_ref(), Some(step));
    assert_eq!(store.parked_steps(Some(parked.id), 10).await.unwrap(), [], "the page after it");

    assert_eq!(store.replay(parked.id).await.unwrap().as_ref(), Some(&look.run.id));
    assert_eq!(store.replay(parked.id).await.unwrap(), None, "once");
    assert_eq!(store.parked_step(parked.id).await.unwrap(), None);
    assert!(claim(&store, Lane::Work).await.is_empty(), "it waits for the step under way");
    store.settle(&look, &unchanged(look.run.clone()), None).await.unwrap();
    assert_eq!(claim_one(&store, Lane::Work).await.step, Step::Dispatch);
    assert_eq!(store.counts().await.unwrap().steps_parked, 0);
}

async fn reports_that_wait_together_are_handed_out_together(database: Database) {
    let steps = vec![progress("a"), progress("b"), progress("c")];
    let (store, run) = store_with(&database, steps, vec![]).await;
    let first = claim_one(&store, Lane::Report).await;
    let behind: Vec<_> = first.following.iter().map(|(_, step)| step.clone()).collect();
    assert_eq!(behind, [progress("b"), progress("c")]);

    store.settle_report(&first, &[first.following[0].0]).await.unwrap();
    let last = claim_one(&store, Lane::Report).await;
    assert_eq!((&last.step, last.following.len()), (&progress("c"), 0));
    let states: Vec<_> =
        store.steps_of(&run).await.unwrap().into_iter().map(|step| step.state).collect();
    assert_eq!(states, [StepState::Done, StepState::Done, StepState::Done, StepState::Claimed]);
}

async fn a_report_does_not_overwrite_what_the_work_has_written(database: Database) {
    let steps = vec![Step::Dispatch, progress("a")];
    let (store, id) = store_with(&database, steps, vec![]).await;
    let report = claim_one(&store, Lane::Report).await;
    let work = claim_one(&store, Lane::Work).await;
    let mut run = work.run.clone();
    run.stage = Stage::Dispatched;
    store.settle(&work, &unchanged(run), None).await.unwrap();
    store.settle_report(&report, &[]).await.unwrap();
    assert_eq!(store.run(&id).await.unwrap().unwrap().stage, Stage::Dispatched);
}

async fn a_delivery_that_concerns_nobody_leaves_no_trace(database: Database) {
    let store = database.open().await;
    for _ in 0..2 {
        let seen = Observation::WorkflowRun(workflow_run(7));
        let recorded = store.accept_observation(&delivery("d-1"), &seen).await.unwrap();
        assert_eq!(recorded, Recorded::Nothing);
    }
}

async fn a_repeated_delivery_is_recorded_once(database: Database) {
    let (store, run) = store_with(&database, vec![], vec![pushed_link()]).await;
    let once = delivery("d-1");
    let both = futures_util::future::join_all((0..5).map(|_| {
        let (store, once) = (store.clone(), once.clone());
        async move { store.accept_observation(&once, &pushed()).await.unwrap() }
    }));
    let recorded = both.await;
    let concerned = recorded.iter().filter(|one| **one == Recorded::Concerns(1)).count();
    let repeated = recorded.iter().filter(|one| **one == Recorded::Repeated).count();
    assert_eq!((concerned, repeated), (1, 4), "{recorded:?}");
    assert_eq!(store.steps_of(&run).await.unwrap().len(), 2);
}

async fn what_was_seen_before_the_dispatch_answered_is_adopted(database: Database) {
    let awaited = vec![Link::awaited_dispatch(&repository(), "deploy.yml")];
    let (store, run) = store_with(&database, vec![Step::Dispatch], awaited).await;
    let dispatch = claim_one(&store, Lane::Work).await;
    let ours = Observation::WorkflowRun(workflow_run(7));
    let other = Observation::WorkflowRun(WorkflowRunSeen {
        head_sha: CommitSha::new("b".repeat(40)).unwrap(),
        ..workflow_run(8)
    });
    for (id, seen) in [("d-7", &ours), ("d-8", &other)] {
        let recorded = store.accept_observation(&delivery(id), seen).await.unwrap();
        assert_eq!(recorded, Recorded::Waiting);
        let again = store.accept_observation(&delivery(id), seen).await.unwrap();
        assert_eq!(again, Recorded::Repeated);
    }

    // Found under both links, taken over once.
    let links = vec![
        Link::workflow_run(&repository(), WorkflowRunId(7)),
        Link::commit(&repository(), &CommitSha::new("a".repeat(40)).unwrap()),
    ];
    store.settle(&dispatch, &decision(&dispatch.run, vec![], links), None).await.unwrap();
    assert_eq!(claim_one(&store, Lane::Work).await.step, Step::Observe(ours));
    assert_eq!(store.steps_of(&run).await.unwrap().len(), 3);
}

async fn an_observation_and_the_link_it_waits_for_never_miss_each_other(database: Database) {
    let awaited = Link::awaited_dispatch(&repository(), "deploy.yml");
    let (store, run) = store_with(&database, vec![Step::Look], vec![awaited]).await;
    for n in 1..=120 {
        let step = claim_one(&store, Lane::Work).await;
        let seen = Observation::WorkflowRun(WorkflowRunSeen {
            head_sha: CommitSha::new(format!("{n:040x}")).unwrap(),
            ..workflow_run(n)
        });
        let link = Link::workflow_run(&repository(), WorkflowRunId(n));
        let settle = async {
            // Sometimes before, sometimes after, mostly in between.
            for _ in 0..n % 7 {
                tokio::task::yield_now().await;
            }
            store.settle(&step, &decision(&step.run, vec![], vec![link]), None).await.unwrap();
        };
        let delivery = delivery(&format!("d-{n}"));
        let observe = async {
            for _ in 0..n % 5 {
                tokio::task::yield_now().await;
            }
            store.accept_observation(&delivery, &seen).await.unwrap()
        };
        let (recorded, ()) = tokio::join!(observe, settle);
        assert!(matches!(recorded, Recorded::Waiting | Recorded::Concerns(1)), "{recorded:?}");

        let observe = claim_one(&store, Lane::Work).await;
        assert_eq!(observe.step, Step::Observe(seen), "round {n}: {recorded:?}");
        let next = decision(&observe.run, vec![Step::Look], vec![]);
        store.settle(&observe, &next, None).await.unwrap();
    }
    assert_eq!(store.steps_of(&run).await.unwrap().len(), 242);
}

async fn what_waits_too_long_is_swept_away(database: Database) {
    let awaited = vec![Link::awaited_dispatch(&repository(), "deploy.yml")];
    let (store, _) = store_with(&database, vec![Step::Dispatch], awaited).await;
    let seen = Observation::WorkflowRun(workflow_run(7));
    store.accept_observation(&delivery("d-1"), &seen).await.unwrap();
    database.clock.advance(Duration::from_hours(2));
    store.sweep_house(KEEP_RUNS).await.unwrap();
    let dispatch = claim_one(&store, Lane::Work).await;
    let links = vec![Link::workflow_run(&repository(), WorkflowRunId(7))];
    store.settle(&dispatch, &decision(&dispatch.run, vec![], links), None).await.unwrap();
    assert!(claim(&store, Lane::Work).await.is_empty());

    // The delivery is remembered for longer than GitHub would repeat it, and not for ever.
    let again = store.accept_observation(&delivery("d-1"), &seen).await.unwrap();
    assert_eq!(again, Recorded::Repeated);
    database.clock.advance(Duration::from_hours(20 * 24));
    store.sweep_house(KEEP_RUNS).await.unwrap();
    let again = store.accept_observation(&delivery("d-1"), &seen).await.unwrap();
    assert_eq!(again, Recorded::Concerns(1));
}

async fn a_run_that_ended_long_ago_is_removed_and_what_it_made_stays(database: Database) {
    let store = database.open().await;
    let named = json!({"blueprint": "database", "identifier": "orders"});
    let entity: EntityRef = serde_json::from_value(named.clone()).unwrap();
    let upsert: EntityUpsert = serde_json::from_value(named).unwrap();
    for (id, steps) in [("r_done", vec![]), ("r_reports", vec![progress("still to be told")])] {
        store.accept_run(&request(id)).await.unwrap();
        let begin = claim_one(&store, Lane::Work).await;
        let mut run = begin.run.clone();
        run.status = Status::Success;
        let events = vec![Event::progress("Applied.")];
        let change = EntityChange::Put {
            entity: Box::new(upsert.clone()),
            place: None,
            part_places: Vec::new(),
        };
        let links = vec![pushed_link()];
        let ended = Decision { events, steps, links, ..Decision::unchanged(run) };
        store.settle(&begin, &ended, Some(&change)).await.unwrap();
    }
    store.accept_run(&request("r_open")).await.unwrap();
    let left = async |days: i64| {
        database.clock.advance(Duration::from_hours(24 * days.unsigned_abs()));
        store.sweep_house(KEEP_RUNS).await.unwrap();
        let all = store.runs(&RunFilter { limit: 10, ..RunFilter::default() }).await.unwrap();
        let mut all: Vec<_> = all.into_iter().map(|run| run.id.to_string()).collect();
        all.sort_unstable();
        all
    };
    assert_eq!(left(364).await, ["r_done", "r_open", "r_reports"]);
    assert_eq!(left(2).await, ["r_open", "r_reports"], "open, or still to be told");
    let gone = RunId::new("r_done").unwrap();
    assert!(store.events(&gone, 0).await.unwrap().is_empty());
    assert!(store.steps_of(&gone).await.unwrap().is_empty());
    assert!(store.entity(&entity).await.unwrap().is_some());
}

async fn a_run_is_found_by_its_links_until_they_are_taken_off(database: Database) {
    let apply = Link::apply(&repository(), "main", "deploy.yml");
    let own = Link::workflow_run(&repository(), WorkflowRunId(7));
    let (store, _) = store_with(&database, vec![Step::Look], vec![apply.clone(), own]).await;
    let last = claim_one(&store, Lane::Work).await;
    let mut run = last.run.clone();
    run.status = Status::Success;
    let ended = Decision { unlinks: vec![apply], ..unchanged(run) };
    store.settle(&last, &ended, None).await.unwrap();
    assert!(store.run(&last.run.id).await.unwrap().unwrap().ended_at.is_some());

    let see = async |id: &str, run: u64| {
        let seen = Observation::WorkflowRun(workflow_run(run));
        store.accept_observation(&delivery(id), &seen).await.unwrap()
    };
    assert_eq!(see("d-1", 8).await, Recorded::Nothing, "taken off");
    assert_eq!(see("d-2", 7).await, Recorded::Concerns(1), "a re-run of its own is still heard");
    database.clock.advance(Duration::from_hours(31 * 24));
    store.sweep_house(KEEP_RUNS).await.unwrap();
    assert_eq!(see("d-3", 7).await, Recorded::Nothing, "GitHub re-runs nothing that old");
}

async fn what_two_runs_wait_for_is_adopted_by_both(database: Database) {
    let store = database.open().await;
    let awaited = Link::awaited_apply(&repository(), "main", "deploy.yml");
    for id in ["r_1", "r_2"] {
        store.accept_run(&request(id)).await.unwrap();
    }
    for begin in claim(&store, Lane::Work).await {
        let proposed = decision(&begin.run, vec![Step::Look], vec![awaited.clone()]);
        store.settle(&begin, &proposed, None).await.unwrap();
    }
    let seen = WorkflowRunSeen { event: "push".to_owned(), ..workflow_run(7) };
    let seen = Observation::WorkflowRun(seen);
    let recorded = store.accept_observation(&delivery("d-1"), &seen).await.unwrap();
    assert_eq!(recorded, Recorded::Waiting);

    let apply = Link::apply(&repository(), "main", "deploy.yml");
    for look in claim(&store, Lane::Work).await {
        let merged = decision(&look.run, vec![], vec![apply.clone()]);
        store.settle(&look, &merged, None).await.unwrap();
    }
    let adopted = claim(&store, Lane::Work).await;
    let steps: Vec<_> = adopted.into_iter().map(|claimed| claimed.step).collect();
    assert_eq!(steps, [Step::Observe(seen.clone()), Step::Observe(seen)]);
}

async fn runs_are_listed_by_page_and_filter(database: Database) {
    let store = database.open().await;
    for n in 0..5 {
        store.accept_run(&request(&format!("r_{n}"))).await.unwrap();
    }
    let ids = |runs: Vec<Run>| runs.into_iter().map(|run| run.id.to_string()).collect::<Vec<_>>();
    let page = RunFilter { limit: 2, ..RunFilter::default() };
    let first = store.runs(&page).await.unwrap();
    let before = Some(first[1].id.clone());
    let second = store.runs(&RunFilter { before, ..page.clone() }).await.unwrap();
    assert_eq!([ids(first), ids(second)].concat(), ["r_4", "r_3", "r_2", "r_1"]);

    let filter = |text: &str| RunFilter { text: Some(text.to_owned()), ..page.clone() };
    assert_eq!(ids(store.runs(&filter("R_3")).await.unwrap()), ["r_3"]);
    assert!(store.runs(&filter("r%3")).await.unwrap().is_empty(), "% is no wildcard");
    let action = Some(ActionId::new("other").unwrap());
    assert!(store.runs(&RunFilter { action, ..page.clone() }).await.unwrap().is_empty());
    let status = Some(Status::InProgress);
    assert_eq!(store.runs(&RunFilter { status, limit: 9, ..page }).await.unwrap().len(), 5);
}

async fn an_entity_keeps_what_is_not_named(database: Database) {
    let (store, run) = store_with(&database, vec![Step::Look, Step::Look], vec![]).await;
    let entity: EntityRef =
        serde_json::from_value(json!({"blueprint": "database", "identifier": "orders"})).unwrap();
    let upsert = |title: Option<&str>, properties: Value| -> Box<EntityUpsert> {
        let text = json!({"blueprint": "database", "identifier": "orders", "title": title,
                          "properties": properties});
        Box::new(serde_json::from_value(text).unwrap())
    };
    let place = Some(Place { repository: repository(), path: "databases/orders".to_owned() });
    let made = upsert(Some("Orders"), json!({"engine": "DocumentDB", "instances": 1}));
    let changed = upsert(None, json!({"instances": 3}));

    let work = claim_one(&store, Lane::Work).await;
    let change = EntityChange::Put { entity: made, place: place.clone(), part_places: Vec::new() };
    store.settle(&work, &Decision::unchanged(work.run.clone()), Some(&change)).await.unwrap();
    let work = claim_one(&store, Lane::Work).await;
    let change = EntityChange::Put { entity: changed, place: None, part_places: Vec::new() };
    store.settle(&work, &Decision::unchanged(work.run.clone()), Some(&change)).await.unwrap();

    let stands = store.entity(&entity).await.unwrap().unwrap();
    assert_eq!((stands.place, stands.run), (place, run.clone()));
    let all = upsert(Some("Orders"), json!({"engine": "DocumentDB", "instances": 3}));
    assert_eq!(stands.entity, *all);
    assert_eq!(store.entities(&entity.blueprint).await.unwrap().len(), 1);

    let removing = begun(&store, "r_2", vec![Step::Look], vec![]).await;
    let work = claim_one(&store, Lane::Work).await;
    assert_eq!(work.run.id, removing);
    let change = EntityChange::Remove(entity.clone());
    store.settle(&work, &Decision::unchanged(work.run.clone()), Some(&change)).await.unwrap();
    assert_eq!(store.entity(&entity).await.unwrap(), None);
}

async fn a_silent_run_comes_up_for_a_look_until_it_has_ended(database: Database) {
    let (store, id) = store_with(&database, vec![], vec![]).await;
    let due = store.runs_to_look_at(10).await.unwrap();
    assert_eq!(due.iter().map(|run| &run.id).collect::<Vec<_>>(), [&id]);
    for _ in 0..2 {
        store.request_look(std::slice::from_ref(&id)).await.unwrap();
    }
    let later = database.clock.now() + Duration::from_mins(1);
    store.look_again_at(&id, later).await.unwrap();
    assert!(store.runs_to_look_at(10).await.unwrap().is_empty());
    database.clock.advance(Duration::from_mins(1));
    assert_eq!(store.runs_to_look_at(10).await.unwrap().len(), 1);

    let look = claim_one(&store, Lane::Work).await;
    assert_eq!(look.step, Step::Look);
    let mut run = look.run.clone();
    run.status = Status::Failure;
    store.settle(&look, &unchanged(run), None).await.unwrap();
    assert!(store.runs_to_look_at(10).await.unwrap().is_empty());
    assert!(claim(&store, Lane::Work).await.is_empty(), "asked for twice, added once");
}

async fn a_database_of_a_newer_version_is_refused(database: Database) {
    let store = database.open().await;
    store.close().await;
    support_sql(
        &database.url,
        "INSERT INTO _sqlx_migrations
           (version, description, installed_on, success, checksum, execution_time)
         SELECT 9000, 'later', installed_on, success, checksum, 0 FROM _sqlx_migrations
         WHERE version = 1",
    )
    .await;
    let refused = Store::open(&database.url, database.clock.clone()).await.err().unwrap();
    assert!(refused.to_string().contains("newer version of Towpath"), "{refused}");
}

#[tokio::test]
async fn what_is_written_moves_into_the_database_beside_the_writing() {
    let database = Database::sqlite();
    let store = database.open().await;
    let file = database.folder.as_ref().unwrap().path().join("towpath.db");
    let size = || std::fs::metadata(&file).unwrap().len();
    let before = size();
    for n in 0..50 {
        store.accept_run(&request(&format!("r_{n}"))).await.unwrap();
    }
    assert_eq!(size(), before, "it stands in the log");
    let stop = CancellationToken::new();
    let until_moved = async {
        while size() == before {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        stop.cancel();
    };
    tokio::join!(store.clone().keep_checkpointing(stop.clone()), until_moved);
}

/// They do not wait for it one after another.
#[tokio::test]
async fn while_somebody_else_writes_for_long_all_who_wait_are_told_together() {
    let database = Database::sqlite();
    let store = database.open().await;
    let other = sqlx::AnyPool::connect(&database.url).await.unwrap();
    let held = other.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let began = std::time::Instant::now();
    let requests = ["r_1", "r_2", "r_3", "r_4"].map(request);
    let [one, two, three, four] = &requests;
    let answers = tokio::join!(
        store.accept_run(one),
        store.accept_run(two),
        store.accept_run(three),
        store.accept_run(four),
    );
    // SQLite waits for five seconds, at most for two transactions; each by itself would be 20 s.
    assert!(began.elapsed() < Duration::from_secs(18), "{:?}", began.elapsed());
    for answer in [answers.0, answers.1, answers.2, answers.3] {
        let error = answer.unwrap_err();
        assert!(error.is_unavailable(), "{error:?}");
    }
    held.rollback().await.unwrap();
    assert_eq!(store.accept_run(one).await.unwrap(), Accepted::New);
}

/// What a newer version would have done to the database.
async fn support_sql(url: &str, statement: impl sqlx::SqlSafeStr) {
    let pool = sqlx::AnyPool::connect(url).await.unwrap();
    sqlx::query(statement).execute(&pool).await.unwrap();
    pool.close().await;
}

async fn listeners_hear_of_a_run_after_the_commit(database: Database) {
    let store = database.open().await;
    let (mut changes, mut wake) = (store.changes(), store.wake());
    store.accept_run(&request("r_1")).await.unwrap();
    let run = changes.recv().await.unwrap();
    assert!(store.run(&run).await.unwrap().is_some());
    assert!(wake.has_changed().unwrap());
    wake.mark_unchanged();
    store.accept_run(&request("r_1")).await.unwrap();
    assert!(!wake.has_changed().unwrap(), "nothing new, nobody woken");
}

async fn what_is_kept_is_found_again(database: Database) {
    let store = database.open().await;
    assert_eq!(store.kept("cursor").await.unwrap(), None);
    store.keep("cursor", "1").await.unwrap();
    store.keep("cursor", "2").await.unwrap();
    assert_eq!(store.kept("cursor").await.unwrap().as_deref(), Some("2"));
}

/// Steps of as many runs, each about to create something.
async fn creators(store: &Store, count: usize) -> Vec<ClaimedStep> {
    let mut steps = Vec::new();
    for n in 0..count {
        begun(store, &format!("r_{n}"), vec![Step::Dispatch], vec![]).await;
        steps.push(claim_one(store, Lane::Work).await);
    }
    steps
}

async fn what_is_created_goes_out_one_after_another_and_not_too_much_in_an_hour(
    database: Database,
) {
    let (store, other_process) = (database.open().await, database.open().await);
    let steps = creators(&store, 5).await;
    let rate = Some(Rate { apart: Duration::from_secs(1), an_hour: 3 });
    let now = database.clock.now();
    let mut turns = Vec::new();
    for (n, step) in steps.iter().enumerate() {
        let store = if n % 2 == 0 { &store } else { &other_process };
        turns.push(store.turn_to_write(step, "Acme", rate).await.unwrap());
    }
    let Turn::At(second) = turns[1] else { panic!("{turns:?}") };
    let since = (second - now).num_milliseconds();
    assert!((1000..30_000).contains(&since), "{since}");
    let hour = chrono::TimeDelta::hours(1);
    let third = second + chrono::TimeDelta::seconds(1);
    assert_eq!(turns[0], Turn::Now);
    assert_eq!(turns[2], Turn::At(third));
    assert_eq!(turns[3], Turn::At(second - chrono::TimeDelta::seconds(1) + hour));
    assert_eq!(turns[4], Turn::At(second + hour));

    let again = store.turn_to_write(&steps[0], "acme", rate).await.unwrap();
    assert_eq!(again, Turn::Begun, "it may have been sent");
    store.give_back_turn(&steps[0], "acme", None).await.unwrap();
    assert_eq!(store.turn_to_write(&steps[0], "acme", rate).await.unwrap(), Turn::Now);
    let waits = store.turn_to_write(&steps[2], "acme", rate).await.unwrap();
    assert_eq!(waits, Turn::At(third), "who has asked keeps the moment");
    database.clock.advance(Duration::from_mins(1));
    assert_eq!(other_process.turn_to_write(&steps[2], "acme", rate).await.unwrap(), Turn::Now);
}

async fn what_github_refuses_puts_off_all_that_follow_in_their_order(database: Database) {
    let store = database.open().await;
    let steps = creators(&store, 4).await;
    let rate = Some(Rate { apart: Duration::from_secs(1), an_hour: 100 });
    for step in &steps[..3] {
        store.turn_to_write(step, "acme", rate).await.unwrap();
    }
    let until = database.clock.now() + Duration::from_mins(10);
    for _ in 0..2 {
        store.give_back_turn(&steps[0], "acme", Some(until)).await.unwrap();
    }
    let second = chrono::TimeDelta::seconds(1);
    for (step, nth) in steps.iter().zip(0..) {
        let turn = store.turn_to_write(step, "acme", rate).await.unwrap();
        assert_eq!(turn, Turn::At(until + second * nth));
    }
    database.clock.advance(Duration::from_mins(20));
    assert_eq!(store.turn_to_write(&steps[0], "acme", rate).await.unwrap(), Turn::Now);
    let Turn::At(next) = store.turn_to_write(&steps[1], "acme", rate).await.unwrap() else {
        panic!("after an outage, all are due at once");
    };
    assert!(next > database.clock.now() && next <= database.clock.now() + second);
    let elsewhere = store.turn_to_write(&steps[3], "globex", None).await.unwrap();
    assert!(matches!(elsewhere, Turn::At(_)), "a step has one turn");
}

async fn of_several_processes_one_has_the_turn_until_it_ends(database: Database) {
    let store = database.open().await;
    let (one, other) = (Holder::new(), Holder::new());
    let take = async |holder| store.take_turn("work", holder, LEASE).await.unwrap();
    assert!(take(one).await);
    assert!(!take(other).await);
    database.clock.advance(LEASE / 2);
    assert!(take(one).await, "who has it may keep it");
    database.clock.advance(LEASE / 2);
    assert!(!take(other).await);
    database.clock.advance(LEASE / 2);
    assert!(take(other).await);
    assert!(!take(one).await);
}

#[tokio::test]
async fn the_database_file_is_readable_by_nobody_else() {
    use std::os::unix::fs::PermissionsExt as _;
    let database = Database::sqlite();
    let store = database.open().await;
    store.accept_run(&request("r_1")).await.unwrap();
    let folder = database.folder.as_ref().unwrap().path();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", entry.path().display());
    }
}

#[tokio::test]
async fn a_url_that_cannot_work_is_refused_with_the_reason() {
    for (url, reason) in [
        ("sqlite:///nowhere/at/all/towpath.db", "the folder /nowhere/at/all does not exist"),
        ("sqlite::memory:", "names no file"),
        ("mysql://localhost/towpath", "must begin with"),
    ] {
        let refused = Store::open(url, Clock::system()).await.err().unwrap();
        assert!(refused.to_string().contains(reason), "{refused}");
        assert!(!refused.is_unavailable());
    }
}

#[tokio::test]
async fn a_server_that_is_away_is_unavailable() {
    let url = "postgres://nobody@localhost/none?host=/nowhere";
    let refused = Store::open(url, Clock::system()).await.err().unwrap();
    assert!(refused.is_unavailable(), "{refused:?}");
}
