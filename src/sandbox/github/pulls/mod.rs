//! The life of a pull request: opened, reviewed, merged in one of three ways, closed.

mod labels;
mod merge;
mod merge_queue;
mod review;

use serde_json::{Value, json};

use super::body::with;
use super::refusal::{Answered, Refusal};
use super::state::{Id, Mergeable, Pull, PullState, World};

pub use merge::MergeMethod;

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
}

fn invalid_field(field: &str) -> Refusal {
    let mut refusal = Refusal::unprocessable(
        "Head sha can't be blank, Base sha can't be blank, Head ref must be a branch",
    );
    refusal.errors = vec![json!({"resource": "PullRequest", "field": field, "code": "invalid"})];
    refusal
}
