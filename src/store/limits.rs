//! The accounts for which GitHub takes nothing for a while: it has told one process, and all keep to
//! it, those that begin later too.

use chrono::DateTime;
use sqlx::Row as _;
use tokio::sync::watch;

use super::dialect::Dialect;
use super::rows::time_from;
use super::{Result, Store};
use crate::domain::github_view::Limits;

/// The channel of PostgreSQL by which other processes are told.
pub(super) const CHANNEL: &str = "towpath_limits";

impl Store {
    /// Writes down what GitHub has told, and tells other processes where it is new.
    pub async fn keep_limits(&self, limits: &Limits) -> Result<()> {
        let mut writer = self.shared.write.lend().await?;
        let mut tx = writer.begin().await?;
        let now = self.now();
        let forget = sqlx::query("DELETE FROM limits WHERE until <= $1").bind(now);
        forget.execute(&mut *tx).await?;
        let mut is_new = false;
        for (owner, until) in limits.iter().filter(|(_, until)| until.timestamp_millis() > now) {
            let keep = sqlx::query(
                "INSERT INTO limits (owner, until) VALUES ($1, $2)
                 ON CONFLICT (owner) DO UPDATE SET until = excluded.until
                 WHERE limits.until < excluded.until",
            );
            let keep = keep.bind(owner).bind(until.timestamp_millis());
            is_new |= keep.execute(&mut *tx).await?.rows_affected() > 0;
        }
        if is_new && self.shared.dialect == Dialect::Postgres {
            let notify = sqlx::query("SELECT pg_notify($1, $2)");
            notify.bind(CHANNEL).bind(&self.shared.name).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// What any process was told and holds now.
    pub async fn limits(&self) -> Result<Limits> {
        let query = sqlx::query("SELECT owner, until FROM limits WHERE until > $1");
        let rows = self.shared.read.fetch_all(query.bind(self.now())).await?;
        let limit = |row: &sqlx::any::AnyRow| {
            let until: DateTime<_> = time_from(row.try_get("until")?)?;
            Ok((row.try_get("owner")?, until))
        };
        rows.iter().map(limit).collect()
    }

    /// Changes whenever another process may have been told, while [`Store::share_changes`] runs.
    pub fn limits_of_others(&self) -> watch::Receiver<()> {
        self.shared.limits_of_others.subscribe()
    }
}
