//! Workflow runs and their jobs.

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::signal::Deployment;
use super::{Account, Origin, Repository};
use crate::domain::observation::{Conclusion, RunPhase, WorkflowJobSeen, WorkflowRunSeen};
use crate::domain::{CommitSha, Observation, WorkflowRunId};

#[derive(Deserialize)]
pub(super) struct WorkflowRunEvent {
    repository: Repository,
    workflow_run: WorkflowRun,
}

#[derive(Deserialize)]
struct WorkflowRun {
    id: u64,
    #[serde(default = "first")]
    run_attempt: u32,
    #[serde(default)]
    status: Option<String>,
    conclusion: Option<String>,
    path: String,
    name: Option<String>,
    display_title: Option<String>,
    event: String,
    head_branch: Option<String>,
    head_sha: CommitSha,
    html_url: String,
    actor: Option<Account>,
    created_at: Option<DateTime<Utc>>,
    #[serde(default)]
    head_repository: Origin,
}

fn first() -> u32 {
    1
}

impl WorkflowRunEvent {
    pub(super) fn seen(self) -> Option<Observation> {
        let run = self.workflow_run;
        let repository = self.repository.full_name;
        if run.head_repository.is_foreign_to(&repository) {
            return None;
        }
        Some(Observation::WorkflowRun(WorkflowRunSeen {
            repository,
            id: WorkflowRunId(run.id),
            attempt: run.run_attempt,
            status: RunPhase::parse(run.status.as_deref().unwrap_or_default()),
            conclusion: run.conclusion.as_deref().map(Conclusion::parse),
            file: file_name(&run.path),
            title: run.display_title.or(run.name),
            event: run.event,
            branch: run.head_branch,
            head_sha: run.head_sha,
            html_url: run.html_url,
            actor: run.actor.map(|account| account.login),
            created_at: run.created_at,
        }))
    }
}

/// `.github/workflows/deploy.yml@main` is the file `deploy.yml`.
fn file_name(path: &str) -> String {
    let path = path.split('@').next().unwrap_or(path);
    path.rsplit('/').next().unwrap_or(path).to_owned()
}

#[derive(Deserialize)]
pub(super) struct WorkflowJobEvent {
    repository: Repository,
    workflow_job: WorkflowJob,
    deployment: Option<Deployment>,
}

#[derive(Deserialize)]
struct WorkflowJob {
    id: u64,
    run_id: u64,
    #[serde(default = "first")]
    run_attempt: u32,
    name: String,
    status: String,
    conclusion: Option<String>,
}

impl WorkflowJobEvent {
    pub(super) fn seen(self) -> Observation {
        let job = self.workflow_job;
        Observation::WorkflowJob(WorkflowJobSeen {
            repository: self.repository.full_name,
            workflow_run: WorkflowRunId(job.run_id),
            attempt: job.run_attempt,
            job: job.id,
            name: job.name,
            status: RunPhase::parse(&job.status),
            conclusion: job.conclusion.as_deref().map(Conclusion::parse),
            environment: self.deployment.and_then(|deployment| deployment.environment),
        })
    }
}
