//! Joins the sandbox's two halves of GitHub Actions: the one that keeps runs, and the one that
//! executes workflow files.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, watch};

use super::actions::{self, Approvals};
use super::github::{Report, RunReporter, WorkflowJobRequest, WorkflowRunner};

/// Executes the workflows of the sandbox's repositories as processes of this machine.
#[derive(Debug, Clone, Default)]
pub struct Runner {
    /// What plays Terraform, instead of one that is installed.
    pub stand_in: Option<PathBuf>,
}

impl WorkflowRunner for Runner {
    fn run(&self, job: WorkflowJobRequest, report: RunReporter) -> BoxFuture<'static, ()> {
        let stand_in = self.stand_in.clone();
        Box::pin(async move {
            if let Err(error) = empty(&job.workspace) {
                tracing::warn!(error = %error, "the workspace of a workflow run cannot be emptied");
            }
            let (sink, mut told) = mpsc::unbounded_channel();
            let waiting = watch::Sender::new(HashSet::new());
            let request = request(job, stand_in, approvals(&report, &waiting));
            let telling = async {
                while let Some(happened) = told.recv().await {
                    let environment = match &happened {
                        actions::Report::JobWaiting { environment, .. } => {
                            Some(environment.clone())
                        }
                        _ => None,
                    };
                    report.report(translated(happened));
                    waiting.send_modify(|waiting| waiting.extend(environment));
                }
            };
            tokio::join!(actions::execute(request, sink), telling);
        })
    }
}

/// `actions/checkout` brings the files: a workflow that does without it sees none.
fn empty(folder: &Path) -> io::Result<()> {
    fs::remove_dir_all(folder)?;
    fs::create_dir_all(folder)
}

/// `waiting` has the environments of which GitHub was told that a job waits for them: before that,
/// nobody can approve them.
fn approvals(report: &RunReporter, waiting: &watch::Sender<HashSet<String>>) -> Approvals {
    let (report, waiting) = (report.clone(), waiting.subscribe());
    Arc::new(move |environment| {
        if !report.needs_approval(environment) {
            return None;
        }
        let (report, environment) = (report.clone(), environment.to_owned());
        let mut waiting = waiting.clone();
        Some(Box::pin(async move {
            let told = waiting.wait_for(|waiting| waiting.contains(&environment)).await.is_ok();
            told && report.approved(&environment).await
        }))
    })
}

fn request(
    job: WorkflowJobRequest,
    stand_in: Option<PathBuf>,
    approvals: Approvals,
) -> actions::Request {
    actions::Request {
        workspace: job.workspace,
        git_dir: job.git_dir,
        state_dir: job.state_dir,
        stand_in,
        workflow: job.workflow,
        workflow_file: job.workflow_file,
        event_name: job.event_name,
        event: job.event,
        inputs: job.inputs,
        repository: job.repository,
        git_ref: job.git_ref,
        sha: job.sha,
        run_id: job.run_id,
        attempt: job.attempt,
        approvals,
    }
}

fn translated(happened: actions::Report) -> Report {
    match happened {
        actions::Report::JobQueued { job } => Report::JobQueued { name: job },
        actions::Report::JobWaiting { job, environment } => {
            Report::JobWaiting { name: job, environment }
        }
        actions::Report::JobStarted { job } => Report::JobStarted { name: job },
        actions::Report::StepStarted { job, name, number } => {
            Report::StepStarted { job, name, number: number.into() }
        }
        actions::Report::StepCompleted { job, name, number, conclusion } => {
            let conclusion = conclusion.as_str().to_owned();
            Report::StepCompleted { job, name, number: number.into(), conclusion }
        }
        actions::Report::Log { job, line } => Report::Log { job, line },
        actions::Report::Artifact { name, zip } => Report::Artifact { name, zip },
        actions::Report::JobCompleted { job, conclusion } => {
            Report::JobCompleted { job, conclusion: conclusion.as_str().to_owned() }
        }
        actions::Report::RunCompleted { conclusion } => {
            Report::RunCompleted { conclusion: conclusion.as_str().to_owned() }
        }
    }
}
