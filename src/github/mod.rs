//! GitHub: everything this program asks of it and does there. The only room that names octocrab.
//!
//! Takes and answers domain types. Sends each request once; what a failure means is in [`Error`],
//! what follows is the worker's to decide. Does not know about: the plan, the store, the portal.

mod app;
mod artifacts;
mod checks;
mod commits;
mod connection;
mod contents;
mod decorate;
mod error;
mod explain;
#[cfg(test)]
mod fake;
mod folder;
mod git_data;
mod jobs;
mod logs;
mod look;
mod move_branch;
pub mod permissions;
mod propose;
mod pulls;
mod registration;
mod repositories;
mod secrets;
mod shapes;
mod sign_in;
#[cfg(test)]
mod tests;
mod trees;
mod workflows;

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use http::Method;
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::{OnceCell, watch};

pub use app::{Account, AppInfo, FailedDelivery, HookConfig, Installation};
pub use connection::transport::web_address;
pub use error::{Error, SetupError};
pub use folder::FolderFile;
pub use look::TargetQuestion;
pub use move_branch::BranchMove;
pub use propose::ProposalState;
pub use pulls::PullRequestLook;
pub use registration::Registry;
pub use repositories::RepositorySeen;
pub use sign_in::{Client, Grant, sign_in_address};
pub use workflows::{Dispatched, RunsOf};

use crate::clock::Clock;
use crate::domain::github_view::{Budget, Limits};
use crate::domain::{BranchName, RepositoryName};
use connection::identity::Identity;
use connection::installations::Installations;
use connection::transport::Transport;
use connection::{Call, Graph};

/// What is needed to be the App.
pub struct Settings {
    /// `https://api.github.com`, `https://api.acme.ghe.com`, `https://host/api/v3`.
    pub api_url: String,
    /// The App's id or client id.
    pub app: String,
    /// Its private key: PEM, or that in base64.
    pub private_key: SecretString,
}

/// The App on one GitHub host. Clones are the same App, with the same connections and tokens.
#[derive(Clone)]
pub struct GitHub {
    inner: Arc<Inner>,
}

struct Inner {
    installations: Installations,
    clock: Clock,
    default_branches: Mutex<HashMap<String, (BranchName, DateTime<Utc>)>>,
    /// The host refuses `return_run_details`: an older GitHub Enterprise Server.
    without_run_details: AtomicBool,
    bot_login: OnceCell<String>,
}

impl fmt::Debug for GitHub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GitHub").finish_non_exhaustive()
    }
}

impl GitHub {
    /// Prepares to be the App; asks nothing yet. Needs a Tokio runtime.
    pub fn new(settings: &Settings, clock: Clock) -> Result<Self, SetupError> {
        let transport = Transport::new(&settings.api_url, clock.clone())?;
        let identity = Identity::new(&settings.app, &settings.private_key)?;
        Ok(Self::with(transport, identity, clock))
    }

    /// Nobody on GitHub: whatever is asked is answered with [`Error::NoApp`]. For a service that
    /// only delivers inside the network.
    pub fn without_app(api_url: &str, clock: Clock) -> Result<Self, SetupError> {
        Ok(Self::with(Transport::new(api_url, clock.clone())?, Identity::nobody(), clock))
    }

    fn with(transport: Transport, identity: Identity, clock: Clock) -> Self {
        let inner = Inner {
            installations: Installations::new(transport, identity, clock.clone()),
            clock,
            default_branches: Mutex::default(),
            without_run_details: AtomicBool::new(false),
            bot_login: OnceCell::new(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Forgets what is known of the App on an account: it was installed, removed or suspended.
    pub fn forget_installation(&self, owner: &str) {
        self.inner.installations.forget(owner);
    }

    /// What each account's installation may still ask of GitHub, as far as this process has heard.
    pub fn budgets(&self) -> Vec<Budget> {
        self.inner.installations.budgets()
    }

    /// Forgets what is known of every account.
    pub fn forget_installations(&self) {
        self.inner.installations.forget_all();
    }

    /// Whether something new may be begun on an account now, within what GitHub's limits leave
    /// beside the following of what is open. `Ok(false)`: there are no limits.
    pub fn has_room(&self, owner: &str) -> Result<bool, Error> {
        self.inner.installations.has_room(owner)
    }

    /// Until when GitHub takes nothing for an account, whenever this process learns more of it.
    pub fn limits(&self) -> watch::Receiver<Limits> {
        self.inner.installations.limits()
    }

    /// Keeps to limits that GitHub has told somebody else, who is the same App.
    pub fn keep_to(&self, limits: &Limits) {
        self.inner.installations.keep_to(limits);
    }

    async fn call(
        &self,
        repository: &RepositoryName,
        call: &Call,
    ) -> Result<connection::Answer, Error> {
        Self::check_known(call);
        self.inner.installations.call(repository.owner(), call).await
    }

    fn check_known(call: &Call) {
        debug_assert!(
            call.rest_path().is_none_or(|path| permissions::is_known_call(call.method(), path)),
            "{}: a call that is not in permissions.rs",
            call.doing()
        );
    }

    /// Reads JSON at a path below the repository's (`/actions/runs`).
    async fn get<T: DeserializeOwned>(
        &self,
        repository: &RepositoryName,
        doing: impl Into<String>,
        path: &str,
    ) -> Result<T, Error> {
        let call = Call::get(doing, below(repository, path));
        self.call(repository, &call).await?.json(call.doing())
    }

    /// The same, where it is asked for again and again: what has not changed costs nothing.
    async fn get_again<T: DeserializeOwned>(
        &self,
        repository: &RepositoryName,
        doing: impl Into<String>,
        path: &str,
    ) -> Result<T, Error> {
        let call = Call::get(doing, below(repository, path));
        let doing = call.doing().to_owned();
        Self::check_known(&call);
        let answer = self.inner.installations.call_again(repository.owner(), call).await?;
        answer.json(&doing)
    }

    /// Writes JSON at a path below the repository's, and reads JSON.
    async fn write<T: DeserializeOwned>(
        &self,
        repository: &RepositoryName,
        method: Method,
        doing: impl Into<String>,
        path: &str,
        body: Value,
    ) -> Result<T, Error> {
        let call = Call::write(method, doing, below(repository, path), body);
        self.call(repository, &call).await?.json(call.doing())
    }

    /// Runs a GraphQL document.
    async fn graphql(&self, repository: &RepositoryName, call: &Call) -> Result<Graph, Error> {
        debug_assert!(
            call.fields().all(permissions::is_known_field),
            "{}: a field that is not in permissions.rs",
            call.doing()
        );
        let answer = self.call(repository, call).await?;
        let graph = Graph::read(&answer, call.doing(), self.inner.clock.now());
        graph.inspect_err(|error| self.inner.installations.heed(repository.owner(), error, &answer))
    }
}

/// A path of the REST API below a repository's.
fn below(repository: &RepositoryName, path: &str) -> String {
    format!("/repos/{}/{}{path}", repository.owner(), repository.name())
}
