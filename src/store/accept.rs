//! Accepting: a message becomes a row, once, before anybody is told that it was received.

use std::sync::Arc;

use super::append::new_steps;
use super::owners::owners_of;
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
        // Most deliveries concern nobody, and cost this one read. It may do without a lock: what
        // finds a run is stored before the program does what it will be found by.
        if self.find_concerned(None, observation).await?.is_nobody() {
            return Ok(Recorded::Nothing);
        }
        self.write_down(Fact::Observation(delivery.clone(), Box::new(observation.clone()))).await
    }

    async fn write_facts(&self, tx: &mut Tx<'_>, facts: &[&Fact]) -> Result<Written<Recorded>> {
        let received = facts.iter().filter_map(|fact| fact.as_run());
        let received =
            received.map(|request| Run::received(request.clone(), self.shared.clock.now()));
        let mut new = self.insert_runs(tx, &received.collect::<Vec<_>>()).await?;
        let mut outcomes = Vec::with_capacity(facts.len());
        let (mut steps, mut changed) = (Vec::new(), Vec::new());
        for fact in facts {
            outcomes.push(match fact {
                Fact::Run(request) if new.remove(&request.id) => {
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
                Fact::HeldRun(request) if new.remove(&request.id) => {
                    self.mark_held(tx, &request.id).await?;
                    Recorded::Concerns(1)
                }
                Fact::HeldRun(_) => Recorded::Repeated,
                Fact::Observation(delivery, seen) => {
                    let (recorded, runs) = self.write_observation(tx, delivery, seen).await?;
                    for run in &runs {
                        steps.push(self.step_row(run, &Step::Observe((**seen).clone()))?);
                    }
                    changed.extend(runs);
                    recorded
                }
            });
        }
        self.write(tx, [new_steps(steps)]).await?;
        Ok(Written { outcomes, changed })
    }

    /// Answers also the runs, locked, that are to have it as a step.
    async fn write_observation(
        &self,
        tx: &mut Tx<'_>,
        delivery: &DeliveryId,
        seen: &Observation,
    ) -> Result<(Recorded, Vec<RunId>)> {
        // From here on, no run can gain one of these links before this is committed.
        let links = seen.links();
        self.shared.dialect.lock_names(tx, links.iter().map(Link::as_str)).await?;

        let concerned = self.find_concerned(Some(tx), seen).await?;
        if concerned.is_nobody() {
            return Ok((Recorded::Nothing, Vec::new()));
        }
        if !self.insert_delivery(tx, delivery).await? {
            return Ok((Recorded::Repeated, Vec::new()));
        }
        if concerned.is_awaited {
            self.keep_waiting(tx, delivery, &links, seen).await?;
        }
        for run in &concerned.runs {
            self.lock_run(tx, run).await?;
        }
        let recorded = match concerned.runs.len() {
            0 => Recorded::Waiting,
            runs => Recorded::Concerns(runs),
        };
        Ok((recorded, concerned.runs))
    }

    async fn find_concerned(
        &self,
        tx: Option<&mut Tx<'_>>,
        seen: &Observation,
    ) -> Result<Concerned> {
        let awaited = seen.may_yet_concern();
        let mut links = seen.links();
        links.extend(awaited.iter().cloned());
        let owners = match tx {
            Some(tx) => Arc::new(owners_of(&links, tx).await?),
            None => self.look_up(&links).await?,
        };

        let mut concerned = Concerned { runs: Vec::new(), is_awaited: false };
        for (link, run) in owners.iter() {
            let is_it = |other: &&Link| other.as_str() == link;
            if awaited.iter().any(|other| is_it(&other)) {
                concerned.is_awaited = true;
            } else if links.iter().any(|other| is_it(&other)) {
                concerned.runs.push(run.clone());
            }
        }
        concerned.runs.dedup();
        Ok(concerned)
    }

    async fn insert_delivery(&self, tx: &mut Tx<'_>, delivery: &DeliveryId) -> Result<bool> {
        let insert = sqlx::query(
            "INSERT INTO deliveries (id, received_at) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING",
        );
        let done = insert.bind(delivery.as_str()).bind(self.now()).execute(&mut **tx).await?;
        Ok(done.rows_affected() > 0)
    }

    async fn keep_waiting(
        &self,
        tx: &mut Tx<'_>,
        delivery: &DeliveryId,
        links: &[Link],
        seen: &Observation,
    ) -> Result<()> {
        let observation = to_json("an observation", seen)?;
        for link in links {
            let insert = sqlx::query(
                "INSERT INTO waiting (link, delivery, observation, expires_at)
                 VALUES ($1, $2, $3, $4)",
            );
            insert
                .bind(link.as_str())
                .bind(delivery.as_str())
                .bind(observation.as_str())
                .bind(self.now() + WAITING_MILLIS)
                .execute(&mut **tx)
                .await?;
        }
        Ok(())
    }
}

/// Whom an observation concerns.
struct Concerned {
    runs: Vec<RunId>,
    /// Whether a run awaits a dispatch or a merge that it may belong to.
    is_awaited: bool,
}

impl Concerned {
    fn is_nobody(&self) -> bool {
        self.runs.is_empty() && !self.is_awaited
    }
}
