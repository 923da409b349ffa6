//! Why a workflow run failed: its first failed job and step, and the tail of that job's log.

use serde::Deserialize;

use super::connection::{Call, Reading};
use super::{Error, GitHub, below, logs};
use crate::domain::report::{Explanation, PlanSummary};
use crate::domain::{RepositoryName, WorkflowRunId};

/// How much of a log is kept, in bytes: the lines that are told, with room for long ones and for
/// the clean-up behind them.
const LOG_TAIL: usize = 256 * 1024;

/// Of how many jobs the log is read in search of a plan. Each is a call.
const MOST_LOGS: usize = 10;

#[derive(Deserialize)]
struct Jobs {
    jobs: Vec<Job>,
}

#[derive(Deserialize)]
struct Job {
    id: u64,
    name: String,
    html_url: Option<String>,
    conclusion: Option<String>,
    #[serde(default)]
    steps: Vec<Step>,
}

#[derive(Deserialize)]
struct Step {
    name: String,
    conclusion: Option<String>,
}

impl GitHub {
    /// The first job of an attempt that failed, the first of its steps that did, and what it said.
    /// What is not to be had is left out: a run that could not begin has no jobs.
    pub async fn explain_failure(
        &self,
        repository: &RepositoryName,
        run: WorkflowRunId,
        attempt: u32,
    ) -> Result<Explanation, Error> {
        let jobs = self.jobs(repository, run, attempt).await?;
        let Some(job) = first_failed(&jobs, |job| job.conclusion.as_deref()) else {
            return Ok(Explanation::default());
        };
        let step = first_failed(&job.steps, |step| step.conclusion.as_deref());
        let log = self.log_of(repository, job.id).await?.unwrap_or_default();
        Ok(Explanation {
            job: Some(job.name.clone()),
            step: step.map(|step| step.name.clone()),
            url: job.html_url.clone(),
            log_tail: logs::tail(&log),
        })
    }

    /// What the logs of an attempt say that its plan would change.
    pub(super) async fn plan_in_logs(
        &self,
        repository: &RepositoryName,
        run: WorkflowRunId,
        attempt: u32,
    ) -> Result<Option<PlanSummary>, Error> {
        for job in self.jobs(repository, run, attempt).await?.iter().take(MOST_LOGS) {
            let log = self.log_of(repository, job.id).await?;
            if let Some(plan) = log.as_deref().and_then(logs::plan) {
                return Ok(Some(plan));
            }
        }
        Ok(None)
    }

    async fn jobs(
        &self,
        repository: &RepositoryName,
        run: WorkflowRunId,
        attempt: u32,
    ) -> Result<Vec<Job>, Error> {
        let doing = format!("looking at the jobs of workflow run {run} in {repository}");
        let path = format!("/actions/runs/{run}/attempts/{attempt}/jobs?per_page=100");
        let found: Jobs = self.get(repository, doing, &path).await?;
        Ok(found.jobs)
    }

    /// The end of a job's log. `None` where there is none: not yet, not any more, or never.
    pub(super) async fn log_of(
        &self,
        repository: &RepositoryName,
        job: u64,
    ) -> Result<Option<String>, Error> {
        let doing = format!("reading the log of job {job} in {repository}");
        let path = below(repository, &format!("/actions/jobs/{job}/logs"));
        let call = Call::get(doing, path).reading(Reading::Tail(LOG_TAIL));
        match self.call(repository, &call).await {
            Ok(answer) => Ok(Some(String::from_utf8_lossy(&answer.body).into_owned())),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// What failed by itself comes before what was only cancelled, which is mostly its consequence.
fn first_failed<T>(all: &[T], conclusion: impl Fn(&T) -> Option<&str>) -> Option<&T> {
    let first = |wanted: &[&str]| {
        all.iter().find(|one| conclusion(one).is_some_and(|word| wanted.contains(&word)))
    };
    first(&["failure", "timed_out", "startup_failure"])
        .or_else(|| first(&["cancelled", "action_required"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_comes_before_what_was_cancelled_because_of_it() {
        let first = |words: &[&'static str]| first_failed(words, |word| Some(word)).copied();
        assert_eq!(first(&["success", "cancelled", "failure", "timed_out"]), Some("failure"));
        assert_eq!(first(&["success", "cancelled"]), Some("cancelled"));
        assert_eq!(first(&["success"]), None);
    }
}
