//! What GitHub has told about waiting.

use std::time::Duration;

use chrono::DateTime;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use towpath::domain::github_view::Limits;

use super::Database;

/// The limit of one account, so many seconds from now.
fn limit(database: &Database, owner: &str, seconds: i64) -> Limits {
    let until = database.clock.now().timestamp_millis() + 1000 * seconds;
    Limits::from([(owner.to_owned(), DateTime::from_timestamp_millis(until).unwrap())])
}

pub(super) async fn what_github_has_told_is_kept_until_it_is_over(database: Database) {
    let store = database.open().await;
    let (acme, app) = (limit(&database, "acme", 60), limit(&database, "", 10));
    let both: Limits = acme.clone().into_iter().chain(app).collect();
    store.keep_limits(&both).await.unwrap();
    store.keep_limits(&limit(&database, "acme", 5)).await.unwrap();
    assert_eq!(store.limits().await.unwrap(), both, "the later moment holds");
    store.close().await;

    let next = database.open().await;
    assert_eq!(next.limits().await.unwrap(), both);
    database.clock.advance(Duration::from_secs(30));
    assert_eq!(next.limits().await.unwrap(), acme);
    database.clock.advance(Duration::from_secs(40));
    assert_eq!(next.limits().await.unwrap(), Limits::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_processes_hear_of_a_limit() {
    let Some(database) = Database::postgres() else { return };
    let (one, other) = (database.open().await, database.open().await);
    let stop = CancellationToken::new();
    let mut heard = other.limits_of_others();
    let own = one.limits_of_others();
    let (of_one, of_other) =
        (one.clone().share_changes(stop.clone()), other.clone().share_changes(stop.clone()));
    let tells = async {
        // It is not told who listens: so more than once, with something new each time.
        for seconds in 60.. {
            one.keep_limits(&limit(&database, "acme", seconds)).await.unwrap();
            if timeout(Duration::from_millis(200), heard.changed()).await.is_ok() {
                break;
            }
        }
        assert_eq!(other.limits().await.unwrap(), one.limits().await.unwrap());
        assert!(!own.has_changed().unwrap(), "it knows what it has told itself");
        stop.cancel();
    };
    tokio::join!(of_one, of_other, tells);
}
