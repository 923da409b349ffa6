//! Pull requests and their reviews.

use serde::Deserialize;

use super::{Account, Origin, Repository};
use crate::domain::observation::{PullRequestSeen, PullRequestState, ReviewSeen, Verdict};
use crate::domain::{BranchName, CommitSha, Observation, PullRequestNumber};

#[derive(Deserialize)]
pub(super) struct PullRequestEvent {
    action: String,
    repository: Repository,
    pull_request: PullRequest,
    sender: Option<Account>,
}

#[derive(Deserialize)]
struct PullRequest {
    number: u64,
    node_id: Option<String>,
    html_url: String,
    state: String,
    #[serde(default)]
    draft: Option<bool>,
    #[serde(default)]
    merged: Option<bool>,
    merged_by: Option<Account>,
    merge_commit_sha: Option<CommitSha>,
    mergeable: Option<bool>,
    head: Head,
    base: Base,
}

#[derive(Deserialize)]
struct Head {
    #[serde(rename = "ref")]
    branch: BranchName,
    sha: CommitSha,
    #[serde(default)]
    repo: Origin,
}

#[derive(Deserialize)]
struct Base {
    #[serde(rename = "ref")]
    branch: BranchName,
}

impl PullRequestEvent {
    pub(super) fn seen(self) -> Option<Observation> {
        let telling = matches!(
            self.action.as_str(),
            "opened"
                | "edited"
                | "reopened"
                | "closed"
                | "synchronize"
                | "ready_for_review"
                | "converted_to_draft"
                | "enqueued"
                | "dequeued"
        );
        let pull = self.pull_request;
        let repository = self.repository.full_name;
        if !telling || pull.head.repo.is_foreign_to(&repository) {
            return None;
        }
        let is_merged = pull.merged == Some(true);
        let state = match (is_merged, pull.state.as_str(), self.action.as_str()) {
            (true, ..) => PullRequestState::Merged,
            (_, "closed", _) => PullRequestState::Closed,
            (_, _, "enqueued") => PullRequestState::Queued,
            _ => PullRequestState::Open,
        };
        let closed_by = self.sender.filter(|_| self.action == "closed");
        Some(Observation::PullRequest(PullRequestSeen {
            is_of_an_open_one: self.action != "reopened"
                && matches!(state, PullRequestState::Open | PullRequestState::Queued),
            repository,
            number: PullRequestNumber(pull.number),
            node_id: pull.node_id,
            html_url: pull.html_url,
            state,
            draft: pull.draft == Some(true),
            conflicts: pull.mergeable.map(|mergeable| !mergeable),
            head: pull.head.branch,
            head_sha: pull.head.sha,
            base: pull.base.branch,
            // Of a pull request that is not merged, this is only GitHub's try at a merge.
            merge_commit: pull.merge_commit_sha.filter(|_| is_merged),
            ended_by: pull.merged_by.or(closed_by).map(|account| account.login),
        }))
    }
}

#[derive(Deserialize)]
pub(super) struct ReviewEvent {
    repository: Repository,
    pull_request: Reviewed,
    review: Review,
}

#[derive(Deserialize)]
struct Reviewed {
    number: u64,
}

#[derive(Deserialize)]
struct Review {
    id: u64,
    state: String,
    user: Option<Account>,
    html_url: String,
}

impl ReviewEvent {
    pub(super) fn seen(self) -> Option<Observation> {
        let verdict = match self.review.state.to_ascii_lowercase().as_str() {
            "approved" => Verdict::Approved,
            "changes_requested" => Verdict::ChangesRequested,
            "commented" => Verdict::Commented,
            "dismissed" => Verdict::Dismissed,
            _ => return None,
        };
        Some(Observation::Review(ReviewSeen {
            repository: self.repository.full_name,
            number: PullRequestNumber(self.pull_request.number),
            review: self.review.id,
            verdict,
            // GitHub's own name for an account that was deleted.
            reviewer: self.review.user.map_or_else(|| "ghost".to_owned(), |user| user.login),
            html_url: self.review.html_url,
        }))
    }
}
