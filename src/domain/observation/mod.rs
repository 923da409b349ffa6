//! What is seen on GitHub, by a webhook or by asking, and how it is matched to a run.
//!
//! An observation says what was true at a moment. It may come late, twice, out of order or never;
//! `plan::outcome` merges it so that nothing known moves backwards.

mod link;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::ids::{PullRequestNumber, WorkflowRunId};
use super::repository::{BranchName, CommitSha, RepositoryName};

pub use link::Link;

/// Something that was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "seen", rename_all = "snake_case")]
pub enum Observation {
    /// A workflow run.
    WorkflowRun(WorkflowRunSeen),
    /// A job of a workflow run.
    WorkflowJob(WorkflowJobSeen),
    /// A pull request.
    PullRequest(PullRequestSeen),
    /// A review of a pull request.
    Review(ReviewSeen),
    /// A commit status, a check run or a deployment status on a commit.
    Signal(SignalSeen),
    /// Somebody pushed to, or deleted, a branch.
    Push(PushSeen),
    /// Somebody asks that a pull request be rendered again.
    RenderAgain(RenderAgainAsked),
    /// Somebody asks that what was said on a commit be found out again.
    CheckAgain(CheckAgainAsked),
}

/// A workflow run at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkflowRunSeen {
    /// Where it runs.
    pub repository: RepositoryName,
    /// Kept by a re-run.
    pub id: WorkflowRunId,
    /// 1, and one more for each re-run.
    pub attempt: u32,
    /// How far it is.
    pub status: RunPhase,
    /// How it ended.
    pub conclusion: Option<Conclusion>,
    /// The workflow's file name, without folder (`deploy.yml`).
    pub file: String,
    /// What the workflow calls itself, or this run.
    pub title: Option<String>,
    /// What started it: `workflow_dispatch`, `push`, `pull_request`, …
    pub event: String,
    /// The branch it runs for.
    pub branch: Option<String>,
    /// The commit it runs on.
    pub head_sha: CommitSha,
    /// The page of the run.
    pub html_url: String,
    /// Login of who started it (`towpath[bot]`).
    pub actor: Option<String>,
    /// When it was made.
    pub created_at: Option<DateTime<Utc>>,
}

/// A job at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkflowJobSeen {
    /// Where it runs.
    pub repository: RepositoryName,
    /// Of which workflow run.
    pub workflow_run: WorkflowRunId,
    /// Of which attempt.
    pub attempt: u32,
    /// The job's own id.
    pub job: u64,
    /// The job's name.
    pub name: String,
    /// How far it is.
    pub status: RunPhase,
    /// How it ended.
    pub conclusion: Option<Conclusion>,
    /// The environment whose approval it waits for, where the event names one.
    pub environment: Option<String>,
}

/// How far a workflow run or a job is. GitHub's words; later ones are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunPhase {
    /// `requested`, `queued`, `pending`, and what is not known.
    #[serde(alias = "requested", alias = "pending")]
    Queued,
    /// For an approval, or for a concurrency group.
    Waiting,
    /// Runs.
    InProgress,
    /// Has ended, if the conclusion is an end.
    Completed,
}

impl RunPhase {
    /// Reads GitHub's `status`. A word that is not known is the least: nothing follows from it.
    pub fn parse(status: &str) -> Self {
        match status {
            "completed" => Self::Completed,
            "in_progress" => Self::InProgress,
            "waiting" => Self::Waiting,
            _ => Self::Queued,
        }
    }
}

/// How a workflow run, a job or a check ended. GitHub's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Conclusion {
    /// Went well.
    Success,
    /// Neither well nor ill.
    Neutral,
    /// Was not needed.
    Skipped,
    /// Went wrong.
    Failure,
    /// Somebody, or a newer run of its concurrency group, stopped it.
    Cancelled,
    /// Took too long.
    TimedOut,
    /// Somebody has to act: not an end.
    ActionRequired,
    /// GitHub gave it up after two weeks.
    Stale,
    /// Could not begin, mostly for a fault in the workflow file.
    StartupFailure,
}

impl Conclusion {
    /// Reads GitHub's `conclusion`. A word that is not known counts as a failure: it is not known
    /// to be good.
    pub fn parse(conclusion: &str) -> Self {
        match conclusion {
            "success" => Self::Success,
            "neutral" => Self::Neutral,
            "skipped" => Self::Skipped,
            "cancelled" => Self::Cancelled,
            "timed_out" => Self::TimedOut,
            "action_required" => Self::ActionRequired,
            "stale" => Self::Stale,
            "startup_failure" => Self::StartupFailure,
            _ => Self::Failure,
        }
    }

    /// GitHub's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Neutral => "neutral",
            Self::Skipped => "skipped",
            Self::Failure => "failure",
            Self::Cancelled => "cancelled",
            Self::TimedOut => "timed_out",
            Self::ActionRequired => "action_required",
            Self::Stale => "stale",
            Self::StartupFailure => "startup_failure",
        }
    }
}

/// A pull request at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PullRequestSeen {
    /// It is told by something that happens to an open one, and is not that it was opened again: of one
    /// that is known to be closed, it tells how that stood before.
    #[serde(default)]
    pub is_of_an_open_one: bool,
    /// Where it is open.
    pub repository: RepositoryName,
    /// Its number.
    pub number: PullRequestNumber,
    /// GraphQL's node id, where it is known.
    pub node_id: Option<String>,
    /// Its page.
    pub html_url: String,
    /// Whether it is open, merged or closed.
    pub state: PullRequestState,
    /// Not yet for review.
    pub draft: bool,
    /// Whether it cannot be merged as it is, where GitHub has found that out.
    #[serde(default)]
    pub conflicts: Option<bool>,
    /// The branch that it wants merged.
    pub head: BranchName,
    /// That branch's commit.
    pub head_sha: CommitSha,
    /// The branch that it is to be merged into.
    pub base: BranchName,
    /// What the base moved to: the merge commit, the squashed commit, or the tip of the rebase.
    /// Only of a merged pull request.
    pub merge_commit: Option<CommitSha>,
    /// Login of who merged or closed it.
    pub ended_by: Option<String>,
}

/// How a pull request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PullRequestState {
    /// Waits for review or merge.
    Open,
    /// In the merge queue: `enqueued`.
    Queued,
    /// Closed without a merge. Can be opened again.
    Closed,
    /// Merged: final.
    Merged,
}

/// A review at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewSeen {
    /// Where.
    pub repository: RepositoryName,
    /// Of which pull request.
    pub number: PullRequestNumber,
    /// The review's own id.
    pub review: u64,
    /// What it says.
    pub verdict: Verdict,
    /// Login of the reviewer.
    pub reviewer: String,
    /// Its page.
    pub html_url: String,
}

/// What a review says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Yes.
    Approved,
    /// Not so.
    ChangesRequested,
    /// Words only.
    Commented,
    /// Taken back.
    Dismissed,
}

/// A commit status, a check run or a deployment status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignalSeen {
    /// Where.
    pub repository: RepositoryName,
    /// On which commit.
    pub sha: CommitSha,
    /// Which of the three.
    pub kind: SignalKind,
    /// The status' context, the check's name, or the deployment's environment.
    pub name: String,
    /// How it stands. `None` is under way.
    pub conclusion: Option<Conclusion>,
    /// Its page.
    pub url: Option<String>,
    /// Its short text.
    pub description: Option<String>,
    /// GitHub's id of it: a later one of the same name on the same commit is newer.
    pub id: u64,
}

/// Which kind of mark on a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignalKind {
    /// A commit status.
    Status,
    /// A check run.
    Check,
    /// A deployment's status.
    Deployment,
}

/// A push to a branch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PushSeen {
    /// Where.
    pub repository: RepositoryName,
    /// To which branch.
    pub branch: BranchName,
    /// The commit that it points at now; `None` where it was deleted.
    pub after: Option<CommitSha>,
    /// Login of who pushed.
    pub by: Option<String>,
    /// Every folder below which a file was changed, from the repository's root.
    #[serde(default)]
    pub folders: Vec<String>,
}

/// That somebody asks for a pull request to be rendered again on its base, as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenderAgainAsked {
    /// Where.
    pub repository: RepositoryName,
    /// Which pull request.
    pub number: PullRequestNumber,
    /// Login of who asks.
    pub by: String,
}

/// That somebody asks for a check of a commit to be made again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckAgainAsked {
    /// Where.
    pub repository: RepositoryName,
    /// Which commit.
    pub commit: CommitSha,
    /// The `external_id` of the check run; `None` asks for all of them.
    pub check: Option<String>,
    /// What tells this asking from every other.
    pub asking: String,
}
