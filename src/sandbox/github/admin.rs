//! The in-process side, in people's words: what the demo and the tests do as people of GitHub.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use serde_json::{Value, json};

use super::body::{node_id, with};
use super::faults::Fault;
use super::git::{Change, Git};
use super::limits::{Patience, Used};
use super::refusal::{Answered, Refusal};
use super::requests::RecordedRequest;
use super::state::{AccountKind, Id, Installation, Mergeable, PullState, Repository, Team, World};
use super::{MergeMethod, SandboxGitHub};

/// What the App was installed on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Installed {
    /// All repositories of the account.
    All,
    /// Only those that are added by name.
    Selected,
}

/// One repository, as a handle.
#[derive(Clone)]
pub struct SandboxRepository {
    pub(crate) github: SandboxGitHub,
    pub(crate) id: Id,
}

/// One pull request, as a handle.
#[derive(Clone)]
pub struct SandboxPull {
    repository: SandboxRepository,
    /// Its number in the repository.
    pub number: u64,
}

/// What a pull request looks like now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullRequest {
    /// Its number in the repository.
    pub number: u64,
    /// The title.
    pub title: String,
    /// The text, empty if there is none.
    pub body: String,
    /// Still open.
    pub is_open: bool,
    /// Closed by a merge.
    pub is_merged: bool,
    /// A draft.
    pub is_draft: bool,
    /// The branch it comes from.
    pub head: String,
    /// The commit it comes from.
    pub head_sha: String,
    /// The branch it goes to.
    pub base: String,
    /// The test merge while open, the merge once merged.
    pub merge_commit: Option<String>,
    /// The names of its labels.
    pub labels: Vec<String>,
    /// The people who are asked for a review.
    pub reviewers: Vec<String>,
    /// The teams that are asked for a review.
    pub team_reviewers: Vec<String>,
    /// The comments, oldest first.
    pub comments: Vec<String>,
}

/// The App and the accounts.
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

    /// Installs the App on an organisation; returns the installation id.
    pub fn install(&self, organization: &str, on: Installed) -> u64 {
        self.with(|world| world.install(organization, on))
    }

    /// Removes the App from an organisation. Its tokens die with it.
    pub fn uninstall(&self, organization: &str) {
        self.with(|world| {
            let Some(id) = world.installation_by_login(organization) else {
                return;
            };
            let fields = json!({"action": "deleted", "repositories": world.repository_list(id)});
            world.emit_installation("installation", id, fields);
            world.installations.retain(|it| it.id != id);
        });
    }

    /// Suspends the installation of an organisation, or lets it work again.
    pub fn suspend(&self, organization: &str, suspended: bool) {
        self.with(|world| {
            let Some(id) = world.installation_by_login(organization) else {
                return;
            };
            let now = world.now();
            let found = world.installations.iter_mut().find(|it| it.id == id);
            if let Some(found) = found {
                found.suspended_at = suspended.then_some(now);
            }
            let action = if suspended { "suspend" } else { "unsuspend" };
            world.emit_installation("installation", id, json!({"action": action}));
        });
    }

    /// Changes what an installation grants, as an owner who approves (or does not).
    pub fn grant(&self, organization: &str, permission: &str, level: Option<&str>) {
        self.with(|world| {
            let id = world.installation_by_login(organization);
            let found = world.installations.iter_mut().find(|it| Some(it.id) == id);
            let Some(found) = found else { return };
            match level {
                Some(level) => found.permissions.insert(permission.to_owned(), level.to_owned()),
                None => found.permissions.remove(permission),
            };
            let (id, permissions) = (found.id, found.permissions.clone());
            for token in world.tokens.values_mut().filter(|it| it.installation == id) {
                token.permissions.retain(|name, _| permissions.contains_key(name));
            }
            world.emit_installation(
                "installation",
                id,
                json!({"action": "new_permissions_accepted"}),
            );
        });
    }

    /// Adds a repository to a `Selected` installation.
    pub fn add_to_installation(&self, full_name: &str) {
        self.with(|world| {
            let Some(index) = world.find_repository(full_name) else {
                return;
            };
            let (owner, id) = (world.repositories[index].owner, world.repositories[index].id);
            let found = world.installations.iter_mut().find(|it| it.account == owner);
            let Some(found) = found else { return };
            if let Some(selected) = &mut found.selected {
                selected.insert(id);
            }
            let installation = found.id;
            let added = json!([short(&world.repositories[index])]);
            let fields = json!({"action": "added", "repository_selection": "selected",
                "repositories_added": added, "repositories_removed": [], "requester": null});
            world.emit_installation("installation_repositories", installation, fields);
        });
    }

    /// Makes a team of an organisation that may work on these repositories.
    pub fn add_team(&self, organization: &str, slug: &str, repositories: &[&str]) {
        self.with(|world| {
            let organization = world.account(organization, AccountKind::Organization);
            let found = repositories.iter().filter_map(|it| world.find_repository(it));
            let repositories: HashSet<Id> = found.map(|it| world.repositories[it].id).collect();
            let id = world.fresh_id();
            world.teams.push(Team { id, organization, slug: slug.to_owned(), repositories });
        });
    }

    /// Ends the life of all tokens that were minted.
    pub fn expire_tokens(&self) {
        self.with(|world| world.tokens.clear());
    }
}

/// What tests count and break.
impl SandboxGitHub {
    /// The requests since the last reset, in order.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.inner().requests().clone()
    }

    /// Forgets the requests so far.
    pub fn reset_requests(&self) {
        self.inner().requests().clear();
    }

    /// The next call of an operation goes wrong. An operation is `POST /repos/{owner}/{repo}/pulls`,
    /// a GraphQL root field such as `createPullRequest`, or `*`.
    pub fn fail_next(&self, operation: &str, fault: Fault) {
        self.fail(operation, 0, 1, fault);
    }

    /// After `skip` calls of an operation, `times` calls go wrong.
    pub fn fail(&self, operation: &str, skip: u32, times: u32, fault: Fault) {
        self.inner().faults().add(operation, skip, times, fault);
    }

    /// The next time, this mutation alone goes wrong inside of GitHub (`createRef`); those beside it
    /// in the document are executed.
    pub fn fail_field_next(&self, field: &str) {
        self.inner().faults().add_field(field);
    }

    /// Takes all faults back.
    pub fn clear_faults(&self) {
        self.inner().faults().clear();
    }

    /// Sends the answers that [`Fault::HoldAnswer`] keeps back.
    pub fn release_answers(&self) {
        self.inner().released.send_replace(());
    }

    /// Whether those who were told to wait have waited.
    pub fn patience(&self) -> Patience {
        self.with(|world| world.told.kept)
    }

    /// Uses up the hourly budget of an organisation's installation.
    pub fn exhaust_rate_limit(&self, organization: &str) {
        self.leave_of_rate_limit(organization, 0);
    }

    /// Uses up the hourly budgets of an organisation's installation but for so much.
    pub fn leave_of_rate_limit(&self, organization: &str, left: u64) {
        self.with(|world| {
            let id = world.installation_by_login(organization);
            let (now, hourly) = (world.now(), world.hourly);
            if let Some(found) = world.installations.iter_mut().find(|it| Some(it.id) == id) {
                found.used = Used::but_for(left, now, hourly);
            }
        });
    }

    /// Waits until nothing is queued or on its way: all deliveries that are not held are made.
    pub async fn webhooks_delivered(&self) {
        loop {
            let changed = self.changed();
            let is_idle = self.is_idle();
            if is_idle {
                return;
            }
            changed.await;
        }
    }

    fn is_idle(&self) -> bool {
        let world = super::lock(&self.inner().world);
        world.hooks.queue.is_empty() && !world.hooks.in_flight
    }

    /// Makes every delivery wait so long before it goes out.
    pub fn delay_webhooks(&self, delay: Duration) {
        self.with(|world| world.hooks.delay = delay);
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

    /// A person commits files on a branch, which is made if it is not there, and pushes. A file
    /// without content is removed.
    pub fn push(
        &self,
        person: &str,
        branch: &str,
        files: &[(&str, Option<&str>)],
        message: &str,
    ) -> String {
        self.with(|world, index| {
            let person = world.account(person, AccountKind::User);
            let git = world.git(index)?;
            let default = world.repositories[index].default_branch.clone();
            if git.branch(branch).is_none() {
                let base = git.branch(&default).ok_or_else(Refusal::not_found)?;
                world.create_reference(index, &format!("refs/heads/{branch}"), &base, person)?;
            }
            let parent = git.branch(branch);
            world.commit_on_branch(
                index,
                (branch, parent.as_deref()),
                &changes(files),
                message,
                person,
            )
        })
    }

    /// A rule of this kind (`creation`, `update`, …) holds for a branch, and for those below it. It
    /// is shown; nothing is refused by it.
    pub fn add_rule(&self, branch: &str, kind: &str) {
        self.with(|world, index| {
            world.repositories[index].rules.push((branch.to_owned(), kind.to_owned()));
            Ok(())
        });
    }

    /// A person makes a branch at the tip of the default branch.
    pub fn create_branch(&self, person: &str, branch: &str) {
        self.with(|world, index| {
            let person = world.account(person, AccountKind::User);
            let default = world.repositories[index].default_branch.clone();
            let base = world.git(index)?.branch(&default).ok_or_else(Refusal::not_found)?;
            world.create_reference(index, &format!("refs/heads/{branch}"), &base, person)
        });
    }

    /// A person deletes a branch.
    pub fn delete_branch(&self, person: &str, branch: &str) {
        self.with(|world, index| {
            let person = world.account(person, AccountKind::User);
            world.delete_reference(index, &format!("refs/heads/{branch}"), person)
        });
    }

    /// A person lets a branch point somewhere else, by force.
    pub fn force_push(&self, person: &str, branch: &str, sha: &str) {
        self.with(|world, index| {
            let person = world.account(person, AccountKind::User);
            world.move_reference(
                index,
                &format!("refs/heads/{branch}"),
                sha,
                super::references::Force::Yes,
                person,
            )
        });
    }

    /// The commit that a branch, tag or sha names.
    pub fn head(&self, reference: &str) -> Option<String> {
        self.with(|world, index| Ok(world.git(index)?.resolve(reference)))
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

    /// The names of all branches.
    pub fn branches(&self) -> Vec<String> {
        self.with(|world, index| {
            let all = world.git(index)?.references("refs/heads/");
            Ok(all
                .into_iter()
                .map(|(name, _)| name.trim_start_matches("refs/heads/").to_owned())
                .collect())
        })
    }

    /// A file as text.
    pub fn file_at(&self, reference: &str, path: &str) -> Option<String> {
        self.with(|world, index| {
            let git = world.git(index)?;
            let bytes = git.resolve(reference).and_then(|commit| git.file(&commit, path));
            Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
        })
    }

    /// Whether GitHub has signed a commit.
    pub fn is_verified(&self, reference: &str) -> bool {
        self.with(|world, index| {
            let commit = world.git(index)?.resolve(reference);
            Ok(commit.is_some_and(|commit| world.repositories[index].verified.contains(&commit)))
        })
    }

    /// How many commits a branch has.
    pub fn commits(&self, branch: &str) -> usize {
        self.with(|world, index| {
            let git = world.git(index)?;
            let head = git.resolve(branch).ok_or_else(Refusal::not_found)?;
            Ok(git.history(&head)?.len())
        })
    }

    /// All paths of a commit.
    pub fn files_at(&self, reference: &str) -> Vec<String> {
        self.with(|world, index| {
            let git = world.git(index)?;
            let commit = git.resolve(reference).ok_or_else(Refusal::not_found)?;
            let entries = git.all_entries(&git.tree_of(&commit)?)?;
            Ok(entries.into_iter().filter(|it| it.kind != "tree").map(|it| it.path).collect())
        })
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

    /// The numbers of all pull requests, oldest first.
    pub fn pull_numbers(&self) -> Vec<u64> {
        self.with(|world, index| {
            Ok(world.repositories[index].pulls.iter().map(|it| it.number).collect())
        })
    }

    /// A pull request by its number.
    pub fn pull_request(&self, number: u64) -> SandboxPull {
        self.with(|world, index| world.repositories[index].pull(number).map(drop));
        SandboxPull { repository: self.clone(), number }
    }

    /// The one pull request there is.
    pub fn only_pull_request(&self) -> SandboxPull {
        let numbers = self.pull_numbers();
        assert_eq!(numbers.len(), 1, "expected one pull request, there are {numbers:?}");
        self.pull_request(numbers[0])
    }

    /// A person opens a pull request into the default branch.
    pub fn open_pull_request(&self, person: &str, branch: &str, title: &str) -> SandboxPull {
        let number = self.with(|world, index| {
            let author = world.account(person, AccountKind::User);
            let base = world.repositories[index].default_branch.clone();
            let new = super::pulls::NewPull {
                title: title.to_owned(),
                body: None,
                head: branch.to_owned(),
                base,
                draft: false,
            };
            world.open_pull(index, new, author)
        });
        self.pull_request(number)
    }
}

/// What people do with a pull request.
impl SandboxPull {
    fn with<T>(&self, work: impl FnOnce(&mut World, usize, u64) -> Answered<T>) -> T {
        self.repository.with(|world, index| work(world, index, self.number))
    }

    /// What it looks like now.
    pub fn now(&self) -> PullRequest {
        self.with(|world, index, number| world.describe_pull(index, number))
    }

    /// A collaborator approves it.
    pub fn approve(&self, person: &str) {
        self.review(person, "APPROVED", "");
    }

    /// A collaborator asks for changes.
    pub fn request_changes(&self, person: &str, why: &str) {
        self.review(person, "CHANGES_REQUESTED", why);
    }

    fn review(&self, person: &str, state: &'static str, body: &str) {
        self.with(|world, index, number| {
            let person = world.account(person, AccountKind::User);
            world.repositories[index].collaborators.entry(person).or_insert("write");
            world.review(index, number, (state, body), person).map(drop)
        });
    }

    /// Somebody takes the newest review of a person away.
    pub fn dismiss_review_of(&self, person: &str, by: &str) {
        self.with(|world, index, number| {
            let person = world.account(person, AccountKind::User);
            let by = world.account(by, AccountKind::User);
            let reviews = &world.repositories[index].pull(number)?.reviews;
            let newest = reviews.iter().rev().find(|it| it.author == person).map(|it| it.id);
            world.dismiss_review(index, number, newest.ok_or_else(Refusal::not_found)?, by)
        });
    }

    /// A person merges it; returns the commit that the base moved to.
    pub fn merge(&self, person: &str, method: MergeMethod) -> String {
        self.try_merge(person, method).unwrap_or_else(|why| panic!("the sandbox refuses: {why}"))
    }

    /// A person tries to merge it; GitHub's words if that is refused.
    pub fn try_merge(&self, person: &str, method: MergeMethod) -> Result<String, String> {
        self.with(|world, index, number| {
            let person = world.account(person, AccountKind::User);
            if world.repositories[index].merge_queue {
                return Ok(Err("Changes must be made through the merge queue".to_owned()));
            }
            Ok(world.merge_pull(index, number, method, None, person).map_err(|it| it.message))
        })
    }

    /// A person puts it into the merge queue; returns the merge group's commit.
    pub fn enqueue(&self, person: &str) -> String {
        self.with(|world, index, number| {
            let person = world.account(person, AccountKind::User);
            world.enqueue_pull(index, number, person)
        })
    }

    /// The merge queue merges it.
    pub fn merge_from_queue(&self) -> String {
        self.with(|world, index, number| {
            let queue = world.account("github-merge-queue[bot]", AccountKind::Bot);
            world.merge_from_queue(index, number, queue)
        })
    }

    /// The merge queue gives it up; `reason` is GitHub's word, e.g. `CI_FAILURE`.
    pub fn drop_from_queue(&self, reason: &str) {
        self.with(|world, index, number| {
            let queue = world.account("github-merge-queue[bot]", AccountKind::Bot);
            world.dequeue_pull(index, number, reason, queue)
        });
    }

    /// A person closes it without a merge.
    pub fn close(&self, person: &str) {
        self.with(|world, index, number| {
            let person = world.account(person, AccountKind::User);
            world.close_pull(index, number, person)
        });
    }

    /// A person opens it again.
    pub fn reopen(&self, person: &str) {
        self.with(|world, index, number| {
            let person = world.account(person, AccountKind::User);
            world.reopen_pull(index, number, person)
        });
    }

    /// A person comments.
    pub fn comment(&self, person: &str, body: &str) {
        self.with(|world, index, number| {
            let person = world.account(person, AccountKind::User);
            world.add_comment(index, number, body, person).map(drop)
        });
    }
}

impl World {
    pub(crate) fn install(&mut self, organization: &str, on: Installed) -> Id {
        let account = self.account(organization, AccountKind::Organization);
        if let Some(known) = self.installations.iter().find(|it| it.account == account) {
            return known.id;
        }
        let id = self.fresh_id();
        let created_at = self.now();
        self.installations.push(Installation {
            id,
            account,
            selected: (on == Installed::Selected).then(HashSet::new),
            permissions: self.app.permissions.clone(),
            suspended_at: None,
            created_at,
            used: Used::since(created_at, self.hourly),
        });
        let fields = json!({"action": "created", "repositories": self.repository_list(id), "requester": null});
        self.emit_installation("installation", id, fields);
        id
    }

    fn installation_by_login(&self, organization: &str) -> Option<Id> {
        let account = self.find_account(organization)?.id;
        Some(self.installations.iter().find(|it| it.account == account)?.id)
    }

    fn repository_list(&self, installation: Id) -> Vec<Value> {
        let is_in =
            |index: &usize| self.installation_of(*index).is_some_and(|it| it.id == installation);
        (0..self.repositories.len()).filter(is_in).map(|it| short(&self.repositories[it])).collect()
    }

    pub(super) fn create_repository(
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

    fn describe_pull(&self, index: usize, number: u64) -> Answered<PullRequest> {
        let found = &self.repositories[index];
        let pull = found.pull(number)?;
        let labels = found.labels.iter().filter(|it| pull.labels.contains(&it.id));
        let comments = found.comments.iter().filter(|it| it.number == number);
        Ok(PullRequest {
            number,
            title: pull.title.clone(),
            body: pull.body.clone().unwrap_or_default(),
            is_open: pull.state == PullState::Open,
            is_merged: pull.state == PullState::Merged,
            is_draft: pull.draft,
            head: pull.head_ref.clone(),
            head_sha: pull.head_sha.clone(),
            base: pull.base_ref.clone(),
            merge_commit: pull.merge_commit.clone().filter(|_| pull.mergeable != Mergeable::No),
            labels: labels.map(|it| it.name.clone()).collect(),
            reviewers: pull.reviewers.iter().map(|it| self.login(*it).to_owned()).collect(),
            team_reviewers: pull
                .team_reviewers
                .iter()
                .filter_map(|it| Some(self.team(*it)?.slug.clone()))
                .collect(),
            comments: comments.map(|it| it.body.clone()).collect(),
        })
    }
}

fn short(repository: &Repository) -> Value {
    with(
        json!({"id": repository.id, "node_id": node_id("R", repository.id)}),
        json!({"name": repository.name, "full_name": repository.full_name, "private": repository.private}),
    )
}

fn changes(files: &[(&str, Option<&str>)]) -> Vec<Change> {
    let change = |(path, text): &(&str, Option<&str>)| Change {
        path: (*path).to_owned(),
        bytes: text.map(|text| text.as_bytes().to_vec()),
    };
    files.iter().map(change).collect()
}
