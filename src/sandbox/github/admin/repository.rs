//! A repository: how it is made and set up, and what is said of its commits.

use std::collections::{BTreeMap, HashSet};

use serde_json::json;

use super::Installed;
use super::git::changes;
use crate::sandbox::github::SandboxGitHub;
use crate::sandbox::github::body::node_id;
use crate::sandbox::github::git::Git;
use crate::sandbox::github::refusal::{Answered, Refusal};
use crate::sandbox::github::state::{AccountKind, Id, Repository, World};

/// One repository, as a handle.
#[derive(Clone)]
pub struct SandboxRepository {
    pub(crate) github: SandboxGitHub,
    pub(crate) id: Id,
}

/// The repositories.
impl SandboxGitHub {
    /// Makes a repository of an organisation with these files on `main`. The App is installed on
    /// all repositories of a new organisation.
    pub fn create_repository(&self, full_name: &str, files: &[(&str, &str)]) -> SandboxRepository {
        let id = self.with(|world| {
            let owner = full_name.split('/').next().unwrap_or_default();
            if world.find_account(owner).is_none() {
                world.install(owner, Installed::All);
            }
            world.create_repository(full_name, files)
        });
        let id =
            id.unwrap_or_else(|refusal| panic!("no repository {full_name}: {}", refusal.message));
        SandboxRepository { github: self.clone(), id }
    }

    /// A repository that was made before.
    pub fn repository(&self, full_name: &str) -> SandboxRepository {
        let id =
            self.with(|world| world.find_repository(full_name).map(|it| world.repositories[it].id));
        let id = id.unwrap_or_else(|| panic!("no repository {full_name} in the sandbox"));
        SandboxRepository { github: self.clone(), id }
    }
}

/// A repository and the people who work on it. What GitHub would refuse panics here, with
/// GitHub's words: a test that asks for it is wrong.
impl SandboxRepository {
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut World, usize) -> Answered<T>) -> T {
        let result = self.github.with(|world| {
            let index = world.repository_index(self.id).ok_or_else(Refusal::not_found)?;
            work(world, index)
        });
        result.unwrap_or_else(|refusal| panic!("the sandbox refuses: {}", refusal.message))
    }

    /// `owner/name`.
    pub fn full_name(&self) -> String {
        self.with(|world, index| Ok(world.repositories[index].full_name.clone()))
    }

    /// GitHub's number for it.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Its GraphQL id.
    pub fn node_id(&self) -> String {
        node_id("R", self.id)
    }

    /// Where its bare git repository is.
    pub fn git_directory(&self) -> std::path::PathBuf {
        self.with(|world, index| Ok(world.repositories[index].path.clone()))
    }

    /// A rule of this kind (`creation`, `update`, …) holds for a branch, and for those below it. It
    /// is shown; nothing is refused by it.
    pub fn add_rule(&self, branch: &str, kind: &str) {
        self.with(|world, index| {
            world.repositories[index].rules.push((branch.to_owned(), kind.to_owned()));
            Ok(())
        });
    }

    /// Others can be made from it.
    pub fn make_template(&self) {
        self.with(|world, index| {
            world.repositories[index].is_template = true;
            Ok(())
        });
    }

    /// What it says of itself.
    pub fn description(&self) -> Option<String> {
        self.with(|world, index| Ok(world.repositories[index].description.clone()))
    }

    /// Lets a person work on the repository; GitHub's word for how far is `read`, `write`, `admin`.
    pub fn add_collaborator(&self, person: &str, permission: &'static str) {
        self.with(|world, index| {
            let person = world.account(person, AccountKind::User);
            world.repositories[index].collaborators.insert(person, permission);
            Ok(())
        });
    }

    /// Makes a label.
    pub fn create_label(&self, name: &str) {
        self.with(|world, index| world.create_label(index, name, "ededed", None).map(drop));
    }

    /// Makes an environment; with approval, its jobs wait for a person.
    pub fn create_environment(&self, name: &str, needs_approval: bool) {
        self.with(|world, index| {
            world.ensure_environment(index, name).needs_approval = needs_approval;
            Ok(())
        });
    }

    /// Allows auto-merge.
    pub fn allow_auto_merge(&self) {
        self.with(|world, index| {
            world.repositories[index].allow_auto_merge = true;
            Ok(())
        });
    }

    /// Requires a merge queue: pull requests are enqueued, not merged.
    pub fn require_merge_queue(&self) {
        self.with(|world, index| {
            world.repositories[index].merge_queue = true;
            Ok(())
        });
    }

    /// Sets a variable for workflows (`vars`).
    pub fn set_variable(&self, name: &str, value: &str) {
        self.with(|world, index| {
            world.repositories[index].variables.insert(name.to_owned(), json!(value));
            Ok(())
        });
    }

    /// What a client stored as a secret, opened.
    pub fn secret(&self, name: &str) -> Option<String> {
        self.with(|world, index| Ok(world.opened_secret(index, None, name)))
    }

    /// What a client stored as a secret of an environment, opened.
    pub fn environment_secret(&self, environment: &str, name: &str) -> Option<String> {
        self.with(|world, index| Ok(world.opened_secret(index, Some(environment), name)))
    }

    /// Sets a commit status as a person or another app; `state` is GitHub's word.
    pub fn set_status(&self, by: &str, sha: &str, context: &str, state: &str) {
        self.with(|world, index| {
            let creator = world.account(by, AccountKind::User);
            let body = json!({"context": context, "state": state});
            world.set_status(index, sha, &body, creator).map(drop)
        });
    }

    /// Writes a completed check run.
    pub fn set_check(&self, sha: &str, name: &str, conclusion: &str) {
        let body =
            json!({"head_sha": sha, "name": name, "status": "completed", "conclusion": conclusion});
        self.with(|world, index| world.set_check_run(index, None, &body).map(drop));
    }

    /// Deploys a commit to an environment, ending in this state.
    pub fn deploy(&self, by: &str, reference: &str, environment: &str, state: &str) {
        self.with(|world, index| {
            let creator = world.account(by, AccountKind::User);
            let body = json!({"ref": reference, "environment": environment});
            let id = world.create_deployment(index, &body, creator)?;
            world.set_deployment_status(index, id, &json!({"state": state}), creator).map(drop)
        });
    }
}

impl World {
    pub(in crate::sandbox::github) fn create_repository(
        &mut self,
        full_name: &str,
        files: &[(&str, &str)],
    ) -> Answered<Id> {
        let (owner, name) = full_name.split_once('/').ok_or_else(Refusal::not_found)?;
        if self.find_repository(full_name).is_some() {
            return Err(Refusal::unprocessable("name already exists on this account"));
        }
        let owner = self.account(owner, AccountKind::Organization);
        let (id, now) = (self.fresh_id(), self.now());
        let path = self.directory.join("repositories").join(format!("{full_name}.git"));
        Git::create(&path, "main")?;
        self.repositories.push(Repository {
            id,
            owner,
            name: name.to_owned(),
            full_name: full_name.to_owned(),
            default_branch: "main".to_owned(),
            private: true,
            description: None,
            is_template: false,
            allow_auto_merge: false,
            merge_queue: false,
            created_at: now,
            pushed_at: now,
            path,
            collaborators: BTreeMap::new(),
            verified: HashSet::new(),
            rules: Vec::new(),
            labels: Vec::new(),
            pulls: Vec::new(),
            comments: Vec::new(),
            last_number: 0,
            statuses: Vec::new(),
            check_runs: Vec::new(),
            awaited_suites: HashSet::new(),
            deployments: Vec::new(),
            environments: Vec::new(),
            secrets: BTreeMap::new(),
            variables: serde_json::Map::new(),
            workflows: Vec::new(),
            runs: Vec::new(),
        });
        if files.is_empty() {
            return Ok(id);
        }
        let index = self.repositories.len() - 1;
        let author = self.app.owner;
        let files: Vec<_> = files.iter().map(|(path, text)| (*path, Some(*text))).collect();
        // What a repository starts with is not news to anybody.
        let events = std::mem::take(&mut self.hooks.events);
        let made =
            self.commit_on_branch(index, ("main", None), &changes(&files), "First commit", author);
        self.hooks.events = events;
        self.repositories[index].runs.clear();
        self.unstarted.retain(|(repository, _)| *repository != id);
        made.map(|_| id)
    }
}
