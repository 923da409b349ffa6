//! What GitHub has told one process about waiting, all of them keep to.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Effects;
use crate::store::Error;

/// How long to wait before it is tried again to write a limit down.
const AGAIN: Duration = Duration::from_secs(1);

impl Effects {
    /// Keeps to what was told before, to this process or to another.
    pub async fn keep_to_known_limits(&self) -> Result<(), Error> {
        self.github.keep_to(&self.store.limits().await?);
        Ok(())
    }

    /// Tells other processes of the limits that this one meets, and keeps to those that they meet,
    /// until it is told to stop.
    pub async fn share_limits(self, stop: CancellationToken) {
        let (mut own, mut others) = (self.github.limits(), self.store.limits_of_others());
        loop {
            let shared = tokio::select! {
                () = stop.cancelled() => return,
                Ok(()) = own.changed() => {
                    let told = own.borrow_and_update().clone();
                    self.store.keep_limits(&told).await.inspect_err(|_| own.mark_changed())
                }
                Ok(()) = others.changed() => {
                    let kept = self.keep_to_known_limits().await;
                    kept.inspect_err(|_| others.mark_changed())
                }
            };
            if let Err(error) = shared {
                tracing::warn!(%error, "a limit of GitHub cannot be shared with other processes");
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}
