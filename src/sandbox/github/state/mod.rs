//! What the sandbox GitHub remembers, as plain data: accounts, repositories, pull requests, runs.

mod account;
mod checks;
mod pull;
mod repository;
mod workflow;

use std::collections::HashMap;
use std::path::PathBuf;

use chrono::{DateTime, Utc};

use super::limits::{Hourly, Limits, Told};
use super::sign_in::SignIns;
use super::webhooks::Hooks;
use crate::clock::Clock;

pub(crate) use account::{Account, AccountKind, App, Installation, Pending, Team, Token};
pub(crate) use checks::{
    CheckRun, Deployment, DeploymentStatus, Environment, SealedSecret, Status,
};
pub(crate) use pull::{Comment, Mergeable, Pull, PullState, Review};
pub(crate) use repository::{Label, Repository};
pub(crate) use workflow::{Artifact, Job, Run, Step, Workflow};

pub(crate) type Id = u64;
pub(crate) type Time = DateTime<Utc>;

/// Everything, behind one lock.
pub(crate) struct World {
    pub(crate) clock: Clock,
    pub(crate) directory: PathBuf,
    pub(crate) base_url: String,
    pub(crate) legacy_dispatch: bool,
    pub(crate) limits: Limits,
    pub(crate) hourly: Hourly,
    /// Those who were told to wait.
    pub(crate) told: Told,
    pub(crate) app: App,
    pub(crate) accounts: Vec<Account>,
    pub(crate) teams: Vec<Team>,
    pub(crate) repositories: Vec<Repository>,
    pub(crate) installations: Vec<Installation>,
    pub(crate) tokens: HashMap<String, Token>,
    /// Apps that were agreed to, by the code that makes them.
    pub(crate) pending: HashMap<String, Pending>,
    pub(crate) sign_ins: SignIns,
    pub(crate) hooks: Hooks,
    pub(crate) downloads: HashMap<String, Download>,
    /// Runs that a runner has still to pick up, as (repository, run).
    pub(crate) unstarted: Vec<(Id, Id)>,
    pub(crate) last_id: Id,
}

/// What a short-lived link of a redirect leads to.
pub(crate) struct Download {
    pub(crate) expires_at: Time,
    pub(crate) content_type: &'static str,
    pub(crate) bytes: Vec<u8>,
}

impl World {
    pub(crate) fn now(&self) -> Time {
        self.clock.now()
    }

    pub(crate) fn fresh_id(&mut self) -> Id {
        self.last_id += 1;
        self.last_id
    }

    /// The account of this login, made if nobody has mentioned it before.
    pub(crate) fn account(&mut self, login: &str, kind: AccountKind) -> Id {
        if let Some(found) = self.find_account(login) {
            return found.id;
        }
        let id = self.fresh_id();
        let created_at = self.now();
        self.accounts.push(Account { id, login: login.to_owned(), kind, created_at });
        id
    }

    pub(crate) fn find_account(&self, login: &str) -> Option<&Account> {
        self.accounts.iter().find(|account| account.login.eq_ignore_ascii_case(login))
    }

    pub(crate) fn account_by_id(&self, id: Id) -> &Account {
        self.accounts
            .iter()
            .find(|account| account.id == id)
            .expect("ids of accounts are handed out by `account`, and accounts are never removed")
    }

    pub(crate) fn login(&self, id: Id) -> &str {
        &self.account_by_id(id).login
    }

    pub(crate) fn find_repository(&self, full_name: &str) -> Option<usize> {
        self.repositories.iter().position(|it| it.full_name.eq_ignore_ascii_case(full_name))
    }

    pub(crate) fn repository_index(&self, id: Id) -> Option<usize> {
        self.repositories.iter().position(|repository| repository.id == id)
    }

    pub(crate) fn team(&self, id: Id) -> Option<&Team> {
        self.teams.iter().find(|team| team.id == id)
    }

    pub(crate) fn find_team(&self, organization: Id, slug: &str) -> Option<&Team> {
        self.teams.iter().find(|team| team.organization == organization && team.slug == slug)
    }

    /// The installation that covers this repository, suspended or not.
    pub(crate) fn installation_of(&self, repository: usize) -> Option<&Installation> {
        let repository = &self.repositories[repository];
        self.installations.iter().find(|installation| {
            installation.account == repository.owner && installation.covers(repository.id)
        })
    }
}
