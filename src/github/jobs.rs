//! The jobs of a workflow run as they stand, with the tails of their logs: for people to look at.

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::{Error, GitHub, logs};
use crate::domain::github_view::{JobView, StepView};
use crate::domain::observation::{Conclusion, RunPhase};
use crate::domain::{RepositoryName, WorkflowRunId};

/// Of how many jobs the log is read. Each is a call.
const MOST_LOGS: usize = 8;

#[derive(Deserialize)]
struct Jobs {
    jobs: Vec<Job>,
}

#[derive(Deserialize)]
struct Job {
    id: u64,
    name: String,
    html_url: Option<String>,
    status: String,
    conclusion: Option<String>,
    started_at: Option<DateTime<Utc>>,
    completed_at: Option<DateTime<Utc>>,
    #[serde(default)]
    steps: Vec<Step>,
}

#[derive(Deserialize)]
struct Step {
    name: String,
    status: String,
    conclusion: Option<String>,
}

impl GitHub {
    /// The jobs of the latest attempt of a workflow run. Logs are read of those that have ended,
    /// the ones that failed first.
    pub async fn look_at_jobs(
        &self,
        repository: &RepositoryName,
        run: WorkflowRunId,
    ) -> Result<Vec<JobView>, Error> {
        let doing = format!("looking at the jobs of workflow run {run} in {repository}");
        let path = format!("/actions/runs/{run}/jobs?per_page=100");
        let found: Jobs = self.get(repository, doing, &path).await?;
        let mut ended: Vec<&Job> =
            found.jobs.iter().filter(|job| job.completed_at.is_some()).collect();
        ended.sort_by_key(|job| job.conclusion.as_deref() == Some("success"));
        let read: Vec<u64> = ended.iter().take(MOST_LOGS).map(|job| job.id).collect();
        let mut views = Vec::with_capacity(found.jobs.len());
        for job in found.jobs {
            let log =
                if read.contains(&job.id) { self.log_of(repository, job.id).await? } else { None };
            views.push(view(job, log.as_deref()));
        }
        Ok(views)
    }
}

fn view(job: Job, log: Option<&str>) -> JobView {
    JobView {
        phase: RunPhase::parse(&job.status),
        conclusion: job.conclusion.as_deref().map(Conclusion::parse),
        name: job.name,
        url: job.html_url,
        started_at: job.started_at,
        completed_at: job.completed_at,
        log_tail: log.map(logs::tail).unwrap_or_default(),
        steps: job
            .steps
            .into_iter()
            .map(|step| StepView {
                phase: RunPhase::parse(&step.status),
                conclusion: step.conclusion.as_deref().map(Conclusion::parse),
                name: step.name,
            })
            .collect(),
    }
}
