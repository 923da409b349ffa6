//! The sweep: webhooks are hints, so every open run that has been silent too long is looked at.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::store::{self, Store};

/// How many silent runs one sweep looks at. The rest is older by the next one.
const AT_ONCE: usize = 200;

/// Asks for a look at every run that was silent for `interval`.
pub struct Sweep {
    store: Store,
    interval: Duration,
}

impl Sweep {
    /// Looks every `interval`.
    pub fn new(store: Store, interval: Duration) -> Self {
        Self { store, interval }
    }

    /// Sweeps until it is told to stop.
    pub async fn run(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            if let Err(error) = self.once().await {
                tracing::warn!(error = %error, "silent runs could not be looked for");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(self.interval) => {}
            }
        }
    }

    /// One sweep. Answers how many runs will be looked at.
    pub async fn once(&self) -> Result<usize, store::Error> {
        let silent = self.store.runs_to_look_at(self.interval, AT_ONCE).await?;
        self.store.request_look(&silent, self.interval).await?;
        self.store.sweep_house().await?;
        Ok(silent.len())
    }
}
