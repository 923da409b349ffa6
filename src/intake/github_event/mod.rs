//! What a delivery of GitHub says, read as narrowly as it is used. Shapes: GitHub's webhook schemas.
//!
//! What comes from a fork is not heard: anybody can name a branch of a fork like one of ours, and
//! run a workflow there that is called like ours.
mod pull_request;
mod push;
mod signal;
mod workflow;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::domain::{Observation, RepositoryName};
use pull_request::{PullRequestEvent, ReviewEvent};
use push::PushEvent;
use signal::{CheckRunEvent, CheckSuiteEvent, DeploymentStatusEvent, StatusEvent};
use workflow::{WorkflowJobEvent, WorkflowRunEvent};

/// What a delivery says that matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GitHubFact {
    /// Something was seen that may concern a run.
    Seen(Box<Observation>),
    /// What the App may do, and where, has changed: what was remembered of it is out of date.
    AccessChanged,
}

/// A delivery of a known event that cannot be read. A full sentence for the sender.
#[derive(Debug, thiserror::Error)]
#[error("This is no {event} event: {reason}.")]
pub struct Malformed {
    event: String,
    reason: String,
}

/// Reads a delivery. `None` is an event or an action that nothing follows from.
pub fn parse_github_event(event: &str, body: &[u8]) -> Result<Option<GitHubFact>, Malformed> {
    let seen = match event {
        "workflow_run" => read::<WorkflowRunEvent>(event, body)?.seen(),
        "workflow_job" => Some(read::<WorkflowJobEvent>(event, body)?.seen()),
        "pull_request" => read::<PullRequestEvent>(event, body)?.seen(),
        "pull_request_review" => read::<ReviewEvent>(event, body)?.seen(),
        "push" => read::<PushEvent>(event, body)?.seen(),
        "status" => Some(read::<StatusEvent>(event, body)?.seen()),
        "check_run" => read::<CheckRunEvent>(event, body)?.seen(),
        "check_suite" => read::<CheckSuiteEvent>(event, body)?.seen(),
        "deployment_status" => read::<DeploymentStatusEvent>(event, body)?.seen(),
        "installation" | "installation_repositories" => {
            read::<serde::de::IgnoredAny>(event, body)?;
            return Ok(Some(GitHubFact::AccessChanged));
        }
        _ => None,
    };
    Ok(seen.map(|seen| GitHubFact::Seen(Box::new(seen))))
}

/// Whether something may follow from an event of this name. One that is not read needs no body.
pub fn is_read(event: &str) -> bool {
    !matches!(parse_github_event(event, b""), Ok(None))
}

fn read<T: DeserializeOwned>(event: &str, body: &[u8]) -> Result<T, Malformed> {
    serde_json::from_slice(body).or_else(|_| find_the_fault(event, body))
}

/// Reads once more, with a note of the place, which would slow down every reading.
fn find_the_fault<T: DeserializeOwned>(event: &str, body: &[u8]) -> Result<T, Malformed> {
    let mut json = serde_json::Deserializer::from_slice(body);
    serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let place = error.path().to_string();
        let reason = format!("{} (at `{place}`)", error.inner());
        Malformed { event: event.to_owned(), reason }
    })
}

#[derive(Deserialize)]
struct Repository {
    full_name: RepositoryName,
}

#[derive(Deserialize)]
struct Account {
    login: String,
}

/// The repository that a commit comes from, beside the one that the event is of.
#[derive(Default, Deserialize)]
#[serde(from = "Option<Repository>")]
enum Origin {
    /// Not said: older servers.
    #[default]
    Unsaid,
    /// A fork that was deleted.
    Gone,
    Known(RepositoryName),
}

impl From<Option<Repository>> for Origin {
    fn from(repository: Option<Repository>) -> Self {
        repository.map_or(Self::Gone, |repository| Self::Known(repository.full_name))
    }
}

impl Origin {
    fn is_foreign_to(&self, repository: &RepositoryName) -> bool {
        match self {
            Self::Unsaid => false,
            Self::Gone => true,
            Self::Known(origin) => origin != repository,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::observation::{Conclusion, PullRequestState, RunPhase, Verdict};
    use crate::domain::{CommitSha, PullRequestNumber, WorkflowRunId};

    const SHA: &str = "6dcb09b5b57875f334f61aebed695e2e4193db5e";

    fn seen(event: &str, body: &Value) -> Option<Observation> {
        match parse_github_event(event, body.to_string().as_bytes()).unwrap() {
            Some(GitHubFact::Seen(observation)) => Some(*observation),
            other => {
                assert_eq!(other, None);
                None
            }
        }
    }

    fn repository() -> Value {
        json!({"id": 1, "name": "infra", "full_name": "acme/infra", "owner": {"login": "acme"}})
    }

    fn workflow_run() -> Value {
        json!({"action": "completed", "repository": repository(), "workflow": null, "workflow_run": {
            "id": 30_433_642, "run_attempt": 2, "status": "completed", "conclusion": "success",
            "path": ".github/workflows/deploy.yml@refs/heads/main", "name": null,
            "display_title": "Deploy", "event": "workflow_dispatch", "head_branch": "main",
            "head_sha": SHA, "html_url": "https://github.com/acme/infra/actions/runs/30433642",
            "actor": {"login": "towpath[bot]"}, "created_at": "2026-01-02T03:04:05Z",
            "head_repository": {"full_name": "Acme/Infra"}}})
    }

    fn pull_request(action: &str) -> Value {
        json!({"action": action, "repository": repository(), "sender": {"login": "octocat"},
            "pull_request": {"number": 7, "node_id": "PR_x", "html_url": "https://github.com/acme/infra/pull/7",
            "state": "open", "draft": false, "merged": false, "merged_by": null, "merge_commit_sha": SHA,
            "head": {"ref": "towpath/a/r_1", "sha": SHA, "repo": {"full_name": "acme/infra"}},
            "base": {"ref": "main", "sha": SHA, "repo": {"full_name": "acme/infra"}}}})
    }

    #[test]
    fn a_workflow_run_is_read_with_its_bare_file_name() {
        let Some(Observation::WorkflowRun(run)) = seen("workflow_run", &workflow_run()) else {
            panic!()
        };
        assert_eq!(
            (run.file.as_str(), run.attempt, run.id),
            ("deploy.yml", 2, WorkflowRunId(30_433_642))
        );
        assert_eq!((run.status, run.conclusion), (RunPhase::Completed, Some(Conclusion::Success)));
        assert_eq!(run.actor.as_deref(), Some("towpath[bot]"));
    }

    #[test]
    fn what_comes_from_a_fork_is_not_heard() {
        for fork in [json!({"full_name": "mallory/infra"}), Value::Null] {
            let mut run = workflow_run();
            run["workflow_run"]["head_repository"] = fork.clone();
            assert_eq!(seen("workflow_run", &run), None);
            let mut pull = pull_request("closed");
            pull["pull_request"]["head"]["repo"] = fork;
            assert_eq!(seen("pull_request", &pull), None);
        }
        let mut check = check_run();
        check["check_run"]["check_suite"] = json!({"head_branch": null});
        assert_eq!(seen("check_run", &check), None);
        check["check_run"]["check_suite"] = json!({"head_branch": "main"});
        assert!(seen("check_run", &check).is_some());
    }

    #[test]
    fn a_pull_request_is_merged_only_if_it_says_so() {
        use PullRequestState::{Closed, Merged, Open, Queued};
        let state = |action: &str, state: &str, merged: bool| {
            let mut event = pull_request(action);
            event["pull_request"]["state"] = json!(state);
            event["pull_request"]["merged"] = json!(merged);
            match seen("pull_request", &event) {
                Some(Observation::PullRequest(pull)) => (pull.state, pull.merge_commit.is_some()),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(state("closed", "closed", true), (Merged, true));
        assert_eq!(state("closed", "closed", false), (Closed, false));
        assert_eq!(state("enqueued", "open", false), (Queued, false));
        assert_eq!(state("dequeued", "open", false), (Open, false));
        assert_eq!(seen("pull_request", &pull_request("labeled")), None);
    }

    #[test]
    fn a_job_that_waits_names_its_environment() {
        let event = json!({"action": "waiting", "repository": repository(),
            "deployment": {"sha": SHA, "environment": "production"},
            "workflow_job": {"id": 2, "run_id": 3, "run_attempt": 1, "name": "apply", "status": "waiting", "conclusion": null}});
        let Some(Observation::WorkflowJob(job)) = seen("workflow_job", &event) else { panic!() };
        assert_eq!(
            (job.status, job.environment.as_deref()),
            (RunPhase::Waiting, Some("production"))
        );
    }

    #[test]
    fn a_push_may_delete_a_branch_and_may_be_of_a_tag() {
        let push = |reference: &str, after: &str| {
            seen(
                "push",
                &json!({"ref": reference, "after": after, "repository": repository(), "sender": null}),
            )
        };
        let after = |seen| match seen {
            Some(Observation::Push(push)) => push.after,
            other => panic!("{other:?}"),
        };
        assert_eq!(after(push("refs/heads/main", SHA)), CommitSha::new(SHA).ok());
        assert_eq!(after(push("refs/heads/main", &"0".repeat(40))), None);
        assert_eq!(push("refs/tags/v1", SHA), None);
    }

    fn check_run() -> Value {
        json!({"action": "completed", "repository": repository(), "check_run": {"id": 4, "name": "plan",
            "head_sha": SHA, "status": "completed", "conclusion": "failure", "html_url": "https://x",
            "output": {"title": "1 to add"}}})
    }

    #[test]
    fn who_asks_for_a_check_again_is_heard_unless_the_commit_is_a_fork_s() {
        let mut run = check_run();
        run["action"] = json!("rerequested");
        run["check_run"]["external_id"] = json!("templates:portal");
        let asked = |event: &str, body: &Value| match seen(event, body)? {
            Observation::CheckAgain(asked) => Some((asked.check, asked.asking)),
            other => panic!("{other:?}"),
        };
        let one = Some((Some("templates:portal".to_owned()), "4".to_owned()));
        assert_eq!(asked("check_run", &run), one);
        run["check_run"]["check_suite"] = json!({"head_branch": null});
        assert_eq!(asked("check_run", &run), None);

        let suite = |action: &str, branch: Option<&str>| {
            json!({"action": action, "repository": repository(), "check_suite": {"id": 7,
                "head_sha": SHA, "head_branch": branch, "updated_at": "2026-01-02T03:04:05Z"}})
        };
        let all = Some((None, "7:2026-01-02T03:04:05Z".to_owned()));
        assert_eq!(asked("check_suite", &suite("rerequested", Some("main"))), all);
        assert_eq!(asked("check_suite", &suite("rerequested", None)), None);
        assert_eq!(asked("check_suite", &suite("requested", Some("main"))), None);
    }

    #[test]
    fn the_button_of_the_own_check_is_heard_and_the_check_itself_is_not() {
        let own = |action: &str, identifier: &str| {
            let mut check = check_run();
            check["action"] = json!(action);
            check["check_run"]["name"] = json!("Towpath");
            check["check_run"]["pull_requests"] = json!([{"number": 7}]);
            check["requested_action"] = json!({"identifier": identifier});
            check["sender"] = json!({"login": "octocat"});
            seen("check_run", &check)
        };
        for (action, identifier) in [("requested_action", "render_again"), ("rerequested", "")] {
            let Some(Observation::RenderAgain(asked)) = own(action, identifier) else {
                panic!("{action}")
            };
            assert_eq!((asked.number, asked.by.as_str()), (PullRequestNumber(7), "octocat"));
        }
        for (action, identifier) in
            [("requested_action", "other"), ("created", ""), ("completed", "")]
        {
            assert_eq!(own(action, identifier), None, "{action} {identifier}");
        }
    }

    #[test]
    fn marks_on_a_commit_are_one_kind_of_thing() {
        let status = |state: &str| {
            json!({"id": 4, "sha": SHA, "context": "atlantis/apply", "state": state,
            "target_url": null, "description": "Apply: 1 added", "repository": repository()})
        };
        let deployment = |state: &str| {
            json!({"action": "created", "repository": repository(),
            "deployment": {"sha": SHA, "environment": "production"},
            "deployment_status": {"id": 4, "state": state, "description": "", "log_url": "", "target_url": "https://x"}})
        };
        let read = |event: &str, body: &Value| match seen(event, body) {
            Some(Observation::Signal(signal)) => (signal.name, signal.conclusion),
            other => panic!("{other:?}"),
        };
        let named = |name: &str, conclusion| (name.to_owned(), conclusion);
        assert_eq!(
            read("status", &status("success")),
            named("atlantis/apply", Some(Conclusion::Success))
        );
        assert_eq!(
            read("status", &status("error")),
            named("atlantis/apply", Some(Conclusion::Failure))
        );
        assert_eq!(read("status", &status("pending")), named("atlantis/apply", None));
        assert_eq!(read("check_run", &check_run()), named("plan", Some(Conclusion::Failure)));
        assert_eq!(
            read("deployment_status", &deployment("success")),
            named("production", Some(Conclusion::Success))
        );
        assert_eq!(read("deployment_status", &deployment("queued")), named("production", None));
        assert_eq!(seen("deployment_status", &deployment("inactive")), None);
    }

    #[test]
    fn a_review_is_read_without_regard_to_case() {
        let event = json!({"action": "submitted", "repository": repository(), "pull_request": {"number": 7},
            "review": {"id": 1, "state": "APPROVED", "user": null, "html_url": "https://x"}});
        let Some(Observation::Review(review)) = seen("pull_request_review", &event) else {
            panic!()
        };
        assert_eq!((review.verdict, review.reviewer.as_str()), (Verdict::Approved, "ghost"));
    }

    #[test]
    fn other_events_mean_nothing_and_installations_mean_that_access_has_changed() {
        for event in ["ping", "issues", "star"] {
            assert_eq!(parse_github_event(event, b"not even json").unwrap(), None);
        }
        let changed = parse_github_event("installation_repositories", b"{\"action\": \"added\"}");
        assert_eq!(changed.unwrap(), Some(GitHubFact::AccessChanged));
    }

    #[test]
    fn a_body_that_cannot_be_read_is_refused_with_the_place() {
        let mut event = workflow_run();
        event["workflow_run"]["head_sha"] = json!("nope");
        let refused = parse_github_event("workflow_run", event.to_string().as_bytes()).unwrap_err();
        assert!(refused.to_string().contains("`workflow_run.head_sha`"), "{refused}");
        for event in [
            "workflow_run",
            "workflow_job",
            "pull_request",
            "pull_request_review",
            "push",
            "status",
            "check_run",
            "check_suite",
            "deployment_status",
            "installation",
        ] {
            for body in [&b"{"[..], b"", b"[]", b"{}", b"\xff"] {
                let answer = parse_github_event(event, body);
                assert!(answer.is_err() || event == "installation", "{event}");
            }
        }
    }
}
