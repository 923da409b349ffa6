//! Checkpoints: what is written stands in SQLite's log first, and moves into the database later.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::dialect::Dialect;
use super::{Result, Store};

/// How often there is one while something is written.
const INTERVAL: Duration = Duration::from_millis(250);

impl Store {
    /// Moves the log of SQLite into the database beside what is written, until it is told to stop. Else
    /// a commit has to do it now and then, and whoever waits for that commit waits for a long time.
    /// PostgreSQL does so by itself.
    pub async fn keep_checkpointing(self, stop: CancellationToken) {
        if self.shared.dialect == Dialect::Postgres {
            return;
        }
        while !stop.is_cancelled() {
            if self.shared.log_grows.swap(false, Ordering::Relaxed)
                && let Err(error) = self.checkpoint().await
            {
                tracing::debug!(%error, "the log could not be moved; a commit does it");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(INTERVAL) => {}
            }
        }
    }

    /// Waits for nobody: what somebody still reads stays in the log.
    async fn checkpoint(&self) -> Result<()> {
        self.shared.read.fetch_all(sqlx::query("PRAGMA wal_checkpoint(PASSIVE)")).await?;
        Ok(())
    }
}
