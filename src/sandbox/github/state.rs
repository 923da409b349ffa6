//! What the sandbox GitHub remembers, as plain data: accounts, repositories, pull requests, runs.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::limits::{Hourly, Limits, Told, Used};
use super::refusal::{Answered, Refusal};
use super::sign_in::SignIns;
use super::webhooks::Hooks;
use crate::clock::Clock;

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

pub(crate) struct App {
    pub(crate) id: Id,
    pub(crate) client_id: String,
    pub(crate) slug: String,
    pub(crate) bot: Id,
    pub(crate) owner: Id,
    pub(crate) permissions: BTreeMap<String, String>,
    /// Where a person goes who has installed it.
    pub(crate) setup_url: Option<String>,
    pub(crate) created_at: Time,
}

/// An App that is not made yet.
pub(crate) struct Pending {
    pub(crate) manifest: Value,
    pub(crate) owner: Id,
    pub(crate) until: Time,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum AccountKind {
    User,
    Organization,
    Bot,
}

#[derive(Clone)]
pub(crate) struct Account {
    pub(crate) id: Id,
    pub(crate) login: String,
    pub(crate) kind: AccountKind,
    pub(crate) created_at: Time,
}

#[derive(Clone)]
pub(crate) struct Team {
    pub(crate) id: Id,
    pub(crate) organization: Id,
    pub(crate) slug: String,
    pub(crate) repositories: HashSet<Id>,
}

pub(crate) struct Installation {
    pub(crate) id: Id,
    pub(crate) account: Id,
    /// `None`: all repositories of the account.
    pub(crate) selected: Option<HashSet<Id>>,
    pub(crate) permissions: BTreeMap<String, String>,
    pub(crate) suspended_at: Option<Time>,
    pub(crate) created_at: Time,
    pub(crate) used: Used,
}

#[derive(Clone)]
pub(crate) struct Token {
    pub(crate) installation: Id,
    pub(crate) expires_at: Time,
    pub(crate) permissions: BTreeMap<String, String>,
    pub(crate) repositories: Option<HashSet<Id>>,
}

/// What a short-lived link of a redirect leads to.
pub(crate) struct Download {
    pub(crate) expires_at: Time,
    pub(crate) content_type: &'static str,
    pub(crate) bytes: Vec<u8>,
}

#[expect(clippy::struct_excessive_bools, reason = "GitHub has as many switches")]
pub(crate) struct Repository {
    pub(crate) id: Id,
    pub(crate) owner: Id,
    pub(crate) name: String,
    pub(crate) full_name: String,
    pub(crate) default_branch: String,
    pub(crate) private: bool,
    pub(crate) description: Option<String>,
    pub(crate) is_template: bool,
    pub(crate) allow_auto_merge: bool,
    pub(crate) merge_queue: bool,
    pub(crate) created_at: Time,
    pub(crate) pushed_at: Time,
    pub(crate) path: PathBuf,
    pub(crate) collaborators: BTreeMap<Id, &'static str>,
    pub(crate) verified: HashSet<String>,
    pub(crate) labels: Vec<Label>,
    /// Kinds of rules, each with the branch that it holds for, and for those below it.
    pub(crate) rules: Vec<(String, String)>,
    pub(crate) pulls: Vec<Pull>,
    pub(crate) comments: Vec<Comment>,
    pub(crate) last_number: u64,
    pub(crate) statuses: Vec<Status>,
    pub(crate) check_runs: Vec<CheckRun>,
    /// Suites that somebody asked for again, and of which nothing was written since.
    pub(crate) awaited_suites: HashSet<Id>,
    pub(crate) deployments: Vec<Deployment>,
    pub(crate) environments: Vec<Environment>,
    pub(crate) secrets: BTreeMap<String, SealedSecret>,
    pub(crate) variables: Map<String, Value>,
    pub(crate) workflows: Vec<Workflow>,
    pub(crate) runs: Vec<Run>,
}

#[derive(Clone)]
pub(crate) struct Label {
    pub(crate) id: Id,
    pub(crate) name: String,
    pub(crate) color: String,
    pub(crate) description: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PullState {
    Open,
    Closed,
    Merged,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mergeable {
    /// Nobody asked yet; asking starts the computation.
    Unknown,
    Yes,
    No,
}

#[derive(Clone)]
pub(crate) struct Pull {
    pub(crate) id: Id,
    pub(crate) number: u64,
    pub(crate) title: String,
    pub(crate) body: Option<String>,
    pub(crate) state: PullState,
    pub(crate) draft: bool,
    pub(crate) head_ref: String,
    pub(crate) head_sha: String,
    pub(crate) base_ref: String,
    pub(crate) base_sha: String,
    pub(crate) author: Id,
    pub(crate) created_at: Time,
    pub(crate) updated_at: Time,
    pub(crate) closed_at: Option<Time>,
    pub(crate) merged_at: Option<Time>,
    pub(crate) merged_by: Option<Id>,
    pub(crate) mergeable: Mergeable,
    /// The test merge while open; what the base moved to once merged.
    pub(crate) merge_commit: Option<String>,
    pub(crate) labels: Vec<Id>,
    pub(crate) reviewers: Vec<Id>,
    pub(crate) team_reviewers: Vec<Id>,
    pub(crate) reviews: Vec<Review>,
    pub(crate) auto_merge: Option<(Id, &'static str)>,
    pub(crate) queued: bool,
}

#[derive(Clone)]
pub(crate) struct Review {
    pub(crate) id: Id,
    pub(crate) author: Id,
    /// Upper case, as REST writes it.
    pub(crate) state: &'static str,
    pub(crate) body: String,
    pub(crate) commit: String,
    pub(crate) submitted_at: Time,
}

#[derive(Clone)]
pub(crate) struct Comment {
    pub(crate) id: Id,
    pub(crate) number: u64,
    pub(crate) author: Id,
    pub(crate) body: String,
    pub(crate) created_at: Time,
}

#[derive(Clone)]
pub(crate) struct Status {
    pub(crate) id: Id,
    pub(crate) sha: String,
    pub(crate) state: String,
    pub(crate) context: String,
    pub(crate) description: Option<String>,
    pub(crate) target_url: Option<String>,
    pub(crate) creator: Id,
    pub(crate) created_at: Time,
}

#[derive(Clone)]
pub(crate) struct CheckRun {
    pub(crate) id: Id,
    pub(crate) suite: Id,
    pub(crate) sha: String,
    pub(crate) name: String,
    pub(crate) status: String,
    pub(crate) conclusion: Option<String>,
    pub(crate) details_url: Option<String>,
    pub(crate) external_id: String,
    pub(crate) output: Value,
    pub(crate) annotations: Vec<Value>,
    pub(crate) actions: Vec<Value>,
    pub(crate) started_at: Time,
    pub(crate) completed_at: Option<Time>,
}

#[derive(Clone)]
pub(crate) struct Deployment {
    pub(crate) id: Id,
    pub(crate) sha: String,
    pub(crate) reference: String,
    pub(crate) environment: String,
    pub(crate) task: String,
    pub(crate) description: Option<String>,
    pub(crate) payload: Value,
    pub(crate) creator: Id,
    pub(crate) created_at: Time,
    pub(crate) statuses: Vec<DeploymentStatus>,
}

#[derive(Clone)]
pub(crate) struct DeploymentStatus {
    pub(crate) id: Id,
    pub(crate) state: String,
    pub(crate) description: String,
    pub(crate) log_url: String,
    pub(crate) creator: Id,
    pub(crate) created_at: Time,
}

#[derive(Clone)]
pub(crate) struct Environment {
    pub(crate) id: Id,
    pub(crate) name: String,
    pub(crate) needs_approval: bool,
    pub(crate) secrets: BTreeMap<String, SealedSecret>,
    pub(crate) created_at: Time,
}

#[derive(Clone)]
pub(crate) struct SealedSecret {
    pub(crate) sealed: Vec<u8>,
    pub(crate) created_at: Time,
    pub(crate) updated_at: Time,
}

#[derive(Clone)]
pub(crate) struct Workflow {
    pub(crate) id: Id,
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) disabled: bool,
    pub(crate) created_at: Time,
}

#[derive(Clone)]
pub(crate) struct Run {
    pub(crate) id: Id,
    pub(crate) suite: Id,
    pub(crate) number: u64,
    pub(crate) attempt: u32,
    pub(crate) workflow: Id,
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) display_title: String,
    pub(crate) event: String,
    pub(crate) payload: Value,
    pub(crate) inputs: Map<String, Value>,
    pub(crate) branch: String,
    pub(crate) reference: String,
    pub(crate) sha: String,
    pub(crate) status: &'static str,
    pub(crate) conclusion: Option<String>,
    pub(crate) actor: Id,
    pub(crate) pulls: Vec<u64>,
    pub(crate) created_at: Time,
    pub(crate) started_at: Time,
    pub(crate) updated_at: Time,
    pub(crate) jobs: Vec<Job>,
    pub(crate) artifacts: Vec<Artifact>,
}

#[derive(Clone)]
pub(crate) struct Job {
    pub(crate) id: Id,
    pub(crate) attempt: u32,
    pub(crate) name: String,
    pub(crate) status: &'static str,
    pub(crate) conclusion: Option<String>,
    /// The environment whose approval it waits for.
    pub(crate) environment: Option<String>,
    pub(crate) steps: Vec<Step>,
    pub(crate) log: String,
    pub(crate) created_at: Time,
    pub(crate) started_at: Time,
    pub(crate) completed_at: Option<Time>,
}

#[derive(Clone)]
pub(crate) struct Step {
    pub(crate) name: String,
    pub(crate) number: u64,
    pub(crate) conclusion: Option<String>,
    pub(crate) started_at: Time,
    pub(crate) completed_at: Option<Time>,
}

#[derive(Clone)]
pub(crate) struct Artifact {
    pub(crate) id: Id,
    pub(crate) name: String,
    pub(crate) zip: Vec<u8>,
    pub(crate) created_at: Time,
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

impl Installation {
    pub(crate) fn covers(&self, repository: Id) -> bool {
        self.selected.as_ref().is_none_or(|selected| selected.contains(&repository))
    }
}

impl Repository {
    pub(crate) fn pull(&self, number: u64) -> Answered<&Pull> {
        self.pulls.iter().find(|pull| pull.number == number).ok_or_else(Refusal::not_found)
    }

    pub(crate) fn pull_mut(&mut self, number: u64) -> Answered<&mut Pull> {
        self.pulls.iter_mut().find(|pull| pull.number == number).ok_or_else(Refusal::not_found)
    }

    pub(crate) fn run(&self, id: Id) -> Answered<&Run> {
        self.runs.iter().find(|run| run.id == id).ok_or_else(Refusal::not_found)
    }

    pub(crate) fn run_mut(&mut self, id: Id) -> Answered<&mut Run> {
        self.runs.iter_mut().find(|run| run.id == id).ok_or_else(Refusal::not_found)
    }

    pub(crate) fn label(&self, name: &str) -> Option<&Label> {
        self.labels.iter().find(|label| label.name.eq_ignore_ascii_case(name))
    }

    pub(crate) fn environment(&self, name: &str) -> Option<&Environment> {
        self.environments.iter().find(|it| it.name.eq_ignore_ascii_case(name))
    }
}

impl Run {
    /// The jobs of the newest attempt.
    pub(crate) fn latest_jobs(&self) -> impl Iterator<Item = &Job> {
        self.jobs.iter().filter(|job| job.attempt == self.attempt)
    }

    pub(crate) fn is_completed(&self) -> bool {
        self.status == "completed"
    }
}
