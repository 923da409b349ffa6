//! Proxies that hold both sides of all traffic to GitHub's and Port's published descriptions. They
//! are used where `TOWPATH_TEST_CONTRACTS` names the folder that has them, installed.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// Where the service finds GitHub and the portal, and where GitHub finds the service.
pub(crate) struct Contracts {
    pub(super) github: String,
    pub(super) portal: String,
    pub(super) webhooks: String,
    checkers: Vec<Checker>,
}

struct Checker {
    url: String,
    _process: Child,
}

impl Contracts {
    pub(super) async fn start(github: &str, portal: &str, service: SocketAddr) -> Self {
        let webhooks = format!("http://{service}/hooks/github");
        #[expect(clippy::disallowed_methods, reason = "a switch of the tests, no setting")]
        let folder = std::env::var("TOWPATH_TEST_CONTRACTS").ok();
        let Some(folder) = folder else {
            let (github, portal) = (github.to_owned(), portal.to_owned());
            return Self { github, portal, webhooks, checkers: Vec::new() };
        };
        let folder = Path::new(&folder);
        let target = ["--webhook-listen", "127.0.0.1:0", "--webhook-target", &webhooks];
        let ignored = [
            "--ignore",
            "unknown-field:server@GET /app/installations",
            "--ignore",
            "missing-field:server@GET /app/installations",
        ];
        let (first, hooks) =
            Checker::start(folder, "github-contract", github, &[&target[..], &ignored].concat())
                .await;
        let (second, _) = Checker::start(folder, "port-contract", portal, &[]).await;
        Self {
            github: first.url.clone(),
            portal: second.url.clone(),
            webhooks: hooks.unwrap_or(webhooks),
            checkers: vec![first, second],
        }
    }

    /// The service was stopped, and may ask again what it had remembered.
    pub(super) async fn restarted(&self) {
        if let Some(portal) = self.checkers.get(1) {
            let url = format!("{}/__contract/restarted", portal.url);
            reqwest::Client::new().post(url).send().await.unwrap();
        }
    }

    /// Fails on any violation, of the service or of a sandbox.
    pub(super) async fn assert_kept(&self) {
        for checker in &self.checkers {
            let summary = reqwest::get(format!("{}/__contract/summary", checker.url)).await;
            let summary = summary.unwrap().text().await.unwrap();
            let summary: Value = serde_json::from_str(&summary).unwrap();
            let listed = summary["total"]["listed"].as_array().expect("a list of violations");
            // The proxy does not know that the world's clock was moved.
            let of_the_clock = |violation: &&Value| {
                violation["message"].as_str().is_some_and(|said| said.contains("of the JWT lies"))
            };
            let kept: Vec<_> = listed.iter().filter(|it| !of_the_clock(it)).collect();
            assert!(kept.is_empty(), "{kept:#?}");
        }
    }
}

impl Checker {
    async fn start(
        folder: &Path,
        name: &str,
        upstream: &str,
        more: &[&str],
    ) -> (Self, Option<String>) {
        let mut process = Command::new("node")
            .arg(folder.join(name).join(format!("{name}.mjs")))
            .args(["--listen", "127.0.0.1:0", "--upstream", upstream])
            .args(more)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut hooks = None;
        // `... webhooks URL -> target`, and `... ready ... URL -> upstream`, in either order.
        let wanted = if more.is_empty() { 1 } else { 2 };
        let mut url = None;
        for _ in 0..wanted {
            let line = lines.next_line().await.unwrap().unwrap();
            let found = line.split_whitespace().find(|word| word.starts_with("http://"));
            let found = found.unwrap_or_else(|| panic!("{line}")).trim_end_matches('/').to_owned();
            if line.contains("webhook") { hooks = Some(found) } else { url = Some(found) }
        }
        let checker = Self { url: url.unwrap(), _process: process };
        (checker, hooks)
    }
}
