//! Workflows, their runs, jobs and artifacts.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{maybe_time, node_id, time};
use crate::sandbox::github::git::Git;
use crate::sandbox::github::refusal::Answered;
use crate::sandbox::github::state::{Artifact, Environment, Job, Repository, Run, Workflow, World};

impl World {
    pub(crate) fn workflow_body(&self, repository: &Repository, workflow: &Workflow) -> Value {
        let url = format!("{}/actions/workflows/{}", self.repository_url(repository), workflow.id);
        let page = self.repository_page(repository);
        let file = workflow.path.rsplit('/').next().unwrap_or_default();
        json!({
            "id": workflow.id,
            "node_id": node_id("W", workflow.id),
            "name": workflow.name,
            "path": workflow.path,
            "state": if workflow.disabled { "disabled_manually" } else { "active" },
            "created_at": time(workflow.created_at),
            "updated_at": time(workflow.created_at),
            "url": url,
            "html_url": format!("{page}/blob/{}/{}", repository.default_branch, workflow.path),
            "badge_url": format!("{page}/actions/workflows/{file}/badge.svg"),
        })
    }

    pub(crate) fn run_body(&self, repository: &Repository, run: &Run) -> Answered<Value> {
        let git = Git::open(&repository.path)?;
        let root = self.repository_url(repository);
        let url = format!("{root}/actions/runs/{}", run.id);
        let previous = (run.attempt > 1).then(|| format!("{url}/attempts/{}", run.attempt - 1));
        let pulls: Vec<Value> = run
            .pulls
            .iter()
            .filter_map(|number| repository.pull(*number).ok())
            .map(|pull| self.pull_reference_body(repository, pull))
            .collect();
        let minimal = self.repository_minimal_body(repository);
        Ok(json!({
            "id": run.id,
            "name": run.name,
            "node_id": node_id("WFR", run.id),
            "head_branch": run.branch,
            "head_sha": run.sha,
            "path": run.path,
            "display_title": run.display_title,
            "run_number": run.number,
            "event": run.event,
            "status": run.status,
            "conclusion": run.conclusion,
            "workflow_id": run.workflow,
            "check_suite_id": run.suite,
            "check_suite_node_id": node_id("CS", run.suite),
            "url": url,
            "html_url": format!("{}/actions/runs/{}", self.repository_page(repository), run.id),
            "pull_requests": pulls,
            "created_at": time(run.created_at),
            "updated_at": time(run.updated_at),
            "actor": self.account_body(run.actor),
            "run_attempt": run.attempt,
            "referenced_workflows": [],
            "run_started_at": time(run.started_at),
            "triggering_actor": self.account_body(run.actor),
            "jobs_url": format!("{url}/jobs"),
            "logs_url": format!("{url}/logs"),
            "check_suite_url": format!("{root}/check-suites/{}", run.suite),
            "artifacts_url": format!("{url}/artifacts"),
            "cancel_url": format!("{url}/cancel"),
            "rerun_url": format!("{url}/rerun"),
            "previous_attempt_url": previous,
            "workflow_url": format!("{root}/actions/workflows/{}", run.workflow),
            "head_commit": Self::head_commit_body(&git, &run.sha)?,
            "repository": minimal,
            "head_repository": minimal,
        }))
    }

    pub(crate) fn job_body(&self, repository: &Repository, run: &Run, job: &Job) -> Value {
        let root = self.repository_url(repository);
        let steps: Vec<Value> = job
            .steps
            .iter()
            .map(|step| {
                let done = step.conclusion.is_some();
                json!({
                    "name": step.name,
                    "status": if done { "completed" } else { "in_progress" },
                    "conclusion": step.conclusion,
                    "number": step.number,
                    "started_at": time(step.started_at),
                    "completed_at": maybe_time(step.completed_at),
                })
            })
            .collect();
        let running = matches!(job.status, "in_progress" | "completed");
        json!({
            "id": job.id,
            "run_id": run.id,
            "workflow_name": run.name,
            "head_branch": run.branch,
            "run_url": format!("{root}/actions/runs/{}", run.id),
            "run_attempt": job.attempt,
            "node_id": node_id("CR", job.id),
            "head_sha": run.sha,
            "url": format!("{root}/actions/jobs/{}", job.id),
            "html_url": format!("{}/actions/runs/{}/job/{}", self.repository_page(repository), run.id, job.id),
            "status": job.status,
            "conclusion": job.conclusion,
            "created_at": time(job.created_at),
            "started_at": time(job.started_at),
            "completed_at": maybe_time(job.completed_at),
            "name": job.name,
            "steps": steps,
            "check_run_url": format!("{root}/check-runs/{}", job.id),
            "labels": ["ubuntu-latest"],
            "runner_id": running.then_some(1),
            "runner_name": running.then_some("sandbox"),
            "runner_group_id": running.then_some(1),
            "runner_group_name": running.then_some("Default"),
        })
    }

    pub(crate) fn artifact_body(
        &self,
        repository: &Repository,
        run: &Run,
        artifact: &Artifact,
    ) -> Value {
        let url = format!("{}/actions/artifacts/{}", self.repository_url(repository), artifact.id);
        let expires_at = artifact.created_at + chrono::TimeDelta::days(90);
        json!({
            "id": artifact.id,
            "node_id": node_id("MDg", artifact.id),
            "name": artifact.name,
            "size_in_bytes": artifact.zip.len(),
            "url": url,
            "archive_download_url": format!("{url}/zip"),
            "expired": self.now() > expires_at,
            "digest": format!("sha256:{}", hex::encode(Sha256::digest(&artifact.zip))),
            "created_at": time(artifact.created_at),
            "updated_at": time(artifact.created_at),
            "expires_at": time(expires_at),
            "workflow_run": {
                "id": run.id,
                "repository_id": repository.id,
                "head_repository_id": repository.id,
                "head_branch": run.branch,
                "head_sha": run.sha,
            },
        })
    }

    pub(crate) fn environment_body(
        &self,
        repository: &Repository,
        environment: &Environment,
    ) -> Value {
        json!({
            "id": environment.id,
            "node_id": node_id("EN", environment.id),
            "name": environment.name,
            "url": format!("{}/environments/{}", self.repository_url(repository), environment.name),
            "html_url": format!("{}/deployments/activity_log?environments_filter={}", self.repository_page(repository), environment.name),
            "created_at": time(environment.created_at),
            "updated_at": time(environment.created_at),
            "protection_rules": [],
            "deployment_branch_policy": null,
        })
    }
}
