//! The links that a service has in mind, which has SQLite's file for itself.

use tokio_util::sync::CancellationToken;
use towpath::domain::{Link, Observation, WorkflowRunId};
use towpath::store::{Recorded, Store};

use super::{Database, begun, delivery, repository, support_sql, workflow_run};

/// A database of a service that has ended, with the first link.
async fn with_a_link() -> Database {
    let database = Database::sqlite();
    let store = database.open().await;
    begun(&store, "r_1", vec![], vec![link(1)]).await;
    store.close().await;
    database
}

/// A service's store, with everything that was there in mind.
async fn taken(database: &Database) -> Store {
    let store = database.open().await;
    store.take().await.unwrap();
    store.clone().learn_links(CancellationToken::new()).await;
    store
}

fn of(id: u64) -> Observation {
    Observation::WorkflowRun(workflow_run(id))
}

fn link(id: u64) -> Link {
    Link::workflow_run(&repository(), WorkflowRunId(id))
}

#[tokio::test]
async fn what_concerns_nobody_is_told_without_the_database_and_what_may_concern_somebody_is_not() {
    let database = with_a_link().await;
    let store = taken(&database).await;
    begun(&store, "r_2", vec![], vec![link(2)]).await;
    for (id, seen) in [("d-1", of(1)), ("d-2", of(2))] {
        let recorded = store.accept_observation(&delivery(id), &seen).await.unwrap();
        assert_eq!(recorded, Recorded::Concerns(1));
    }
    support_sql(&database.url, "ALTER TABLE links RENAME TO away").await;
    let recorded = store.accept_observation(&delivery("d-3"), &of(3)).await.unwrap();
    assert_eq!(recorded, Recorded::Nothing);
    for seen in [of(1), of(2)] {
        store.accept_observation(&delivery("d-4"), &seen).await.unwrap_err();
    }
    // What was closed knows nothing for sure.
    store.close().await;
    store.accept_observation(&delivery("d-5"), &of(3)).await.unwrap_err();
}

#[tokio::test]
async fn the_database_is_asked_until_everything_that_is_there_is_in_mind() {
    let database = with_a_link().await;
    let store = database.open().await;
    store.take().await.unwrap();
    let recorded = store.accept_observation(&delivery("d-1"), &of(1)).await.unwrap();
    assert_eq!(recorded, Recorded::Concerns(1));
    support_sql(&database.url, "ALTER TABLE links RENAME TO away").await;
    store.accept_observation(&delivery("d-2"), &of(3)).await.unwrap_err();
}

#[tokio::test]
async fn a_service_that_comes_waits_for_the_one_that_goes() {
    let database = Database::sqlite();
    let first = taken(&database).await;
    let second = database.open().await;
    let mut taking = std::pin::pin!(second.take());
    assert!(futures_util::poll!(&mut taking).is_pending());
    first.close().await;
    taking.await.unwrap();
}
