//! Messages of a stream that could not be taken: remembered by where they stand, so that somebody
//! can look at them there and those behind them go on.

use chrono::{DateTime, Utc};
use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::rows::{number_from, time_from};
use super::{Result, Store};

/// A message that was left aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkedMessage {
    /// Where it stands: `kafka:topic/partition/offset`.
    pub source: String,
    /// Why it was not taken.
    pub reason: String,
    /// When.
    pub parked_at: DateTime<Utc>,
}

impl Store {
    /// Remembers that a message was left aside. The same message again changes nothing.
    pub async fn park_message(&self, source: &str, reason: &str) -> Result<()> {
        let insert = sqlx::query(
            "INSERT INTO parked (source, reason, parked_at) VALUES ($1, $2, $3)
             ON CONFLICT (source) DO NOTHING",
        );
        let insert = insert.bind(source).bind(reason).bind(self.now());
        self.shared.write.execute(insert).await?;
        Ok(())
    }

    /// The messages that were left aside last, the newest first.
    pub async fn parked_messages(&self, limit: u32) -> Result<Vec<ParkedMessage>> {
        let query = sqlx::query(
            "SELECT source, reason, parked_at FROM parked
             ORDER BY parked_at DESC, source DESC LIMIT $1",
        );
        let rows = self.shared.read.fetch_all(query.bind(i64::from(limit))).await?;
        rows.iter().map(message_from).collect()
    }

    /// How many messages were left aside.
    pub async fn count_parked_messages(&self) -> Result<u64> {
        let query = sqlx::query("SELECT COUNT(*) AS messages FROM parked");
        number_from(&self.shared.read.fetch_one(query).await?, "messages")
    }
}

fn message_from(row: &AnyRow) -> Result<ParkedMessage> {
    Ok(ParkedMessage {
        source: row.try_get("source")?,
        reason: row.try_get("reason")?,
        parked_at: time_from(row.try_get("parked_at")?)?,
    })
}
