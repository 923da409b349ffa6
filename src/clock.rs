//! The time, as a value that is handed in: nothing else in the program reads a clock.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;

/// The system's time, which a test or a simulation may move forward. Clones move together.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    ahead_millis: Arc<watch::Sender<i64>>,
}

impl Clock {
    /// The system's time, unmoved.
    pub fn system() -> Self {
        Self::default()
    }

    /// The time now, in whole milliseconds: what the store can hold.
    pub fn now(&self) -> DateTime<Utc> {
        #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
        let system = Utc::now();
        let moved = system + TimeDelta::milliseconds(*self.ahead_millis.borrow());
        DateTime::from_timestamp_millis(moved.timestamp_millis()).unwrap_or(moved)
    }

    /// Moves this clock, and every clone of it, forward.
    pub fn advance(&self, by: Duration) {
        let millis = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.ahead_millis.send_modify(|ahead| *ahead = ahead.saturating_add(millis));
    }

    /// Changes whenever the clock is moved: whoever waits for a moment looks again then.
    pub fn moved(&self) -> watch::Receiver<i64> {
        self.ahead_millis.subscribe()
    }
}
