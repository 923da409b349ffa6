//! Keeps house now and then: of several processes, one at a time.

use std::time::Duration;

use chrono::TimeDelta;
use tokio_util::sync::CancellationToken;

use crate::store::{self, Holder, Store};

/// How often it is done: what is removed at once is small.
const INTERVAL: Duration = Duration::from_mins(1);
/// For how long a process has the turn: longer than one sweep takes, so that the same one goes on.
const TURN: Duration = Duration::from_mins(3);

/// Removes what nobody can need any more.
#[derive(Clone)]
pub struct House {
    store: Store,
    keep_runs: TimeDelta,
    holder: Holder,
}

impl House {
    /// Keeps runs for so long after their end.
    pub fn new(store: Store, keep_runs: Duration) -> Self {
        let keep_runs = TimeDelta::from_std(keep_runs).unwrap_or(TimeDelta::MAX);
        Self { store, keep_runs, holder: Holder::new() }
    }

    /// Keeps house until it is told to stop.
    pub async fn run(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            if let Err(error) = self.once().await {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "the house could not be swept");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(INTERVAL) => {}
            }
        }
    }

    async fn once(&self) -> Result<(), store::Error> {
        if self.store.take_turn("house", self.holder, TURN).await? {
            self.store.sweep_house(self.keep_runs).await?;
        }
        Ok(())
    }
}
