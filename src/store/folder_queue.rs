//! Queues for folders: whoever asked first for one changes it first, in whichever process.

use sqlx::{AssertSqlSafe, Row as _};

use super::rows::{RUN_COLUMNS, id_from, run_from};
use super::{Place, Result, Store, Tx};
use crate::domain::{Run, RunId};
use crate::plan::Step;

impl Store {
    /// Puts a run in line for a folder. Answers the run whose turn it is, if that is another one.
    /// Whoever has asked before keeps its place; a run that is merged or over is in nobody's way.
    pub async fn queue_for(&self, run: &RunId, place: &Place) -> Result<Option<Run>> {
        let target = target_of(place);
        let mut tx = self.begin().await?;
        self.shared.dialect.lock_names(&mut tx, std::iter::once(target.as_str())).await?;
        let insert = sqlx::query(
            "INSERT INTO folder_queues (target, run_id) VALUES ($1, $2)
             ON CONFLICT (target, run_id) DO NOTHING",
        );
        insert.bind(&target).bind(run.as_str()).execute(&mut *tx).await?;
        let sql = format!(
            "SELECT {RUN_COLUMNS} FROM runs JOIN (
               SELECT ahead.id AS place, ahead.run_id FROM folder_queues AS ahead
               JOIN folder_queues AS own ON own.target = ahead.target AND own.run_id = $2
               WHERE ahead.target = $1 AND ahead.id < own.id) AS ahead
             ON runs.id = ahead.run_id ORDER BY ahead.place"
        );
        let ahead = sqlx::query(AssertSqlSafe(sql)).bind(&target).bind(run.as_str());
        let ahead = ahead.fetch_all(&mut *tx).await?;
        tx.commit().await?;
        let ahead = ahead.iter().map(run_from).collect::<Result<Vec<Run>>>()?;
        Ok(ahead.into_iter().find(Run::needs_its_target))
    }

    /// The folders for which a settlement matters to others: the run lets go of them, or has a pull
    /// request now that those behind it can name.
    pub(super) async fn folders_concerned(
        &self,
        tx: &mut Tx,
        before: &Run,
        after: &Run,
    ) -> Result<Vec<String>> {
        let shows = before.pull_request().is_none() && after.pull_request().is_some();
        if !lets_go(before, after) && !shows {
            return Ok(Vec::new());
        }
        let find = sqlx::query("SELECT target FROM folder_queues WHERE run_id = $1");
        let rows = find.bind(after.id.as_str()).fetch_all(&mut **tx).await?;
        rows.iter().map(|row| Ok(row.try_get("target")?)).collect()
    }

    /// Has those that wait behind a run try again, and lets go of its folders if it no longer
    /// needs them. The folders are locked. Answers the runs that have a new step by it.
    pub(super) async fn hand_folders_on(
        &self,
        tx: &mut Tx,
        before: &Run,
        after: &Run,
        folders: &[String],
    ) -> Result<Vec<RunId>> {
        let run = after.id.as_str();
        let mut behind = Vec::new();
        for target in folders {
            let find = sqlx::query(
                "SELECT behind.run_id FROM folder_queues AS behind
                 JOIN folder_queues AS own ON own.target = behind.target AND own.run_id = $2
                 WHERE behind.target = $1 AND behind.id > own.id ORDER BY behind.id",
            );
            for row in find.bind(target).bind(run).fetch_all(&mut **tx).await? {
                behind.push(id_from(&row, "run_id")?);
            }
        }
        if lets_go(before, after) {
            let delete = sqlx::query("DELETE FROM folder_queues WHERE run_id = $1");
            delete.bind(run).execute(&mut **tx).await?;
        }
        for waiting in &behind {
            self.lock_run(tx, waiting).await?;
            self.add_steps(tx, waiting, &[Step::Propose]).await?;
        }
        Ok(behind)
    }
}

fn lets_go(before: &Run, after: &Run) -> bool {
    before.needs_its_target() && !after.needs_its_target()
}

fn target_of(place: &Place) -> String {
    format!("{}:{}", place.repository.key(), place.path)
}
