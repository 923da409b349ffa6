//! Workflows: dispatching them, and finding their runs.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use chrono::{DateTime, TimeDelta, Utc};
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::connection::{Answer, Call, encoded};
use super::shapes::{Runs, WorkflowRun, unusable};
use super::{Error, GitHub, below};
use crate::domain::observation::WorkflowRunSeen;
use crate::domain::{BranchName, CommitSha, RepositoryName, WorkflowRunId};

/// How long the name of a default branch is believed.
const BRANCH_LIFE: TimeDelta = TimeDelta::minutes(10);

/// A workflow run was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dispatched {
    /// Its id and page. `None` from a host that does not tell: it is to be found by
    /// [`GitHub::dispatched_runs_since`].
    pub workflow_run: Option<(WorkflowRunId, String)>,
}

/// Which runs of a workflow.
#[derive(Debug, Clone, Copy)]
pub enum RunsOf<'a> {
    /// Those on a commit.
    Commit(&'a CommitSha),
    /// Those for a branch.
    Branch(&'a BranchName),
}

#[derive(Deserialize)]
struct RunDetails {
    workflow_run_id: u64,
    html_url: String,
}

impl GitHub {
    /// Asks for a run of a workflow. Not to be repeated blindly: each call that arrives starts one.
    ///
    /// `workflow` is a file name or an id, `reference` a branch or tag, every input a text.
    pub async fn dispatch_workflow(
        &self,
        repository: &RepositoryName,
        workflow: &str,
        reference: &str,
        inputs: &Map<String, Value>,
    ) -> Result<Dispatched, Error> {
        let without = &self.inner.without_run_details;
        let body = json!({ "ref": reference, "inputs": inputs });
        if !without.load(Ordering::Relaxed) {
            let mut with_details = body.clone();
            with_details["return_run_details"] = json!(true);
            match self.dispatch(repository, workflow, with_details).await {
                Err(error) if refuses_run_details(&error) => without.store(true, Ordering::Relaxed),
                answer => return answer,
            }
        }
        self.dispatch(repository, workflow, body).await
    }

    async fn dispatch(
        &self,
        repository: &RepositoryName,
        workflow: &str,
        body: Value,
    ) -> Result<Dispatched, Error> {
        let doing = format!("dispatching {workflow} in {repository}");
        let path =
            below(repository, &format!("/actions/workflows/{}/dispatches", encoded(workflow)));
        let call = Call::write(Method::POST, doing, path, body);
        let answer: Answer = self.call(repository, &call).await?;
        if answer.status == StatusCode::NO_CONTENT || answer.body.is_empty() {
            return Ok(Dispatched { workflow_run: None });
        }
        let run = match answer.json::<RunDetails>(call.doing()) {
            Ok(details) => Some((WorkflowRunId(details.workflow_run_id), details.html_url)),
            // It was dispatched, whatever the body says: the run is to be looked for.
            Err(_) => None,
        };
        Ok(Dispatched { workflow_run: run })
    }

    /// The repository's default branch, as of the last ten minutes.
    pub async fn default_branch(&self, repository: &RepositoryName) -> Result<BranchName, Error> {
        #[derive(Deserialize)]
        struct Repository {
            default_branch: String,
        }
        let now = self.inner.clock.now();
        if let Some(known) = self.known_default_branch(repository, now) {
            return Ok(known);
        }
        let doing = format!("looking at {repository}");
        let found: Repository = self.get(repository, &doing, "").await?;
        let branch = BranchName::new(found.default_branch).map_err(unusable(&doing))?;
        let branches = self.inner.default_branches.lock();
        let entry = (branch.clone(), now + BRANCH_LIFE);
        branches.unwrap_or_else(PoisonError::into_inner).insert(repository.key(), entry);
        Ok(branch)
    }

    fn known_default_branch(
        &self,
        repository: &RepositoryName,
        now: DateTime<Utc>,
    ) -> Option<BranchName> {
        let branches = self.inner.default_branches.lock().unwrap_or_else(PoisonError::into_inner);
        let (branch, until) = branches.get(&repository.key())?;
        (*until > now).then(|| branch.clone())
    }

    /// Forgets a repository's default branch: it was changed, or the repository was renamed.
    pub fn forget_default_branch(&self, repository: &RepositoryName) {
        let branches = self.inner.default_branches.lock();
        branches.unwrap_or_else(PoisonError::into_inner).remove(&repository.key());
    }

    /// Runs of a workflow that the App itself dispatched, newest first, at most 100. Their title is
    /// the workflow's `run-name`, by which one of them may be told from the others.
    pub async fn dispatched_runs_since(
        &self,
        repository: &RepositoryName,
        workflow: &str,
        branch: Option<&str>,
        since: DateTime<Utc>,
    ) -> Result<Vec<WorkflowRunSeen>, Error> {
        let actor = encoded(&self.bot_login().await?);
        let mut query = format!("event=workflow_dispatch&actor={actor}");
        if let Some(branch) = branch {
            query = format!("{query}&branch={}", encoded(branch));
        }
        // GitHub's description of `created` takes one moment only, its documentation a range.
        let mut runs = self.runs(repository, workflow, &query).await?;
        runs.retain(|run| run.created_at.is_none_or(|created| created >= since));
        Ok(runs)
    }

    /// Runs of a workflow on a commit or for a branch, newest first, at most 100.
    pub async fn workflow_runs_for(
        &self,
        repository: &RepositoryName,
        workflow: &str,
        of: RunsOf<'_>,
    ) -> Result<Vec<WorkflowRunSeen>, Error> {
        let query = match of {
            RunsOf::Commit(sha) => format!("head_sha={sha}"),
            RunsOf::Branch(branch) => format!("branch={}", encoded(branch.as_str())),
        };
        self.runs(repository, workflow, &query).await
    }

    async fn runs(
        &self,
        repository: &RepositoryName,
        workflow: &str,
        query: &str,
    ) -> Result<Vec<WorkflowRunSeen>, Error> {
        let doing = format!("looking for runs of {workflow} in {repository}");
        let path = format!("/actions/workflows/{}/runs?{query}&per_page=100", encoded(workflow));
        let runs: Runs = self.get_again(repository, &doing, &path).await?;
        let seen = runs.workflow_runs.into_iter().map(|run| run.seen(repository));
        seen.collect::<Result<_, _>>().map_err(unusable(&doing))
    }

    /// One workflow run.
    pub async fn workflow_run(
        &self,
        repository: &RepositoryName,
        run: WorkflowRunId,
    ) -> Result<WorkflowRunSeen, Error> {
        let doing = format!("looking at workflow run {run} in {repository}");
        let found: WorkflowRun =
            self.get_again(repository, &doing, &format!("/actions/runs/{run}")).await?;
        found.seen(repository).map_err(unusable(&doing))
    }

    /// Asks that a workflow run be stopped. May be repeated. One that has ended is a
    /// [`Error::Conflict`].
    pub async fn cancel_workflow_run(
        &self,
        repository: &RepositoryName,
        run: WorkflowRunId,
    ) -> Result<(), Error> {
        let doing = format!("stopping workflow run {run} in {repository}");
        let path = below(repository, &format!("/actions/runs/{run}/cancel"));
        let call = Call::write(Method::POST, doing, path, json!({}));
        self.call(repository, &call).await.map(drop)
    }

    /// The environments whose approval a workflow run waits for.
    pub async fn pending_deployments(
        &self,
        repository: &RepositoryName,
        run: WorkflowRunId,
    ) -> Result<Vec<String>, Error> {
        #[derive(Deserialize)]
        struct Pending {
            environment: Environment,
        }
        #[derive(Deserialize)]
        struct Environment {
            name: Option<String>,
        }
        let doing = format!("looking for what workflow run {run} in {repository} waits for");
        let path = format!("/actions/runs/{run}/pending_deployments");
        let pending: Vec<Pending> = self.get_again(repository, doing, &path).await?;
        Ok(pending.into_iter().filter_map(|pending| pending.environment.name).collect())
    }
}

/// GHES before 3.21: `Invalid request. "return_run_details" is not a permitted key.`
fn refuses_run_details(error: &Error) -> bool {
    matches!(error, Error::Invalid { message, .. } if message.contains("return_run_details"))
}
