//! The pace at which something is created on GitHub. Each step that creates is given its moment, one
//! after another for an account, in the order in which they come, by all processes together; and
//! that it has begun is written down before anything is sent.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::{AnyConnection, Row as _};

use super::connections::Lent;
use super::queue::ClaimedStep;
use super::rows::time_from;
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

impl Store {
    /// Asks for the turn of a step that creates something for an account; without a rate, it is
    /// now.
    pub async fn turn_to_write(
        &self,
        step: &ClaimedStep,
        owner: &str,
        rate: Option<Rate>,
    ) -> Result<Turn> {
        let (owner, now) = (owner.to_ascii_lowercase(), self.now());
        if rate.is_none() {
            return self.begin_unpaced(step, &owner).await;
        }
        let mut writer = self.shared.write.lend().await?;
        let mut tx = self.begin_pacing(&mut writer, &owner).await?;
        let at = match find(&mut tx, step).await? {
            Some(Write { begun: true, .. }) => return Ok(Turn::Begun),
            Some(known) => known.at,
            None => {
                let at = next_turn(&mut tx, &owner, rate, now).await?;
                let insert = sqlx::query(
                    "INSERT INTO writes (step, owner, at, begun) VALUES ($1, $2, $3, 0)",
                );
                insert.bind(step.id.0).bind(&owner).bind(at).execute(&mut *tx).await?;
                at
            }
        };
        if at <= now {
            let begin = sqlx::query("UPDATE writes SET begun = 1, at = $2 WHERE step = $1");
            begin.bind(step.id.0).bind(now).execute(&mut *tx).await?;
            // The process was away: all that follow are as late, and not due all at once.
            let apart = rate.map(|rate| millis(rate.apart));
            if let Some(apart) = apart.filter(|apart| now - at > *apart) {
                put_off(&mut tx, &owner, at, now + apart).await?;
            }
        }
        tx.commit().await?;
        Ok(if at <= now { Turn::Now } else { Turn::At(time_from(at)?) })
    }

    /// Where nothing is paced, all that wait have at most been put off, each by itself.
    async fn begin_unpaced(&self, step: &ClaimedStep, owner: &str) -> Result<Turn> {
        let begin = sqlx::query(
            "INSERT INTO writes (step, owner, at, begun) VALUES ($1, $2, $3, 1)
             ON CONFLICT (step) DO UPDATE SET at = excluded.at, begun = 1
             WHERE writes.begun = 0 AND writes.at <= excluded.at",
        );
        let begin = begin.bind(step.id.0).bind(owner).bind(self.now());
        let mut writer = self.shared.write.lend().await?;
        if begin.execute(writer.connection()?).await?.rows_affected() > 0 {
            return Ok(Turn::Now);
        }
        Ok(match find(writer.connection()?, step).await? {
            Some(Write { begun: false, at }) => Turn::At(time_from(at)?),
            _ => Turn::Begun,
        })
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
        let mut tx = self.begin_pacing(&mut writer, &owner).await?;
        let give_back = sqlx::query("UPDATE writes SET begun = 0 WHERE step = $1");
        give_back.bind(step.id.0).execute(&mut *tx).await?;
        if let Some(until) = until {
            let own = find(&mut tx, step).await?.map(|write| write.at);
            let from = own.unwrap_or_else(|| self.now()).min(self.now());
            put_off(&mut tx, &owner, from, until.timestamp_millis()).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Of one account, one asks at a time.
    async fn begin_pacing<'a>(&self, writer: &'a mut Lent<'_>, owner: &str) -> Result<Tx<'a>> {
        let mut tx = writer.begin().await?;
        let name = format!("writes of {owner}");
        self.shared.dialect.lock_names(&mut tx, std::iter::once(name.as_str())).await?;
        Ok(tx)
    }
}

/// A row of `writes`.
struct Write {
    at: i64,
    begun: bool,
}

async fn find(connection: &mut AnyConnection, step: &ClaimedStep) -> Result<Option<Write>> {
    let find = sqlx::query("SELECT at, begun FROM writes WHERE step = $1").bind(step.id.0);
    let Some(row) = find.fetch_optional(connection).await? else { return Ok(None) };
    Ok(Some(Write { at: row.try_get("at")?, begun: row.try_get::<i64, _>("begun")? != 0 }))
}

async fn next_turn(tx: &mut Tx<'_>, owner: &str, rate: Option<Rate>, now: i64) -> Result<i64> {
    let Some(rate) = rate else { return Ok(now) };
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
