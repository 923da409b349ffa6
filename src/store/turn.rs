//! What one process does for all that share the database: they take turns.

use std::time::Duration;

use super::{Result, Store};

/// Who has a turn: a number that each process draws for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder(i64);

impl Holder {
    /// Somebody new.
    pub fn new() -> Self {
        Self(fastrand::i64(..))
    }

    pub(super) fn number(self) -> i64 {
        self.0
    }
}

impl Default for Holder {
    fn default() -> Self {
        Self::new()
    }
}

impl Store {
    /// Takes the turn of this name for so long, unless somebody else has it. Who has it already
    /// keeps it for so long from now. Whether the turn is the holder's.
    pub async fn take_turn(&self, name: &str, holder: Holder, length: Duration) -> Result<bool> {
        let take = sqlx::query(
            "INSERT INTO turns (name, holder, until) VALUES ($1, $2, $3)
             ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until
             WHERE turns.until <= $4 OR turns.holder = excluded.holder",
        );
        let now = self.now();
        let until = now.saturating_add(i64::try_from(length.as_millis()).unwrap_or(i64::MAX));
        let take = take.bind(name).bind(holder.0).bind(until).bind(now);
        Ok(self.shared.write.execute(take).await?.rows_affected() > 0)
    }
}
