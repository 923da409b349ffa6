//! The loop: claims steps that are due, has them done, and settles what is true then.
//!
//! Steps of one run and lane go one after another, different runs side by side. Does not know
//! about: how messages come in, what a step does.

mod backoff;
mod house;
mod sweep;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use chrono::{DateTime, Utc};
use futures_util::FutureExt as _;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::clock::Clock;
use crate::effects::{Done, Effects, StepError};
use crate::plan::step::Lane;
use crate::plan::{self, Decision, Step};
use crate::store::{self, ClaimedStep, EntityChange, Holder, SUSPECTED, Store};
use crate::telemetry::step_span;

pub use house::House;
pub use sweep::Sweep;

/// How many steps are done side by side. They mostly wait for answers, and what they write meanwhile
/// shares the database's wait for the disk.
const SIDE_BY_SIDE: usize = 128;
/// How often steps of other processes are looked for.
const POLL: Duration = Duration::from_secs(1);
/// How often a step may panic before it is parked.
const PANICS: u32 = 3;
/// How often in a row the program may end while it does a step before that step is parked: an end in
/// between that the step had no part in begins the count anew.
const ENDS: u32 = 5;
/// How long a suspect waits for another.
const SUSPECTS_WAIT: TimeDelta = TimeDelta::seconds(1);

/// Works off steps.
#[derive(Clone)]
pub struct Worker {
    effects: Effects,
    store: Store,
    clock: Clock,
    lease: Duration,
    process: Holder,
}

impl Worker {
    /// A worker that does steps with these effects. Its claims hold for so long without a word: what
    /// a process that died had in hand is taken up after that.
    pub fn new(effects: Effects, lease: Duration) -> Self {
        let (store, clock) = (effects.store.clone(), effects.clock.clone());
        Self { effects, store, clock, lease, process: Holder::new() }
    }

    /// Works until it is told to stop; then finishes what it has begun.
    pub async fn run(self, stop: CancellationToken) {
        tokio::select! {
            () = self.work(stop) => {}
            () = self.be_there() => {}
        }
        if let Err(error) = self.store.leaves(self.process).await {
            tracing::debug!(%error, "the end of the worker could not be said");
        }
    }

    /// Says again and again that this process is there, and hears of those that are not any more.
    async fn be_there(&self) {
        loop {
            let said = async {
                self.store.is_there(self.process, self.lease).await?;
                self.store.note_ended_processes(self.process).await
            };
            if let Err(error) = said.await {
                tracing::debug!(%error, "the processes could not be counted");
            }
            sleep(self.lease / 4).await;
        }
    }

    async fn work(&self, stop: CancellationToken) {
        let places = Arc::new(Semaphore::new(SIDE_BY_SIDE));
        let under_way = TaskTracker::new();
        let mut wake = self.store.wake();
        let mut moved = self.clock.moved();
        while !stop.is_cancelled() {
            wake.mark_unchanged();
            moved.mark_unchanged();
            let begun = self.begin_due(&places, &under_way).await;
            if begun {
                continue;
            }
            tokio::select! {
                () = stop.cancelled() => break,
                _ = wake.changed() => {}
                _ = moved.changed() => {}
                () = tokio::time::sleep(self.until_due().await) => {}
            }
        }
        under_way.close();
        under_way.wait().await;
    }

    /// Works off everything that is due now, in this task, one step after another.
    pub async fn run_until_idle(&self) -> Result<(), store::Error> {
        loop {
            let claimed = self.claim(1).await?;
            if claimed.is_empty() {
                return Ok(());
            }
            for claimed in claimed {
                self.work_off(claimed).await;
            }
        }
    }

    /// Claims up to so many steps of each lane that are due.
    pub async fn claim(&self, limit: u32) -> Result<Vec<ClaimedStep>, store::Error> {
        self.store.claim(&[Lane::Work, Lane::Report], limit, self.lease).await
    }

    /// Does a claimed step. May be done again with the same claim: nothing is settled by it.
    pub async fn execute(&self, claimed: &ClaimedStep) -> Result<Done, StepError> {
        let timer = std::time::Instant::now();
        let done = AssertUnwindSafe(self.effects.execute(claimed)).catch_unwind().await;
        let done = done.unwrap_or_else(|_| {
            Err(StepError::Unknown(format!("the step {} panicked", claimed.step.kind())))
        });
        observe(claimed, &done, timer.elapsed());
        done
    }

    /// Writes down what became of a claimed step.
    pub async fn settle(
        &self,
        claimed: &ClaimedStep,
        done: Result<Done, StepError>,
    ) -> Result<(), store::Error> {
        match done {
            Err(error) if gives_way(claimed, &error) => {
                tracing::info!(run.id = %claimed.run.id, step = claimed.step.kind(), %error, "a step is given up; the sweep asks for another");
                let given_up = self.effects.given_up(claimed.run.clone(), &claimed.step);
                self.settle_with(claimed, given_up, None).await
            }
            Ok(Done::Decided { decision, entity }) => {
                self.settle_with(claimed, *decision, entity.as_ref()).await
            }
            Ok(Done::Reported(also)) => self.store.settle_report(claimed, &also).await,
            Err(StepError::Fail(reason)) => self.fail(claimed, reason).await,
            Err(StepError::Limited { reason, until }) => self.wait(claimed, &reason, until).await,
            Err(StepError::Retry { reason, until }) => self.postpone(claimed, &reason, until).await,
            Err(StepError::Unknown(reason)) => self.postpone(claimed, &reason, None).await,
        }
    }

    async fn settle_with(
        &self,
        claimed: &ClaimedStep,
        decision: Decision,
        entity: Option<&EntityChange>,
    ) -> Result<(), store::Error> {
        self.store.settle(claimed, &self.effects.heard(decision), entity).await
    }

    async fn begin_due(&self, places: &Arc<Semaphore>, under_way: &TaskTracker) -> bool {
        // Half of what is free for each lane, so that neither starves the other.
        let free = u32::try_from(places.available_permits() / 2).unwrap_or(1).max(1);
        let claimed = match self.claim(free).await {
            Ok(claimed) => claimed,
            Err(error) => {
                let error = anyhow::Error::from(error);
                tracing::warn!(error = format!("{error:#}"), "steps cannot be claimed");
                tokio::time::sleep(POLL).await;
                return false;
            }
        };
        let begun = !claimed.is_empty();
        for claimed in claimed {
            let Ok(place) = Arc::clone(places).acquire_owned().await else { return false };
            let worker = self.clone();
            under_way.spawn(async move {
                worker.work_off(claimed).await;
                drop(place);
            });
        }
        begun
    }

    async fn work_off(&self, claimed: ClaimedStep) {
        let span = step_span(&claimed.run.id, claimed.step.kind(), claimed.attempt);
        if let Err(error) = self.try_work_off(&claimed).instrument(span).await {
            // The lease ends, and whoever claims the step then looks before acting.
            tracing::warn!(run.id = %claimed.run.id, step = claimed.step.kind(), error = %error, "a step could not be settled");
            if let store::Error::LeaseLost = error
                && let Err(error) = self.store.outlives_its_claim(&claimed).await
            {
                tracing::debug!(%error, "what was counted as an end could not be taken back");
            }
        }
    }

    async fn try_work_off(&self, claimed: &ClaimedStep) -> Result<(), store::Error> {
        if claimed.interruptions >= SUSPECTED {
            return self.try_suspect(claimed).await;
        }
        self.hold_and_do(claimed, self.lease).await
    }

    /// Does a step that may be what ends the program, when no other process does another: else those
    /// that were only beside it would be parked with it. Its claim outlasts the program by the longer
    /// the oftener it has ended with it, so that ends by something else are seen in between.
    async fn try_suspect(&self, claimed: &ClaimedStep) -> Result<(), store::Error> {
        self.store.note_ended_processes(self.process).await?;
        let ends = self.store.interruptions(claimed).await?;
        if ends >= ENDS {
            let reason = format!("The program ended {ENDS} times while it did this step.");
            tracing::error!(run.id = %claimed.run.id, step = claimed.step.kind(), "{reason}");
            return self.store.park(claimed, &reason).await;
        }
        if !self.store.begin_trial(self.process, claimed, self.lease).await? {
            return self.store.release(claimed, self.clock.now() + SUSPECTS_WAIT).await;
        }
        let hold = self.lease * 2_u32.saturating_pow(ends);
        let done = match self.store.renew(claimed, hold).await {
            Ok(()) => self.hold_and_do(claimed, hold).await,
            Err(error) => Err(error),
        };
        while let Err(error) = self.store.end_trial(self.process).await {
            tracing::warn!(%error, "the end of a trial could not be said");
            sleep(POLL).await;
        }
        done
    }

    async fn hold_and_do(&self, claimed: &ClaimedStep, hold: Duration) -> Result<(), store::Error> {
        tokio::select! {
            done = self.execute(claimed) => self.settle(claimed, done).await,
            () = self.hold_on(claimed, hold) => Err(store::Error::LeaseLost),
        }
    }

    /// Gives word that a step is still worked on. Ends where that cannot be said any more, well before
    /// somebody else may take the step.
    async fn hold_on(&self, claimed: &ClaimedStep, hold: Duration) {
        let mut said = Instant::now();
        while let Ok(Some(again)) =
            timeout_at(said + self.lease * 3 / 4, self.give_word(claimed, hold)).await
        {
            said = again;
        }
    }

    /// Since when the claim holds for another lease; `None` where it was lost.
    async fn give_word(&self, claimed: &ClaimedStep, hold: Duration) -> Option<Instant> {
        loop {
            sleep(self.lease / 4).await;
            let asked = Instant::now();
            match self.store.renew(claimed, hold).await {
                Ok(()) => return Some(asked),
                Err(store::Error::LeaseLost) => return None,
                Err(_) => {}
            }
        }
    }

    async fn fail(&self, claimed: &ClaimedStep, reason: String) -> Result<(), store::Error> {
        if claimed.step.lane() == Lane::Report {
            tracing::error!(run.id = %claimed.run.id, reason, "the portal refuses a report");
            return self.store.park(claimed, &reason).await;
        }
        let decision = self.effects.refused(claimed.run.clone(), &claimed.step, reason);
        self.settle_with(claimed, decision, None).await
    }

    /// Waits for a limit, to the second, and says so in the run.
    async fn wait(
        &self,
        claimed: &ClaimedStep,
        reason: &str,
        until: DateTime<Utc>,
    ) -> Result<(), store::Error> {
        if self.is_out_of_patience(claimed) {
            return self.postpone(claimed, reason, Some(until)).await;
        }
        // A look is not asked for by anybody: nobody is told that it is late.
        let is_first = claimed.attempt == 1 && claimed.step != Step::Look;
        let said = plan::limited(claimed.run.clone(), until, is_first, self.clock.now());
        match said {
            Some(said) => {
                let said = self.effects.heard(said);
                self.store.postpone_and_say(claimed, until, reason, &said).await
            }
            None => self.store.postpone(claimed, until, reason).await,
        }
    }

    fn is_out_of_patience(&self, claimed: &ClaimedStep) -> bool {
        let age = self.clock.now() - claimed.created_at;
        age > backoff::PATIENCE && claimed.step.lane() == Lane::Work
    }

    async fn postpone(
        &self,
        claimed: &ClaimedStep,
        reason: &str,
        until: Option<DateTime<Utc>>,
    ) -> Result<(), store::Error> {
        let now = self.clock.now();
        if reason.ends_with("panicked") && claimed.attempt >= PANICS {
            return self.store.park(claimed, reason).await;
        }
        if self.is_out_of_patience(claimed) {
            let reason = format!("It did not work for a whole day: {reason}.");
            return self.fail(claimed, reason).await;
        }
        let until = backoff::until(now, claimed.attempt, until, fastrand::f64());
        tracing::info!(run.id = %claimed.run.id, step = claimed.step.kind(), attempt = claimed.attempt, until = %until, reason, "a step waits");
        self.store.postpone(claimed, until, reason).await
    }

    async fn until_due(&self) -> Duration {
        let next = self.store.next_due().await.ok().flatten();
        let wait = next.map(|due| (due - self.clock.now()).to_std().unwrap_or_default());
        wait.unwrap_or(POLL).clamp(Duration::from_millis(5), POLL)
    }
}

/// Whether a step is given up that is only good to have.
fn gives_way(claimed: &ClaimedStep, error: &StepError) -> bool {
    let is_given_up = claimed.step.tries().is_some_and(|tries| claimed.attempt >= tries);
    is_given_up && !matches!(error, StepError::Fail(_))
}

fn observe(claimed: &ClaimedStep, done: &Result<Done, StepError>, took: Duration) {
    let decision = match done {
        Ok(_) => "done",
        Err(StepError::Limited { .. }) => "limited",
        Err(StepError::Retry { .. }) => "retry",
        Err(StepError::Fail(_)) => "fail",
        Err(StepError::Unknown(_)) => "unknown",
    };
    let step = claimed.step.kind();
    tracing::Span::current().record("decision", decision);
    metrics::counter!("towpath_effects_total", "step" => step, "decision" => decision).increment(1);
    metrics::histogram!("towpath_step_seconds", "step" => step).record(took.as_secs_f64());
    tracing::debug!(run.id = %claimed.run.id, step, decision, took_ms = took.as_millis(), "step");
}
