//! Proxies that hold both sides of all traffic to GitHub's and Port's published descriptions. They
//! are used where `TOWPATH_TEST_CONTRACTS` names the folder that has them, installed.
//!
//! A pair of them costs more to start than a story to tell, so pairs are kept and lent: a proxy
//! looks at fixed addresses, behind which relays lead to the world of the moment.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::checker::Checker;
use super::relay::Relay;

/// What the proxies cannot know: the world's clock was moved, and what the sandbox was told to do.
const IGNORED: [&str; 4] = [
    // An App that is suspended for a moment, and such: the answer has more than is described.
    "unknown-field:server@GET /app/installations",
    "missing-field:server@GET /app/installations",
    // A story that has an answer lost tells its sandbox to be silent.
    "no-answer:server",
    // The service is down, which a story is free to want.
    "no-answer:client@webhook",
];

/// The last of a token's life, in which the service does not use it any more.
const NOT_USED: TimeDelta = TimeDelta::minutes(1);

/// The pairs that no story uses at the moment.
static IDLE: Mutex<Vec<Pair>> = Mutex::new(Vec::new());

/// Where the service finds GitHub and the portal, and where GitHub finds the service.
pub(crate) struct Contracts {
    pub(super) github: String,
    pub(super) portal: String,
    pub(super) webhooks: String,
    pair: Option<Pair>,
}

/// A proxy for each side, and what stands behind them.
struct Pair {
    github: Checker,
    portal: Checker,
    to_github: Relay,
    to_portal: Relay,
    to_service: Relay,
}

impl Contracts {
    pub(super) fn start(github: &str, portal: &str, service: SocketAddr) -> Self {
        #[expect(clippy::disallowed_methods, reason = "a switch of the tests, no setting")]
        let folder = std::env::var("TOWPATH_TEST_CONTRACTS").ok();
        let Some(folder) = folder else {
            let webhooks = format!("http://{service}/hooks/github");
            let (github, portal) = (github.to_owned(), portal.to_owned());
            return Self { github, portal, webhooks, pair: None };
        };
        let idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let pair = match idle {
            Some(pair) => pair,
            None => Pair::start(Path::new(&folder)),
        };
        pair.to_github.lead_to(address(github));
        pair.to_portal.lead_to(address(portal));
        pair.to_service.lead_to(service);
        Self {
            github: pair.github.url.clone(),
            portal: pair.portal.url.clone(),
            webhooks: pair.github.webhooks.clone().expect("a proxy of webhooks"),
            pair: Some(pair),
        }
    }

    /// The service was stopped, and may ask again what it had remembered.
    pub(super) async fn restarted(&self) {
        if let Some(pair) = &self.pair {
            pair.portal.post("restarted", &json!({})).await;
        }
    }

    /// Fails on any violation of another kind, of the service or of a sandbox. The world's clock is
    /// so far ahead of the proxies'. The next story may use the pair.
    pub(super) async fn assert_kept_but_for(self, kinds: &[&str], ahead: TimeDelta) {
        let Some(pair) = self.pair else { return };
        let mut violations = Vec::new();
        for checker in [&pair.github, &pair.portal] {
            let finished = checker.post("reset", &json!({"scenario": "the next story"})).await;
            let listed = finished["finished"]["listed"].as_array().expect("a list of violations");
            violations.extend(listed.iter().filter(|it| !is_of_the_clock(it, ahead)).cloned());
        }
        IDLE.lock().unwrap_or_else(PoisonError::into_inner).push(pair);
        let is_meant = |it: &Value| kinds.iter().any(|kind| it["kind"] == *kind);
        violations.retain(|it| !is_meant(it));
        assert!(violations.is_empty(), "{violations:#?}");
    }
}

impl Pair {
    fn start(folder: &Path) -> Self {
        let (to_github, to_portal, to_service) = (Relay::start(), Relay::start(), Relay::start());
        let target = format!("{}/hooks/github", to_service.url());
        let mut more = vec!["--webhook-listen", "127.0.0.1:0", "--webhook-target", &target];
        more.extend(["--webhook-secret", super::WEBHOOK_SECRET]);
        more.extend(IGNORED.iter().flat_map(|ignored| ["--ignore", ignored]));
        let github = Checker::start(folder, "github-contract", &to_github.url(), &more);
        let more = ["--ignore", "no-answer:server"];
        let portal = Checker::start(folder, "port-contract", &to_portal.url(), &more);
        Self { github, portal, to_github, to_portal, to_service }
    }
}

/// Whether the proxy saw it only because its own clock was not moved: a JWT of a time to come, or a
/// token that has ended by the world's clock.
fn is_of_the_clock(violation: &Value, ahead: TimeDelta) -> bool {
    let Some(said) = violation["message"].as_str() else { return false };
    let has_ended = |left: i64| TimeDelta::seconds(left) - NOT_USED <= ahead;
    said.contains("of the JWT lies")
        || violation["kind"] == "wasted-token" && seconds_left(said).is_some_and(has_ended)
}

/// `… is valid for another 10800 s …`
fn seconds_left(said: &str) -> Option<i64> {
    let (_, left) = said.split_once("valid for another ")?;
    left.split(' ').next()?.parse().ok()
}

fn address(url: &str) -> SocketAddr {
    let address = url.strip_prefix("http://").expect("a sandbox has an address");
    address.trim_end_matches('/').parse().expect("a sandbox has an address")
}
