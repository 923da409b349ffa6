//! Commit statuses, check runs and deployments.

use serde_json::{Value, json};

use super::{maybe_time, node_id, time, with};
use crate::sandbox::github::refusal::Answered;
use crate::sandbox::github::state::{
    CheckRun, Deployment, DeploymentStatus, Id, Repository, Status, World,
};

impl World {
    pub(crate) fn status_body(&self, repository: &Repository, status: &Status) -> Value {
        json!({
            "url": format!("{}/statuses/{}", self.repository_url(repository), status.sha),
            "avatar_url": format!("{}/avatars/{}", self.base_url, status.creator),
            "id": status.id,
            "node_id": node_id("SC", status.id),
            "state": status.state,
            "description": status.description,
            "target_url": status.target_url,
            "context": status.context,
            "created_at": time(status.created_at),
            "updated_at": time(status.created_at),
        })
    }

    pub(crate) fn status_full_body(&self, repository: &Repository, status: &Status) -> Value {
        let creator = json!({"creator": self.account_body(status.creator)});
        with(self.status_body(repository, status), creator)
    }

    pub(crate) fn check_run_body(&self, repository: &Repository, check: &CheckRun) -> Value {
        let url = format!("{}/check-runs/{}", self.repository_url(repository), check.id);
        let pulls: Vec<Value> = repository
            .pulls
            .iter()
            .filter(|pull| pull.head_sha == check.sha)
            .map(|pull| self.pull_reference_body(repository, pull))
            .collect();
        let mut app = self.app_body();
        if let Some(fields) = app.as_object_mut() {
            fields.remove("client_id");
        }
        json!({
            "id": check.id,
            "name": check.name,
            "node_id": node_id("CR", check.id),
            "head_sha": check.sha,
            "external_id": check.external_id,
            "url": url,
            "html_url": format!("{}/runs/{}", self.repository_page(repository), check.id),
            "details_url": check.details_url,
            "status": check.status,
            "conclusion": check.conclusion,
            "started_at": time(check.started_at),
            "completed_at": maybe_time(check.completed_at),
            "output": {
                "title": check.output["title"],
                "summary": check.output["summary"],
                "text": check.output["text"],
                "annotations_count": check.annotations.len(),
                "annotations_url": format!("{url}/annotations"),
            },
            "check_suite": {"id": check.suite},
            "app": app,
            "pull_requests": pulls,
        })
    }

    /// The suite of a check run. It stands as its check runs do, unless it was asked for again and
    /// waits for the App.
    pub(crate) fn check_suite_body(&self, repository: usize, check: &CheckRun) -> Answered<Value> {
        let git = self.git(repository)?;
        let repository = &self.repositories[repository];
        let branches = git.references("refs/heads/");
        let branch = branches.iter().find(|(_, sha)| *sha == check.sha);
        let url = format!("{}/check-suites/{}", self.repository_url(repository), check.suite);
        let mut app = self.app_body();
        if let Some(fields) = app.as_object_mut() {
            fields.remove("client_id");
        }
        // GitHub's description of the suite's App does not know this one.
        if let Some(events) = app["events"].as_array_mut() {
            events.retain(|event| event != "merge_group");
        }
        let (status, conclusion) = standing(repository, check.suite);
        Ok(json!({
            "id": check.suite,
            "node_id": node_id("CS", check.suite),
            "head_branch": branch.map(|(name, _)| name.trim_start_matches("refs/heads/")),
            "head_sha": check.sha,
            "status": status,
            "conclusion": conclusion,
            "url": url,
            "before": null,
            "after": check.sha,
            "pull_requests": [],
            "app": app,
            "created_at": time(check.started_at),
            "updated_at": time(self.now()),
        }))
    }

    /// The same, as an event of its own has it.
    pub(crate) fn check_suite_full_body(
        &self,
        repository: usize,
        check: &CheckRun,
    ) -> Answered<Value> {
        let suite = self.check_suite_body(repository, check)?;
        let all = self.repositories[repository].check_runs.iter();
        let more = json!({
            "rerequestable": true,
            "runs_rerequestable": true,
            "latest_check_runs_count": all.filter(|it| it.suite == check.suite).count(),
            "check_runs_url": format!("{}/check-runs", suite["url"].as_str().unwrap_or_default()),
            "head_commit": Self::head_commit_body(&self.git(repository)?, &check.sha)?,
        });
        Ok(with(suite, more))
    }

    pub(crate) fn deployment_body(
        &self,
        repository: &Repository,
        deployment: &Deployment,
    ) -> Value {
        let root = self.repository_url(repository);
        let url = format!("{root}/deployments/{}", deployment.id);
        json!({
            "url": url,
            "id": deployment.id,
            "node_id": node_id("DE", deployment.id),
            "task": deployment.task,
            "original_environment": deployment.environment,
            "environment": deployment.environment,
            "description": deployment.description,
            "created_at": time(deployment.created_at),
            "updated_at": time(deployment.created_at),
            "statuses_url": format!("{url}/statuses"),
            "repository_url": root,
            "creator": self.account_body(deployment.creator),
            "sha": deployment.sha,
            "ref": deployment.reference,
            "payload": deployment.payload,
            "transient_environment": false,
            "production_environment": deployment.environment == "production",
        })
    }

    pub(crate) fn deployment_status_body(
        &self,
        repository: &Repository,
        deployment: &Deployment,
        status: &DeploymentStatus,
    ) -> Value {
        let root = self.repository_url(repository);
        let url = format!("{root}/deployments/{}", deployment.id);
        json!({
            "url": format!("{url}/statuses/{}", status.id),
            "id": status.id,
            "node_id": node_id("DES", status.id),
            "state": status.state,
            "creator": self.account_body(status.creator),
            "description": status.description,
            "environment": deployment.environment,
            "target_url": status.log_url,
            "created_at": time(status.created_at),
            "updated_at": time(status.created_at),
            "deployment_url": url,
            "repository_url": root,
            "environment_url": "",
            "log_url": status.log_url,
        })
    }
}

/// Status and conclusion of a suite: the gravest of its check runs', once all have ended.
fn standing(repository: &Repository, suite: Id) -> (&'static str, Option<&str>) {
    /// From the gravest on.
    const GRAVITY: [&str; 5] = ["failure", "timed_out", "cancelled", "action_required", "success"];
    if repository.awaited_suites.contains(&suite) {
        return ("queued", None);
    }
    let ends: Option<Vec<&str>> = repository
        .check_runs
        .iter()
        .filter(|it| it.suite == suite)
        .map(|it| it.conclusion.as_deref())
        .collect();
    let Some(ends) = ends else { return ("in_progress", None) };
    let gravest = GRAVITY.into_iter().find(|end| ends.contains(end));
    ("completed", gravest.or_else(|| ends.first().copied()))
}
