//! The parts of GitHub's objects that are read in more than one place.

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::Error;
use crate::domain::ids::InvalidId;
use crate::domain::observation::{
    Conclusion, PullRequestSeen, PullRequestState, RunPhase, WorkflowRunSeen,
};
use crate::domain::{BranchName, CommitSha, PullRequestNumber, RepositoryName, WorkflowRunId};

/// What is asked of each pull request in GraphQL.
pub(super) const PULL_FIELDS: &str = "fragment Pull on PullRequest { id number url state isDraft \
     isInMergeQueue mergeable isCrossRepository headRefName headRefOid baseRefName mergeCommit { oid } \
     mergedBy { login } }";

/// The answer to [`PULL_FIELDS`].
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Pull {
    id: String,
    number: u64,
    url: String,
    state: String,
    is_draft: bool,
    #[serde(default)]
    is_in_merge_queue: bool,
    /// `UNKNOWN` at first: to ask is what has it found out.
    mergeable: Option<String>,
    /// From a fork: its branch only has the same name as ours.
    #[serde(default)]
    pub(super) is_cross_repository: bool,
    head_ref_name: String,
    head_ref_oid: String,
    base_ref_name: String,
    merge_commit: Option<Oid>,
    merged_by: Option<Login>,
}

/// Something of which only the object id is read.
#[derive(Debug, Deserialize)]
pub(super) struct Oid {
    pub(super) oid: String,
}

/// Somebody of whom only the login is read.
#[derive(Debug, Deserialize)]
pub(super) struct Login {
    pub(super) login: String,
}

impl Pull {
    pub(super) fn is_open(&self) -> bool {
        self.state == "OPEN"
    }

    pub(super) fn seen(self, repository: &RepositoryName) -> Result<PullRequestSeen, InvalidId> {
        let state = match self.state.as_str() {
            "MERGED" => PullRequestState::Merged,
            "CLOSED" => PullRequestState::Closed,
            _ if self.is_in_merge_queue => PullRequestState::Queued,
            _ => PullRequestState::Open,
        };
        // An open or closed one may name its test merge here.
        let merge_commit = self.merge_commit.filter(|_| state == PullRequestState::Merged);
        Ok(PullRequestSeen {
            is_of_an_open_one: false,
            repository: repository.clone(),
            number: PullRequestNumber(self.number),
            node_id: Some(self.id),
            html_url: self.url,
            state,
            draft: self.is_draft,
            conflicts: match self.mergeable.as_deref() {
                Some("CONFLICTING") => Some(true),
                Some("MERGEABLE") => Some(false),
                _ => None,
            },
            head: BranchName::new(self.head_ref_name)?,
            head_sha: CommitSha::new(self.head_ref_oid)?,
            base: BranchName::new(self.base_ref_name)?,
            merge_commit: merge_commit.map(|commit| CommitSha::new(commit.oid)).transpose()?,
            ended_by: self.merged_by.map(|by| by.login),
        })
    }
}

/// A page of workflow runs, newest first.
#[derive(Debug, Deserialize)]
pub(super) struct Runs {
    pub(super) workflow_runs: Vec<WorkflowRun>,
}

/// A workflow run in REST.
#[derive(Debug, Deserialize)]
pub(super) struct WorkflowRun {
    id: u64,
    run_attempt: Option<u32>,
    status: Option<String>,
    conclusion: Option<String>,
    path: String,
    name: Option<String>,
    display_title: Option<String>,
    event: String,
    head_branch: Option<String>,
    head_sha: String,
    html_url: String,
    actor: Option<Login>,
    created_at: Option<DateTime<Utc>>,
}

impl WorkflowRun {
    pub(super) fn seen(self, repository: &RepositoryName) -> Result<WorkflowRunSeen, InvalidId> {
        Ok(WorkflowRunSeen {
            repository: repository.clone(),
            id: WorkflowRunId(self.id),
            attempt: self.run_attempt.unwrap_or(1),
            status: RunPhase::parse(self.status.as_deref().unwrap_or_default()),
            conclusion: self.conclusion.as_deref().map(Conclusion::parse),
            file: file_name(&self.path).to_owned(),
            title: self.display_title.or(self.name),
            event: self.event,
            branch: self.head_branch,
            head_sha: CommitSha::new(self.head_sha)?,
            html_url: self.html_url,
            actor: self.actor.map(|actor| actor.login),
            created_at: self.created_at,
        })
    }
}

/// `deploy.yml` of `.github/workflows/deploy.yml@refs/heads/main`.
fn file_name(path: &str) -> &str {
    let path = path.split_once('@').map_or(path, |(path, _)| path);
    path.rsplit('/').next().unwrap_or(path)
}

/// An identifier in an answer that breaks its own rule.
pub(super) fn unusable(doing: &str) -> impl FnOnce(InvalidId) -> Error + '_ {
    move |error| Error::Unexpected { doing: doing.to_owned(), reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_file_of_a_workflow_is_known_by_its_path_with_or_without_reference() {
        for path in [".github/workflows/ci.yml", ".github/workflows/ci.yml@main", "ci.yml@a/b"] {
            assert_eq!(file_name(path), "ci.yml");
        }
    }

    #[test]
    fn the_test_merge_of_a_pull_request_that_was_not_merged_is_no_merge() {
        let pull = |state: &str| {
            let sha = "a".repeat(40);
            let pull: Pull = serde_json::from_value(json!({
                "id": "PR_1", "number": 7, "url": "u", "state": state, "isDraft": false,
                "headRefName": "h", "headRefOid": sha, "baseRefName": "main",
                "mergeCommit": {"oid": sha}, "mergedBy": null
            }))
            .unwrap();
            pull.seen(&"a/b".parse().unwrap()).unwrap()
        };
        assert_eq!(pull("CLOSED").merge_commit, None);
        assert!(pull("MERGED").merge_commit.is_some());
    }
}
