//! Marks on a commit: commit statuses, check runs and deployment statuses, as one kind of thing.

use serde::Deserialize;

use super::{Account, Repository};
use crate::domain::check::{OWN_CHECK, RENDER_AGAIN};
use crate::domain::observation::{
    CheckAgainAsked, Conclusion, RenderAgainAsked, SignalKind, SignalSeen,
};
use crate::domain::{CommitSha, Observation, PullRequestNumber};

#[derive(Deserialize)]
pub(super) struct StatusEvent {
    id: u64,
    sha: CommitSha,
    context: String,
    state: String,
    target_url: Option<String>,
    description: Option<String>,
    repository: Repository,
}

impl StatusEvent {
    pub(super) fn seen(self) -> Observation {
        Observation::Signal(SignalSeen {
            repository: self.repository.full_name,
            sha: self.sha,
            kind: SignalKind::Status,
            name: self.context,
            conclusion: match self.state.as_str() {
                "pending" => None,
                ended => Some(Conclusion::parse(ended)),
            },
            url: self.target_url,
            description: self.description,
            id: self.id,
        })
    }
}

#[derive(Deserialize)]
pub(super) struct CheckRunEvent {
    action: String,
    repository: Repository,
    check_run: CheckRun,
    requested_action: Option<RequestedAction>,
    sender: Option<Account>,
}

/// The button that was pressed.
#[derive(Deserialize)]
struct RequestedAction {
    identifier: String,
}

#[derive(Deserialize)]
struct PullRequest {
    number: u64,
}

#[derive(Deserialize)]
struct CheckRun {
    id: u64,
    name: String,
    head_sha: CommitSha,
    external_id: Option<String>,
    status: String,
    conclusion: Option<String>,
    html_url: Option<String>,
    output: Option<CheckOutput>,
    #[serde(default)]
    check_suite: CheckSuite,
    #[serde(default)]
    pull_requests: Vec<PullRequest>,
}

#[derive(Deserialize)]
struct CheckOutput {
    title: Option<String>,
}

#[derive(Default, Deserialize)]
struct CheckSuite {
    #[serde(default)]
    head_branch: HeadBranch,
}

/// GitHub names no branch where the commit was pushed to a fork.
#[derive(Default, Deserialize, PartialEq, Eq)]
#[serde(from = "Option<serde::de::IgnoredAny>")]
enum HeadBranch {
    #[default]
    Unsaid,
    None,
    Some,
}

impl From<Option<serde::de::IgnoredAny>> for HeadBranch {
    fn from(branch: Option<serde::de::IgnoredAny>) -> Self {
        if branch.is_some() { Self::Some } else { Self::None }
    }
}

impl CheckRunEvent {
    pub(super) fn seen(self) -> Option<Observation> {
        // What the check on a run's pull request says is known here.
        if self.check_run.name == OWN_CHECK {
            return self.pressed();
        }
        let check = self.check_run;
        if check.check_suite.head_branch == HeadBranch::None {
            return None;
        }
        match self.action.as_str() {
            "created" | "completed" => {}
            // GitHub tells it to the App that the check run is of.
            "rerequested" => {
                return Some(Observation::CheckAgain(CheckAgainAsked {
                    repository: self.repository.full_name,
                    commit: check.head_sha,
                    check: Some(check.external_id.unwrap_or_default()),
                    asking: check.id.to_string(),
                }));
            }
            _ => return None,
        }
        let conclusion = check.conclusion.as_deref().filter(|_| check.status == "completed");
        Some(Observation::Signal(SignalSeen {
            repository: self.repository.full_name,
            sha: check.head_sha,
            kind: SignalKind::Check,
            name: check.name,
            conclusion: conclusion.map(Conclusion::parse),
            url: check.html_url,
            description: check.output.and_then(|output| output.title),
            id: check.id,
        }))
    }
}

impl CheckRunEvent {
    /// Somebody wants the pull request rendered again. Whose check it is GitHub knows: it tells of a
    /// press only the App that has put the button there.
    fn pressed(self) -> Option<Observation> {
        let wants = match self.action.as_str() {
            "requested_action" => self.requested_action?.identifier == RENDER_AGAIN,
            // "Re-run": all that there is to be run again.
            "rerequested" => true,
            _ => false,
        };
        let pull_request = self.check_run.pull_requests.first().filter(|_| wants)?;
        Some(Observation::RenderAgain(RenderAgainAsked {
            repository: self.repository.full_name,
            number: PullRequestNumber(pull_request.number),
            by: self.sender?.login,
        }))
    }
}

#[derive(Deserialize)]
pub(super) struct CheckSuiteEvent {
    action: String,
    repository: Repository,
    check_suite: WholeSuite,
}

/// All check runs of one App on one commit.
#[derive(Deserialize)]
struct WholeSuite {
    id: u64,
    head_sha: CommitSha,
    #[serde(default)]
    head_branch: HeadBranch,
    updated_at: String,
}

impl CheckSuiteEvent {
    pub(super) fn seen(self) -> Option<Observation> {
        let suite = self.check_suite;
        if self.action != "rerequested" || suite.head_branch == HeadBranch::None {
            return None;
        }
        Some(Observation::CheckAgain(CheckAgainAsked {
            repository: self.repository.full_name,
            commit: suite.head_sha,
            check: None,
            // The suite stays the same one.
            asking: format!("{}:{}", suite.id, suite.updated_at),
        }))
    }
}

#[derive(Deserialize)]
pub(super) struct DeploymentStatusEvent {
    repository: Repository,
    deployment: Deployment,
    deployment_status: DeploymentStatus,
}

#[derive(Deserialize)]
pub(super) struct Deployment {
    sha: Option<CommitSha>,
    pub(super) environment: Option<String>,
}

#[derive(Deserialize)]
struct DeploymentStatus {
    id: u64,
    state: String,
    description: Option<String>,
    log_url: Option<String>,
    target_url: Option<String>,
}

impl DeploymentStatusEvent {
    pub(super) fn seen(self) -> Option<Observation> {
        let status = self.deployment_status;
        let conclusion = match status.state.as_str() {
            // A newer deployment has taken its place: says nothing of how this one went.
            "inactive" => return None,
            "success" => Some(Conclusion::Success),
            "failure" | "error" => Some(Conclusion::Failure),
            _ => None,
        };
        let urls = [status.log_url, status.target_url];
        Some(Observation::Signal(SignalSeen {
            repository: self.repository.full_name,
            sha: self.deployment.sha?,
            kind: SignalKind::Deployment,
            name: self.deployment.environment?,
            conclusion,
            url: urls.into_iter().flatten().find(|url| !url.is_empty()),
            description: status.description,
            id: status.id,
        }))
    }
}
