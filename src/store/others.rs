//! Word between the processes that share a PostgreSQL: which runs have changed, and that a limit of
//! GitHub was met, by `LISTEN` and `NOTIFY`. A hint and not the truth: whoever misses it finds out by asking.
//!
//! Of changes it is sent after the commit and for many at once: a `NOTIFY` within a transaction makes
//! all commits of the server wait for each other.

use std::collections::BTreeSet;
use std::time::Duration;

use secrecy::ExposeSecret as _;
use sqlx::postgres::PgListener;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use super::dialect::Dialect;
use super::{Result, Store, limits};
use crate::domain::RunId;

const CHANNEL: &str = "towpath_changes";
/// For how long changes are gathered before the others are told.
const GATHERED: Duration = Duration::from_millis(20);
/// How many runs fit into a notification of less than 8,000 bytes, PostgreSQL's limit: an id has at
/// most 128, and a space.
const RUNS_AT_ONCE: usize = 60;
/// How long to wait before connecting again.
const AGAIN: Duration = Duration::from_secs(5);

impl Store {
    /// Tells other processes of this one's changes, and this one of theirs, until it is told to
    /// stop. SQLite belongs to one process, and has no others.
    pub async fn share_changes(self, stop: CancellationToken) {
        if self.shared.dialect == Dialect::Sqlite {
            return;
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.tell_others() => {}
            () = self.hear_others() => {}
        }
    }

    async fn tell_others(&self) {
        let mut own = self.shared.own_changes.subscribe();
        loop {
            let mut changed = BTreeSet::new();
            match own.recv().await {
                Ok(run) => changed.insert(run),
                Err(RecvError::Lagged(_)) => continue,
                Err(RecvError::Closed) => return,
            };
            tokio::time::sleep(GATHERED).await;
            while let Ok(run) = own.try_recv() {
                changed.insert(run);
            }
            let changed: Vec<RunId> = changed.into_iter().collect();
            for runs in changed.chunks(RUNS_AT_ONCE) {
                let notify = sqlx::query("SELECT pg_notify($1, $2)").bind(CHANNEL);
                let notify = notify.bind(notification(&self.shared.name, runs));
                if let Err(error) = self.shared.write.execute(notify).await {
                    tracing::debug!(%error, "other processes could not be told of changes");
                }
            }
        }
    }

    async fn hear_others(&self) {
        loop {
            let Err(error) = self.listen().await;
            tracing::warn!(error = %error, "changes of other processes cannot be heard; they are asked for");
            tokio::time::sleep(AGAIN).await;
        }
    }

    async fn listen(&self) -> Result<std::convert::Infallible> {
        let mut listener = PgListener::connect(self.shared.url.expose_secret()).await?;
        listener.listen_all([CHANNEL, limits::CHANNEL]).await?;
        loop {
            // Where the connection was lost, anything may have been missed.
            let notification = listener.try_recv().await?;
            let channel = notification.as_ref().map_or(limits::CHANNEL, |it| it.channel());
            let payload = notification.as_ref().map_or("", |it| it.payload());
            let mut words = payload.split(' ');
            if words.next() == Some(self.shared.name.as_str()) {
                continue;
            }
            if channel == limits::CHANNEL {
                self.shared.limits_of_others.send_replace(());
            }
            for run in words.filter_map(|run| RunId::new(run).ok()) {
                let _nobody_listens = self.shared.changes.send(run);
            }
            self.shared.wake.send_replace(());
        }
    }
}

/// Who tells it, and the runs.
fn notification(name: &str, runs: &[RunId]) -> String {
    let runs = runs.iter().map(RunId::as_str);
    std::iter::once(name).chain(runs).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notification_of_the_longest_ids_fits() {
        let longest = vec![RunId::new("r".repeat(128)).unwrap(); RUNS_AT_ONCE];
        assert!(notification(&"f".repeat(16), &longest).len() < 8000);
    }
}
