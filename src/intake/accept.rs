//! The door: a message is proved, read, and written down, in this order.

use std::sync::Arc;

use secrecy::SecretString;
use tracing::Instrument as _;

use super::github_event::{GitHubFact, parse_github_event};
use super::portal_message::{is_change_log, parse_portal_message};
use super::signature::{Refusal, verify_github, verify_kafka, verify_portal};
use crate::clock::Clock;
use crate::domain::{ActionId, ActionRun, DeliveryId, Observation, RunId};
use crate::seal::SealingKey;
use crate::store::{Accepted, Recorded, Store};
use crate::telemetry::message_span;

/// The names of an action's secret inputs, as its template has them.
pub type SecretNames = Arc<dyn Fn(&ActionId) -> Vec<String> + Send + Sync>;

/// Everything that comes in comes in here.
#[derive(Clone)]
pub struct Intake {
    /// Where it is written down.
    pub store: Store,
    /// The time, to which a signature's is held.
    pub clock: Clock,
    /// GitHub's webhook secrets; more than one while they are being replaced. None: nothing of
    /// GitHub is let in.
    pub github_secrets: Vec<SecretString>,
    /// The portal's client secret. None: nothing of the portal is let in.
    pub portal_key: Option<SecretString>,
    /// What secret inputs are sealed with: made of the portal's client secret, or of the App's key.
    pub sealing_key: SealingKey,
    /// The names of an action's secret inputs.
    pub secret_names: SecretNames,
    /// Called when what the App may do, and where, has changed.
    pub access_changed: Arc<dyn Fn() + Send + Sync>,
    /// Called with everything that is seen: templates may come from a repository.
    pub seen: Arc<dyn Fn(&Observation) + Send + Sync>,
}

/// The headers of a delivery of GitHub.
#[derive(Debug, Clone, Copy, Default)]
pub struct GitHubHeaders<'a> {
    /// `X-GitHub-Event`.
    pub event: Option<&'a str>,
    /// `X-GitHub-Delivery`.
    pub delivery: Option<&'a str>,
    /// `X-Hub-Signature-256`.
    pub signature: Option<&'a str>,
}

/// The headers of a message of the portal.
#[derive(Debug, Clone, Copy, Default)]
pub struct PortalHeaders<'a> {
    /// `X-Port-Signature`.
    pub signature: Option<&'a str>,
    /// `X-Port-Timestamp`.
    pub timestamp: Option<&'a str>,
}

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// 202: this run is on disk, now or already.
    Run(RunId),
    /// 202: the delivery is on disk, now or already.
    Recorded,
    /// 202: it concerns nothing here.
    Ignored,
    /// 401: it is not proved.
    Unproved,
    /// 400: it is not what it should be. A full sentence for the sender.
    NotUnderstood(String),
    /// 503: it could not be written down; to be sent again.
    Unavailable,
}

impl Intake {
    /// A delivery of GitHub.
    pub async fn github(&self, headers: GitHubHeaders<'_>, body: &[u8]) -> Answer {
        if let Err(refusal) = verify_github(&self.github_secrets, headers.signature, body) {
            return unproved("github", refusal);
        }
        let Some(event) = headers.event else {
            return Answer::NotUnderstood("The header X-GitHub-Event is missing.".to_owned());
        };
        self.delivered(event, headers.delivery.unwrap_or_default(), body).await
    }

    /// A delivery of GitHub that is proved: by its signature, or by where it was read.
    pub(super) async fn delivered(&self, event: &str, delivery: &str, body: &[u8]) -> Answer {
        let observation = match parse_github_event(event, body) {
            Ok(Some(GitHubFact::Seen(observation))) => observation,
            Ok(Some(GitHubFact::AccessChanged)) => {
                (self.access_changed)();
                return Answer::Recorded;
            }
            Ok(None) => return Answer::Ignored,
            Err(malformed) => return Answer::NotUnderstood(malformed.to_string()),
        };
        (self.seen)(&observation);
        let delivery = match DeliveryId::new(delivery) {
            Ok(delivery) => delivery,
            Err(error) => return Answer::NotUnderstood(format!("X-GitHub-Delivery: {error}.")),
        };
        match self.store.accept_observation(&delivery, &observation).await {
            Ok(Recorded::Nothing) => Answer::Ignored,
            Ok(recorded) => {
                tracing::debug!(delivery.id = %delivery, event, ?recorded, "took in a delivery");
                Answer::Recorded
            }
            Err(error) => unavailable(&error),
        }
    }

    /// A message of the portal, by webhook.
    pub async fn portal(&self, headers: PortalHeaders<'_>, body: &[u8]) -> Answer {
        let Some(key) = &self.portal_key else {
            return unproved("portal", Refusal::NoSecret);
        };
        let PortalHeaders { signature, timestamp } = headers;
        if let Err(refusal) = verify_portal(key, signature, timestamp, body, self.clock.now()) {
            return unproved("portal", refusal);
        }
        self.message(body).await
    }

    /// A message of the portal, by Kafka. One of the change log is no run, and is not signed.
    pub async fn kafka(&self, body: &[u8]) -> Answer {
        if is_change_log(body) {
            return Answer::Ignored;
        }
        let Some(key) = &self.portal_key else {
            return unproved("kafka", Refusal::NoSecret);
        };
        if let Err(refusal) = verify_kafka(key, body) {
            return unproved("kafka", refusal);
        }
        self.message(body).await
    }

    async fn message(&self, body: &[u8]) -> Answer {
        match parse_portal_message(body) {
            Ok(run) => self.run(run).await,
            Err(reason) => Answer::NotUnderstood(reason.to_string()),
        }
    }

    /// An action run that was proved on its way: asked for at this program's own API.
    pub async fn run(&self, run: ActionRun) -> Answer {
        let run = match self.sealed(run) {
            Ok(run) => run,
            Err(answer) => return answer,
        };
        let accepted = self.store.accept_run(&run).instrument(message_span(&run.id)).await;
        match accepted {
            Ok(accepted) => {
                if accepted == Accepted::New {
                    tracing::info!(run.id = %run.id, action = %run.action, "received a run");
                }
                Answer::Run(run.id)
            }
            Err(error) => unavailable(&error),
        }
    }

    /// An action run that was proved on its way, and may not begin before it is released.
    pub(super) async fn hold(&self, run: ActionRun) -> Result<Accepted, Answer> {
        let run = self.sealed(run)?;
        self.store.hold_run(&run).await.map_err(|error| unavailable(&error))
    }

    /// The same run with its secret inputs as ciphertext: none reaches the disk in clear.
    pub fn sealed(&self, mut run: ActionRun) -> Result<ActionRun, Answer> {
        let secret = (self.secret_names)(&run.action);
        match self.sealing_key.seal_inputs(&mut run, &secret) {
            Ok(()) => Ok(run),
            Err(error) => {
                Err(Answer::NotUnderstood(format!("A secret input cannot be sealed: {error}.")))
            }
        }
    }

    /// Why messages are not taken in now, in sentences.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.github_secrets.is_empty() {
            problems.push(
                "GITHUB_WEBHOOK_SECRET is not set: GitHub's webhooks are refused.".to_owned(),
            );
        }
        problems
    }
}

fn unproved(door: &'static str, refusal: Refusal) -> Answer {
    tracing::warn!(door, %refusal, "refused a message");
    Answer::Unproved
}

fn unavailable(error: &crate::store::Error) -> Answer {
    tracing::error!(error = error as &dyn std::error::Error, "cannot write down a message");
    Answer::Unavailable
}
