//! A run: the request, how far it is, and what is known of its work on GitHub.

mod attempt;
mod event;
mod pull_request;
mod work;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::action_run::{ActionRun, Operation};
use super::ids::RunId;
use super::observation::PullRequestState;
use super::parts::PartOf;
use super::repository::RepositoryName;

pub use attempt::Attempt;
pub use event::{Event, EventKind};
pub use pull_request::{
    ApplyFacts, ApplySignal, NewRepository, PullRequestFacts, PullRequestWork, RenderedOn,
};
pub use work::{DeliveryWork, EntityPlan, Work, WorkflowRunFacts, WorkflowWork};

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
    /// Since when it is at its stage.
    #[serde(default)]
    pub stage_since: DateTime<Utc>,
    /// It has said that it is late at its stage.
    #[serde(default)]
    pub is_late: bool,
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
            stage_since: now,
            is_late: false,
        }
    }

    /// The repository that it works on.
    pub fn repository(&self) -> Option<&RepositoryName> {
        match self.work.as_ref()? {
            Work::Workflow(work) => Some(&work.repository),
            Work::PullRequest(work) => Some(&work.repository),
            Work::Delivery(_) | Work::Parts(_) => None,
        }
    }

    /// Its pull request, once it is open.
    pub fn pull_request(&self) -> Option<&PullRequestFacts> {
        match self.work.as_ref()? {
            Work::PullRequest(work) => work.pull_request.as_ref(),
            Work::Workflow(_) | Work::Delivery(_) | Work::Parts(_) => None,
        }
    }

    /// Whose part it is, if it is one.
    pub fn part_of(&self) -> Option<&PartOf> {
        match self.work.as_ref()? {
            Work::PullRequest(work) => work.part.as_ref(),
            Work::Workflow(_) | Work::Delivery(_) | Work::Parts(_) => None,
        }
    }

    /// Whether it may still change the folder that it is about: nobody else does before it is
    /// merged, closed or over.
    pub fn needs_its_target(&self) -> bool {
        let is_open = |facts: &PullRequestFacts| {
            matches!(facts.state, PullRequestState::Open | PullRequestState::Queued)
        };
        matches!(self.work, Some(Work::PullRequest(_)))
            && !self.status.is_end()
            && self.pull_request().is_none_or(is_open)
    }

    /// Whether it was ended because somebody, or something newer, did not want it any more.
    pub fn was_cancelled(&self) -> bool {
        self.stage == Stage::Failed && self.label == Self::CANCELLED
    }

    /// The label of a run that is being cancelled.
    pub const CANCELLING: &'static str = "Cancelling";

    /// The label of a run that was cancelled.
    pub const CANCELLED: &'static str = "Cancelled";

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
    /// Another request for the same folder comes first.
    Behind,
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
    /// Every stage, in the order of a run.
    pub const ALL: [Self; 11] = [
        Self::Received,
        Self::Refused,
        Self::Dispatched,
        Self::Running,
        Self::Waiting,
        Self::Behind,
        Self::Proposed,
        Self::Declined,
        Self::Merged,
        Self::Done,
        Self::Failed,
    ];

    /// As it is stored and counted.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Refused => "refused",
            Self::Dispatched => "dispatched",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Behind => "behind",
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
