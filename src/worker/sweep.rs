//! The sweep: webhooks are hints, so every open run that has been silent too long is looked at.

use std::time::Duration;

use chrono::TimeDelta;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::effects::Effects;
use crate::store::{self, Store};

/// How many silent runs one sweep looks at. The rest is older by the next one.
const AT_ONCE: u32 = 200;
/// The longest time between two looks at a run, however long it has been waiting for its reviewer.
const LONGEST: TimeDelta = TimeDelta::minutes(15);

/// Asks for a look at every open run that has been silent too long.
#[derive(Clone)]
pub struct Sweep {
    effects: Effects,
    store: Store,
    clock: Clock,
    interval: Duration,
}

impl Sweep {
    /// Looks at a run that was silent for `interval`, and then the less often the longer it is.
    pub fn new(effects: Effects, interval: Duration) -> Self {
        let (store, clock) = (effects.store.clone(), effects.clock.clone());
        Self { effects, store, clock, interval }
    }

    /// Sweeps until it is told to stop.
    pub async fn run(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            if let Err(error) = self.once().await {
                tracing::warn!(error = %error, "silent runs could not be looked for");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(self.interval / 2) => {}
            }
        }
    }

    /// One sweep. Answers how many runs were silent too long: those that wait for people are looked
    /// at from afar, the others each by itself.
    pub async fn once(&self) -> Result<usize, store::Error> {
        let mut silent = Vec::new();
        for run in self.store.runs_to_look_at(AT_ONCE).await? {
            let interval = TimeDelta::from_std(self.interval).unwrap_or(LONGEST);
            let silence = self.clock.now() - run.updated_at;
            if silence >= interval {
                silent.push(run.clone());
            }
            let next = next_look(interval, silence);
            self.store.look_again_at(&run.id, self.clock.now() + next).await?;
        }
        let found = silent.len();
        let worth = self.effects.worth_a_look(silent).await;
        self.store.request_look(&worth).await?;
        Ok(found)
    }
}

/// When a run is looked at next: a quarter of its silence from now, within the two limits. A pull
/// request that waits for days is not asked about every minute.
fn next_look(interval: TimeDelta, silence: TimeDelta) -> TimeDelta {
    (silence / 4).clamp(interval.min(LONGEST), LONGEST.max(interval))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_looked_at_the_less_often_the_longer_it_is_silent() {
        let minutes = TimeDelta::minutes;
        assert_eq!(next_look(minutes(1), minutes(0)), minutes(1));
        assert_eq!(next_look(minutes(1), minutes(20)), minutes(5));
        assert_eq!(next_look(minutes(1), minutes(6000)), minutes(15));
        assert_eq!(next_look(minutes(30), minutes(6000)), minutes(30));
    }
}
