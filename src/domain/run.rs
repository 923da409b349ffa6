//! A run: the request, how far it is, and what is known of its work on GitHub.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::action_run::{ActionRun, Operation};
use super::entity::EntityRef;
use super::ids::{PullRequestNumber, RunId, TemplateName, WorkflowRunId};
use super::observation::{Conclusion, PullRequestState, RunPhase};
use super::repository::{BranchName, CommitSha, RepositoryName};

/// Everything that is known of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Its name, here and in the portal.
    pub id: RunId,
    /// What was asked for.
    pub request: ActionRun,
    /// What the action does, once the template has said it.
    pub operation: Option<Operation>,
    /// Where in its life it is.
    pub stage: Stage,
    /// The portal's status.
    pub status: Status,
    /// The portal's label.
    pub label: String,
    /// Pages of the run's work, the most telling first.
    pub links: Vec<String>,
    /// What it does on GitHub, once decided.
    pub work: Option<Work>,
    /// When it was written down.
    pub created_at: DateTime<Utc>,
    /// When something of it last changed.
    pub updated_at: DateTime<Utc>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
}

impl Run {
    /// A run that was just received.
    pub fn received(request: ActionRun, now: DateTime<Utc>) -> Self {
        Self {
            id: request.id.clone(),
            operation: request.operation,
            request,
            stage: Stage::Received,
            status: Status::InProgress,
            label: "Received".to_owned(),
            links: Vec::new(),
            work: None,
            created_at: now,
            updated_at: now,
            ended_at: None,
        }
    }

    /// The repository that it works on.
    pub fn repository(&self) -> Option<&RepositoryName> {
        match self.work.as_ref()? {
            Work::Workflow(work) => Some(&work.repository),
            Work::PullRequest(work) => Some(&work.repository),
        }
    }

    /// Puts a page in front of the others, once.
    pub fn add_link(&mut self, url: &str) {
        if !self.links.iter().any(|known| known == url) {
            self.links.insert(0, url.to_owned());
        }
    }
}

/// Where in its life a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Written down.
    Received,
    /// Not done, for a reason that was told.
    Refused,
    /// The workflow was asked for.
    Dispatched,
    /// The workflow runs.
    Running,
    /// The workflow waits for somebody.
    Waiting,
    /// The pull request is open.
    Proposed,
    /// The pull request was closed without a merge.
    Declined,
    /// The pull request was merged; the change is being applied.
    Merged,
    /// Done: the end of a good run.
    Done,
    /// Went wrong.
    Failed,
}

impl Stage {
    /// As it is stored and counted.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Refused => "refused",
            Self::Dispatched => "dispatched",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Proposed => "proposed",
            Self::Declined => "declined",
            Self::Merged => "merged",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }
}

/// The portal's status of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// The portal asks somebody first.
    WaitingForApproval,
    /// Under way.
    InProgress,
    /// Ended well.
    Success,
    /// Ended ill.
    Failure,
    /// The portal's approver said no.
    Declined,
}

impl Status {
    /// The portal's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WaitingForApproval => "WAITING_FOR_APPROVAL",
            Self::InProgress => "IN_PROGRESS",
            Self::Success => "SUCCESS",
            Self::Failure => "FAILURE",
            Self::Declined => "DECLINED",
        }
    }

    /// Whether the portal takes nothing more for the run.
    pub fn is_end(self) -> bool {
        matches!(self, Self::Success | Self::Failure | Self::Declined)
    }
}

/// What a run does on GitHub.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Work {
    /// Dispatches a workflow and follows it.
    Workflow(WorkflowWork),
    /// Proposes a change and follows it until it is applied.
    PullRequest(Box<PullRequestWork>),
}

/// A dispatched workflow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkflowWork {
    /// Where.
    pub repository: RepositoryName,
    /// File name or id.
    pub workflow: String,
    /// On which branch or tag; the default branch, where none was named.
    pub reference: Option<String>,
    /// The inputs, as text.
    pub inputs: Map<String, Value>,
    /// Whether its end is the run's end.
    pub report_status: bool,
    /// What becomes of the catalog after a success.
    pub entity: Option<EntityPlan>,
    /// The names and values in which the entity is rendered.
    pub context: Value,
    /// The template's own meaning of conclusions (`neutral: failure`), by GitHub's word.
    #[serde(default)]
    pub conclusions: Vec<(Conclusion, bool)>,
    /// The workflow run, once it is known.
    pub workflow_run: Option<WorkflowRunFacts>,
}

/// What is known of a workflow run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkflowRunFacts {
    /// Kept by a re-run.
    pub id: WorkflowRunId,
    /// Its page.
    pub html_url: String,
    /// The latest attempt that was seen.
    pub attempt: u32,
    /// How far that attempt is.
    pub phase: RunPhase,
    /// How that attempt ended.
    pub conclusion: Option<Conclusion>,
    /// The commit it runs on, where it was seen.
    pub head_sha: Option<CommitSha>,
}

impl WorkflowRunFacts {
    /// Takes in what was seen. Whether anything moved: an older attempt, an earlier phase and a
    /// second end of the same attempt move nothing.
    pub fn merge(&mut self, attempt: u32, phase: RunPhase, conclusion: Option<Conclusion>) -> bool {
        let ended = phase == RunPhase::Completed && conclusion.is_some();
        // `completed` without a conclusion, or with a queued one, is seen in the wild.
        let phase = if phase == RunPhase::Completed && !ended {
            RunPhase::InProgress
        } else {
            phase
        };
        if attempt < self.attempt {
            return false;
        }
        if attempt > self.attempt {
            self.attempt = attempt;
            self.phase = phase;
            self.conclusion = conclusion.filter(|_| ended);
            return true;
        }
        // An approval takes a run from waiting back to queued and on; only the end is final.
        let final_end = self.phase == RunPhase::Completed
            && self.conclusion != Some(Conclusion::ActionRequired);
        if final_end {
            return false;
        }
        let conclusion = conclusion.filter(|_| ended);
        let forward = match (self.phase, phase) {
            (known, seen) if seen > known => true,
            (RunPhase::InProgress, RunPhase::Waiting) => true,
            (RunPhase::Completed, RunPhase::Completed) => conclusion != self.conclusion,
            (RunPhase::Completed, seen) => seen > RunPhase::Queued,
            _ => false,
        };
        if forward {
            self.phase = phase;
            self.conclusion = conclusion;
        }
        forward
    }
}

/// A proposed change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PullRequestWork {
    /// Which template folder.
    pub template: TemplateName,
    /// Where.
    pub repository: RepositoryName,
    /// Into which branch; known once the repository was looked at.
    pub base: Option<BranchName>,
    /// The run's own branch.
    pub branch: BranchName,
    /// The target folder; known once the change was rendered.
    pub path: Option<String>,
    /// The names and values in which texts and the entity are rendered, without secrets.
    pub context: Value,
    /// The workflow whose run on the pull request shows the plan.
    pub plan: Option<String>,
    /// What says that the change was applied.
    pub apply: ApplySignal,
    /// What becomes of the catalog after the apply.
    pub entity: Option<EntityPlan>,
    /// The pull request, once it is open.
    pub pull_request: Option<PullRequestFacts>,
    /// The plan, once it was seen.
    pub planned: Option<WorkflowRunFacts>,
    /// Every run or mark that may be the apply.
    #[serde(default)]
    pub applies: Vec<ApplyFacts>,
}

/// What says that a merged change was applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApplySignal {
    /// A run of this workflow file on the merge commit or on a later one.
    Workflow(String),
    /// A commit status with this context.
    Status(String),
    /// A check run with this name.
    Check(String),
    /// A deployment to this environment.
    Deployment(String),
    /// Merged is applied.
    Merge,
}

/// What is known of a pull request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PullRequestFacts {
    /// Its number.
    pub number: PullRequestNumber,
    /// GraphQL's node id.
    pub node_id: Option<String>,
    /// Its page.
    pub html_url: String,
    /// How it stands.
    pub state: PullRequestState,
    /// The commit that this program made.
    pub own_sha: CommitSha,
    /// The commit that the branch points at now.
    pub head_sha: CommitSha,
    /// What the merge made of it.
    pub merge_commit: Option<CommitSha>,
    /// The latest verdict of each reviewer, by login.
    #[serde(default)]
    pub reviews: Vec<(String, super::observation::Verdict)>,
}

/// One candidate for the apply of a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApplyFacts {
    /// GitHub's id: of the workflow run, status, check run or deployment status.
    pub id: u64,
    /// On which commit.
    pub sha: CommitSha,
    /// Its page.
    pub url: Option<String>,
    /// The latest attempt.
    pub attempt: u32,
    /// How far it is.
    pub phase: RunPhase,
    /// How it ended.
    pub conclusion: Option<Conclusion>,
    /// Whether the commit contains the merged change. `None` until it was looked up.
    pub contains: Option<bool>,
}

/// What becomes of the catalog when the work has gone well.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "then", rename_all = "snake_case")]
pub enum EntityPlan {
    /// The entity is written: the template's mapping, rendered when the outputs are known.
    Upsert {
        /// `entity` of `template.yml`, as it stands there.
        mapping: Value,
    },
    /// The entity is deleted.
    Delete {
        /// Which one.
        entity: EntityRef,
    },
}

/// A line of a run's history. What the portal's log shows is the same text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// What kind of line.
    pub kind: EventKind,
    /// A sentence for the person who pressed the button.
    pub message: String,
}

impl Event {
    /// A line that tells how far the run is.
    pub fn progress(message: impl Into<String>) -> Self {
        Self {
            kind: EventKind::Progress,
            message: message.into(),
        }
    }

    /// A line that asks for attention and ends nothing.
    pub fn warning(message: impl Into<String>) -> Self {
        Self {
            kind: EventKind::Warning,
            message: message.into(),
        }
    }

    /// A line that tells why the run ended ill.
    pub fn failure(message: impl Into<String>) -> Self {
        Self {
            kind: EventKind::Failure,
            message: message.into(),
        }
    }
}

/// What kind of line of a run's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// How far the run is.
    Progress,
    /// Something that asks for attention and ends nothing.
    Warning,
    /// Why the run ended ill.
    Failure,
}

impl EventKind {
    /// As it is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Progress => "progress",
            Self::Warning => "warning",
            Self::Failure => "failure",
        }
    }
}
