//! A run: the request, how far it is, and what is known of its work on GitHub.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::action_run::{ActionRun, Operation};
use super::check::OwnCheck;
use super::entity::EntityRef;
use super::ids::{PullRequestNumber, RunId, TemplateName, WorkflowRunId};
use super::observation::{Conclusion, PullRequestState, RunPhase};
use super::parts::{PartOf, PartsWork};
use super::report::PlanSummary;
use super::repository::{BranchName, CommitSha, RepositoryName, Visibility};

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

/// What a run does on GitHub.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Work {
    /// Dispatches a workflow and follows it.
    Workflow(Box<WorkflowWork>),
    /// Proposes a change and follows it until it is applied.
    PullRequest(Box<PullRequestWork>),
    /// Nothing on GitHub: delivers its message to an address inside the network.
    Delivery(DeliveryWork),
    /// Has its parts done, each by a run of its own.
    Parts(Box<PartsWork>),
}

/// A message that is delivered inside the network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryWork {
    /// The outside's name of what was begun there.
    pub external_run_id: Option<String>,
    /// Whoever got the message reports the end of the run.
    pub is_left_to_receiver: bool,
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
    /// How far its latest attempt is.
    #[serde(flatten)]
    pub latest: Attempt,
}

/// How far the latest attempt of something is that GitHub runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// 1, and one more for each re-run.
    pub attempt: u32,
    /// How far it is.
    pub phase: RunPhase,
    /// How it ended.
    pub conclusion: Option<Conclusion>,
}

impl Attempt {
    /// The first attempt, of which nothing but its being was seen.
    pub fn first() -> Self {
        Self { attempt: 1, phase: RunPhase::Queued, conclusion: None }
    }

    /// What one observation says. `completed` is only an end with a conclusion that is one:
    /// `completed` with none, or with `action_required`, is seen in the wild.
    pub fn seen(attempt: u32, phase: RunPhase, conclusion: Option<Conclusion>) -> Self {
        match (phase, conclusion) {
            (RunPhase::Completed, Some(Conclusion::ActionRequired)) => {
                Self { attempt, phase: RunPhase::Waiting, conclusion: None }
            }
            (RunPhase::Completed, Some(_)) => Self { attempt, phase, conclusion },
            (RunPhase::Completed, None) => {
                Self { attempt, phase: RunPhase::InProgress, conclusion: None }
            }
            _ => Self { attempt, phase, conclusion: None },
        }
    }

    /// Takes in what was seen, and says whether anything moved. An older attempt, an earlier phase
    /// and a second end of the same attempt move nothing. Only waiting may come after running: for
    /// the approval of a later job's environment.
    pub fn merge(&mut self, seen: Self) -> bool {
        let moves = seen.attempt > self.attempt
            || seen.attempt == self.attempt
                && self.phase != RunPhase::Completed
                && (seen.phase > self.phase
                    || (self.phase, seen.phase) == (RunPhase::InProgress, RunPhase::Waiting));
        if moves {
            *self = seen;
        }
        moves
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
    /// Whose part it is, where it is one of several.
    #[serde(default)]
    pub part: Option<PartOf>,
    /// The page of what is merged or closed before this is rendered: another pull request for the
    /// same folder, or its run.
    #[serde(default)]
    pub behind: Option<String>,
    /// The repository that is made for it, where it has no pull request.
    #[serde(default)]
    pub new_repository: Option<NewRepository>,
    /// What it was rendered on, once it was.
    #[serde(default)]
    pub rendered_on: Option<RenderedOn>,
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
    /// What the plan would change, where it says it. Of many resources only the first.
    #[serde(default)]
    pub plan_summary: Option<PlanSummary>,
    /// Every run or mark that may be the apply.
    #[serde(default)]
    pub applies: Vec<ApplyFacts>,
    /// The check on its pull request, once it was rendered.
    #[serde(default)]
    pub own_check: Option<OwnCheck>,
    /// Who has asked that it be cancelled, as long as that is not done.
    #[serde(default)]
    pub cancelled_by: Option<String>,
}

impl PullRequestWork {
    /// The commit that brought the change to its base: the merge, or a new repository's first one.
    pub fn landed(&self) -> Option<&CommitSha> {
        match &self.new_repository {
            Some(new) => new.first_commit.as_ref(),
            None => self.pull_request.as_ref()?.merge_commit.as_ref(),
        }
    }
}

/// A repository that a run makes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewRepository {
    /// What it says of itself, when it is done.
    pub description: String,
    /// Who may see it.
    pub visibility: Visibility,
    /// The repository that it is made from.
    pub from: Option<RepositoryName>,
    /// The commit that has the run's files, once it is made.
    pub first_commit: Option<CommitSha>,
}

/// What stood on the base where a change was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenderedOn {
    /// The base's commit.
    pub base_sha: CommitSha,
    /// Of each file that the change writes or removes, by path: git's id of what stood there.
    pub files: BTreeMap<String, Option<String>>,
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
    /// Somebody has pushed to the branch, and was told that it is theirs now.
    #[serde(default)]
    pub left_to_people: bool,
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
    /// How far its latest attempt is.
    #[serde(flatten)]
    pub latest: Attempt,
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
        Self { kind: EventKind::Progress, message: message.into() }
    }

    /// A line that asks for attention and ends nothing.
    pub fn warning(message: impl Into<String>) -> Self {
        Self { kind: EventKind::Warning, message: message.into() }
    }

    /// A line that tells why the run ended ill.
    pub fn failure(message: impl Into<String>) -> Self {
        Self { kind: EventKind::Failure, message: message.into() }
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn attempts() -> impl Strategy<Value = Attempt> {
        let phases = prop::sample::select(vec![
            (RunPhase::Queued, None),
            (RunPhase::Waiting, None),
            (RunPhase::InProgress, None),
            (RunPhase::Completed, None),
            (RunPhase::Completed, Some(Conclusion::ActionRequired)),
            (RunPhase::Completed, Some(Conclusion::Success)),
            (RunPhase::Completed, Some(Conclusion::Failure)),
        ]);
        (1..4u32, phases).prop_map(|(attempt, (phase, end))| Attempt::seen(attempt, phase, end))
    }

    proptest! {
        #[test]
        fn nothing_that_is_seen_moves_an_attempt_backwards(seen in prop::collection::vec(attempts(), 0..20)) {
            let mut known = Attempt::first();
            for next in seen {
                let before = known;
                let moved = known.merge(next);
                prop_assert_eq!(moved, known != before);
                prop_assert!(known.attempt >= before.attempt);
                if before.phase == RunPhase::Completed && known.attempt == before.attempt {
                    prop_assert_eq!(known, before);
                }
                prop_assert_eq!(known.conclusion.is_some(), known.phase == RunPhase::Completed);
            }
        }

        #[test]
        fn the_end_of_the_last_attempt_wins_in_any_order(mut seen in prop::collection::vec(attempts(), 1..10), end in attempts()) {
            let end = Attempt { attempt: 9, phase: RunPhase::Completed, conclusion: Some(end.conclusion.unwrap_or(Conclusion::Success)) };
            let at = seen.len() / 2;
            seen.insert(at, end);
            let mut known = Attempt::first();
            for next in seen {
                known.merge(next);
            }
            prop_assert_eq!(known, end);
        }
    }

    #[test]
    fn an_action_that_is_required_is_no_end() {
        let seen = Attempt::seen(1, RunPhase::Completed, Some(Conclusion::ActionRequired));
        assert_eq!((seen.phase, seen.conclusion), (RunPhase::Waiting, None));
    }
}
