//! Waiting, without waiting long: where everything only waits for a moment that is near, the clock
//! is moved to it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use towpath::domain::{Run, RunId};
use towpath::intake::lost::Trouble;
use towpath::plan::step::Lane;
use towpath::sandbox::portal;
use towpath::store::{RunFilter, StepState};

use super::World;

/// How long a story waits for a condition before it fails. Far more than it takes.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a condition is looked at.
const GLANCE: Duration = Duration::from_millis(4);
/// The clock is moved so far and no farther by itself: less than the lease of a step, and less than
/// what a service that asks for patience asks for.
const NEAR: chrono::TimeDelta = chrono::TimeDelta::seconds(90);

/// When something can be done.
enum Next {
    /// Never: nothing is left.
    Nothing,
    /// It is being done.
    Now,
    /// At this moment.
    At(DateTime<Utc>),
}

impl World {
    /// Waits for something, without moving the clock.
    pub(crate) async fn eventually(&self, what: &str, condition: impl Fn() -> bool) {
        let started = Instant::now();
        while !condition() {
            assert!(started.elapsed() < PATIENCE, "it did not happen: {what}");
            sleep(GLANCE).await;
        }
    }

    /// So much time passes that every open run was silent too long, and is looked at.
    pub(crate) async fn look(&self) {
        assert!(self.look_at_what_is_open().await > 0, "nothing is open");
    }

    /// The same where all may be over. Answers how many runs are looked at.
    pub(crate) async fn look_at_what_is_open(&self) -> usize {
        self.between_steps().await;
        self.clock.advance(Duration::from_hours(2));
        self.sweep().await
    }

    /// What has been silent for too long by now is looked at. Answers how many runs that are.
    pub(crate) async fn sweep(&self) -> usize {
        let sweep = &self.running.as_ref().expect("the service runs").sweep;
        sweep.once().await.unwrap()
    }

    /// Waits until nothing is under way, which hours would come between: a request with a token that
    /// has ended by its arrival, a webhook by which a run was not silent.
    async fn between_steps(&self) {
        let started = Instant::now();
        self.github.webhooks_delivered().await;
        while !self.by_hand && started.elapsed() < PATIENCE {
            match self.next().await {
                Next::Now => {}
                Next::At(due) if due <= self.clock.now() => {}
                Next::Nothing | Next::At(_) => return,
            }
            sleep(GLANCE).await;
        }
    }

    /// The service reads the log of what GitHub could not deliver. Answers how much of it concerned
    /// something.
    pub(crate) async fn read_the_delivery_log(&self) -> usize {
        self.try_the_delivery_log().await.unwrap()
    }

    /// The same where it may not go well.
    pub(crate) async fn try_the_delivery_log(&self) -> Result<usize, Trouble> {
        self.between_steps().await;
        // The turn of a service that was stopped ends.
        self.clock.advance(Duration::from_hours(1));
        let lost = &self.running.as_ref().expect("the service runs").lost_deliveries;
        lost.once(&CancellationToken::new()).await
    }

    /// Waits until nothing is left to be done: every webhook is delivered, every step settled.
    pub(crate) async fn rest(&self) {
        let started = Instant::now();
        loop {
            self.github.webhooks_delivered().await;
            let waiting = self.store().counts().await.unwrap().steps_waiting;
            if waiting == 0 {
                return;
            }
            assert!(started.elapsed() < PATIENCE, "left over:\n{}", self.left_over().await);
            self.pass_time().await;
        }
    }

    /// Waits until every step waits for a moment that is not near, or is settled.
    pub(crate) async fn standstill(&self) {
        let started = Instant::now();
        loop {
            self.github.webhooks_delivered().await;
            match self.next().await {
                Next::Nothing => return,
                Next::At(due) if due - self.clock.now() > NEAR => return,
                Next::Now | Next::At(_) => {}
            }
            assert!(started.elapsed() < PATIENCE, "no standstill:\n{}", self.left_over().await);
            self.pass_time().await;
        }
    }

    /// The lease of what was under way at a crash ends, and everything is worked off.
    pub(crate) async fn after_a_crash(&self) {
        self.clock.advance(Duration::from_mins(3));
        self.rest().await;
    }

    /// Waits until a run is as it should be, and answers it.
    pub(crate) async fn until(&self, run: &RunId, what: impl Fn(&Run) -> bool) -> Run {
        let started = Instant::now();
        loop {
            if let Some(found) = self.store().run(run).await.unwrap().filter(|run| what(run)) {
                return found;
            }
            assert!(started.elapsed() < PATIENCE, "{}", self.told(run).await);
            self.pass_time().await;
        }
    }

    /// Waits until a run has this label.
    pub(crate) async fn until_label(&self, run: &RunId, label: &str) -> Run {
        self.until(run, |run| run.label == label).await
    }

    /// Waits until the portal shows a run with this status and label, and answers what it shows.
    pub(crate) async fn until_portal(&self, run: &RunId, status: &str, label: &str) -> portal::Run {
        let started = Instant::now();
        loop {
            let shown = self.portal.run(run.as_str()).expect("the portal has the run");
            if shown.status == status && shown.label.as_deref() == Some(label) {
                return shown;
            }
            assert!(
                started.elapsed() < PATIENCE,
                "not {status} · {label}: {shown:#?}\n{}",
                self.told(run).await
            );
            self.pass_time().await;
        }
    }

    /// A moment passes, and more if nothing can be done before.
    async fn pass_time(&self) {
        sleep(GLANCE).await;
        let Next::At(due) = self.next().await else { return };
        let wait = due - self.clock.now();
        if wait > chrono::TimeDelta::zero() && wait < NEAR {
            self.clock.advance(wait.to_std().expect("more than nothing"));
        }
    }

    /// When the next step can be done, as one look at each run shows it.
    async fn next(&self) -> Next {
        let mut next = Next::Nothing;
        for run in self.runs().await {
            let steps = self.store().steps_of(&run.id).await.unwrap();
            for lane in [Lane::Work, Lane::Report] {
                let mut open = steps.iter().filter(|step| step.settled_at.is_none());
                match (open.find(|step| step.step.lane() == lane), &next) {
                    (None, _) => {}
                    (Some(first), _) if first.state == StepState::Claimed => return Next::Now,
                    (Some(first), Next::At(due)) if *due <= first.due_at => {}
                    (Some(first), _) => next = Next::At(first.due_at),
                }
            }
        }
        next
    }

    /// Every run, and its parts.
    async fn runs(&self) -> Vec<Run> {
        let all = RunFilter { limit: 100, ..RunFilter::default() };
        let mut runs = self.store().runs(&all).await.unwrap();
        for whole in runs.clone() {
            runs.extend(self.store().parts_of(&whole.id).await.unwrap());
        }
        runs
    }

    /// Everything that is known of a run, for the message of a story that failed.
    async fn told(&self, run: &RunId) -> String {
        let row = self.store().run(run).await;
        let events = self.store().events(run, 0).await;
        let steps = self.store().steps_of(run).await;
        format!("{row:#?}\n{events:#?}\n{steps:#?}\nGitHub: {:#?}", self.asked_of_github())
    }

    async fn left_over(&self) -> String {
        let mut told = String::new();
        for run in self.runs().await {
            let steps = self.store().steps_of(&run.id).await.unwrap();
            let open: Vec<_> = steps.iter().filter(|step| step.settled_at.is_none()).collect();
            told.push_str(&format!("{} {}: {open:#?}\n", run.id, run.label));
        }
        told
    }
}
