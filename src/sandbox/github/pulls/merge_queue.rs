//! The merge queue: what is put into it, merged by it, or given up.

use serde_json::json;

use crate::sandbox::github::references::Force;
use crate::sandbox::github::refusal::{Answered, Refusal};
use crate::sandbox::github::state::{Id, Pull, World};

impl World {
    /// Puts a pull request into the merge queue: its merge group is built and its checks asked for.
    pub(crate) fn enqueue_pull(
        &mut self,
        repository: usize,
        number: u64,
        actor: Id,
    ) -> Answered<String> {
        let git = self.git(repository)?;
        let committer = self.github_person();
        let pull = self.repositories[repository].pull_mut(number)?;
        let tree = git.merged_tree(&pull.base_sha, &pull.head_sha)?;
        let tree = tree.ok_or_else(|| Refusal::not_allowed("Pull Request is not mergeable"))?;
        let message =
            format!("Merge pull request #{number} from {}\n\n{}", pull.head_ref, pull.title);
        let parents = [pull.base_sha.as_str(), pull.head_sha.as_str()];
        let group = git.write_commit(&tree, &parents, &message, (&committer, &committer))?;
        let head_ref = group_reference(pull);
        let (base_ref, base_sha) = (pull.base_ref.clone(), pull.base_sha.clone());
        pull.queued = true;
        git.set_reference(&head_ref, &group)?;
        self.emit_pull(repository, number, actor, json!({"action": "enqueued"}))?;
        let fields = json!({"action": "checks_requested", "merge_group": {
            "head_sha": group, "head_ref": head_ref, "base_sha": base_sha,
            "base_ref": format!("refs/heads/{base_ref}"),
            "head_commit": Self::head_commit_body(&git, &group)?,
        }});
        self.emit("merge_group", repository, actor, fields);
        Ok(group)
    }

    /// The merge queue merges: the base moves to the merge group's commit.
    pub(crate) fn merge_from_queue(
        &mut self,
        repository: usize,
        number: u64,
        actor: Id,
    ) -> Answered<String> {
        let pull = self.repositories[repository].pull(number)?.clone();
        if !pull.queued {
            return Err(Refusal::unprocessable("The pull request is not in the merge queue."));
        }
        let git = self.git(repository)?;
        let head_ref = group_reference(&pull);
        let group = git.reference(&head_ref).ok_or_else(Refusal::not_found)?;
        let base = format!("refs/heads/{}", pull.base_ref);
        git.delete_reference(&head_ref)?;
        self.settle_merge(repository, number, &group, actor)?;
        self.move_reference(repository, &base, &group, Force::No, actor)?;
        self.emit_pull(
            repository,
            number,
            actor,
            json!({"action": "dequeued", "reason": "MERGE"}),
        )?;
        self.record_merge(repository, number, &group, actor)?;
        Ok(group)
    }

    /// Takes a pull request out of the merge queue without merging it.
    pub(crate) fn dequeue_pull(
        &mut self,
        repository: usize,
        number: u64,
        reason: &str,
        actor: Id,
    ) -> Answered<()> {
        self.repositories[repository].pull_mut(number)?.queued = false;
        self.emit_pull(repository, number, actor, json!({"action": "dequeued", "reason": reason}))
    }
}

/// The branch of the merge group that a pull request is tried in.
fn group_reference(pull: &Pull) -> String {
    format!("refs/heads/gh-readonly-queue/{}/pr-{}-{}", pull.base_ref, pull.number, pull.base_sha)
}
