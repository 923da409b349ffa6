//! What GitHub knows of the App itself, and what it could not deliver to it.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::Value;

use super::connection::Call;
use super::{Error, GitHub};

/// How many pages of 100 failed deliveries are read at once: a long outage of a busy organisation
/// may have more, but what failed before those is found by looking at each run.
const MOST_PAGES: usize = 50;

/// The log's failures. GitHub counts 200 to 399 as delivered.
const FAILED: &str = "/app/hook/deliveries?status=failure&per_page=100";

/// The App's registration.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct AppInfo {
    /// Its name in addresses.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// Its public page.
    pub html_url: String,
    /// What it asks for: `contents` → `write`.
    #[serde(default)]
    pub permissions: BTreeMap<String, String>,
    /// The events that it is sent.
    #[serde(default)]
    pub events: Vec<String>,
}

impl AppInfo {
    /// The login under which it acts.
    pub fn bot_login(&self) -> String {
        format!("{}[bot]", self.slug)
    }
}

/// A webhook that GitHub could not deliver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedDelivery {
    /// GitHub's id of the attempt, by which its payload can be read.
    pub id: u64,
    /// `X-GitHub-Delivery`: the same for all attempts.
    pub guid: String,
    /// The event: `workflow_run`.
    pub event: String,
    /// When it was tried.
    pub delivered_at: DateTime<Utc>,
}

/// Where the App is installed, and what it may do there.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Installation {
    /// On whose account.
    pub account: Account,
    /// `all` or `selected` repositories.
    pub repository_selection: String,
    /// Where its owner changes it.
    pub html_url: String,
    /// What was granted: `contents` → `write`.
    #[serde(default)]
    pub permissions: BTreeMap<String, String>,
    /// The events that are sent.
    #[serde(default)]
    pub events: Vec<String>,
    /// Since when it is suspended, if it is.
    pub suspended_at: Option<String>,
}

/// A person or an organisation.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Account {
    /// The name in addresses.
    pub login: String,
}

/// The App's webhook. Its secret is never shown: GitHub puts stars in its place.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct HookConfig {
    /// Where deliveries go; empty where there is no webhook.
    #[serde(default)]
    pub url: String,
    /// `json` or `form`.
    #[serde(default)]
    pub content_type: String,
    /// Stars, where there is one.
    pub secret: Option<String>,
}

#[derive(Deserialize)]
struct Attempt {
    id: u64,
    guid: String,
    event: String,
    delivered_at: DateTime<Utc>,
    status_code: u16,
}

impl GitHub {
    /// The App's registration, asked anew each time.
    pub async fn app(&self) -> Result<AppInfo, Error> {
        let call = Call::get("looking at the app", "/app");
        self.inner.installations.call_as_app(&call).await?.json(call.doing())
    }

    /// Where the App is installed: at most 100 accounts.
    pub async fn installations(&self) -> Result<Vec<Installation>, Error> {
        let call =
            Call::get("looking at the app's installations", "/app/installations?per_page=100");
        self.inner.installations.call_as_app(&call).await?.json(call.doing())
    }

    /// The App's webhook.
    pub async fn hook_config(&self) -> Result<HookConfig, Error> {
        let call = Call::get("looking at the app's webhook", "/app/hook/config");
        self.inner.installations.call_as_app(&call).await?.json(call.doing())
    }

    /// How far this machine's clock is ahead of GitHub's. Asked without proof of identity: with a
    /// clock that is off there is none.
    pub async fn clock_ahead(&self) -> Result<TimeDelta, Error> {
        let call = Call::get("looking at GitHub's clock", "/meta");
        let answer = self.inner.installations.call_as_nobody(&call).await?;
        let theirs = answer.date().ok_or_else(|| Error::Unexpected {
            doing: call.doing().to_owned(),
            reason: "no date".to_owned(),
        })?;
        Ok(self.inner.clock.now() - theirs)
    }

    /// The status with which the last delivery was answered, and when; `None` where there is none.
    pub async fn last_delivery(&self) -> Result<Option<(u16, DateTime<Utc>)>, Error> {
        let call = Call::get("looking at the app's deliveries", "/app/hook/deliveries?per_page=1");
        let answer = self.inner.installations.call_as_app(&call).await?;
        let attempts: Vec<Attempt> = answer.json(call.doing())?;
        Ok(attempts.first().map(|attempt| (attempt.status_code, attempt.delivered_at)))
    }

    /// The login under which the App acts: `towpath[bot]`. Asked once.
    pub async fn bot_login(&self) -> Result<String, Error> {
        let login = &self.inner.bot_login;
        let login = login.get_or_try_init(async || Ok(self.app().await?.bot_login()));
        login.await.cloned()
    }

    /// Webhooks since a moment of which an attempt failed, and none that is listed beside it
    /// arrived; the oldest first. A later attempt may have arrived all the same: servers that know
    /// the filter list failures only, which in most hours are none.
    pub async fn failed_deliveries(
        &self,
        since: DateTime<Utc>,
    ) -> Result<Vec<FailedDelivery>, Error> {
        let mut attempts: Vec<Attempt> = Vec::new();
        let mut path = FAILED.to_owned();
        for _ in 0..MOST_PAGES {
            let call = Call::get("looking at the app's deliveries", &*path);
            let answer = self.inner.installations.call_as_app(&call).await?;
            let page: Vec<Attempt> = answer.json(call.doing())?;
            let older = page.iter().any(|attempt| attempt.delivered_at < since);
            attempts.extend(page.into_iter().filter(|attempt| attempt.delivered_at >= since));
            match answer.next_cursor() {
                Some(cursor) if !older => {
                    path = format!("{FAILED}&cursor={cursor}");
                }
                _ => return Ok(never_arrived(attempts)),
            }
        }
        tracing::warn!("so many deliveries failed that only the last {MOST_PAGES} pages are read");
        Ok(never_arrived(attempts))
    }

    /// The payload of a delivery.
    pub async fn delivery_payload(&self, id: u64) -> Result<Value, Error> {
        #[derive(Deserialize)]
        struct Delivery {
            request: Request,
        }
        #[derive(Deserialize)]
        struct Request {
            payload: Value,
        }
        let call = Call::get("reading a delivery", format!("/app/hook/deliveries/{id}"));
        let answer = self.inner.installations.call_as_app(&call).await?;
        Ok(answer.json::<Delivery>(call.doing())?.request.payload)
    }
}

/// One attempt of each delivery of which none arrived.
fn never_arrived(attempts: Vec<Attempt>) -> Vec<FailedDelivery> {
    let mut by_guid: BTreeMap<String, Option<FailedDelivery>> = BTreeMap::new();
    for attempt in attempts {
        let arrived = (200..400).contains(&attempt.status_code);
        let entry = by_guid.entry(attempt.guid.clone()).or_insert_with(|| {
            Some(FailedDelivery {
                id: attempt.id,
                guid: attempt.guid,
                event: attempt.event,
                delivered_at: attempt.delivered_at,
            })
        });
        if arrived {
            *entry = None;
        }
    }
    let mut failed: Vec<_> = by_guid.into_values().flatten().collect();
    failed.sort_by_key(|delivery| delivery.delivered_at);
    failed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_of_which_one_attempt_arrived_has_not_failed() {
        let attempt = |id, guid: &str, status_code| Attempt {
            id,
            guid: guid.to_owned(),
            event: "push".to_owned(),
            delivered_at: DateTime::from_timestamp(1_000 - i64::try_from(id).unwrap(), 0).unwrap(),
            status_code,
        };
        let attempts = vec![
            attempt(1, "a", 200),
            attempt(2, "a", 502),
            attempt(3, "b", 502),
            attempt(4, "c", 0),
        ];
        let failed = never_arrived(attempts);
        let failed: Vec<_> = failed.iter().map(|delivery| delivery.guid.as_str()).collect();
        assert_eq!(failed, ["c", "b"]);
    }
}
