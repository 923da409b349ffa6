//! The pace at which something is created on GitHub. Each step that creates is given its moment, one
//! after another for an account, in the order in which they come, by all processes together; and
//! that it has begun is written down before anything is sent.

use std::collections::HashSet;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::{AssertSqlSafe, Row as _};

use super::queue::{ClaimedStep, StepId};
use super::rows::{time_from, to_json};
use super::writing::{Entries, Entry, Waiting, Written};
use super::{Result, Store, Tx};

/// How much may be created for one account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// The least time between two.
    pub apart: Duration,
    /// The most in any hour.
    pub an_hour: u32,
}

/// Whether a step may create something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Now. It is written down that it has begun.
    Now,
    /// Not before this moment, which is kept for it.
    At(DateTime<Utc>),
    /// An earlier attempt has begun: it may have been sent.
    Begun,
}

const HOUR_MILLIS: i64 = 60 * 60 * 1000;

/// A step that creates something for an account, at this rate if there is one.
pub(super) struct Creation {
    step: StepId,
    owner: String,
    rate: Option<Rate>,
}

impl Entry for Creation {
    type Outcome = Turn;

    fn queue(waiting: &Waiting) -> &Entries<Self> {
        &waiting.creations
    }

    async fn write(store: &Store, tx: &mut Tx<'_>, all: &[&Self]) -> Result<Written<Turn>> {
        Ok(store.begin_creations(tx, all).await?.into())
    }
}

impl Store {
    /// Asks for the turn of a step that creates something for an account; without a rate, it is
    /// now.
    pub async fn turn_to_write(
        &self,
        step: &ClaimedStep,
        owner: &str,
        rate: Option<Rate>,
    ) -> Result<Turn> {
        let owner = owner.to_ascii_lowercase();
        self.write_down(Creation { step: step.id, owner, rate }).await
    }

    async fn begin_creations(&self, tx: &mut Tx<'_>, all: &[&Creation]) -> Result<Vec<Turn>> {
        let paced = all.iter().filter(|creation| creation.rate.is_some());
        let names: Vec<_> = paced.map(|creation| name_of_lock(&creation.owner)).collect();
        self.shared.dialect.lock_names(tx, names.iter().map(String::as_str)).await?;
        let begun = self.begin_unpaced(tx, all).await?;
        let mut turns = Vec::with_capacity(all.len());
        for creation in all {
            turns.push(match creation.rate {
                Some(rate) => self.begin_paced(tx, creation, rate).await?,
                None if begun.contains(&creation.step) => Turn::Now,
                None => match find(tx, creation.step).await? {
                    Some(Known { begun: false, at }) => Turn::At(time_from(at)?),
                    _ => Turn::Begun,
                },
            });
        }
        Ok(turns)
    }

    /// Where nothing is paced, all that wait have at most been put off, each by itself. Answers the
    /// steps that have begun now.
    async fn begin_unpaced(&self, tx: &mut Tx<'_>, all: &[&Creation]) -> Result<HashSet<StepId>> {
        let now = self.now();
        let unpaced = all.iter().filter(|creation| creation.rate.is_none());
        let row = |it: &&Creation| json!({"step": it.step.0, "owner": it.owner, "at": now});
        let rows: Vec<_> = unpaced.map(row).collect();
        if rows.is_empty() {
            return Ok(HashSet::new());
        }
        let begin = format!(
            "INSERT INTO writes (step, owner, at, begun)
             SELECT CAST(it ->> 'step' AS BIGINT), it ->> 'owner', CAST(it ->> 'at' AS BIGINT), 1
             FROM {} WHERE TRUE
             ON CONFLICT (step) DO UPDATE SET at = excluded.at, begun = 1
             WHERE writes.begun = 0 AND writes.at <= excluded.at
             RETURNING step",
            self.shared.dialect.rows("$1")
        );
        let begin = sqlx::query(AssertSqlSafe(begin)).bind(to_json("rows", &rows)?);
        let rows = begin.fetch_all(&mut **tx).await?;
        rows.iter().map(|row| Ok(StepId(row.try_get("step")?))).collect()
    }

    /// The account is locked.
    async fn begin_paced(&self, tx: &mut Tx<'_>, creation: &Creation, rate: Rate) -> Result<Turn> {
        let (step, owner, now) = (creation.step, creation.owner.as_str(), self.now());
        let at = match find(tx, step).await? {
            Some(Known { begun: true, .. }) => return Ok(Turn::Begun),
            Some(known) => known.at,
            None => {
                let at = next_turn(tx, owner, rate, now).await?;
                let insert = sqlx::query(
                    "INSERT INTO writes (step, owner, at, begun) VALUES ($1, $2, $3, 0)",
                );
                insert.bind(step.0).bind(owner).bind(at).execute(&mut **tx).await?;
                at
            }
        };
        if at > now {
            return Ok(Turn::At(time_from(at)?));
        }
        let begin = sqlx::query("UPDATE writes SET begun = 1, at = $2 WHERE step = $1");
        begin.bind(step.0).bind(now).execute(&mut **tx).await?;
        // The process was away: all that follow are as late, and not due all at once.
        let apart = millis(rate.apart);
        if now - at > apart {
            put_off(tx, owner, at, now + apart).await?;
        }
        Ok(Turn::Now)
    }

    /// Nothing was sent: the step keeps its turn. With `until`, GitHub takes nothing for the account
    /// before then, and all turns that are still to come are moved behind it, in their order.
    pub async fn give_back_turn(
        &self,
        step: &ClaimedStep,
        owner: &str,
        until: Option<DateTime<Utc>>,
    ) -> Result<()> {
        let owner = owner.to_ascii_lowercase();
        let mut writer = self.shared.write.lend().await?;
        let mut tx = writer.begin().await?;
        let name = name_of_lock(&owner);
        self.shared.dialect.lock_names(&mut tx, std::iter::once(name.as_str())).await?;
        let give_back = sqlx::query("UPDATE writes SET begun = 0 WHERE step = $1");
        give_back.bind(step.id.0).execute(&mut *tx).await?;
        if let Some(until) = until {
            let own = find(&mut tx, step.id).await?.map(|known| known.at);
            let from = own.unwrap_or_else(|| self.now()).min(self.now());
            put_off(&mut tx, &owner, from, until.timestamp_millis()).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

/// Of one account, one asks for its turn at a time.
fn name_of_lock(owner: &str) -> String {
    format!("writes of {owner}")
}

/// A row of `writes`.
struct Known {
    at: i64,
    begun: bool,
}

async fn find(tx: &mut Tx<'_>, step: StepId) -> Result<Option<Known>> {
    let find = sqlx::query("SELECT at, begun FROM writes WHERE step = $1").bind(step.0);
    let Some(row) = find.fetch_optional(&mut **tx).await? else { return Ok(None) };
    Ok(Some(Known { at: row.try_get("at")?, begun: row.try_get::<i64, _>("begun")? != 0 }))
}

async fn next_turn(tx: &mut Tx<'_>, owner: &str, rate: Rate, now: i64) -> Result<i64> {
    let nth_last = "SELECT at FROM writes WHERE owner = $1 ORDER BY at DESC LIMIT 1 OFFSET $2";
    let mut at = now;
    for (nth, distance) in [(1, millis(rate.apart)), (i64::from(rate.an_hour), HOUR_MILLIS)] {
        let find = sqlx::query(nth_last).bind(owner).bind(nth - 1);
        if let Some(row) = find.fetch_optional(&mut **tx).await? {
            at = at.max(row.try_get::<i64, _>("at")? + distance);
        }
    }
    Ok(at)
}

/// Moves the turns from a moment on, so that the first of them is not before `until`.
async fn put_off(tx: &mut Tx<'_>, owner: &str, from: i64, until: i64) -> Result<()> {
    let first =
        sqlx::query("SELECT MIN(at) AS at FROM writes WHERE owner = $1 AND begun = 0 AND at >= $2");
    let row = first.bind(owner).bind(from).fetch_one(&mut **tx).await?;
    let by = row.try_get::<Option<i64>, _>("at")?.map_or(0, |first| until - first);
    if by <= 0 {
        return Ok(());
    }
    let put_off =
        sqlx::query("UPDATE writes SET at = at + $3 WHERE owner = $1 AND begun = 0 AND at >= $2");
    put_off.bind(owner).bind(from).bind(by).execute(&mut **tx).await?;
    Ok(())
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(HOUR_MILLIS)
}
