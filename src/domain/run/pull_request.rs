//! A proposed change: where it goes, what is known of its pull request, and what says that it was
//! applied.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Attempt, EntityPlan, WorkflowRunFacts};
use crate::domain::check::OwnCheck;
use crate::domain::ids::{PullRequestNumber, TemplateName};
use crate::domain::observation::{PullRequestState, Verdict};
use crate::domain::parts::PartOf;
use crate::domain::report::PlanSummary;
use crate::domain::repository::{BranchName, CommitSha, RepositoryName, Visibility};

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
    pub reviews: Vec<(String, Verdict)>,
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
