//! The rows of runs: made when a run is received, and changed by what is settled.

use std::collections::HashSet;

use serde_json::json;
use sqlx::AssertSqlSafe;

use super::append::{NewRow, Write, without_nul};
use super::rows::{id_from, to_json};
use super::{Result, Store, Tx};
use crate::domain::{Operation, RepositoryName, Run, RunId};

impl Store {
    /// Makes the rows of runs. Answers those that were not there yet.
    pub(super) async fn insert_runs(
        &self,
        tx: &mut Tx<'_>,
        runs: &[Run],
    ) -> Result<HashSet<RunId>> {
        if runs.is_empty() {
            return Ok(HashSet::new());
        }
        let insert = format!(
            "INSERT INTO runs
               (id, action, operation, stage, status, label, links, request, created_at, updated_at,
                look_at, stage_since, whole)
             SELECT it ->> 'id', it ->> 'action', it ->> 'operation', it ->> 'stage',
               it ->> 'status', it ->> 'label', it ->> 'links', it ->> 'request',
               CAST(it ->> 'at' AS BIGINT), CAST(it ->> 'at' AS BIGINT),
               CAST(it ->> 'at' AS BIGINT), CAST(it ->> 'at' AS BIGINT), it ->> 'whole'
             FROM {} WHERE TRUE ORDER BY n
             ON CONFLICT (id) DO NOTHING RETURNING id",
            self.shared.dialect.rows("$1")
        );
        let rows = runs.iter().map(new_run_row).collect::<Result<Vec<_>>>()?;
        let insert = sqlx::query(AssertSqlSafe(insert)).bind(to_json("rows", &rows)?);
        let rows = insert.fetch_all(&mut **tx).await?;
        rows.iter().map(|row| id_from(row, "id")).collect()
    }

    /// What a run is now.
    pub(super) fn run_row(&self, run: &Run) -> Result<NewRow> {
        let now = self.now();
        let ended_at = run.ended_at.map_or(now, |at| at.timestamp_millis());
        let work = run.work.as_ref().map(|work| to_json("a run's work", work)).transpose()?;
        Ok(json!({
            "id": run.id.as_str(),
            "operation": run.operation.map(Operation::as_str),
            "stage": run.stage.as_str(),
            "status": run.status.as_str(),
            "label": without_nul(&run.label),
            "repository": run.repository().map(RepositoryName::key),
            "links": to_json("a run's links", &run.links)?,
            "work": work,
            "updated_at": now,
            "ended_at": run.status.is_end().then_some(ended_at),
            "request": to_json("a run's request", &run.request)?,
            "stage_since": run.stage_since.timestamp_millis(),
            "is_late": i64::from(run.is_late),
        }))
    }
}

/// The runs are locked, or new.
pub(super) fn changed_runs(rows: Vec<NewRow>) -> Write {
    let statement = "UPDATE runs SET
           operation = it ->> 'operation', stage = it ->> 'stage', status = it ->> 'status',
           label = it ->> 'label', repository = it ->> 'repository', links = it ->> 'links',
           work = it ->> 'work', request = it ->> 'request',
           updated_at = CAST(it ->> 'updated_at' AS BIGINT),
           ended_at = CAST(it ->> 'ended_at' AS BIGINT),
           look_at = CASE WHEN it ->> 'ended_at' IS NULL
             THEN COALESCE(look_at, CAST(it ->> 'updated_at' AS BIGINT)) END,
           stage_since = CAST(it ->> 'stage_since' AS BIGINT),
           is_late = CAST(it ->> 'is_late' AS BIGINT)
         FROM {rows} WHERE runs.id = it ->> 'id'";
    Write { statement, rows }
}

fn new_run_row(run: &Run) -> Result<NewRow> {
    Ok(json!({
        "id": run.id.as_str(),
        "action": run.request.action.as_str(),
        "operation": run.operation.map(Operation::as_str),
        "stage": run.stage.as_str(),
        "status": run.status.as_str(),
        "label": without_nul(&run.label),
        "links": to_json("a run's links", &run.links)?,
        "request": to_json("a run's request", &run.request)?,
        "at": run.created_at.timestamp_millis(),
        "whole": run.part_of().map(|part| part.whole.to_string()),
    }))
}
