//! A run that writes to several repositories: its parts, each a run of its own, and what the whole
//! knows of them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::ids::{PullRequestNumber, RunId, TargetName, TemplateName, WorkflowRunId};
use super::observation::PullRequestState;
use super::repository::RepositoryName;
use super::run::{EntityPlan, Event, Run, Stage, Status};

/// Whose part a run is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartOf {
    /// The whole.
    pub whole: RunId,
    /// Which of the template's targets it writes to.
    pub target: TargetName,
    /// All parts were checked, and it was this one's turn.
    pub has_begun: bool,
    /// How often it has told the whole how it stands.
    pub told: u32,
}

/// What a run of several parts does: it has them done, and is what the portal and the catalog are
/// told of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PartsWork {
    /// Which template folder.
    pub template: TemplateName,
    /// The names and values in which the entity is rendered, without secrets.
    pub context: Value,
    /// The part that gave them, by its place in the list; none where they are the request's.
    pub context_of: Option<usize>,
    /// What becomes of the catalog when everything is applied.
    pub entity: Option<EntityPlan>,
    /// The parts, in the order of the template's targets.
    pub parts: Vec<PartFacts>,
    /// The outputs that were read so far. Of two with one name, the first target's stands.
    pub outputs: Map<String, Value>,
    /// Of how many applies the outputs are still to be read.
    pub outputs_awaited: usize,
}

/// What the whole knows of a part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartFacts {
    /// Its run.
    pub run: RunId,
    /// Its target.
    pub target: TargetName,
    /// Where it writes.
    pub repository: RepositoryName,
    /// It makes that repository.
    pub makes_repository: bool,
    /// It was told to begin.
    pub has_begun: bool,
    /// It was told that the run is cancelled, and has not said yet that it is on its way there.
    #[serde(default)]
    pub is_told_to_cancel: bool,
    /// The number of the last report that was heard of it.
    pub heard: u32,
    /// How it stands.
    pub state: PartState,
}

/// How a part stands, as far as the whole has to know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartState {
    /// Where in its life it is.
    pub stage: Stage,
    /// Whether it has ended, and how.
    pub status: Status,
    /// Its label.
    pub label: String,
    /// Its pull request, once it is open.
    pub pull_request: Option<PartPullRequest>,
    /// Its folder, once that is known.
    pub path: Option<String>,
    /// The change is on its base branch.
    pub has_landed: bool,
    /// Its good end, also where that came after an ill one.
    pub outcome: Option<PartOutcome>,
}

/// The pull request of a part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartPullRequest {
    /// Its number.
    pub number: PullRequestNumber,
    /// Its page.
    pub html_url: String,
    /// How it stands.
    pub state: PullRequestState,
}

/// The good end of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartOutcome {
    /// Its change is applied: by this workflow run, where one did it.
    Applied(Option<WorkflowRunId>),
    /// There was nothing to change.
    Unchanged,
}

/// What a part tells the whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PartReport {
    /// Which part.
    pub run: RunId,
    /// The how-manieth report it is: an older one says nothing new.
    pub number: u32,
    /// The repository, as GitHub calls it now.
    pub repository: RepositoryName,
    /// How it stands.
    pub state: PartState,
    /// Pages of its work, the most telling first, if they have changed.
    pub links: Option<Vec<String>>,
    /// New lines of its history.
    pub events: Vec<Event>,
    /// The names and values that it was rendered with, when its change has come to its base.
    pub context: Option<Value>,
}

impl PartState {
    /// Before anything is known.
    pub fn received() -> Self {
        Self {
            stage: Stage::Received,
            status: Status::InProgress,
            label: "Received".to_owned(),
            pull_request: None,
            path: None,
            has_landed: false,
            outcome: None,
        }
    }
}

impl PartFacts {
    /// It has ended ill, and its change did not come about afterwards either.
    pub fn is_ill(&self) -> bool {
        self.state.status.is_end() && self.state.outcome.is_none()
    }

    /// It is being cancelled: what becomes of it is not known yet. What has landed goes on.
    pub fn is_being_cancelled(&self) -> bool {
        let is_open = !self.state.status.is_end() && !self.state.has_landed;
        is_open && (self.is_told_to_cancel || self.state.label == Run::CANCELLING)
    }

    /// It waits for people, or for another run: it does not go on by itself.
    pub fn is_left_to_people(&self) -> bool {
        !self.state.status.is_end()
            && !self.is_being_cancelled()
            && (!self.has_begun || matches!(self.state.stage, Stage::Proposed | Stage::Behind))
    }

    /// Its pull request is open.
    pub fn is_open(&self) -> bool {
        self.state.pull_request.as_ref().is_some_and(|pull| {
            matches!(pull.state, PullRequestState::Open | PullRequestState::Queued)
        })
    }

    /// Nothing of it is on GitHub yet, and need not come to be.
    pub fn may_be_withdrawn(&self) -> bool {
        !self.state.status.is_end() && (!self.has_begun || self.state.stage == Stage::Behind)
    }
}
