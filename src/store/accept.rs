//! Accepting: a message becomes a row, once, before anybody is told that it was received.

use std::collections::{BTreeSet, HashSet};

use serde_json::json;
use sqlx::{AssertSqlSafe, Row as _};

use super::append::{NewRow, Write, new_steps};
use super::owners::{Owners, owners_of};
use super::rows::to_json;
use super::writing::{Entries, Entry, Waiting, Written};
use super::{Result, Store, Tx};
use crate::domain::observation::{Link, Observation};
use crate::domain::{ActionRun, DeliveryId, Run, RunId};
use crate::plan::Step;

/// How long an observation waits for the run that it may belong to. A dispatch is answered within
/// seconds; an hour covers an outage in between.
const WAITING_MILLIS: i64 = 60 * 60 * 1000;

/// What became of an action run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// It is written down, with its first step.
    New,
    /// It was there already, perhaps with another body; nothing was changed.
    Known,
}

/// What became of an observation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// It is written down as a step of so many runs.
    Concerns(usize),
    /// It is kept for an hour: a dispatch or a merge is awaited that it may belong to.
    Waiting,
    /// It concerns no run; nothing was written.
    Nothing,
    /// This delivery was handled before.
    Repeated,
}

/// Something to be written down.
pub(super) enum Fact {
    Run(Box<ActionRun>),
    /// A run that may not begin before it is released.
    HeldRun(Box<ActionRun>),
    Observation(DeliveryId, Box<Observation>),
}

impl Fact {
    fn as_run(&self) -> Option<&ActionRun> {
        match self {
            Self::Run(request) | Self::HeldRun(request) => Some(request),
            Self::Observation(..) => None,
        }
    }

    fn as_observation(&self) -> Option<(&DeliveryId, &Observation)> {
        match self {
            Self::Observation(delivery, seen) => Some((delivery, seen)),
            Self::Run(_) | Self::HeldRun(_) => None,
        }
    }
}

/// A run that is known counts as repeated.
impl Entry for Fact {
    type Outcome = Recorded;

    fn queue(waiting: &Waiting) -> &Entries<Self> {
        &waiting.facts
    }

    async fn write(store: &Store, tx: &mut Tx<'_>, all: &[&Self]) -> Result<Written<Recorded>> {
        store.write_facts(tx, all).await
    }
}

impl Store {
    /// Writes down an action run and its first step, unless the run is known.
    pub async fn accept_run(&self, request: &ActionRun) -> Result<Accepted> {
        match self.write_down(Fact::Run(Box::new(request.clone()))).await? {
            Recorded::Repeated => Ok(Accepted::Known),
            _ => Ok(Accepted::New),
        }
    }

    /// Writes down an action run that does not begin before [`Store::release_run`], unless the run is
    /// known.
    pub async fn hold_run(&self, request: &ActionRun) -> Result<Accepted> {
        match self.write_down(Fact::HeldRun(Box::new(request.clone()))).await? {
            Recorded::Repeated => Ok(Accepted::Known),
            _ => Ok(Accepted::New),
        }
    }

    /// Writes down what was seen on GitHub, for every run that it concerns.
    pub async fn accept_observation(
        &self,
        delivery: &DeliveryId,
        observation: &Observation,
    ) -> Result<Recorded> {
        // Most deliveries concern nobody, and cost this and no more. It may do without a lock: what
        // finds a run is stored before the program does what it will be found by.
        let awaited = observation.may_yet_concern();
        let links: Vec<Link> = observation.links().into_iter().chain(awaited).collect();
        let is_somebodys = match self.may_be_somebodys(&links) {
            Some(may_be) => may_be,
            None => !Concerned::by(observation, &self.look_up(&links).await?).is_nobody(),
        };
        if !is_somebodys {
            return Ok(Recorded::Nothing);
        }
        self.write_down(Fact::Observation(delivery.clone(), Box::new(observation.clone()))).await
    }

    async fn write_facts(&self, tx: &mut Tx<'_>, facts: &[&Fact]) -> Result<Written<Recorded>> {
        let received = facts.iter().filter_map(|fact| fact.as_run());
        let received =
            received.map(|request| Run::received(request.clone(), self.shared.clock.now()));
        let mut new_runs = self.insert_runs(tx, &received.collect::<Vec<_>>()).await?;
        let seen: Vec<_> = facts.iter().filter_map(|fact| fact.as_observation()).collect();
        let mut concerned = self.find_all_concerned(tx, &seen).await?.into_iter();
        let mut new_deliveries = self.insert_deliveries(tx, &seen, concerned.as_slice()).await?;

        let mut outcomes = Vec::with_capacity(facts.len());
        let (mut steps, mut waiting, mut changed) = (Vec::new(), Vec::new(), Vec::new());
        for fact in facts {
            outcomes.push(match fact {
                Fact::Run(request) if new_runs.remove(&request.id) => {
                    steps.push(self.step_row(&request.id, &Step::Begin)?);
                    changed.push(request.id.clone());
                    Recorded::Concerns(1)
                }
                // Who hands it over now is told that it is accepted: nothing is awaited any more.
                Fact::Run(request) => {
                    if self.begin_held(tx, &request.id).await? {
                        changed.push(request.id.clone());
                    }
                    Recorded::Repeated
                }
                Fact::HeldRun(request) if new_runs.remove(&request.id) => {
                    self.mark_held(tx, &request.id).await?;
                    Recorded::Concerns(1)
                }
                Fact::HeldRun(_) => Recorded::Repeated,
                Fact::Observation(delivery, seen) => match concerned.next() {
                    Some(concerned) if concerned.is_nobody() => Recorded::Nothing,
                    Some(concerned) if new_deliveries.remove(delivery.as_str()) => {
                        if concerned.is_awaited {
                            waiting.extend(self.waiting_rows(delivery, seen)?);
                        }
                        for run in &concerned.runs {
                            self.lock_run(tx, run).await?;
                            steps.push(self.step_row(run, &Step::Observe((**seen).clone()))?);
                        }
                        let recorded = concerned.recorded();
                        changed.extend(concerned.runs);
                        recorded
                    }
                    _ => Recorded::Repeated,
                },
            });
        }
        self.write(tx, [new_steps(steps), kept_waiting(waiting)]).await?;
        Ok(Written { outcomes, changed })
    }

    /// From here on, no run can gain one of the links before the transaction has ended.
    async fn find_all_concerned(
        &self,
        tx: &mut Tx<'_>,
        all: &[(&DeliveryId, &Observation)],
    ) -> Result<Vec<Concerned>> {
        if all.is_empty() {
            return Ok(Vec::new());
        }
        let links: BTreeSet<Link> = all.iter().flat_map(|(_, seen)| seen.links()).collect();
        self.shared.dialect.lock_names(tx, links.iter().map(Link::as_str)).await?;
        let awaited = all.iter().flat_map(|(_, seen)| seen.may_yet_concern());
        let asked: BTreeSet<Link> = links.iter().cloned().chain(awaited).collect();
        let owners = owners_of(&asked, tx).await?;
        Ok(all.iter().map(|(_, seen)| Concerned::by(seen, &owners)).collect())
    }

    /// Notes the deliveries that concern somebody. Answers those that were not there yet.
    async fn insert_deliveries(
        &self,
        tx: &mut Tx<'_>,
        all: &[(&DeliveryId, &Observation)],
        concerned: &[Concerned],
    ) -> Result<HashSet<String>> {
        let of_somebody = all.iter().zip(concerned).filter(|(_, it)| !it.is_nobody());
        let row = |((delivery, _), _): (&(&DeliveryId, _), _)| json!({"id": delivery.as_str()});
        let rows: Vec<_> = of_somebody.map(row).collect();
        if rows.is_empty() {
            return Ok(HashSet::new());
        }
        let insert = format!(
            "INSERT INTO deliveries (id, received_at)
             SELECT it ->> 'id', CAST($2 AS BIGINT) FROM {} WHERE TRUE
             ON CONFLICT (id) DO NOTHING RETURNING id",
            self.shared.dialect.rows("$1")
        );
        let insert = sqlx::query(AssertSqlSafe(insert)).bind(to_json("rows", &rows)?);
        let rows = insert.bind(self.now()).fetch_all(&mut **tx).await?;
        rows.iter().map(|row| Ok(row.try_get("id")?)).collect()
    }

    fn waiting_rows(&self, delivery: &DeliveryId, seen: &Observation) -> Result<Vec<NewRow>> {
        let observation = to_json("an observation", seen)?;
        let expires_at = self.now() + WAITING_MILLIS;
        let row = |link: Link| {
            json!({
                "link": link.as_str(),
                "delivery": delivery.as_str(),
                "observation": observation,
                "expires_at": expires_at,
            })
        };
        Ok(seen.links().into_iter().map(row).collect())
    }
}

/// What may yet concern a run.
fn kept_waiting(rows: Vec<NewRow>) -> Write {
    let statement = "INSERT INTO waiting (link, delivery, observation, expires_at)
         SELECT it ->> 'link', it ->> 'delivery', it ->> 'observation',
           CAST(it ->> 'expires_at' AS BIGINT)
         FROM {rows}";
    Write { statement, rows }
}

/// Whom an observation concerns.
struct Concerned {
    runs: Vec<RunId>,
    /// Whether a run awaits a dispatch or a merge that it may belong to.
    is_awaited: bool,
}

impl Concerned {
    fn by(seen: &Observation, owners: &Owners) -> Self {
        let awaited = seen.may_yet_concern();
        let is_awaited = awaited.iter().any(|link| owners.contains_key(link.as_str()));
        let links = seen.links().into_iter().filter(|link| !awaited.contains(link));
        let runs: BTreeSet<&RunId> =
            links.filter_map(|link| owners.get(link.as_str())).flatten().collect();
        Self { runs: runs.into_iter().cloned().collect(), is_awaited }
    }

    fn recorded(&self) -> Recorded {
        match self.runs.len() {
            0 => Recorded::Waiting,
            runs => Recorded::Concerns(runs),
        }
    }

    fn is_nobody(&self) -> bool {
        self.runs.is_empty() && !self.is_awaited
    }
}
