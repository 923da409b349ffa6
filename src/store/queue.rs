//! The queue: steps are claimed for a while, and put back, put off, or put aside.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row as _};

use super::rows::{
    RUN_COLUMNS, from_json, id_from, number_from, placeholders, run_from, time_from,
};
use super::writing::{Entries, Entry, Waiting, Written};
use super::{Error, Result, Store, Tx};
use crate::domain::{Run, RunId};
use crate::plan::Step;
use crate::plan::step::Lane;

/// A step's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StepId(pub i64);

/// A step that the holder alone may work on, until the lease ends.
#[derive(Debug, Clone)]
pub struct ClaimedStep {
    /// Which.
    pub id: StepId,
    /// Its run, as it stood when the step was claimed.
    pub run: Run,
    /// What is to be done.
    pub step: Step,
    /// 1 for the first.
    pub attempt: u32,
    /// An earlier attempt was never settled: it may have acted.
    pub interrupted: bool,
    /// How many attempts were never settled, because the program or the machine ended.
    pub interruptions: u32,
    /// When it was decided.
    pub created_at: DateTime<Utc>,
    /// Of the report lane: the steps that wait behind this one, so that they can be sent as one.
    /// Nobody else can claim them while this one is claimed.
    pub following: Vec<(StepId, Step)>,
    /// A step that cancels the run waits behind this one.
    pub is_cancelled: bool,
    /// Which claim of the step this is.
    claim: i64,
}

/// Up to so many steps of each of these lanes, for so long.
pub(super) struct Claim {
    lanes: Vec<Lane>,
    limit: u32,
    lease: Duration,
}

impl Entry for Claim {
    type Outcome = Vec<AnyRow>;

    fn queue(waiting: &Waiting) -> &Entries<Self> {
        &waiting.claims
    }

    async fn write(store: &Store, tx: &mut Tx<'_>, all: &[&Self]) -> Result<Written<Vec<AnyRow>>> {
        let mut outcomes = Vec::with_capacity(all.len());
        for claim in all {
            outcomes.push(store.write_claim(tx, claim).await?);
        }
        Ok(outcomes.into())
    }
}

impl Store {
    /// Claims up to so many steps of each of these lanes: of each run the first unfinished one, if it
    /// is due; the longest due first. If the lease ends before the step is settled, it can be claimed
    /// again.
    pub async fn claim(
        &self,
        lanes: &[Lane],
        limit: u32,
        lease: Duration,
    ) -> Result<Vec<ClaimedStep>> {
        let claim = Claim { lanes: lanes.to_vec(), limit, lease };
        let rows = self.write_down(claim).await?;
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        self.load(rows).await
    }

    async fn write_claim(&self, tx: &mut Tx<'_>, claim: &Claim) -> Result<Vec<AnyRow>> {
        let now = self.now();
        let lease = i64::try_from(claim.lease.as_millis()).unwrap_or(i64::MAX);
        let (first, of_lane): (Vec<_>, Vec<_>) = (0..claim.lanes.len())
            .map(|n| (self.first_due(n, n + 4), format!("SELECT id FROM picked_{n}")))
            .unzip();
        // An attempt that nobody settled counts: a step that kills its process must not go on
        // for ever.
        let update = format!(
            "WITH {}
             UPDATE steps SET
               attempt = CASE state WHEN 'claimed' THEN attempt + 1 ELSE attempt END,
               interrupted = interrupted + CASE state WHEN 'claimed' THEN 1 ELSE 0 END,
               state = 'claimed', claims = claims + 1, due_at = $3
             WHERE id IN ({})
             RETURNING id, run_id, lane, payload, attempt, claims, interrupted, created_at",
            first.join(", "),
            of_lane.join(" UNION ALL ")
        );
        let update = sqlx::query(AssertSqlSafe(update)).bind(now).bind(i64::from(claim.limit));
        let mut update = update.bind(now.saturating_add(lease));
        for lane in &claim.lanes {
            update = update.bind(lane.as_str());
        }
        Ok(update.fetch_all(&mut **tx).await?)
    }

    /// A part of a statement: picks what can be claimed of the lane that is this parameter. The first
    /// parameter is now, the second the limit.
    fn first_due(&self, n: usize, lane: usize) -> String {
        format!(
            "picked_{n} AS (
               SELECT id FROM steps AS step
               WHERE lane = ${lane} AND settled_at IS NULL AND due_at <= $1
                 AND NOT EXISTS (
                   SELECT 1 FROM steps AS earlier
                   WHERE earlier.run_id = step.run_id AND earlier.lane = step.lane
                     AND earlier.settled_at IS NULL AND earlier.id < step.id)
               ORDER BY due_at, id
               LIMIT $2
               {})",
            self.shared.dialect.skip_locked()
        )
    }

    /// Reads what belongs to the claimed rows. One that cannot be read is put aside, and the others
    /// go on.
    async fn load(&self, rows: Vec<AnyRow>) -> Result<Vec<ClaimedStep>> {
        let ids = rows.iter().map(|row| id_from(row, "run_id")).collect::<Result<Vec<_>>>()?;
        let (runs, mut behind) = tokio::try_join!(self.runs_by_id(&ids), self.behind(&ids))?;

        let mut claimed = Vec::with_capacity(rows.len());
        for (row, run_id) in rows.iter().zip(ids) {
            let run = runs.get(&run_id);
            match claimed_from(row, run) {
                Ok(mut step) => {
                    match (step.step.lane(), behind.get_mut(&run_id)) {
                        (_, None) => {}
                        (Lane::Report, Some(behind)) => {
                            step.following = std::mem::take(&mut behind.reports);
                        }
                        (Lane::Work, Some(behind)) => step.is_cancelled = behind.is_cancelled,
                    }
                    claimed.push(step);
                }
                Err(error) => {
                    let id = StepId(row.try_get("id")?);
                    tracing::error!(run.id = %run_id, step.id = id.0, %error, "putting aside a step that cannot be read");
                    self.put_aside(id, row.try_get("claims")?, "its row cannot be read").await?;
                }
            }
        }
        claimed.sort_by_key(|step| step.id);
        Ok(claimed)
    }

    async fn runs_by_id(&self, ids: &[RunId]) -> Result<HashMap<RunId, AnyRow>> {
        let list = placeholders(1, ids.len());
        let sql = format!("SELECT {RUN_COLUMNS} FROM runs WHERE id IN ({list})");
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for id in ids {
            query = query.bind(id.as_str());
        }
        let rows = self.shared.read.fetch_all(query).await?;
        rows.into_iter().map(|row| Ok((id_from(&row, "id")?, row))).collect()
    }

    /// What waits behind claimed steps of these runs: reports, up to the first that cannot be read, and
    /// whether the run is cancelled. A report that is not due yet has only waited for company, and has
    /// it now: nothing behind the first step of a lane was ever tried.
    async fn behind(&self, runs: &[RunId]) -> Result<HashMap<RunId, Behind>> {
        let list = placeholders(3, runs.len());
        let sql = format!(
            "SELECT id, run_id, lane, payload FROM steps
             WHERE run_id IN ({list}) AND settled_at IS NULL AND state = 'ready'
               AND (lane = $1 OR kind = $2)
             ORDER BY id"
        );
        let mut query = sqlx::query(AssertSqlSafe(sql));
        query = query.bind(Lane::Report.as_str()).bind(Step::CANCEL);
        for run in runs {
            query = query.bind(run.as_str());
        }
        let mut behind: HashMap<RunId, Behind> = HashMap::new();
        for row in self.shared.read.fetch_all(query).await? {
            let of_run = behind.entry(id_from(&row, "run_id")?).or_default();
            if row.try_get::<&str, _>("lane")? == Lane::Work.as_str() {
                of_run.is_cancelled = true;
                continue;
            }
            match from_json("a step", row.try_get("payload")?) {
                _ if of_run.is_unreadable => {}
                Ok(step) => of_run.reports.push((StepId(row.try_get("id")?), step)),
                Err(_) => of_run.is_unreadable = true,
            }
        }
        Ok(behind)
    }

    /// Puts a step off after an attempt that did not succeed. The next attempt has the next number.
    pub async fn postpone(
        &self,
        claimed: &ClaimedStep,
        until: DateTime<Utc>,
        error: &str,
    ) -> Result<()> {
        let mut writer = self.shared.write.lend().await?;
        let mut tx = writer.begin().await?;
        put_off(&mut tx, claimed, until, error).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Puts a step aside for somebody to look at. It holds up nothing.
    pub async fn park(&self, claimed: &ClaimedStep, error: &str) -> Result<()> {
        self.put_aside(claimed.id, claimed.claim, error).await?;
        self.tell(&claimed.run.id);
        Ok(())
    }

    /// Holds on to a step for so long from now.
    pub async fn renew(&self, claimed: &ClaimedStep, lease: Duration) -> Result<()> {
        let update = sqlx::query(
            "UPDATE steps SET due_at = $3 WHERE id = $1 AND claims = $2 AND state = 'claimed'",
        );
        let lease = i64::try_from(lease.as_millis()).unwrap_or(i64::MAX);
        let update = update.bind(claimed.id.0).bind(claimed.claim);
        let update = update.bind(self.now().saturating_add(lease));
        held(self.shared.write.execute(update).await?.rows_affected())
    }

    /// Puts a step back as if it had not been claimed, to be claimed from this moment on: the process
    /// stops, or something else is done first.
    pub async fn release(&self, claimed: &ClaimedStep, from: DateTime<Utc>) -> Result<()> {
        let update = sqlx::query(
            "UPDATE steps SET state = 'ready', due_at = $3
             WHERE id = $1 AND claims = $2 AND state = 'claimed'",
        );
        let from = from.timestamp_millis();
        let update = update.bind(claimed.id.0).bind(claimed.claim).bind(from);
        held(self.shared.write.execute(update).await?.rows_affected())?;
        self.tell(&claimed.run.id);
        Ok(())
    }

    /// When the next step can be claimed, if there is one: now or before, when it can be already.
    pub async fn next_due(&self) -> Result<Option<DateTime<Utc>>> {
        let query = sqlx::query(
            "SELECT MIN(due_at) AS due_at FROM steps AS step
             WHERE settled_at IS NULL
               AND NOT EXISTS (
                 SELECT 1 FROM steps AS earlier
                 WHERE earlier.run_id = step.run_id AND earlier.lane = step.lane
                   AND earlier.settled_at IS NULL AND earlier.id < step.id)",
        );
        let row = self.shared.read.fetch_one(query).await?;
        row.try_get::<Option<i64>, _>("due_at")?.map(time_from).transpose()
    }

    async fn put_aside(&self, id: StepId, claim: i64, error: &str) -> Result<()> {
        let update = sqlx::query(
            "UPDATE steps SET state = 'parked', settled_at = $3, last_error = $4
             WHERE id = $1 AND claims = $2 AND state = 'claimed'",
        );
        let update = update.bind(id.0).bind(claim).bind(self.now()).bind(error);
        held(self.shared.write.execute(update).await?.rows_affected())
    }
}

/// What waits behind a claimed step.
#[derive(Default)]
struct Behind {
    reports: Vec<(StepId, Step)>,
    /// What follows the reports cannot be read.
    is_unreadable: bool,
    is_cancelled: bool,
}

impl ClaimedStep {
    pub(super) fn claim(&self) -> i64 {
        self.claim
    }
}

/// The next attempt is at this moment, and has the next number. That this one came to an end clears
/// the step of having ended the program; that an earlier one may have acted stays known.
pub(super) async fn put_off(
    tx: &mut Tx<'_>,
    claimed: &ClaimedStep,
    until: DateTime<Utc>,
    error: &str,
) -> Result<()> {
    let update = sqlx::query(
        "UPDATE steps SET state = 'ready', due_at = $3, attempt = attempt + 1, last_error = $4,
           interrupted = CASE WHEN interrupted > 1 THEN 1 ELSE interrupted END
         WHERE id = $1 AND claims = $2 AND state = 'claimed'",
    );
    let update = update.bind(claimed.id.0).bind(claimed.claim);
    let update = update.bind(until.timestamp_millis()).bind(error);
    held(update.execute(&mut **tx).await?.rows_affected())
}

/// Whether the claim still held: then its row was changed.
pub(super) fn held(rows_affected: u64) -> Result<()> {
    if rows_affected == 1 { Ok(()) } else { Err(Error::LeaseLost) }
}

fn claimed_from(row: &AnyRow, run: Option<&AnyRow>) -> Result<ClaimedStep> {
    let run = run.ok_or_else(|| Error::unreadable("a step", "its run is not there"))?;
    Ok(ClaimedStep {
        id: StepId(row.try_get("id")?),
        run: run_from(run)?,
        step: from_json("a step", row.try_get("payload")?)?,
        attempt: number_from(row, "attempt")?,
        interrupted: row.try_get::<i64, _>("interrupted")? != 0,
        interruptions: number_from(row, "interrupted")?,
        created_at: time_from(row.try_get("created_at")?)?,
        following: Vec::new(),
        is_cancelled: false,
        claim: row.try_get("claims")?,
    })
}
