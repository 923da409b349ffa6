//! Runs that are fetched: claimed, written down, acknowledged, and only then begun.
//!
//! A claim is for a while, an acknowledgement for good. A run is held in the store in between, so
//! that it is neither lost when the process ends after the acknowledgement, nor done when somebody
//! else was faster. Which portal it is, and how its calls look, is known by [`Offers`].

use std::future::Future;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::StreamExt as _;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::accept::{Answer, Intake};
use super::portal_message::parse_portal_run;
use crate::domain::action_run::RunKind;
use crate::domain::{ActionId, RunId};
use crate::store::Accepted;

/// The most runs of one claim. Port's agent claims as many.
const BATCH: u32 = 100;
/// How much due work may wait here before nothing more is fetched (ocean's high watermark).
const BACKLOG: u64 = 300;
/// How much of that one action may take: 30 %, as ocean has it.
const BACKLOG_OF_ONE: u64 = 90;
/// How many claimed runs are written down and acknowledged side by side.
const SIDE_BY_SIDE: usize = 8;
/// After how long a run that is still held was left behind: twice as long as a claim hides it, so
/// that nobody is in the middle of taking it.
const LEFT_BEHIND: TimeDelta = TimeDelta::minutes(2);
/// The first wait after a failure, and the longest.
const WAITS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(5));

/// Why the portal did not answer as it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// Nothing was done there.
    #[error("{reason}")]
    NotDone {
        /// What stands in the way.
        reason: String,
        /// Not before this moment, where the portal has said it.
        until: Option<DateTime<Utc>>,
    },
    /// The answer was lost: it may have been done.
    #[error("{0}")]
    Unclear(String),
}

/// What a portal offers to whoever fetches.
pub trait Offers: Send + Sync + 'static {
    /// Claims up to so many runs, none of these actions.
    fn claim(
        &self,
        kind: RunKind,
        limit: u32,
        without: &[ActionId],
    ) -> impl Future<Output = Result<Vec<Value>, Trouble>> + Send;

    /// Takes a run for good. Whether it was still there to be taken.
    fn acknowledge(
        &self,
        run: &RunId,
        kind: RunKind,
    ) -> impl Future<Output = Result<bool, Trouble>> + Send;

    /// Whether somebody has begun to work on a run, as far as the portal can tell.
    fn is_worked_on(
        &self,
        run: &RunId,
        kind: RunKind,
    ) -> impl Future<Output = Result<bool, Trouble>> + Send;
}

/// Fetches runs until it is told to stop.
pub struct Polling<O> {
    intake: Intake,
    offers: O,
    interval: Duration,
}

impl<O: Offers> Polling<O> {
    /// Asks every `interval`, and at once where there may be more.
    pub fn new(intake: Intake, offers: O, interval: Duration) -> Self {
        Self { intake, offers, interval }
    }

    /// Fetches until it is told to stop. What goes wrong is tried again, the later the longer it
    /// lasts.
    pub async fn run(self, stop: CancellationToken) {
        let mut failures = 0;
        while !stop.is_cancelled() {
            let wait = match self.once(&stop).await {
                Ok(is_more) => {
                    failures = 0;
                    if is_more { Duration::ZERO } else { self.interval }
                }
                Err(trouble) => {
                    failures += 1;
                    tracing::warn!(error = %trouble, failures, "runs cannot be fetched");
                    wait_after(failures, &trouble, self.intake.clock.now(), fastrand::f64())
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Fetches once. Whether there may be more.
    pub async fn once(&self, stop: &CancellationToken) -> Result<bool, Trouble> {
        self.take_up_what_was_left_behind().await?;
        let mut is_more = false;
        for kind in [RunKind::Action, RunKind::WorkflowNode] {
            is_more |= self.fetch(kind, stop).await?;
        }
        Ok(is_more)
    }

    async fn fetch(&self, kind: RunKind, stop: &CancellationToken) -> Result<bool, Trouble> {
        let room =
            Room::left(&self.intake.store.backlog().await.map_err(|error| not_readable(&error))?);
        if room.limit == 0 || stop.is_cancelled() {
            return Ok(false);
        }
        let claimed = self.offers.claim(kind, room.limit, &room.saturated).await?;
        let is_full = claimed.len() >= room.limit as usize;
        let taken = futures_util::stream::iter(claimed)
            // What is left here comes back when its claim ends.
            .take_while(|_| std::future::ready(!stop.is_cancelled()))
            .map(|offered| self.take(offered, kind))
            .buffer_unordered(SIDE_BY_SIDE);
        let all_went_well = taken.fold(true, async |all, well| all && well).await;
        Ok(is_full && all_went_well)
    }

    /// Takes one claimed run, or leaves it alone. Whether the next may be taken at once.
    async fn take(&self, offered: Value, kind: RunKind) -> bool {
        let outcome = match parse_portal_run(&offered) {
            Ok(mut run) => {
                run.kind = kind;
                let id = run.id.clone();
                match self.intake.hold(run).await {
                    Ok(accepted) => self.settle(&id, kind, accepted).await,
                    Err(Answer::NotUnderstood(reason)) => not_understood(&reason),
                    Err(_) => Outcome::Unavailable,
                }
            }
            Err(reason) => not_understood(&reason.to_string()),
        };
        metrics::counter!(
            "towpath_deliveries_total", "source" => "polling", "outcome" => outcome.as_str()
        )
        .increment(1);
        outcome != Outcome::Unavailable
    }

    /// Acknowledges a run that is on disk, and lets it begin if it is ours.
    async fn settle(&self, run: &RunId, kind: RunKind, accepted: Accepted) -> Outcome {
        match self.offers.acknowledge(run, kind).await {
            Ok(true) => self.release(run).await,
            Err(Trouble::Unclear(_)) => self.settle_again(run, kind).await,
            // It was here before: whoever brought it sees to it.
            Ok(false) | Err(_) if accepted == Accepted::Known => Outcome::Ignored,
            Ok(false) => self.withdraw(run, Outcome::Ignored).await,
            Err(trouble) => {
                tracing::warn!(run.id = %run, error = %trouble, "a run cannot be acknowledged");
                self.withdraw(run, Outcome::Unavailable).await
            }
        }
    }

    /// Acknowledges a run once more, after an acknowledgement of which nobody knows whether it
    /// arrived. That it is taken already then means that it did, unless somebody else works on it.
    async fn settle_again(&self, run: &RunId, kind: RunKind) -> Outcome {
        let is_ours = match self.offers.acknowledge(run, kind).await {
            Ok(true) => Ok(true),
            Ok(false) => self.offers.is_worked_on(run, kind).await.map(|worked_on| !worked_on),
            Err(trouble) => Err(trouble),
        };
        match is_ours {
            Ok(true) => self.release(run).await,
            Ok(false) => self.withdraw(run, Outcome::Ignored).await,
            Err(trouble) => {
                tracing::warn!(run.id = %run, error = %trouble, "a run is held: nobody knows yet whose it is");
                Outcome::Unavailable
            }
        }
    }

    async fn release(&self, run: &RunId) -> Outcome {
        match self.intake.store.release_run(run).await {
            Ok(released) => {
                if released {
                    tracing::info!(run.id = %run, "received a run");
                }
                Outcome::Accepted
            }
            Err(error) => not_writable(run, &error),
        }
    }

    async fn withdraw(&self, run: &RunId, outcome: Outcome) -> Outcome {
        match self.intake.store.withdraw_run(run).await {
            Ok(_) => outcome,
            Err(error) => not_writable(run, &error),
        }
    }

    /// The process ended, or the portal was away, between writing a run down and knowing that it
    /// is ours.
    async fn take_up_what_was_left_behind(&self) -> Result<(), Trouble> {
        let before = self.intake.clock.now() - LEFT_BEHIND;
        for held in
            self.intake.store.held_runs(before).await.map_err(|error| not_readable(&error))?
        {
            self.settle_again(&held.id, held.kind).await;
        }
        Ok(())
    }
}

/// What became of a claimed run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// It is ours.
    Accepted,
    /// It is somebody else's.
    Ignored,
    /// It is no action run.
    Invalid,
    /// Not now: it will be offered again, or is held.
    Unavailable,
}

impl Outcome {
    fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Ignored => "ignored",
            Self::Invalid => "invalid",
            Self::Unavailable => "unavailable",
        }
    }
}

fn not_understood(reason: &str) -> Outcome {
    tracing::warn!(reason, "left a claimed run alone");
    Outcome::Invalid
}

fn not_readable(error: &crate::store::Error) -> Trouble {
    Trouble::NotDone { reason: error.to_string(), until: None }
}

fn not_writable(run: &RunId, error: &crate::store::Error) -> Outcome {
    tracing::error!(run.id = %run, error = error as &dyn std::error::Error, "cannot write down whose a run is");
    Outcome::Unavailable
}

/// How many runs may be fetched, and of which actions none.
#[derive(Debug, PartialEq, Eq)]
struct Room {
    limit: u32,
    saturated: Vec<ActionId>,
}

impl Room {
    fn left(backlog: &[(ActionId, u64)]) -> Self {
        let waiting: u64 = backlog.iter().map(|(_, steps)| steps).sum();
        let room = BACKLOG.saturating_sub(waiting);
        let saturated = backlog.iter().filter(|(_, steps)| *steps >= BACKLOG_OF_ONE);
        Self {
            limit: u32::try_from(room).unwrap_or(BATCH).min(BATCH),
            saturated: saturated.map(|(action, _)| action.clone()).collect(),
        }
    }
}

/// How long to wait after so many failures. `chance` in 0..1 spreads those that failed together.
fn wait_after(failures: u32, trouble: &Trouble, now: DateTime<Utc>, chance: f64) -> Duration {
    let (first, longest) = WAITS;
    let doubled = first.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1)));
    let wait = doubled.min(longest).mul_f64(1.0 + chance / 10.0);
    let asked = match trouble {
        Trouble::NotDone { until: Some(until), .. } => (*until - now).to_std().unwrap_or_default(),
        _ => Duration::ZERO,
    };
    wait.max(asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backlog(of: &[(&str, u64)]) -> Vec<(ActionId, u64)> {
        of.iter().map(|(action, steps)| (ActionId::new(*action).unwrap(), *steps)).collect()
    }

    #[test]
    fn no_more_is_fetched_than_can_be_worked_off() {
        let none = Room { limit: 100, saturated: Vec::new() };
        assert_eq!(Room::left(&[]), none);
        assert_eq!(Room::left(&backlog(&[("a", 89), ("b", 80)])), none);
        let busy = Room::left(&backlog(&[("a", 90), ("b", 180)]));
        assert_eq!(busy.limit, 30);
        assert_eq!(busy.saturated.len(), 2);
        assert_eq!(Room::left(&backlog(&[("a", 300)])).limit, 0);
        assert_eq!(Room::left(&backlog(&[("a", u64::from(u32::MAX) * 2)])).limit, 0);
    }

    #[test]
    fn waits_grow_to_a_limit_and_keep_what_was_asked() {
        let now = DateTime::UNIX_EPOCH;
        let away = Trouble::Unclear("gone".to_owned());
        let wait = |failures, chance| wait_after(failures, &away, now, chance);
        assert_eq!(wait(1, 0.0), Duration::from_secs(1));
        assert_eq!(wait(4, 0.0), Duration::from_secs(8));
        assert_eq!(wait(u32::MAX, 1.0), Duration::from_secs(330));
        let until = Some(now + TimeDelta::seconds(40));
        let limited = Trouble::NotDone { reason: "busy".to_owned(), until };
        assert_eq!(wait_after(1, &limited, now, 0.5), Duration::from_secs(40));
    }
}
