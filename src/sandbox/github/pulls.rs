//! The life of a pull request: opened, reviewed, merged in one of three ways, closed.

use serde_json::{Value, json};

use super::body::with;
use super::git::Git;
use super::references::Force;
use super::refusal::{Answered, Refusal};
use super::state::{Id, Label, Mergeable, Pull, PullState, Review, World};

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

/// What a new pull request is made of.
pub(crate) struct NewPull {
    pub(crate) title: String,
    pub(crate) body: Option<String>,
    pub(crate) head: String,
    pub(crate) base: String,
    pub(crate) draft: bool,
}

/// Webhooks know less of a team than the API does.
fn team_as_webhooks_have_it(team: &mut Value) {
    for newer in ["notification_setting", "type", "organization_id"] {
        team.as_object_mut().map(|team| team.remove(newer));
    }
}

fn as_webhooks_have_it(pull: &mut Value) {
    pull["requested_teams"].as_array_mut().into_iter().flatten().for_each(team_as_webhooks_have_it);
}

impl World {
    pub(crate) fn emit_pull(
        &mut self,
        repository: usize,
        number: u64,
        sender: Id,
        fields: Value,
    ) -> Answered<()> {
        let found = &self.repositories[repository];
        let mut body = self.pull_full_body(found, found.pull(number)?)?;
        as_webhooks_have_it(&mut body);
        let fields = with(fields, json!({"number": number, "pull_request": body}));
        self.emit("pull_request", repository, sender, fields);
        Ok(())
    }

    pub(crate) fn open_pull(
        &mut self,
        repository: usize,
        new: NewPull,
        author: Id,
    ) -> Answered<u64> {
        let owner = self.login(self.repositories[repository].owner).to_owned();
        let head = new.head.strip_prefix(&format!("{owner}:")).unwrap_or(&new.head).to_owned();
        let git = self.git(repository)?;
        let found = &self.repositories[repository];
        let base_sha = git.branch(&new.base).ok_or_else(|| invalid_field("base"))?;
        let head_sha = git.branch(&head).ok_or_else(|| invalid_field("head"))?;
        if found
            .pulls
            .iter()
            .any(|it| it.state == PullState::Open && it.head_ref == head && it.base_ref == new.base)
        {
            let message = format!("A pull request already exists for {owner}:{head}.");
            return Err(Refusal::invalid("PullRequest", message));
        }
        if git.contains(&base_sha, &head_sha) {
            let message = format!("No commits between {} and {head}", new.base);
            return Err(Refusal::invalid("PullRequest", message));
        }
        let id = self.fresh_id();
        let now = self.now();
        let found = &mut self.repositories[repository];
        found.last_number += 1;
        let number = found.last_number;
        git.set_reference(&format!("refs/pull/{number}/head"), &head_sha)?;
        found.pulls.push(Pull {
            id,
            number,
            title: new.title,
            body: new.body,
            state: PullState::Open,
            draft: new.draft,
            head_ref: head,
            head_sha,
            base_ref: new.base,
            base_sha,
            author,
            created_at: now,
            updated_at: now,
            closed_at: None,
            merged_at: None,
            merged_by: None,
            mergeable: Mergeable::Unknown,
            merge_commit: None,
            labels: Vec::new(),
            reviewers: Vec::new(),
            team_reviewers: Vec::new(),
            reviews: Vec::new(),
            auto_merge: None,
            queued: false,
        });
        self.emit_pull(repository, number, author, json!({"action": "opened"}))?;
        self.start_workflows_of_pull(repository, number, "opened", author)?;
        Ok(number)
    }

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
    fn settle_merge(
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

    pub(crate) fn close_pull(&mut self, repository: usize, number: u64, actor: Id) -> Answered<()> {
        let now = self.now();
        let pull = self.repositories[repository].pull_mut(number)?;
        if pull.state != PullState::Open {
            return Ok(());
        }
        pull.state = PullState::Closed;
        pull.closed_at = Some(now);
        pull.updated_at = now;
        pull.auto_merge = None;
        self.emit_pull(repository, number, actor, json!({"action": "closed"}))?;
        self.start_workflows_of_pull(repository, number, "closed", actor)
    }

    pub(crate) fn reopen_pull(
        &mut self,
        repository: usize,
        number: u64,
        actor: Id,
    ) -> Answered<()> {
        let git = self.git(repository)?;
        let now = self.now();
        let pull = self.repositories[repository].pull_mut(number)?;
        let head = git.branch(&pull.head_ref);
        let refused = |message: &str| Err(Refusal::invalid("PullRequest", message));
        match (pull.state, head) {
            (PullState::Open, _) => return Ok(()),
            (PullState::Merged, _) => return refused("The pull request cannot be reopened."),
            (_, None) => return refused("state cannot be changed. The head branch was deleted."),
            (_, Some(head)) if head != pull.head_sha && !git.contains(&head, &pull.head_sha) => {
                let branch = &pull.head_ref;
                let message = format!(
                    "state cannot be changed. The {branch} branch was force-pushed or recreated."
                );
                return Err(Refusal::invalid("PullRequest", message));
            }
            (_, Some(head)) => pull.head_sha = head,
        }
        pull.state = PullState::Open;
        pull.closed_at = None;
        pull.updated_at = now;
        pull.mergeable = Mergeable::Unknown;
        self.emit_pull(repository, number, actor, json!({"action": "reopened"}))?;
        self.start_workflows_of_pull(repository, number, "reopened", actor)
    }

    pub(crate) fn edit_pull(
        &mut self,
        repository: usize,
        number: u64,
        (title, body): (Option<&str>, Option<&str>),
        actor: Id,
    ) -> Answered<()> {
        if title.is_none() && body.is_none() {
            return Ok(());
        }
        let now = self.now();
        let pull = self.repositories[repository].pull_mut(number)?;
        let mut changes = json!({});
        if let Some(title) = title {
            changes["title"] = json!({"from": pull.title});
            title.clone_into(&mut pull.title);
        }
        if let Some(body) = body {
            changes["body"] = json!({"from": pull.body.clone().unwrap_or_default()});
            pull.body = Some(body.to_owned());
        }
        pull.updated_at = now;
        self.emit_pull(repository, number, actor, json!({"action": "edited", "changes": changes}))
    }

    pub(crate) fn review(
        &mut self,
        repository: usize,
        number: u64,
        (state, body): (&'static str, &str),
        author: Id,
    ) -> Answered<Id> {
        let id = self.fresh_id();
        let submitted_at = self.now();
        let pull = self.repositories[repository].pull_mut(number)?;
        if pull.author == author && state != "COMMENTED" {
            return Err(Refusal::unprocessable("Can not approve your own pull request"));
        }
        let commit = pull.head_sha.clone();
        let review = Review { id, author, state, body: body.to_owned(), commit, submitted_at };
        pull.reviewers.retain(|reviewer| *reviewer != author);
        pull.reviews.push(review);
        self.emit_review(repository, number, id, "submitted", author)?;
        self.merge_when_ready(repository, number)?;
        Ok(id)
    }

    pub(crate) fn dismiss_review(
        &mut self,
        repository: usize,
        number: u64,
        review: Id,
        actor: Id,
    ) -> Answered<()> {
        let pull = self.repositories[repository].pull_mut(number)?;
        let found = pull.reviews.iter_mut().find(|it| it.id == review);
        found.ok_or_else(Refusal::not_found)?.state = "DISMISSED";
        self.emit_review(repository, number, review, "dismissed", actor)
    }

    fn emit_review(
        &mut self,
        repository: usize,
        number: u64,
        review: Id,
        action: &str,
        sender: Id,
    ) -> Answered<()> {
        let found = &self.repositories[repository];
        let pull = found.pull(number)?;
        let review =
            pull.reviews.iter().find(|it| it.id == review).ok_or_else(Refusal::not_found)?;
        let mut body = self.review_body(found, pull, review);
        // Lower case in webhooks, upper case in REST.
        body["state"] = json!(review.state.to_lowercase());
        let mut pull = self.pull_body(found, pull);
        as_webhooks_have_it(&mut pull);
        let fields = json!({"action": action, "review": body, "pull_request": pull});
        self.emit("pull_request_review", repository, sender, fields);
        Ok(())
    }

    /// What the newest review of each person adds up to.
    pub(crate) fn review_decision(pull: &Pull) -> Option<&'static str> {
        let mut newest = std::collections::BTreeMap::new();
        for review in pull.reviews.iter().filter(|it| it.state != "COMMENTED") {
            newest.insert(review.author, review.state);
        }
        if newest.values().any(|state| *state == "CHANGES_REQUESTED") {
            return Some("CHANGES_REQUESTED");
        }
        newest.values().any(|state| *state == "APPROVED").then_some("APPROVED")
    }

    fn merge_when_ready(&mut self, repository: usize, number: u64) -> Answered<()> {
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

    /// Adds labels that the repository already has.
    pub(crate) fn add_labels(
        &mut self,
        repository: usize,
        number: u64,
        labels: &[Id],
        actor: Id,
    ) -> Answered<()> {
        for id in labels {
            let found = &mut self.repositories[repository];
            let pull = found.pull_mut(number)?;
            if pull.labels.contains(id) {
                continue;
            }
            pull.labels.push(*id);
            let found = &self.repositories[repository];
            let label = found.labels.iter().find(|label| label.id == *id);
            let label = label.ok_or_else(Refusal::not_found)?;
            let fields = json!({"action": "labeled", "label": self.label_body(found, label)});
            self.emit_pull(repository, number, actor, fields)?;
            self.start_workflows_of_pull(repository, number, "labeled", actor)?;
        }
        Ok(())
    }

    pub(crate) fn create_label(
        &mut self,
        repository: usize,
        name: &str,
        color: &str,
        description: Option<&str>,
    ) -> Answered<Label> {
        if self.repositories[repository].label(name).is_some() {
            let mut refusal = Refusal::unprocessable("Name has already been taken");
            refusal.errors =
                vec![json!({"resource": "Label", "code": "already_exists", "field": "name"})];
            return Err(refusal);
        }
        let label = Label {
            id: self.fresh_id(),
            name: name.to_owned(),
            color: color.to_owned(),
            description: description.map(str::to_owned),
        };
        self.repositories[repository].labels.push(label.clone());
        Ok(label)
    }

    /// Asks for reviews. One person or team that may not review makes the whole request fail.
    pub(crate) fn request_reviews(
        &mut self,
        repository: usize,
        number: u64,
        (people, teams): (&[Id], &[Id]),
        actor: Id,
    ) -> Answered<()> {
        let found = &self.repositories[repository];
        let pull = found.pull(number)?;
        if people.contains(&pull.author) {
            return Err(Refusal::unprocessable(
                "Review cannot be requested from pull request author.",
            ));
        }
        let is_stranger = |id: &Id| !found.collaborators.contains_key(id);
        let is_outside =
            |id: &Id| self.team(*id).is_none_or(|it| !it.repositories.contains(&found.id));
        if people.iter().any(is_stranger) || teams.iter().any(is_outside) {
            return Err(Refusal::unprocessable(format!(
                "Reviews may only be requested from collaborators. One or more of the users or teams you specified is not a collaborator of the {} repository.",
                found.full_name
            )));
        }
        for id in people {
            let pull = self.repositories[repository].pull_mut(number)?;
            pull.reviewers.retain(|it| it != id);
            pull.reviewers.push(*id);
            let fields =
                json!({"action": "review_requested", "requested_reviewer": self.account_body(*id)});
            self.emit_pull(repository, number, actor, fields)?;
        }
        for id in teams {
            let pull = self.repositories[repository].pull_mut(number)?;
            pull.team_reviewers.retain(|it| it != id);
            pull.team_reviewers.push(*id);
            let Some(team) = self.team(*id) else { continue };
            let mut team = self.team_body(team);
            team_as_webhooks_have_it(&mut team);
            let fields = json!({"action": "review_requested", "requested_team": team});
            self.emit_pull(repository, number, actor, fields)?;
        }
        Ok(())
    }

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
        let head_ref =
            format!("refs/heads/gh-readonly-queue/{}/pr-{number}-{}", pull.base_ref, pull.base_sha);
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
        let head_ref =
            format!("refs/heads/gh-readonly-queue/{}/pr-{number}-{}", pull.base_ref, pull.base_sha);
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

fn invalid_field(field: &str) -> Refusal {
    let mut refusal = Refusal::unprocessable(
        "Head sha can't be blank, Base sha can't be blank, Head ref must be a branch",
    );
    refusal.errors = vec![json!({"resource": "PullRequest", "field": field, "code": "invalid"})];
    refusal
}
