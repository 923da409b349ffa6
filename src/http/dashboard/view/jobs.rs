//! The jobs of a run, with their steps and the tails of their logs.

use serde::Serialize;

use super::run::progress;
use super::{Badge, GitHub, Named, duration, run_href};
use crate::domain::github_view::{JobView, StepView};
use crate::domain::run::{ApplySignal, Attempt, Work};
use crate::domain::{RepositoryName, Run, WorkflowRunId};

/// A workflow run that belongs to a run.
pub(in super::super) struct WorkflowRunOf {
    pub(in super::super) id: WorkflowRunId,
    what: &'static str,
    page: Option<String>,
}

/// What GitHub answered of it; else why it did not.
pub(in super::super) struct Looked {
    pub(in super::super) workflow_run: WorkflowRunOf,
    /// Where, if it is one of several repositories.
    pub(in super::super) part: Option<RepositoryName>,
    pub(in super::super) jobs: Result<Vec<JobView>, String>,
}

/// The page.
#[derive(Debug, Serialize)]
pub(in super::super) struct JobsPage {
    title: String,
    href: String,
    workflow_runs: Vec<WorkflowRunView>,
}

#[derive(Debug, Serialize)]
struct WorkflowRunView {
    what: &'static str,
    part: Option<Named>,
    page: Named,
    trouble: Option<String>,
    jobs: Vec<JobRow>,
}

#[derive(Debug, Serialize)]
struct JobRow {
    name: Named,
    badge: Badge,
    took: Option<String>,
    steps: Vec<StepRow>,
    log: String,
}

#[derive(Debug, Serialize)]
struct StepRow {
    name: String,
    badge: Badge,
}

/// The workflow runs that belong to a run, the latest first.
pub(in super::super) fn workflow_runs(run: &Run) -> Vec<WorkflowRunOf> {
    let mut found = Vec::new();
    match &run.work {
        Some(Work::Workflow(work)) => {
            found.extend(work.workflow_run.as_ref().map(|facts| WorkflowRunOf {
                id: facts.id,
                what: "Workflow",
                page: Some(facts.html_url.clone()),
            }));
        }
        Some(Work::PullRequest(work)) => {
            let is_run = matches!(work.apply, ApplySignal::Workflow(_));
            let applies = work.applies.iter().rev();
            let applies = applies.filter(|facts| is_run && facts.contains != Some(false));
            found.extend(applies.map(|facts| WorkflowRunOf {
                id: WorkflowRunId(facts.id),
                what: "Apply",
                page: facts.url.clone(),
            }));
            found.extend(work.planned.as_ref().map(|facts| WorkflowRunOf {
                id: facts.id,
                what: "Plan",
                page: Some(facts.html_url.clone()),
            }));
        }
        Some(Work::Delivery(_) | Work::Parts(_)) | None => {}
    }
    found
}

/// The page as it is shown.
pub(in super::super) fn view(run: &Run, looked: Vec<Looked>, github: GitHub<'_>) -> JobsPage {
    let view = |Looked { workflow_run, part, jobs }| {
        let WorkflowRunOf { id, what, page } = workflow_run;
        let trouble = jobs.as_ref().err().cloned();
        WorkflowRunView {
            what,
            part: part.map(|repository| github.repository(&repository)),
            page: Named::outside(format!("run {id}"), &page.unwrap_or_default()),
            trouble,
            jobs: jobs.unwrap_or_default().into_iter().map(job).collect(),
        }
    };
    JobsPage {
        title: run.request.title(),
        href: run_href(&run.id),
        workflow_runs: looked.into_iter().map(view).collect(),
    }
}

fn job(job: JobView) -> JobRow {
    let took = job.started_at.zip(job.completed_at);
    JobRow {
        badge: progress(Attempt::seen(1, job.phase, job.conclusion)),
        took: took.map(|(started, completed)| duration(completed - started)),
        name: Named::outside(job.name, &job.url.unwrap_or_default()),
        steps: job.steps.into_iter().map(step).collect(),
        log: job.log_tail.join("\n"),
    }
}

fn step(step: StepView) -> StepRow {
    StepRow { badge: progress(Attempt::seen(1, step.phase, step.conclusion)), name: step.name }
}
