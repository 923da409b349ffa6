//! Adding to a run: steps at the end of their lanes, lines to its history.

use sqlx::AssertSqlSafe;

use super::rows::to_json;
use super::{Result, Store, Tx};
use crate::domain::{Event, RunId};
use crate::plan::Step;

impl Store {
    /// Nobody else adds a step to the run until the transaction has ended.
    pub(super) async fn lock_run(&self, tx: &mut Tx, run: &RunId) -> Result<()> {
        let suffix = self.shared.dialect.for_update();
        let sql = AssertSqlSafe(format!("SELECT id FROM runs WHERE id = $1 {suffix}"));
        sqlx::query(sql).bind(run.as_str()).fetch_optional(&mut **tx).await?;
        Ok(())
    }

    /// Adds steps at the end of their lanes. The run is locked, or new.
    pub(super) async fn add_steps(&self, tx: &mut Tx, run: &RunId, steps: &[Step]) -> Result<()> {
        let now = self.now();
        for step in steps {
            let insert = sqlx::query(
                "INSERT INTO steps
                   (run_id, lane, kind, payload, state, attempt, claims, due_at, created_at)
                 VALUES ($1, $2, $3, $4, 'ready', 1, 0, $5, $6)",
            );
            insert
                .bind(run.as_str())
                .bind(step.lane().as_str())
                .bind(step.kind())
                .bind(to_json("a step", step)?)
                .bind(now + i64::try_from(step.delay().as_millis()).unwrap_or(0))
                .bind(now)
                .execute(&mut **tx)
                .await?;
        }
        Ok(())
    }

    /// Adds lines to the run's history. The run is locked, or new.
    pub(super) async fn add_events(
        &self,
        tx: &mut Tx,
        run: &RunId,
        events: &[Event],
    ) -> Result<()> {
        for event in events {
            let insert = sqlx::query(
                "INSERT INTO events (run_id, seq, at, kind, message)
                 VALUES ($1, (SELECT COALESCE(MAX(seq), 0) + 1 FROM events WHERE run_id = $1),
                         $2, $3, $4)",
            );
            insert
                .bind(run.as_str())
                .bind(self.now())
                .bind(event.kind.as_str())
                .bind(event.message.as_str())
                .execute(&mut **tx)
                .await?;
        }
        Ok(())
    }
}
