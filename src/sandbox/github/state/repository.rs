//! A repository, with all that is in it.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;

use serde_json::{Map, Value};

use super::{
    CheckRun, Comment, Deployment, Environment, Id, Pull, Run, SealedSecret, Status, Time, Workflow,
};
use crate::sandbox::github::refusal::{Answered, Refusal};

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
