//! Reading: for the dashboard, the API and the metrics.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row as _};

use super::queue::StepId;
use super::rows::{RUN_COLUMNS, from_json, from_word, number_from, run_from, time_from};
use super::{Result, Store};
use crate::domain::{ActionId, EntityRef, EventKind, RepositoryName, Run, RunId, Stage, Status};
use crate::plan::Step;

/// Which runs.
#[derive(Debug, Clone, Default)]
pub struct RunFilter {
    /// With this status.
    pub status: Option<Status>,
    /// Of this action.
    pub action: Option<ActionId>,
    /// On this repository.
    pub repository: Option<RepositoryName>,
    /// That ran on this entity, wrote it or removed it.
    pub entity: Option<EntityRef>,
    /// Asked for by somebody with this text in name, address or id, in any case.
    pub person: Option<String>,
    /// With this text in the id, the action, the label or the repository, in any case.
    pub text: Option<String>,
    /// Older than this run: the last one of the page before.
    pub before: Option<RunId>,
    /// At most so many.
    pub limit: u32,
}

/// A line of a run's history, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedEvent {
    /// From 1, without gaps.
    pub seq: u64,
    /// When.
    pub at: DateTime<Utc>,
    /// What kind of line.
    pub kind: EventKind,
    /// The sentence.
    pub message: String,
}

/// A step, as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedStep {
    /// Which.
    pub id: StepId,
    /// What is, or was, to be done.
    pub step: Step,
    /// How it stands.
    pub state: StepState,
    /// The attempt that is next, under way, or was last.
    pub attempt: u32,
    /// When it can be claimed; of a claimed step, when its lease ends.
    pub due_at: DateTime<Utc>,
    /// Why the last attempt did not succeed.
    pub last_error: Option<String>,
    /// When it was decided.
    pub created_at: DateTime<Utc>,
    /// When it was done or put aside.
    pub settled_at: Option<DateTime<Utc>>,
}

/// How a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// Waits for its time and its turn.
    Ready,
    /// Somebody works on it.
    Claimed,
    /// Done.
    Done,
    /// Put aside for somebody to look at.
    Parked,
}

/// What the metrics count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// How many runs are at each stage.
    pub runs: Vec<(Stage, u64)>,
    /// Steps that are not finished.
    pub steps_waiting: u64,
    /// Steps that were put aside and not done again.
    pub steps_parked: u64,
    /// Since when the longest due step is due.
    pub oldest_due: Option<DateTime<Utc>>,
}

/// When something was last heard.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Heard {
    /// A run was accepted.
    pub run: Option<DateTime<Utc>>,
    /// GitHub delivered something that concerned a run.
    pub delivery: Option<DateTime<Utc>>,
}

impl Store {
    /// When something was last heard.
    pub async fn last_heard(&self) -> Result<Heard> {
        let query = sqlx::query(
            "SELECT (SELECT MAX(created_at) FROM runs) AS run,
                    (SELECT MAX(received_at) FROM deliveries) AS delivery",
        );
        let row = self.shared.read.fetch_one(query).await?;
        let time = |column: &str| row.try_get::<Option<i64>, _>(column)?.map(time_from).transpose();
        Ok(Heard { run: time("run")?, delivery: time("delivery")? })
    }

    /// One run.
    pub async fn run(&self, id: &RunId) -> Result<Option<Run>> {
        let sql = format!("SELECT {RUN_COLUMNS} FROM runs WHERE id = $1");
        let query = sqlx::query(AssertSqlSafe(sql)).bind(id.as_str());
        self.shared.read.fetch_optional(query).await?.as_ref().map(run_from).transpose()
    }

    /// Runs, the newest first. A part is found by its whole.
    pub async fn runs(&self, filter: &RunFilter) -> Result<Vec<Run>> {
        // Only what is asked for stands in the statement: so the database takes the index that fits.
        let mut conditions = String::from("whole IS NULL");
        let mut values = Vec::new();
        let mut want = |condition: &str, wanted: Vec<String>| {
            let mut condition = condition.to_owned();
            for value in wanted {
                values.push(value);
                condition = condition.replacen('?', &format!("${}", values.len()), 1);
            }
            conditions = format!("{conditions} AND {condition}");
        };
        if let Some(status) = filter.status {
            want("status = ?", vec![status.as_str().to_owned()]);
        }
        if let Some(action) = &filter.action {
            want("action = ?", vec![action.to_string()]);
        }
        if let Some(repository) = &filter.repository {
            want(
                "(repository = ? OR id IN (SELECT whole FROM runs WHERE repository = ?))",
                vec![repository.key(), repository.key()],
            );
        }
        if let Some(EntityRef { blueprint, identifier }) = &filter.entity {
            want(
                "id IN (SELECT run_id FROM entity_runs WHERE blueprint = ? AND identifier = ?)",
                vec![blueprint.to_string(), identifier.to_string()],
            );
        }
        if let Some(person) = &filter.person {
            // A quote within a value is written as \", so that no input can look like the user.
            let pattern = format!("%\"user\":{{{}}},\"organization\"%", pattern(person));
            want("LOWER(request) LIKE ? ESCAPE '!'", vec![pattern]);
        }
        if let Some(text) = &filter.text {
            want(
                "(LOWER(id || ' ' || action || ' ' || label || ' ' || COALESCE(repository, ''))
                 LIKE ? ESCAPE '!'
                 OR id IN (SELECT whole FROM runs WHERE repository LIKE ? ESCAPE '!'))",
                vec![pattern(text), pattern(text)],
            );
        }
        if let Some(before) = &filter.before {
            want(
                "(created_at, id) < (SELECT created_at, id FROM runs WHERE id = ?)",
                vec![before.to_string()],
            );
        }
        let sql = format!(
            "SELECT {RUN_COLUMNS} FROM runs WHERE {conditions}
             ORDER BY created_at DESC, id DESC LIMIT {}",
            filter.limit
        );
        let query = values
            .iter()
            .fold(sqlx::query(AssertSqlSafe(sql)), |query, value| query.bind(value.as_str()));
        self.shared.read.fetch_all(query).await?.iter().map(run_from).collect()
    }

    /// The lines of a run's history after a number; after 0, all.
    pub async fn events(&self, run: &RunId, after_seq: u64) -> Result<Vec<RecordedEvent>> {
        let query = sqlx::query(
            "SELECT seq, at, kind, message FROM events WHERE run_id = $1 AND seq > $2 ORDER BY seq",
        );
        let after = i64::try_from(after_seq).unwrap_or(i64::MAX);
        let rows = self.shared.read.fetch_all(query.bind(run.as_str()).bind(after)).await?;
        rows.iter().map(event_from).collect()
    }

    /// The steps of a run, the oldest first.
    pub async fn steps_of(&self, run: &RunId) -> Result<Vec<RecordedStep>> {
        let query = sqlx::query(
            "SELECT id, payload, state, attempt, due_at, last_error, created_at, settled_at
             FROM steps WHERE run_id = $1 ORDER BY id",
        );
        let rows = self.shared.read.fetch_all(query.bind(run.as_str())).await?;
        rows.iter().map(step_from).collect()
    }

    /// What the metrics count.
    pub async fn counts(&self) -> Result<Counts> {
        let read = &self.shared.read;
        let stages = sqlx::query(
            "SELECT stage, COUNT(*) AS runs FROM runs WHERE whole IS NULL GROUP BY stage",
        );
        let stages = read.fetch_all(stages).await?;
        let waiting = sqlx::query(
            "SELECT COUNT(*) AS steps, MIN(due_at) AS due_at FROM steps WHERE settled_at IS NULL",
        );
        let waiting = read.fetch_one(waiting).await?;
        let parked = sqlx::query("SELECT COUNT(*) AS steps FROM steps WHERE state = 'parked'");
        let parked = read.fetch_one(parked).await?;

        let oldest: Option<i64> = waiting.try_get("due_at")?;
        let runs = stages.iter().map(|row| {
            Ok((from_word("a run's stage", row.try_get("stage")?)?, number_from(row, "runs")?))
        });
        Ok(Counts {
            runs: runs.collect::<Result<_>>()?,
            steps_waiting: number_from(&waiting, "steps")?,
            steps_parked: number_from(&parked, "steps")?,
            oldest_due: oldest.filter(|due| *due <= self.now()).map(time_from).transpose()?,
        })
    }
}

/// A pattern for LIKE that finds the text anywhere, taken as it is.
fn pattern(text: &str) -> String {
    let mut pattern = String::from("%");
    for letter in text.to_lowercase().chars() {
        if matches!(letter, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}

fn event_from(row: &AnyRow) -> Result<RecordedEvent> {
    Ok(RecordedEvent {
        seq: number_from(row, "seq")?,
        at: time_from(row.try_get("at")?)?,
        kind: from_word("an event's kind", row.try_get("kind")?)?,
        message: row.try_get("message")?,
    })
}

fn step_from(row: &AnyRow) -> Result<RecordedStep> {
    let settled_at: Option<i64> = row.try_get("settled_at")?;
    Ok(RecordedStep {
        id: StepId(row.try_get("id")?),
        step: from_json("a step", row.try_get("payload")?)?,
        state: from_word("a step's state", row.try_get("state")?)?,
        attempt: number_from(row, "attempt")?,
        due_at: time_from(row.try_get("due_at")?)?,
        last_error: row.try_get("last_error")?,
        created_at: time_from(row.try_get("created_at")?)?,
        settled_at: settled_at.map(time_from).transpose()?,
    })
}
