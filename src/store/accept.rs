//! Accepting: a message becomes a row, once, before anybody is told that it was received.
//!
//! On SQLite, messages that arrive together share one look-up, and one transaction with its wait for
//! the disk: whoever gets to write, writes for all that wait.

use std::sync::Arc;

use super::append::{NewRow, new_steps};
use super::dialect::Dialect;
use super::owners::owners_of;
use super::rows::to_json;
use super::together::{Asked, Next, Together};
use super::{Result, Store, Tx};
use crate::domain::observation::{Link, Observation};
use crate::domain::{ActionRun, DeliveryId, Run, RunId};
use crate::plan::Step;

/// How long an observation waits for the run that it may belong to. A dispatch is answered within
/// seconds; an hour covers an outage in between.
const WAITING_MILLIS: i64 = 60 * 60 * 1000;
/// How many messages share a transaction: enough to make the disk's wait small for each, few enough
/// that nobody waits for long.
const LARGEST_BATCH: usize = 64;

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

/// What became of a [`Fact`], and the runs that have a new step by it. A run that is known counts
/// as repeated.
struct Written {
    recorded: Recorded,
    changed: Vec<RunId>,
}

impl Written {
    fn new(recorded: Recorded, changed: Option<&RunId>) -> Self {
        Self { recorded, changed: changed.into_iter().cloned().collect() }
    }
}

/// Facts that wait for their turn to be written.
pub(super) type Facts = Together<Arc<Fact>, Result<Recorded>>;

/// A queue for facts.
pub(super) fn queue() -> Facts {
    Together::new(LARGEST_BATCH)
}

impl Store {
    /// Writes down an action run and its first step, unless the run is known.
    pub async fn accept_run(&self, request: &ActionRun) -> Result<Accepted> {
        match self.accept(Fact::Run(Box::new(request.clone()))).await? {
            Recorded::Repeated => Ok(Accepted::Known),
            _ => Ok(Accepted::New),
        }
    }

    /// Writes down an action run that does not begin before [`Store::release_run`], unless the run is
    /// known.
    pub async fn hold_run(&self, request: &ActionRun) -> Result<Accepted> {
        match self.accept(Fact::HeldRun(Box::new(request.clone()))).await? {
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
        self.accept(Fact::Observation(delivery.clone(), Box::new(observation.clone()))).await
    }

    async fn accept(&self, fact: Fact) -> Result<Recorded> {
        if self.shared.dialect == Dialect::Postgres {
            return self.write_alone(&fact).await;
        }
        let mut put = self.shared.accepting.put(Arc::new(fact));
        loop {
            match self.shared.accepting.next(&mut put).await {
                Next::Answer(recorded) => return recorded,
                Next::Turn(turn) => self.write_together(turn.asked).await,
            }
        }
    }

    /// One transaction for all; if it fails, one for each, so that nobody suffers for another.
    async fn write_together(&self, asked: Vec<Asked<Arc<Fact>, Result<Recorded>>>) {
        let facts: Vec<&Fact> = asked.iter().map(|asked| &*asked.question).collect();
        if let Ok(recorded) = self.write_all(&facts).await {
            for (asked, recorded) in asked.into_iter().zip(recorded) {
                asked.answer(Ok(recorded));
            }
            return;
        }
        for asked in asked {
            let recorded = self.write_alone(&asked.question).await;
            asked.answer(recorded);
        }
    }

    async fn write_alone(&self, fact: &Fact) -> Result<Recorded> {
        let recorded = self.write_all(&[fact]).await?;
        Ok(recorded.first().copied().unwrap_or(Recorded::Nothing))
    }

    async fn write_all(&self, facts: &[&Fact]) -> Result<Vec<Recorded>> {
        let mut writer = self.shared.write.lend().await?;
        let mut tx = writer.begin().await?;
        let written = self.write_facts(&mut tx, facts).await?;
        tx.commit().await?;
        for written in &written {
            self.tell_all(&written.changed);
        }
        Ok(written.into_iter().map(|written| written.recorded).collect())
    }

    async fn write_facts(&self, tx: &mut Tx<'_>, facts: &[&Fact]) -> Result<Vec<Written>> {
        let received = facts.iter().filter_map(|fact| fact.as_run());
        let received =
            received.map(|request| Run::received(request.clone(), self.shared.clock.now()));
        let mut new = self.insert_runs(tx, &received.collect::<Vec<_>>()).await?;
        let mut written = Vec::with_capacity(facts.len());
        let mut steps = Vec::new();
        for fact in facts {
            written.push(match fact {
                Fact::Run(request) if new.remove(&request.id) => {
                    steps.push(self.step_row(&request.id, &Step::Begin)?);
                    Written::new(Recorded::Concerns(1), Some(&request.id))
                }
                // Who hands it over now is told that it is accepted: nothing is awaited any more.
                Fact::Run(request) => {
                    let released = self.begin_held(tx, &request.id).await?;
                    Written::new(Recorded::Repeated, released.then_some(&request.id))
                }
                Fact::HeldRun(request) if new.remove(&request.id) => {
                    self.mark_held(tx, &request.id).await?;
                    Written::new(Recorded::Concerns(1), None)
                }
                Fact::HeldRun(_) => Written::new(Recorded::Repeated, None),
                Fact::Observation(delivery, seen) => {
                    self.write_observation(tx, delivery, seen, &mut steps).await?
                }
            });
        }
        self.write(tx, [new_steps(steps)]).await?;
        Ok(written)
    }

    /// Adds to the steps that are written with those of the other facts.
    async fn write_observation(
        &self,
        tx: &mut Tx<'_>,
        delivery: &DeliveryId,
        seen: &Observation,
        steps: &mut Vec<NewRow>,
    ) -> Result<Written> {
        // From here on, no run can gain one of these links before this is committed.
        let links = seen.links();
        self.shared.dialect.lock_names(tx, links.iter().map(Link::as_str)).await?;

        let concerned = self.find_concerned(Some(tx), seen).await?;
        let (recorded, changed) = if concerned.is_nobody() {
            (Recorded::Nothing, Vec::new())
        } else if !self.insert_delivery(tx, delivery).await? {
            (Recorded::Repeated, Vec::new())
        } else {
            if concerned.is_awaited {
                self.keep_waiting(tx, delivery, &links, seen).await?;
            }
            for run in &concerned.runs {
                self.lock_run(tx, run).await?;
                steps.push(self.step_row(run, &Step::Observe(seen.clone()))?);
            }
            let recorded = match concerned.runs.len() {
                0 => Recorded::Waiting,
                runs => Recorded::Concerns(runs),
            };
            (recorded, concerned.runs)
        };
        Ok(Written { recorded, changed })
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
