//! The time, as a value that is handed in: nothing else in the program reads a clock.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;

/// The system's time, which a test or a simulation may move forward, or stop. Clones move together.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    hands: Arc<watch::Sender<Hands>>,
}

/// How a clock differs from the system's.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hands {
    ahead: TimeDelta,
    stopped_at: Option<DateTime<Utc>>,
}

impl Clock {
    /// The system's time, unmoved.
    pub fn system() -> Self {
        Self::default()
    }

    /// The time now, in whole milliseconds: what the store can hold.
    pub fn now(&self) -> DateTime<Utc> {
        let Hands { ahead, stopped_at } = *self.hands.borrow();
        let unmoved = stopped_at.unwrap_or_else(system_now);
        let moved = unmoved.checked_add_signed(ahead).unwrap_or(DateTime::<Utc>::MAX_UTC);
        DateTime::from_timestamp_millis(moved.timestamp_millis()).unwrap_or(moved)
    }

    /// Moves this clock, and every clone of it, forward.
    pub fn advance(&self, by: Duration) {
        let by = TimeDelta::from_std(by).unwrap_or(TimeDelta::MAX);
        self.hands.send_modify(|hands| {
            hands.ahead = hands.ahead.checked_add(&by).unwrap_or(TimeDelta::MAX);
        });
    }

    /// Stops this clock, and every clone of it: from now on it only moves when it is moved.
    pub fn stop(&self) {
        self.hands.send_modify(|hands| {
            hands.stopped_at.get_or_insert_with(system_now);
        });
    }

    /// Changes whenever the clock is moved: whoever waits for a moment looks again then.
    pub fn moved(&self) -> watch::Receiver<Hands> {
        self.hands.subscribe()
    }
}

fn system_now() -> DateTime<Utc> {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    Utc::now()
}
