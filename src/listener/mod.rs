//! Whoever wants to hear of runs and entities: another portal, or a program of one's own.
//!
//! Each thing that happens is one signed `POST` with a CloudEvent. It is sent until it is taken, so
//! that it may come twice: its id tells. Does not know about: plans, the store, Port.

mod signature;

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::header::RETRY_AFTER;
use reqwest::{Client, Response, StatusCode};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::clock::Clock;

/// How long a listener may take to answer.
const TIMEOUT: Duration = Duration::from_secs(15);
/// The longest wait that a listener may ask for.
const LONGEST_WAIT: TimeDelta = TimeDelta::hours(1);
/// What the CloudEvents name as their origin.
const SOURCE: &str = "/towpath";

/// What has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A run has got further.
    RunProgressed,
    /// A run has ended.
    RunEnded,
    /// An entity was made or changed.
    EntityWritten,
    /// An entity was removed.
    EntityRemoved,
}

impl Kind {
    /// The CloudEvent's `type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RunProgressed => "dev.towpath.run.progressed",
            Self::RunEnded => "dev.towpath.run.ended",
            Self::EntityWritten => "dev.towpath.entity.written",
            Self::EntityRemoved => "dev.towpath.entity.removed",
        }
    }
}

/// One thing that has happened.
#[derive(Debug, Clone, PartialEq)]
pub struct CloudEvent {
    /// The same however often it is sent.
    pub id: String,
    /// What has happened.
    pub kind: Kind,
    /// To what: a run's id, or `blueprint/identifier`.
    pub subject: String,
    /// When.
    pub time: DateTime<Utc>,
    /// All that is said of it.
    pub data: Value,
}

impl CloudEvent {
    /// In the JSON form of CloudEvents 1.0.
    fn body(&self) -> String {
        let event = json!({
            "specversion": "1.0",
            "id": self.id,
            "source": SOURCE,
            "type": self.kind.as_str(),
            "subject": self.subject,
            "time": self.time,
            "datacontenttype": "application/json",
            "data": self.data,
        });
        event.to_string()
    }
}

/// Why an event was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not now; perhaps it was taken, and the answer lost.
    #[error("the listener of events did not take one: {reason}")]
    Unavailable {
        /// What stands in the way.
        reason: String,
        /// Not before this moment, where the listener has said it.
        until: Option<DateTime<Utc>>,
    },
    /// It will not take it: the same would be refused again.
    #[error("the listener of events refuses one ({0})")]
    Refused(u16),
}

/// A listener. Clones share the connections.
#[derive(Clone)]
pub struct Listener {
    client: Client,
    url: String,
    key: signature::Key,
    clock: Clock,
}

impl Listener {
    /// A listener at an address, with the secret that it proves events with. Nothing is sent yet.
    pub fn new(url: &str, secret: &SecretString, clock: Clock) -> Result<Self, Error> {
        let client = Client::builder()
            .user_agent(concat!("towpath/", env!("CARGO_PKG_VERSION")))
            .timeout(TIMEOUT)
            // What is signed is meant for the configured address and no other.
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .build()
            .map_err(|error| not_now(error.without_url().to_string()))?;
        Ok(Self { client, url: url.to_owned(), key: signature::Key::of(secret), clock })
    }

    /// Sends an event.
    pub async fn tell(&self, event: &CloudEvent) -> Result<(), Error> {
        let body = event.body();
        let timestamp = self.clock.now().timestamp();
        let request = self
            .client
            .post(&self.url)
            .header("content-type", "application/cloudevents+json")
            .header("webhook-id", &event.id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", self.key.sign(&event.id, timestamp, &body))
            .body(body);
        let answer = request.send().await;
        let answer = answer.map_err(|error| not_now(error.without_url().to_string()))?;
        if answer.status().is_success() {
            return Ok(());
        }
        Err(refused(&answer, self.clock.now()))
    }
}

fn not_now(reason: String) -> Error {
    Error::Unavailable { reason, until: None }
}

fn refused(answer: &Response, now: DateTime<Utc>) -> Error {
    let status = answer.status();
    let is_passing = status.is_server_error()
        || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS);
    if !is_passing {
        return Error::Refused(status.as_u16());
    }
    let seconds =
        answer.headers().get(RETRY_AFTER).and_then(|wait| wait.to_str().ok()?.parse().ok());
    let wait = seconds.and_then(TimeDelta::try_seconds).filter(|wait| *wait > TimeDelta::zero());
    let until = wait.map(|wait| now + wait.min(LONGEST_WAIT));
    Error::Unavailable { reason: format!("it answered {status}"), until }
}
