//! What GitHub could not deliver: read from its log at the start and now and then, and taken in as
//! if it had arrived. GitHub does not deliver again by itself; its log goes back three days.
//!
//! Each delivery is noted when it is done with, so that a long outage is worked off in as many
//! passes as GitHub's limits ask for. Which calls that takes is known by [`DeliveryLog`].

use std::future::Future;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::accept::{Answer, Intake};
use super::github_event::is_read;
use crate::domain::DeliveryId;
use crate::store::{self, Holder};

/// The longest that any server keeps its log (GitHub Enterprise Server; github.com three days).
const KEPT: TimeDelta = TimeDelta::days(7);
/// How far a pass goes back behind the beginning of the one before: a delivery is dated by its
/// beginning, and appears when its attempt has ended, which may be throttled for minutes.
const OVERLAP: TimeDelta = TimeDelta::minutes(15);
/// Under which name the cursor is kept, and the turn is taken.
const NAME: &str = "delivery_log";

/// A webhook of which no attempt arrived, as far as the log tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undelivered {
    /// By which its payload can be read.
    pub id: u64,
    /// `X-GitHub-Delivery`: the same for all attempts.
    pub guid: String,
    /// The event: `workflow_run`.
    pub event: String,
}

/// The log of an App's deliveries.
pub trait DeliveryLog: Send + Sync + 'static {
    /// What failed since a moment, the oldest first; else why the log cannot be read.
    fn failed(
        &self,
        since: DateTime<Utc>,
    ) -> impl Future<Output = Result<Vec<Undelivered>, String>> + Send;

    /// The payload of a delivery; `None` where it can never be read: the log does not hold it any
    /// more. An error is one that passes.
    fn payload(&self, id: u64) -> impl Future<Output = Result<Option<Value>, String>> + Send;
}

/// Why a pass over the log ended early. The next one goes on where it ended.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// The log cannot be read.
    #[error("{0}")]
    Log(String),
    /// What was read cannot be written down.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A delivery cannot be written down.
    #[error("a delivery cannot be written down")]
    Unavailable,
}

/// Takes in what was not delivered.
#[derive(Clone)]
pub struct LostDeliveries<L> {
    intake: Intake,
    log: L,
    interval: Duration,
    holder: Holder,
}

impl<L: DeliveryLog> LostDeliveries<L> {
    /// Reads the log every `interval`, in one process of all that share a database.
    pub fn new(intake: Intake, log: L, interval: Duration) -> Self {
        Self { intake, log, interval, holder: Holder::new() }
    }

    /// Reads the log now and then, until it is told to stop.
    pub async fn run(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            match self.once(&stop).await {
                Ok(0) => {}
                Ok(taken) => tracing::info!(taken, "took in deliveries that had failed"),
                Err(trouble) => {
                    tracing::warn!(error = %trouble, "failed deliveries cannot be taken in");
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(self.interval) => {}
            }
        }
    }

    /// One pass, if it is this process' turn. Answers how many deliveries concerned something.
    pub async fn once(&self, stop: &CancellationToken) -> Result<usize, Trouble> {
        if !self.is_our_turn().await? {
            return Ok(0);
        }
        let begun = self.intake.clock.now();
        let failed = self.log.failed(self.since(begun).await?).await.map_err(Trouble::Log)?;
        let mut taken = 0;
        for delivery in failed.iter().filter(|failed| is_read(&failed.event)) {
            if stop.is_cancelled() || !self.is_our_turn().await? {
                return Ok(taken);
            }
            taken += usize::from(self.take(delivery).await?);
        }
        self.intake.store.keep(NAME, &begun.to_rfc3339()).await?;
        Ok(taken)
    }

    async fn is_our_turn(&self) -> Result<bool, store::Error> {
        self.intake.store.take_turn(NAME, self.holder, self.interval).await
    }

    async fn since(&self, now: DateTime<Utc>) -> Result<DateTime<Utc>, store::Error> {
        let kept = self.intake.store.kept(NAME).await?;
        let last = kept.and_then(|text| DateTime::parse_from_rfc3339(&text).ok());
        Ok(last.map_or(now - KEPT, |last| last.to_utc() - OVERLAP))
    }

    /// Takes in one delivery, unless it was handled. Whether it concerned something.
    async fn take(&self, failed: &Undelivered) -> Result<bool, Trouble> {
        let Ok(delivery) = DeliveryId::new(failed.guid.as_str()) else { return Ok(false) };
        if self.intake.store.was_handled(&delivery).await? {
            return Ok(false);
        }
        let payload = self.log.payload(failed.id).await.map_err(Trouble::Log)?;
        let outcome = match payload {
            None => "gone",
            Some(payload) => {
                let body = payload.to_string();
                let answer =
                    self.intake.delivered(&failed.event, &failed.guid, body.as_bytes()).await;
                match answer {
                    Answer::Unavailable => return Err(Trouble::Unavailable),
                    Answer::Recorded => "accepted",
                    Answer::NotUnderstood(_) => "invalid",
                    _ => "ignored",
                }
            }
        };
        if outcome == "gone" || outcome == "invalid" {
            tracing::warn!(delivery.id = %delivery, event = failed.event, outcome, "a failed delivery is lost: what it told is found by looking at the run");
        }
        metrics::counter!(
            "towpath_deliveries_total", "source" => "delivery_log", "outcome" => outcome
        )
        .increment(1);
        self.intake.store.note_handled(&delivery).await?;
        Ok(outcome == "accepted")
    }
}
