//! Steps: what was decided, as data. Stored before anything is done; each may run twice.
//!
//! A variant is never given another meaning: rows of an older version may still wait.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::check::Check;
use crate::domain::ids::{PullRequestNumber, WorkflowRunId};
use crate::domain::observation::{Conclusion, Observation};
use crate::domain::parts::PartReport;
pub use crate::domain::report::{Explanation, PlanSummary, Progress, Response};
use crate::domain::repository::{BranchName, CommitSha, RepositoryName};
use crate::domain::run::{RenderedOn, Status};
use crate::domain::standing::ReviewerId;
use crate::domain::{EntityRef, EntityUpsert};

/// Which of a run's two queues a step waits in. Within a lane, steps go one after another; a portal
/// that is away does not hold up the work, nor GitHub's limits a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lane {
    /// Decides, and acts on GitHub and the catalog.
    Work,
    /// Tells the portal of the run.
    Report,
}

impl Lane {
    /// As it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Work => "work",
            Self::Report => "report",
        }
    }
}

/// One step of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Step {
    /// Decides what the request means: the first step of every run.
    Begin,
    /// Asks GitHub for a workflow run.
    Dispatch,
    /// Finds the workflow run of a dispatch whose answer does not tell it.
    Find(Find),
    /// Looks at the target, renders, and opens the pull request.
    Propose,
    /// Labels the pull request and asks for reviews.
    Decorate(Decorate),
    /// Looks at the targets of all parts and renders for each, before any of them begins.
    CheckParts,
    /// Begins a part: all were checked, and it is its turn.
    BeginPart,
    /// Takes in what a part tells.
    Hear(Box<PartReport>),
    /// Gives up a part that has nothing on GitHub yet: the whole has ended.
    Withdraw,
    /// Makes the repository that the run is about.
    CreateRepository,
    /// Writes the run's files into the repository that it has made.
    FirstCommit,
    /// Renders an open pull request again, if it has to be.
    RenderAgain(RenderAgain),
    /// Moves the branch of a pull request to what was rendered again.
    MoveBranch(Box<MoveBranch>),
    /// Puts the run's own check on the head of its pull request.
    Check(Box<Check>),
    /// Decides what it means that somebody wants the run cancelled. What waits before it, and has not
    /// begun, is not begun any more.
    Cancel(Cancel),
    /// Asks GitHub to stop the run's workflow run.
    StopWorkflow(StopWorkflow),
    /// Closes the run's pull request.
    ClosePullRequest(ClosePullRequest),
    /// Takes in what was seen.
    Observe(Observation),
    /// Looks up whether a commit contains the merged change.
    Compare(Compare),
    /// Finds out which job and step failed, and the tail of its log.
    Explain(Explain),
    /// Reads what the plan would change.
    ReadPlan(ReadPlan),
    /// Reads the outputs of the apply.
    ReadOutputs(ReadOutputs),
    /// Asks GitHub how the run's work stands, because nothing was heard of it for long.
    Look,
    /// Stores a secret in a repository or an environment.
    StoreSecret(StoreSecret),
    /// Delivers the run's message to an address inside the network.
    Deliver,
    /// Writes the entity to the catalog. Work, and not a report: the end is decided after it.
    Upsert(Upsert),
    /// Removes the entity from the catalog. Likewise.
    Delete(Delete),
    /// Tells the portal how far the run is.
    Progress(Progress),
    /// Tells the portal that the run has ended, and how. The last word.
    End(End),
}

impl Step {
    /// The queue that it waits in.
    pub fn lane(&self) -> Lane {
        match self {
            Self::Progress(_) | Self::End(_) => Lane::Report,
            _ => Lane::Work,
        }
    }

    /// The kind of [`Step::Cancel`].
    pub const CANCEL: &'static str = "cancel";

    /// Whether it begins something that is not begun any more once the run is cancelled.
    pub fn begins_something(&self) -> bool {
        matches!(
            self,
            Self::Begin
                | Self::CheckParts
                | Self::Dispatch
                | Self::Propose
                | Self::CreateRepository
                | Self::FirstCommit
                | Self::StoreSecret(_)
                | Self::Deliver
        )
    }

    /// How often it is tried before it is given up, so that what is behind it need not wait: a look
    /// is but a hint, and what waits behind it may know already what it asks for; a check tells people
    /// what they can see elsewhere. `None`: as long as it takes.
    pub fn tries(&self) -> Option<u32> {
        match self {
            Self::Look => Some(3),
            Self::Check(_) => Some(1),
            _ => None,
        }
    }

    /// How long it waits before it is due. A label alone waits for company: in most runs the next
    /// one replaces it within a second, and the portal is called once.
    pub fn delay(&self) -> Duration {
        match self {
            Self::Progress(progress) if progress.is_label_alone() => Duration::from_millis(800),
            _ => Duration::ZERO,
        }
    }

    /// As it is stored, counted and logged.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Begin => "begin",
            Self::Dispatch => "dispatch",
            Self::Find(_) => "find",
            Self::Propose => "propose",
            Self::Decorate(_) => "decorate",
            Self::CheckParts => "check_parts",
            Self::BeginPart => "begin_part",
            Self::Hear(_) => "hear",
            Self::Withdraw => "withdraw",
            Self::CreateRepository => "create_repository",
            Self::FirstCommit => "first_commit",
            Self::RenderAgain(_) => "render_again",
            Self::MoveBranch(_) => "move_branch",
            Self::Check(_) => "check",
            Self::Cancel(_) => Self::CANCEL,
            Self::StopWorkflow(_) => "stop_workflow",
            Self::ClosePullRequest(_) => "close_pull_request",
            Self::Observe(_) => "observe",
            Self::Compare(_) => "compare",
            Self::Explain(_) => "explain",
            Self::ReadPlan(_) => "read_plan",
            Self::ReadOutputs(_) => "read_outputs",
            Self::Look => "look",
            Self::StoreSecret(_) => "store_secret",
            Self::Deliver => "deliver",
            Self::Progress(_) => "progress",
            Self::Upsert(_) => "upsert",
            Self::Delete(_) => "delete",
            Self::End(_) => "end",
        }
    }
}

/// A dispatch whose workflow run is not known: an old server does not tell it, or the answer was
/// lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Find {
    /// GitHub has said that it took the dispatch. If it has not, and no run is found after some
    /// looks, it is dispatched again.
    pub taken: bool,
}

/// Labels and reviewers of the run's pull request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decorate {
    /// Where.
    pub repository: RepositoryName,
    /// GraphQL's node id of the pull request.
    pub pull_request_node_id: String,
    /// Name and node id.
    pub labels: Vec<(String, String)>,
    /// As it was asked for, and node id.
    pub reviewers: Vec<(String, ReviewerId)>,
}

/// Why a pull request may have to be rendered again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenderAgain {
    /// Somebody asked for it; else the base has moved, and it is seen whether that matters.
    pub asked_by: Option<String>,
}

/// A pull request that was rendered again: the commit is written, and no branch points at it yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoveBranch {
    /// Where.
    pub repository: RepositoryName,
    /// GraphQL's node id of the repository.
    pub repository_node_id: String,
    /// Which pull request.
    pub number: PullRequestNumber,
    /// Its branch.
    pub branch: BranchName,
    /// Where the branch must be: else somebody has pushed, and nothing is moved.
    pub from: CommitSha,
    /// Where it is moved to.
    pub to: CommitSha,
    /// What the new commit was rendered on.
    pub rendered_on: Option<RenderedOn>,
    /// The pull request's new title.
    pub title: String,
    /// Its new body, Markdown.
    pub body: String,
    /// Why, as the end of a sentence.
    pub reason: String,
}

/// That somebody wants a run cancelled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancel {
    /// Who, as people read it.
    pub by: String,
}

/// A workflow run that is not wanted any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopWorkflow {
    /// Where.
    pub repository: RepositoryName,
    /// Which workflow run.
    pub workflow_run: WorkflowRunId,
}

/// A pull request that is not wanted any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClosePullRequest {
    /// Where.
    pub repository: RepositoryName,
    /// Which pull request.
    pub number: PullRequestNumber,
    /// Its branch, which is removed where nobody else has pushed to it.
    pub branch: BranchName,
    /// The commit that this program has made of it.
    pub own_sha: CommitSha,
    /// What its readers are told, Markdown.
    pub comment: String,
}

/// Whether `head` contains `merge`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Compare {
    /// Where.
    pub repository: RepositoryName,
    /// The commit that the merge made.
    pub merge: CommitSha,
    /// The commit of a candidate for the apply.
    pub head: CommitSha,
}

/// Why a workflow run failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Explain {
    /// Where.
    pub repository: RepositoryName,
    /// Which workflow run.
    pub workflow_run: WorkflowRunId,
    /// Which attempt.
    pub attempt: u32,
    /// What the failure means for the run.
    pub then: After,
}

/// What follows when a failure was explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum After {
    /// The run ends, as a workflow that was dispatched.
    EndWorkflow(Conclusion),
    /// The run ends, as a change that could not be applied.
    EndApply(Conclusion),
    /// Nothing ends: the plan of a pull request failed, and may be mended.
    Planned,
}

/// What a plan would change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReadPlan {
    /// Where.
    pub repository: RepositoryName,
    /// The plan's workflow run.
    pub workflow_run: WorkflowRunId,
    /// Its attempt.
    pub attempt: u32,
}

/// The outputs of an apply.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReadOutputs {
    /// Where.
    pub repository: RepositoryName,
    /// The workflow run that applied; `None` where something else did.
    pub workflow_run: Option<WorkflowRunId>,
}

/// A secret for GitHub. The value is not here: it is in the run's request, as the portal's
/// ciphertext, and is opened in memory where it is sealed for GitHub.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoreSecret {
    /// Where.
    pub repository: RepositoryName,
    /// An environment's secret, else the repository's Actions secret.
    pub environment: Option<String>,
    /// The secret's name.
    pub name: String,
    /// The template's text of its value, still to be rendered.
    pub value: String,
}

/// The entity is written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Upsert {
    /// All of it.
    pub entity: EntityUpsert,
    /// Said with the run's id: only while the portal has the run in progress.
    pub with_run: bool,
}

/// The entity is removed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Delete {
    /// Which one.
    pub entity: EntityRef,
    /// Said with the run's id: only while the portal has the run in progress.
    pub with_run: bool,
}

/// The end of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct End {
    /// `SUCCESS` or `FAILURE`.
    pub status: Status,
    /// The last label.
    pub label: String,
    /// Lines for the run's log, before the end.
    #[serde(default)]
    pub log: Vec<String>,
    /// The short text beside the status, Markdown.
    pub summary: Option<String>,
    /// All links, if they change.
    pub links: Option<Vec<String>>,
    /// What an address inside the network has answered, where the portal shows it.
    #[serde(default)]
    pub response: Option<Response>,
    /// The outside's name of the work, if it is known only now.
    #[serde(default)]
    pub external_run_id: Option<String>,
}
