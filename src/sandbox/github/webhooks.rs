//! Webhooks: what is sent, the log of what was sent, and the controls that tests have over both.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::body::{node_id, with};
use super::refusal::{Answered, Refusal};
use super::state::{AccountKind, Id, Time, World};

/// How long GitHub keeps its delivery log.
/// <https://docs.github.com/webhooks/testing-and-troubleshooting-webhooks/redelivering-webhooks>
const RETENTION: chrono::TimeDelta = chrono::TimeDelta::days(3);

/// The id of the App's one webhook.
pub(crate) const HOOK_ID: Id = 7001;

/// Deliveries made, queued and held back.
pub(crate) struct Hooks {
    pub(crate) url: Option<String>,
    pub(crate) secret: Option<String>,
    pub(crate) events: BTreeSet<String>,
    pub(crate) log: Vec<Delivery>,
    pub(crate) queue: VecDeque<Id>,
    pub(crate) held: Option<Vec<Id>>,
    pub(crate) delay: Duration,
    pub(crate) in_flight: bool,
}

/// One attempt to deliver one event.
#[derive(Clone)]
pub(crate) struct Delivery {
    pub(crate) id: Id,
    pub(crate) guid: String,
    pub(crate) event: String,
    pub(crate) action: Option<String>,
    pub(crate) installation: Option<Id>,
    pub(crate) repository: Option<Id>,
    pub(crate) redelivery: bool,
    pub(crate) at: Time,
    pub(crate) payload: String,
    /// `None` until it was tried.
    pub(crate) outcome: Option<Outcome>,
}

/// What came of an attempt.
#[derive(Clone)]
pub(crate) struct Outcome {
    pub(crate) status_code: u16,
    pub(crate) status: String,
    pub(crate) seconds: f64,
    pub(crate) response: String,
}

/// An HTTP request that is ready to go out.
pub(crate) struct Outgoing {
    pub(crate) delivery: Id,
    pub(crate) url: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) payload: String,
    pub(crate) delay: Duration,
}

impl World {
    /// Sends an event of a repository to the App, if it is installed there and listens to it.
    pub(crate) fn emit(&mut self, event: &str, repository: usize, sender: Id, fields: Value) {
        let Some(installation) = self.installation_of(repository) else {
            return;
        };
        // Whoever may write checks is told of their suites without asking.
        let is_told = event == "check_suite"
            && installation.permissions.get("checks").is_some_and(|it| it == "write");
        if !is_told && !self.hooks.events.contains(event) {
            return;
        }
        if installation.suspended_at.is_some() {
            return;
        }
        let installation = installation.id;
        let repository = &self.repositories[repository];
        let id = repository.id;
        let mut common = json!({
            "repository": self.repository_body(repository),
            "sender": self.account_body(sender),
            "installation": {"id": installation, "node_id": node_id("IN", installation)},
        });
        if self.account_by_id(repository.owner).kind == AccountKind::Organization {
            common["organization"] = self.organization_body(repository.owner);
        }
        self.enqueue(event, Some(installation), Some(id), &with(fields, common));
    }

    /// Events about an installation go out whether the App subscribed to them or not.
    pub(crate) fn emit_installation(&mut self, event: &str, installation: Id, fields: Value) {
        let Some(found) = self.installations.iter().find(|it| it.id == installation) else {
            return;
        };
        let common = json!({
            "installation": self.installation_body(found),
            "sender": self.account_body(self.app.owner),
        });
        self.enqueue(event, Some(installation), None, &with(fields, common));
    }

    fn enqueue(
        &mut self,
        event: &str,
        installation: Option<Id>,
        repository: Option<Id>,
        payload: &Value,
    ) {
        let delivery = Delivery {
            id: self.fresh_id(),
            guid: guid(),
            event: event.to_owned(),
            action: payload["action"].as_str().map(str::to_owned),
            installation,
            repository,
            redelivery: false,
            at: self.now(),
            payload: payload.to_string(),
            outcome: None,
        };
        match &mut self.hooks.held {
            Some(held) => held.push(delivery.id),
            None => self.hooks.queue.push_back(delivery.id),
        }
        self.hooks.log.push(delivery);
    }

    /// Queues another attempt of a delivery, with the same GUID.
    pub(crate) fn redeliver(&mut self, delivery: Id) -> Answered<()> {
        let mut again = self.delivery(delivery)?.clone();
        again.id = self.fresh_id();
        again.redelivery = true;
        again.at = self.now();
        again.outcome = None;
        self.hooks.queue.push_back(again.id);
        self.hooks.log.push(again);
        Ok(())
    }

    pub(crate) fn delivery(&self, id: Id) -> Answered<&Delivery> {
        self.deliveries().find(|delivery| delivery.id == id).ok_or_else(Refusal::not_found)
    }

    /// The log as it stands, newest first: what was tried, and is not older than the retention.
    pub(crate) fn deliveries(&self) -> impl Iterator<Item = &Delivery> {
        let oldest = self.now() - RETENTION;
        self.hooks.log.iter().rev().filter(move |it| it.outcome.is_some() && it.at >= oldest)
    }

    /// The next request to send. Deliveries without an address are recorded as failed.
    pub(crate) fn next_outgoing(&mut self) -> Option<Outgoing> {
        while let Some(id) = self.hooks.queue.pop_front() {
            let Some(url) = self.hooks.url.clone() else {
                self.record_outcome(id, Outcome::unreachable());
                continue;
            };
            let Some(delivery) = self.hooks.log.iter().find(|it| it.id == id) else {
                continue;
            };
            let headers = self.headers(delivery);
            let payload = delivery.payload.clone();
            self.hooks.in_flight = true;
            return Some(Outgoing { delivery: id, url, headers, payload, delay: self.hooks.delay });
        }
        self.hooks.in_flight = false;
        None
    }

    pub(crate) fn headers(&self, delivery: &Delivery) -> Vec<(&'static str, String)> {
        let mut headers = vec![
            ("User-Agent", "GitHub-Hookshot/sandbox".to_owned()),
            ("Content-Type", "application/json".to_owned()),
            ("Accept", "*/*".to_owned()),
            ("X-GitHub-Event", delivery.event.clone()),
            ("X-GitHub-Delivery", delivery.guid.clone()),
            ("X-GitHub-Hook-ID", HOOK_ID.to_string()),
            ("X-GitHub-Hook-Installation-Target-ID", self.app.id.to_string()),
            ("X-GitHub-Hook-Installation-Target-Type", "integration".to_owned()),
        ];
        if let Some(secret) = &self.hooks.secret {
            headers.push(("X-Hub-Signature-256", sign(secret, &delivery.payload)));
        }
        headers
    }

    pub(crate) fn record_outcome(&mut self, delivery: Id, outcome: Outcome) {
        if let Some(found) = self.hooks.log.iter_mut().find(|it| it.id == delivery) {
            found.outcome = Some(outcome);
        }
    }
}

impl Outcome {
    /// What the log says when nobody answered.
    pub(crate) fn unreachable() -> Self {
        Self {
            status_code: 502,
            status: "failed to connect to host".to_owned(),
            seconds: 0.0,
            response: String::new(),
        }
    }

    pub(crate) fn is_success(&self) -> bool {
        (200..400).contains(&self.status_code)
    }
}

fn sign(secret: &str, payload: &str) -> String {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(payload.as_bytes());
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

fn guid() -> String {
    let bits = fastrand::u128(..);
    let text = format!("{bits:032x}");
    let parts = [&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]];
    parts.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of GitHub's own page on validating deliveries.
    #[test]
    fn a_payload_is_signed_as_github_documents_it() {
        assert_eq!(
            sign("It's a Secret to Everybody", "Hello, World!"),
            "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
        );
    }
}
