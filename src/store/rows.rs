//! Between rows and the domain's types.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::{Error, Result};
use crate::domain::{Run, RunId};

/// The columns that [`run_from`] reads.
pub(super) const RUN_COLUMNS: &str = "id, operation, stage, status, label, links, request, work, \
                                      created_at, updated_at, ended_at, stage_since, is_late";

/// A run, from [`RUN_COLUMNS`].
pub(super) fn run_from(row: &AnyRow) -> Result<Run> {
    let operation: Option<String> = row.try_get("operation")?;
    let work: Option<String> = row.try_get("work")?;
    let updated_at: i64 = row.try_get("updated_at")?;
    // A row of an older version does not say it.
    let stage_since: Option<i64> = row.try_get("stage_since")?;
    Ok(Run {
        id: id_from(row, "id")?,
        request: from_json("a run's request", row.try_get("request")?)?,
        operation: operation.map(|word| from_word("a run's operation", &word)).transpose()?,
        stage: from_word("a run's stage", row.try_get("stage")?)?,
        status: from_word("a run's status", row.try_get("status")?)?,
        label: row.try_get("label")?,
        links: from_json("a run's links", row.try_get("links")?)?,
        work: work.map(|text| from_json("a run's work", &text)).transpose()?,
        created_at: time_from(row.try_get("created_at")?)?,
        updated_at: time_from(updated_at)?,
        ended_at: row.try_get::<Option<i64>, _>("ended_at")?.map(time_from).transpose()?,
        stage_since: time_from(stage_since.unwrap_or(updated_at))?,
        is_late: row.try_get::<i64, _>("is_late")? != 0,
    })
}

/// A run's id.
pub(super) fn id_from(row: &AnyRow, column: &str) -> Result<RunId> {
    let id: String = row.try_get(column)?;
    RunId::new(id).map_err(|error| Error::unreadable("a run's id", error))
}

/// A count or a number from 1, which the database keeps with a sign.
pub(super) fn number_from<T: TryFrom<i64>>(row: &AnyRow, column: &'static str) -> Result<T> {
    let number: i64 = row.try_get(column)?;
    T::try_from(number).map_err(|_| Error::unreadable(column, format!("{number} is out of range")))
}

/// A time, from milliseconds since 1970.
pub(super) fn time_from(millis: i64) -> Result<DateTime<Utc>> {
    DateTime::from_timestamp_millis(millis)
        .ok_or_else(|| Error::unreadable("a time", format!("{millis} is out of range")))
}

/// A type whose JSON is one word, from that word.
pub(super) fn from_word<T: DeserializeOwned>(what: &'static str, word: &str) -> Result<T> {
    let value = serde_json::Value::from(word);
    serde_json::from_value(value).map_err(|error| Error::unreadable(what, error))
}

/// From JSON.
pub(super) fn from_json<T: DeserializeOwned>(what: &'static str, text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| Error::unreadable(what, error))
}

/// To JSON.
pub(super) fn to_json<T: Serialize>(what: &'static str, value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::unreadable(what, error))
}

/// `$first, …`: as many placeholders as there are values.
pub(super) fn placeholders(first: usize, count: usize) -> String {
    let names: Vec<String> = (first..first + count).map(|n| format!("${n}")).collect();
    names.join(", ")
}
