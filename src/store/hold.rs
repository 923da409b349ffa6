//! Runs that are written down but may not begin yet: whoever has handed them over is still to be
//! told that they are taken. Such a run has no step, so that nothing is done for it.

use chrono::{DateTime, Utc};
use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::rows::{from_json, number_from};
use super::{Result, Store, Tx};
use crate::domain::action_run::RunKind;
use crate::domain::{ActionId, ActionRun, RunId};
use crate::plan::Step;
use crate::plan::step::Lane;

/// A run that was written down and not released.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldRun {
    /// Its id.
    pub id: RunId,
    /// Whether it belongs to an action or to a workflow's node.
    pub kind: RunKind,
}

impl Store {
    /// Lets a held run begin. Whether it was held.
    pub async fn release_run(&self, run: &RunId) -> Result<bool> {
        let mut writer = self.shared.write.lend().await?;
        let mut tx = writer.begin().await?;
        let released = self.begin_held(&mut tx, run).await?;
        tx.commit().await?;
        if released {
            self.tell(run);
        }
        Ok(released)
    }

    /// Forgets a held run: somebody else has it. Whether it was held.
    pub async fn withdraw_run(&self, run: &RunId) -> Result<bool> {
        let mut writer = self.shared.write.lend().await?;
        let mut tx = writer.begin().await?;
        let withdrawn = let_go(&mut tx, run).await?;
        if withdrawn {
            let delete = sqlx::query("DELETE FROM runs WHERE id = $1").bind(run.as_str());
            delete.execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(withdrawn)
    }

    /// Runs that have been held since before this moment, the longest first.
    pub async fn held_runs(&self, before: DateTime<Utc>) -> Result<Vec<HeldRun>> {
        let query = sqlx::query(
            "SELECT runs.request FROM held JOIN runs ON runs.id = held.run_id
             WHERE held.held_at < $1 ORDER BY held.held_at",
        );
        let query = query.bind(before.timestamp_millis());
        self.shared.read.fetch_all(query).await?.iter().map(held_from).collect()
    }

    /// How much work of each action is due and not yet begun.
    pub async fn backlog(&self) -> Result<Vec<(ActionId, u64)>> {
        let query = sqlx::query(
            "SELECT runs.action AS action, COUNT(*) AS steps
             FROM steps JOIN runs ON runs.id = steps.run_id
             WHERE steps.lane = $1 AND steps.settled_at IS NULL AND steps.due_at <= $2
             GROUP BY runs.action ORDER BY runs.action",
        );
        let query = query.bind(Lane::Work.as_str()).bind(self.now());
        let rows = self.shared.read.fetch_all(query).await?;
        rows.iter().map(backlog_from).collect()
    }

    pub(super) async fn mark_held(&self, tx: &mut Tx<'_>, run: &RunId) -> Result<()> {
        let insert = sqlx::query("INSERT INTO held (run_id, held_at) VALUES ($1, $2)");
        insert.bind(run.as_str()).bind(self.now()).execute(&mut **tx).await?;
        // Nothing is to be seen of it on GitHub.
        let update = sqlx::query("UPDATE runs SET look_at = NULL WHERE id = $1");
        update.bind(run.as_str()).execute(&mut **tx).await?;
        Ok(())
    }

    /// Gives a held run its first step. Whether it was held.
    pub(super) async fn begin_held(&self, tx: &mut Tx<'_>, run: &RunId) -> Result<bool> {
        if !let_go(tx, run).await? {
            return Ok(false);
        }
        let update = sqlx::query("UPDATE runs SET look_at = $2 WHERE id = $1");
        update.bind(run.as_str()).bind(self.now()).execute(&mut **tx).await?;
        self.add_steps(tx, run, &[Step::Begin]).await?;
        Ok(true)
    }
}

/// Of two who let go of the same run at once, one does.
async fn let_go(tx: &mut Tx<'_>, run: &RunId) -> Result<bool> {
    let delete = sqlx::query("DELETE FROM held WHERE run_id = $1").bind(run.as_str());
    Ok(delete.execute(&mut **tx).await?.rows_affected() > 0)
}

fn held_from(row: &AnyRow) -> Result<HeldRun> {
    let request: ActionRun = from_json("a run's request", row.try_get("request")?)?;
    Ok(HeldRun { id: request.id, kind: request.kind })
}

fn backlog_from(row: &AnyRow) -> Result<(ActionId, u64)> {
    let action: String = row.try_get("action")?;
    let action =
        ActionId::new(action).map_err(|error| super::Error::unreadable("an action", error))?;
    Ok((action, number_from(row, "steps")?))
}
