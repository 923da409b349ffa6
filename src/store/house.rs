//! Keeping house: what nobody can need any more is removed, and its room is given back.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{AssertSqlSafe, Row as _};

use super::rows::placeholders;
use super::{Result, Store};

/// How long a delivery's id is remembered. GitHub redelivers for three days at most.
const DELIVERIES_KEPT: TimeDelta = TimeDelta::days(14);
/// How long a run is still found by what happens on GitHub after its end. GitHub re-runs a workflow
/// for 30 days at most.
const FOUND_AFTER_THE_END: TimeDelta = TimeDelta::days(30);
/// How long it is remembered that a message was left aside: longer than streams keep the message.
const MESSAGES_KEPT: TimeDelta = TimeDelta::days(30);
/// How many runs are removed in one transaction: so few that nobody waits for long behind it.
const RUNS_AT_ONCE: i64 = 200;
/// What belongs to a run, and goes with it.
const PARTS_OF_A_RUN: [&str; 7] =
    ["steps", "events", "links", "held", "folder_queues", "entity_runs", "patches"];

impl Store {
    /// Removes what nobody can need any more, some of it at a time: also runs that ended longer ago
    /// than `keep_runs`, with their history. Entities stay.
    pub async fn sweep_house(&self, keep_runs: TimeDelta) -> Result<()> {
        let now = self.shared.clock.now();
        let sweeps = [
            ("DELETE FROM waiting WHERE expires_at <= $1", now),
            ("DELETE FROM deliveries WHERE received_at < $1", now - DELIVERIES_KEPT),
            ("DELETE FROM parked WHERE parked_at < $1", now - MESSAGES_KEPT),
            (
                // Nobody counts them any more, and no step asks whether it has begun.
                "DELETE FROM writes WHERE at < $1 AND NOT EXISTS
                   (SELECT 1 FROM steps WHERE steps.id = writes.step AND settled_at IS NULL)",
                now - TimeDelta::hours(1),
            ),
            (
                // Walks over the links, which are few, and not over all runs that ever ended.
                "DELETE FROM links WHERE EXISTS
                   (SELECT 1 FROM runs WHERE runs.id = links.run_id AND runs.ended_at < $1)",
                now - FOUND_AFTER_THE_END,
            ),
        ];
        for (statement, before) in sweeps {
            let sweep = sqlx::query(statement).bind(before.timestamp_millis());
            self.shared.write.execute(sweep).await?;
        }
        self.remove_runs(now - keep_runs).await?;
        self.shared.dialect.give_back_room(&self.shared.write).await
    }

    /// Removes some of the runs that ended before this moment and have nothing left to do.
    async fn remove_runs(&self, ended_before: DateTime<Utc>) -> Result<()> {
        let mut writer = self.shared.write.lend().await?;
        let mut tx = writer.begin().await?;
        // A run is made before it ends: the index by age finds those that are old enough.
        let find = sqlx::query(
            "SELECT id FROM runs WHERE whole IS NULL AND created_at < $1 AND ended_at < $1
               AND NOT EXISTS
                 (SELECT 1 FROM steps WHERE steps.run_id = runs.id AND steps.settled_at IS NULL)
               AND NOT EXISTS
                 (SELECT 1 FROM runs AS part WHERE part.whole = runs.id AND
                   (part.ended_at IS NULL OR part.ended_at >= $1 OR EXISTS
                     (SELECT 1 FROM steps WHERE steps.run_id = part.id
                        AND steps.settled_at IS NULL)))
             ORDER BY created_at, id LIMIT $2",
        );
        let find = find.bind(ended_before.timestamp_millis()).bind(RUNS_AT_ONCE);
        let rows = find.fetch_all(&mut *tx).await?;
        if rows.is_empty() {
            return Ok(());
        }
        let ids = rows.iter().map(|row| row.try_get::<String, _>("id"));
        let ids = ids.collect::<std::result::Result<Vec<_>, _>>()?;
        let wholes = placeholders(1, ids.len());
        let list = format!("SELECT id FROM runs WHERE id IN ({wholes}) OR whole IN ({wholes})");
        let parts =
            PARTS_OF_A_RUN.map(|part| format!("DELETE FROM {part} WHERE run_id IN ({list})"));
        for statement in parts.into_iter().chain([format!("DELETE FROM runs WHERE id IN ({list})")])
        {
            let mut delete = sqlx::query(AssertSqlSafe(statement));
            for id in &ids {
                delete = delete.bind(id.as_str());
            }
            delete.execute(&mut *tx).await?;
        }
        tx.commit().await?;
        tracing::info!(runs = ids.len(), "removed runs that ended long ago");
        Ok(())
    }
}
