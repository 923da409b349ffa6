//! Steps that were put aside because they cannot be done: to be looked at, and to be done once more.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row as _};

use super::queue::StepId;
use super::rows::{from_json, id_from, number_from, time_from};
use super::{Result, Store};
use crate::domain::{Event, RunId};
use crate::plan::Step;

/// A step that was put aside. What it was to do may be unreadable, and is not among this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkedStep {
    /// Which.
    pub id: StepId,
    /// Its run.
    pub run: RunId,
    /// What kind of step: `dispatch`, `end`, …
    pub kind: String,
    /// The attempt that was the last.
    pub attempt: u32,
    /// Why it was put aside.
    pub reason: String,
    /// When it was decided.
    pub created_at: DateTime<Utc>,
    /// When it was put aside.
    pub parked_at: DateTime<Utc>,
}

const COLUMNS: &str = "id, run_id, kind, attempt, last_error, created_at, settled_at";

impl Store {
    /// Steps that were put aside, the newest first; with `before`, the page after that step.
    pub async fn parked_steps(
        &self,
        before: Option<StepId>,
        limit: u32,
    ) -> Result<Vec<ParkedStep>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM steps WHERE state = 'parked' AND id < $1
             ORDER BY id DESC LIMIT $2"
        );
        let query = sqlx::query(AssertSqlSafe(sql));
        let query = query.bind(before.map_or(i64::MAX, |step| step.0)).bind(i64::from(limit));
        self.shared.read.fetch_all(query).await?.iter().map(parked_from).collect()
    }

    /// One step that was put aside.
    pub async fn parked_step(&self, id: StepId) -> Result<Option<ParkedStep>> {
        let sql = format!("SELECT {COLUMNS} FROM steps WHERE state = 'parked' AND id = $1");
        let query = sqlx::query(AssertSqlSafe(sql)).bind(id.0);
        self.shared.read.fetch_optional(query).await?.as_ref().map(parked_from).transpose()
    }

    /// Does a parked step once more: a copy of it is added at the end of its lane, and the run's
    /// history says so. Answers the run; `None` where there is no such parked step (any more).
    pub async fn replay(&self, parked: StepId) -> Result<Option<RunId>> {
        let mut writer = self.shared.write.lend().await?;
        let mut tx = writer.begin().await?;
        let find =
            sqlx::query("SELECT run_id, payload FROM steps WHERE id = $1 AND state = 'parked'");
        let Some(row) = find.bind(parked.0).fetch_optional(&mut *tx).await? else {
            return Ok(None);
        };
        let run = id_from(&row, "run_id")?;
        let step: Step = from_json("a step", row.try_get("payload")?)?;
        self.lock_run(&mut tx, &run).await?;
        let update =
            sqlx::query("UPDATE steps SET state = 'done' WHERE id = $1 AND state = 'parked'");
        if update.bind(parked.0).execute(&mut *tx).await?.rows_affected() == 0 {
            return Ok(None);
        }
        let line = format!("The step {} was put aside, and is done once more.", step.kind());
        self.add_events(&mut tx, &run, &[Event::progress(line)]).await?;
        self.add_steps(&mut tx, &run, &[step]).await?;
        tx.commit().await?;
        self.tell(&run);
        Ok(Some(run))
    }
}

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for StepId {
    type Err = ParseIntError;

    fn from_str(text: &str) -> std::result::Result<Self, ParseIntError> {
        text.parse().map(Self)
    }
}

fn parked_from(row: &AnyRow) -> Result<ParkedStep> {
    Ok(ParkedStep {
        id: StepId(row.try_get("id")?),
        run: id_from(row, "run_id")?,
        kind: row.try_get("kind")?,
        attempt: number_from(row, "attempt")?,
        reason: row.try_get::<Option<String>, _>("last_error")?.unwrap_or_default(),
        created_at: time_from(row.try_get("created_at")?)?,
        parked_at: time_from(row.try_get("settled_at")?)?,
    })
}
