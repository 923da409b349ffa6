//! Moving branches: the one place where a branch is created, moved or deleted, and everything that
//! follows from it (events, pull requests that change with it, workflows that it starts).

use serde_json::{Value, json};

use super::git::{Change, Git, Person, ZERO};
use super::refusal::{Answered, Refusal};
use super::state::{AccountKind, Id, Mergeable, PullState, Repository, World};

/// Whether a branch may be moved to a commit that does not contain where it stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Force {
    Yes,
    No,
}

impl World {
    pub(crate) fn git(&self, repository: usize) -> Answered<Git> {
        Git::open(&self.repositories[repository].path)
    }

    pub(crate) fn person(&self, account: Id) -> Person {
        let found = self.account_by_id(account);
        let email = format!("{}+{}@users.noreply.github.com", found.id, found.login);
        Person { name: found.login.clone(), email, at: self.now() }
    }

    /// The committer of everything that GitHub writes and signs itself.
    pub(crate) fn github_person(&self) -> Person {
        Person { name: "GitHub".to_owned(), email: "noreply@github.com".to_owned(), at: self.now() }
    }

    /// Writes a commit on top of a branch and moves the branch to it.
    pub(crate) fn commit_on_branch(
        &mut self,
        repository: usize,
        (branch, parent): (&str, Option<&str>),
        changes: &[Change],
        message: &str,
        author: Id,
    ) -> Answered<String> {
        let is_bot = self.account_by_id(author).kind == AccountKind::Bot;
        let committer = if is_bot { self.github_person() } else { self.person(author) };
        let who = (&self.person(author), &committer);
        let sha = self.git(repository)?.commit_changes(parent, changes, message, who)?;
        if is_bot {
            self.repositories[repository].verified.insert(sha.clone());
        }
        let name = format!("refs/heads/{branch}");
        match parent {
            Some(_) => self.move_reference(repository, &name, &sha, Force::No, author)?,
            None => self.create_reference(repository, &name, &sha, author)?,
        }
        Ok(sha)
    }

    /// Whether a commit brings changes of workflow files to what the default branch has.
    pub(crate) fn touches_workflows(&self, repository: usize, sha: &str) -> Answered<bool> {
        let git = self.git(repository)?;
        let base = git.branch(&self.repositories[repository].default_branch);
        let from = base.and_then(|base| git.merge_base(&base, sha).ok());
        let Some(from) = from else { return Ok(false) };
        Ok(git.differences(&from, sha)?.iter().any(|it| it.path.starts_with(".github/workflows/")))
    }

    pub(crate) fn create_reference(
        &mut self,
        repository: usize,
        name: &str,
        sha: &str,
        actor: Id,
    ) -> Answered<()> {
        let git = self.git(repository)?;
        if !name.starts_with("refs/")
            || name.matches('/').count() < 2
            || !Git::is_reference_name(name)
        {
            return Err(Refusal::unprocessable(format!("{name} is not a valid ref name.")));
        }
        if git.reference(name).is_some() {
            return Err(Refusal::unprocessable("Reference already exists"));
        }
        if git.kind(sha) != Some(git2::ObjectType::Commit) {
            return Err(Refusal::unprocessable("Object does not exist"));
        }
        git.set_reference(name, sha).map_err(|_| {
            Refusal::unprocessable(format!("{name} conflicts with a reference that exists."))
        })?;
        if let Some((kind, short)) = kind_of(name) {
            let fields = json!({
                "ref": short, "ref_type": kind, "description": null, "pusher_type": "user",
                "master_branch": self.repositories[repository].default_branch,
            });
            self.emit("create", repository, actor, fields);
        }
        self.after_push(repository, name, ZERO, sha, actor)
    }

    pub(crate) fn move_reference(
        &mut self,
        repository: usize,
        name: &str,
        sha: &str,
        force: Force,
        actor: Id,
    ) -> Answered<()> {
        let git = self.git(repository)?;
        let before = git
            .reference(name)
            .ok_or_else(|| Refusal::unprocessable("Reference does not exist"))?;
        if git.kind(sha) != Some(git2::ObjectType::Commit) {
            return Err(Refusal::unprocessable("Object does not exist"));
        }
        if force == Force::No && !git.contains(sha, &before) {
            return Err(Refusal::unprocessable("Update is not a fast forward"));
        }
        if before == sha {
            return Ok(());
        }
        git.set_reference(name, sha)?;
        self.after_push(repository, name, &before, sha, actor)
    }

    pub(crate) fn delete_reference(
        &mut self,
        repository: usize,
        name: &str,
        actor: Id,
    ) -> Answered<()> {
        let git = self.git(repository)?;
        let before = git
            .reference(name)
            .ok_or_else(|| Refusal::unprocessable("Reference does not exist"))?;
        if name == format!("refs/heads/{}", self.repositories[repository].default_branch) {
            return Err(Refusal::unprocessable("Cannot delete the default branch"));
        }
        git.delete_reference(name)?;
        if let Some((kind, short)) = kind_of(name) {
            let fields = json!({"ref": short, "ref_type": kind, "pusher_type": "user"});
            self.emit("delete", repository, actor, fields);
        }
        self.after_push(repository, name, &before, ZERO, actor)
    }

    fn after_push(
        &mut self,
        repository: usize,
        name: &str,
        before: &str,
        after: &str,
        actor: Id,
    ) -> Answered<()> {
        self.repositories[repository].pushed_at = self.now();
        self.emit_push(repository, name, before, after, actor)?;
        let Some(branch) = name.strip_prefix("refs/heads/") else {
            return Ok(());
        };
        self.follow_base(repository, branch, after, actor)?;
        self.follow_head(repository, branch, before, after, actor)?;
        self.register_workflows(repository)?;
        if after == ZERO {
            return Ok(());
        }
        self.start_workflows_of_push(repository, branch, before, after, actor)
    }

    fn emit_push(
        &mut self,
        repository: usize,
        name: &str,
        before: &str,
        after: &str,
        actor: Id,
    ) -> Answered<()> {
        let git = self.git(repository)?;
        let found = &self.repositories[repository];
        let known = match before {
            ZERO => git
                .branch(&found.default_branch)
                .filter(|base| base != after)
                .unwrap_or(ZERO.to_owned()),
            sha => sha.to_owned(),
        };
        let new = if after == ZERO { Vec::new() } else { git.commits_between(&known, after)? };
        let commits: Vec<Value> = new
            .iter()
            .map(|sha| self.pushed_commit_body(found, &git, sha))
            .collect::<Answered<_>>()?;
        let head = match after {
            ZERO => Value::Null,
            sha => self.pushed_commit_body(found, &git, sha)?,
        };
        let forced = before != ZERO && after != ZERO && !git.contains(after, before);
        let pusher = self.person(actor);
        let page = self.repository_page(found);
        let fields = json!({
            "ref": name, "before": before, "after": after,
            "created": before == ZERO, "deleted": after == ZERO, "forced": forced,
            "base_ref": null,
            "compare": format!("{page}/compare/{}...{}", &before[..12], &after[..12]),
            "commits": commits,
            "head_commit": head,
            "pusher": {"name": pusher.name, "email": pusher.email},
        });
        self.emit("push", repository, actor, fields);
        Ok(())
    }

    /// Pull requests into a branch: merged when it now contains them, else to be computed anew.
    fn follow_base(
        &mut self,
        repository: usize,
        branch: &str,
        after: &str,
        actor: Id,
    ) -> Answered<()> {
        if after == ZERO {
            return Ok(());
        }
        let git = self.git(repository)?;
        let open = open_pulls(&self.repositories[repository], |it| it.base_ref == branch);
        for number in open {
            let pull = self.repositories[repository].pull_mut(number)?;
            if git.contains(after, &pull.head_sha) {
                self.record_merge(repository, number, after, actor)?;
                continue;
            }
            after.clone_into(&mut pull.base_sha);
            pull.mergeable = Mergeable::Unknown;
        }
        Ok(())
    }

    /// Pull requests out of a branch: moved with it, closed when nothing is left of them.
    fn follow_head(
        &mut self,
        repository: usize,
        branch: &str,
        before: &str,
        after: &str,
        actor: Id,
    ) -> Answered<()> {
        let git = self.git(repository)?;
        let open = open_pulls(&self.repositories[repository], |it| it.head_ref == branch);
        for number in open {
            let now = self.now();
            let pull = self.repositories[repository].pull_mut(number)?;
            if after == ZERO {
                self.close_pull(repository, number, actor)?;
                continue;
            }
            after.clone_into(&mut pull.head_sha);
            pull.mergeable = Mergeable::Unknown;
            pull.updated_at = now;
            let is_empty = git.contains(&pull.base_sha, after);
            git.set_reference(&format!("refs/pull/{number}/head"), after)?;
            let fields = json!({"action": "synchronize", "before": before, "after": after});
            self.emit_pull(repository, number, actor, fields)?;
            if is_empty {
                self.close_pull(repository, number, actor)?;
                continue;
            }
            self.start_workflows_of_pull(repository, number, "synchronize", actor)?;
        }
        Ok(())
    }
}

fn open_pulls(repository: &Repository, wanted: impl Fn(&super::state::Pull) -> bool) -> Vec<u64> {
    let open = repository.pulls.iter().filter(|it| it.state == PullState::Open && wanted(it));
    open.map(|pull| pull.number).collect()
}

fn kind_of(name: &str) -> Option<(&'static str, &str)> {
    let branch = name.strip_prefix("refs/heads/").map(|short| ("branch", short));
    branch.or_else(|| name.strip_prefix("refs/tags/").map(|short| ("tag", short)))
}
