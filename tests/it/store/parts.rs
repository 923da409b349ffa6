//! A run and its parts: made together, told by steps of each other, listed and removed as one.

use std::time::Duration;

use towpath::domain::parts::PartOf;
use towpath::domain::run::{PullRequestWork, Work};
use towpath::domain::{EntityRef, Run, RunId, Stage, Status, TargetName};
use towpath::plan::step::Lane;
use towpath::plan::{Decision, Step};
use towpath::store::{EntityChange, Place, RunFilter, Store};

use super::folder_queue::work;
use super::{Database, KEEP_RUNS, claim_one, pushed_link, repository, request, unchanged};

fn part(whole: &Run, target: &str, place: usize) -> Decision {
    let Work::PullRequest(work) = work() else { unreachable!() };
    let part = PartOf {
        whole: whole.id.clone(),
        target: TargetName::new(target).unwrap(),
        has_begun: false,
        told: 0,
    };
    let work = PullRequestWork { part: Some(part), ..*work };
    let run = Run {
        id: whole.id.part(place),
        work: Some(Work::PullRequest(Box::new(work))),
        ..whole.clone()
    };
    Decision { links: vec![pushed_link()], ..unchanged(run) }
}

/// A run of two parts, the first of which has something to do.
async fn with_parts(store: &Store) -> RunId {
    store.accept_run(&request("r_1")).await.unwrap();
    let begin = claim_one(store, Lane::Work).await;
    let parts = vec![part(&begin.run, "infra", 0), part(&begin.run, "config", 1)];
    let others = vec![(begin.run.id.part(0), Step::BeginPart)];
    let decision = Decision { parts, others, ..unchanged(begin.run.clone()) };
    store.settle(&begin, &decision, None).await.unwrap();
    begin.run.id
}

async fn end(store: &Store, run: &RunId) {
    store.request_look(std::slice::from_ref(run)).await.unwrap();
    let look = claim_one(store, Lane::Work).await;
    assert_eq!(look.run.id, *run);
    let ended = Run {
        stage: Stage::Done,
        status: Status::Success,
        ended_at: Some(look.created_at),
        ..look.run.clone()
    };
    store.settle(&look, &unchanged(ended), None).await.unwrap();
}

pub(super) async fn parts_are_made_with_their_whole_and_told_by_steps(database: Database) {
    let store = database.open().await;
    let whole = with_parts(&store).await;
    let parts = store.parts_of(&whole).await.unwrap();
    let targets: Vec<_> =
        parts.iter().map(|part| part.part_of().unwrap().target.as_str()).collect();
    assert_eq!(targets, ["infra", "config"]);
    assert_eq!(store.runs_by_link(&pushed_link()).await.unwrap().len(), 2);

    let begin = claim_one(&store, Lane::Work).await;
    assert_eq!((&begin.run.id, &begin.step), (&whole.part(0), &Step::BeginPart));
    let others = vec![(whole.clone(), Step::Look), (whole.part(1), Step::Withdraw)];
    let told = Decision { others, ..unchanged(begin.run.clone()) };
    store.settle(&begin, &told, None).await.unwrap();
    let mut steps = super::claim(&store, Lane::Work).await;
    steps.sort_by_key(|step| step.run.id.clone());
    let steps: Vec<_> = steps.iter().map(|it| (it.run.id.clone(), it.step.clone())).collect();
    assert_eq!(steps, [(whole.clone(), Step::Look), (whole.part(1), Step::Withdraw)]);

    let all = RunFilter { limit: 10, ..RunFilter::default() };
    let of = RunFilter { repository: Some(repository()), ..all.clone() };
    let named = RunFilter { text: Some(repository().to_string()), ..all.clone() };
    for filter in [all, of, named] {
        let found = store.runs(&filter).await.unwrap();
        let found: Vec<_> = found.iter().map(|run| &run.id).collect();
        assert_eq!(found, [&whole], "{filter:?}");
    }
    assert_eq!(store.counts().await.unwrap().runs, [(Stage::Received, 1)]);
}

pub(super) async fn parts_are_removed_with_their_whole_and_not_while_one_is_open(
    database: Database,
) {
    let store = database.open().await;
    let whole = with_parts(&store).await;
    let begin = claim_one(&store, Lane::Work).await;
    store.settle(&begin, &unchanged(begin.run.clone()), None).await.unwrap();
    end(&store, &whole).await;
    end(&store, &whole.part(0)).await;
    database.clock.advance(Duration::from_hours(24 * 400));
    store.sweep_house(KEEP_RUNS).await.unwrap();
    assert!(store.run(&whole).await.unwrap().is_some(), "a part is open");
    end(&store, &whole.part(1)).await;
    database.clock.advance(Duration::from_hours(24 * 400));
    store.sweep_house(KEEP_RUNS).await.unwrap();
    assert_eq!(store.run(&whole).await.unwrap(), None);
    assert_eq!(store.parts_of(&whole).await.unwrap(), []);
    assert_eq!(store.runs_by_link(&pushed_link()).await.unwrap(), []);
}

pub(super) async fn an_entity_has_a_place_for_each_target(database: Database) {
    let store = database.open().await;
    let entity: EntityRef =
        serde_json::from_value(serde_json::json!({"blueprint": "database", "identifier": "a"}))
            .unwrap();
    let change = |path: &str| EntityChange::Put {
        entity: Box::new(serde_json::from_value(serde_json::to_value(&entity).unwrap()).unwrap()),
        place: None,
        part_places: ["infra", "config"]
            .map(|target| {
                let place = Place { repository: repository(), path: format!("{target}/{path}") };
                (TargetName::new(target).unwrap(), place)
            })
            .to_vec(),
    };
    let path = async |target: &str| {
        let target = TargetName::new(target).unwrap();
        store.part_place(&entity, &target).await.unwrap().map(|place| place.path)
    };
    for (id, change) in [
        ("r_1", change("old")),
        ("r_2", change("new")),
        ("r_3", EntityChange::Remove(entity.clone())),
    ] {
        store.accept_run(&request(id)).await.unwrap();
        let begin = claim_one(&store, Lane::Work).await;
        store.settle(&begin, &unchanged(begin.run.clone()), Some(&change)).await.unwrap();
        let expected = match id {
            "r_1" => Some("config/old".to_owned()),
            "r_2" => Some("config/new".to_owned()),
            _ => None,
        };
        assert_eq!(path("config").await, expected, "{id}");
    }
    assert_eq!(path("infra").await, None);
    assert_eq!(path("other").await, None);
}
