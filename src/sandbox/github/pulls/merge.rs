//! Merging a pull request: whether it can be, the three ways, and by itself once it is approved.

use serde_json::json;

use crate::sandbox::github::git::Git;
use crate::sandbox::github::references::Force;
use crate::sandbox::github::refusal::{Answered, Refusal};
use crate::sandbox::github::state::{Id, Mergeable, Pull, PullState, World};

/// How a pull request is merged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MergeMethod {
    /// A merge commit with two parents.
    Merge,
    /// One new commit with everything in it.
    Squash,
    /// The commits, one by one, on top of the base.
    Rebase,
}

impl MergeMethod {
    /// GitHub's word for it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Merge => "merge",
            Self::Squash => "squash",
            Self::Rebase => "rebase",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        let all = [Self::Merge, Self::Squash, Self::Rebase];
        all.into_iter().find(|method| method.name().eq_ignore_ascii_case(name))
    }
}

impl World {
    /// Computes whether a pull request can be merged, and makes the test merge. GitHub does this
    /// after the first question about it, which is why that one is answered with null.
    pub(crate) fn compute_mergeable(&mut self, repository: usize, number: u64) -> Answered<()> {
        let git = self.git(repository)?;
        let committer = self.github_person();
        let pull = self.repositories[repository].pull_mut(number)?;
        if pull.state != PullState::Open || pull.mergeable != Mergeable::Unknown {
            return Ok(());
        }
        let Some(tree) = git.merged_tree(&pull.base_sha, &pull.head_sha)? else {
            pull.mergeable = Mergeable::No;
            return Ok(());
        };
        let message = format!("Merge {} into {}", pull.head_sha, pull.base_sha);
        let parents = [pull.base_sha.as_str(), pull.head_sha.as_str()];
        let merge = git.write_commit(&tree, &parents, &message, (&committer, &committer))?;
        git.set_reference(&format!("refs/pull/{number}/merge"), &merge)?;
        pull.mergeable = Mergeable::Yes;
        pull.merge_commit = Some(merge);
        Ok(())
    }

    pub(crate) fn merge_pull(
        &mut self,
        repository: usize,
        number: u64,
        method: MergeMethod,
        message: Option<&str>,
        actor: Id,
    ) -> Answered<String> {
        let pull = self.repositories[repository].pull(number)?.clone();
        if pull.state != PullState::Open || pull.draft {
            return Err(Refusal::not_allowed("Pull Request is not mergeable"));
        }
        let git = self.git(repository)?;
        let commit = self.merged_commit(&git, &pull, method, message, actor)?;
        self.repositories[repository].verified.insert(commit.clone());
        // First: moving the base finds it merged already.
        self.settle_merge(repository, number, &commit, actor)?;
        let base = format!("refs/heads/{}", pull.base_ref);
        self.move_reference(repository, &base, &commit, Force::No, actor)?;
        self.record_merge(repository, number, &commit, actor)?;
        Ok(commit)
    }

    fn merged_commit(
        &self,
        git: &Git,
        pull: &Pull,
        method: MergeMethod,
        message: Option<&str>,
        actor: Id,
    ) -> Answered<String> {
        let conflict = || Refusal::not_allowed("Pull Request is not mergeable");
        let github = self.github_person();
        let base = git.branch(&pull.base_ref).ok_or_else(Refusal::not_found)?;
        if method == MergeMethod::Rebase {
            return git.rebased(&base, &pull.head_sha, &github)?.ok_or_else(conflict);
        }
        let tree = git.merged_tree(&base, &pull.head_sha)?.ok_or_else(conflict)?;
        let (parents, standard): (&[&str], String) = match method {
            MergeMethod::Squash => (&[&base], format!("{} (#{})", pull.title, pull.number)),
            _ => (
                &[&base, &pull.head_sha],
                format!(
                    "Merge pull request #{} from {}\n\n{}",
                    pull.number, pull.head_ref, pull.title
                ),
            ),
        };
        git.write_commit(
            &tree,
            parents,
            message.unwrap_or(&standard),
            (&self.person(actor), &github),
        )
    }

    /// Writes down that a pull request is merged, and says so.
    pub(crate) fn record_merge(
        &mut self,
        repository: usize,
        number: u64,
        commit: &str,
        actor: Id,
    ) -> Answered<()> {
        self.settle_merge(repository, number, commit, actor)?;
        self.emit_pull(repository, number, actor, json!({"action": "closed"}))?;
        self.start_workflows_of_pull(repository, number, "closed", actor)
    }

    /// A pull request is merged as this commit, which nobody has been told yet: whoever looks, because
    /// the base has moved, sees all of it.
    pub(super) fn settle_merge(
        &mut self,
        repository: usize,
        number: u64,
        commit: &str,
        actor: Id,
    ) -> Answered<()> {
        let now = self.now();
        let pull = self.repositories[repository].pull_mut(number)?;
        pull.state = PullState::Merged;
        pull.merge_commit = Some(commit.to_owned());
        pull.merged_at = Some(now);
        pull.closed_at = Some(now);
        pull.updated_at = now;
        pull.merged_by = Some(actor);
        pull.queued = false;
        pull.auto_merge = None;
        Ok(())
    }

    pub(super) fn merge_when_ready(&mut self, repository: usize, number: u64) -> Answered<()> {
        let pull = self.repositories[repository].pull(number)?;
        let Some((who, method)) = pull.auto_merge else {
            return Ok(());
        };
        if Self::review_decision(pull) != Some("APPROVED") {
            return Ok(());
        }
        let method = MergeMethod::parse(method).ok_or_else(Refusal::not_found)?;
        self.merge_pull(repository, number, method, None, who).map(drop)
    }

    pub(crate) fn enable_auto_merge(
        &mut self,
        repository: usize,
        number: u64,
        method: MergeMethod,
        actor: Id,
    ) -> Answered<()> {
        self.compute_mergeable(repository, number)?;
        let found = &mut self.repositories[repository];
        if !found.allow_auto_merge {
            return Err(Refusal::unprocessable("Auto merge is not allowed for this repository"));
        }
        let pull = found.pull_mut(number)?;
        let has_reviewers = !pull.reviewers.is_empty() || !pull.team_reviewers.is_empty();
        if pull.mergeable == Mergeable::Yes && !has_reviewers {
            return Err(Refusal::unprocessable("Pull request Pull request is in clean status"));
        }
        pull.auto_merge = Some((actor, method.name()));
        self.emit_pull(repository, number, actor, json!({"action": "auto_merge_enabled"}))
    }
}
