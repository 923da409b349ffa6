//! The sandbox's workflow runner: it really executes GitHub Actions workflow files.
//!
//! A run is its jobs, a job its steps, a step a real process in a real checkout. What happens is
//! told to a sink as it happens; what GitHub makes of it (ids, webhooks, log archives) is not
//! known here. What this runner cannot do (containers, reusable workflows, actions of the
//! marketplace) fails with a sentence that names it: nothing is played as if it had worked.

#![expect(
    clippy::match_bool,
    reason = "two ways side by side are easier to compare than if and else"
)]

mod artifact;
mod checkout;
mod command_file;
mod expression;
mod glob;
mod job;
mod matrix;
mod run;
mod script;
mod terraform;
mod trigger;
mod workflow;

#[cfg(test)]
mod tests;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde_json::{Map, Value};
use tokio::sync::mpsc::UnboundedSender;

pub use run::display_title;
pub use terraform::terraform_main;
pub use trigger::{Dispatch, Filter, Triggers, triggers};

/// Answers whether an environment holds a job back. `None`: nobody has to approve. Otherwise a
/// future that ends with `true` once it is approved, with `false` when it is rejected.
pub type Approvals = Arc<dyn Fn(&str) -> Option<BoxFuture<'static, bool>> + Send + Sync>;

/// One run of one workflow, with everything that it reads.
#[derive(Clone)]
pub struct Request {
    /// An empty folder to work in. The caller removes it.
    pub workspace: PathBuf,
    /// The bare repository that `actions/checkout` clones.
    pub git_dir: PathBuf,
    /// A folder that is kept between the runs of a repository: Terraform's state lives there.
    pub state_dir: PathBuf,
    /// The program that plays Terraform where none is installed; called with `sandbox-terraform`
    /// as its first argument, it has to end in [`terraform_main`]. `None`: this very program.
    pub stand_in: Option<PathBuf>,
    /// The workflow file's text, as it stands at `sha`.
    pub workflow: String,
    /// Its name, such as `terraform-plan.yml`.
    pub workflow_file: String,
    /// `push`, `pull_request` or `workflow_dispatch`.
    pub event_name: String,
    /// The webhook payload of the event: `github.event`, and the file at `GITHUB_EVENT_PATH`.
    pub event: Value,
    /// What a dispatch carried, completed by [`Dispatch::accept`].
    pub inputs: Map<String, Value>,
    /// `owner/name`.
    pub repository: String,
    /// The full ref, such as `refs/heads/main`.
    pub git_ref: String,
    /// The commit that the run is about.
    pub sha: String,
    /// The run's id.
    pub run_id: u64,
    /// 1, and one more with every re-run.
    pub attempt: u32,
    /// Who approves environments.
    pub approvals: Approvals,
}

/// How a step, a job or a run ended, in GitHub's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conclusion {
    /// It did what it should.
    Success,
    /// It did not.
    Failure,
    /// It was not started, by its own condition or by that of what it needs.
    Skipped,
    /// It was ended from outside, or by its time limit.
    Cancelled,
}

impl Conclusion {
    /// GitHub's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Skipped => "skipped",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for Conclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What happens in a run, in the order in which it happens. Jobs are named as GitHub shows them;
/// a name occurs once in a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// A job is about to start.
    JobQueued {
        /// The job's name.
        job: String,
    },
    /// A job waits for the approval of its environment.
    JobWaiting {
        /// The job's name.
        job: String,
        /// The environment that holds it back.
        environment: String,
    },
    /// A job has begun.
    JobStarted {
        /// The job's name.
        job: String,
    },
    /// A step has begun.
    StepStarted {
        /// The job's name.
        job: String,
        /// The step's name.
        name: String,
        /// Its place in the job, from 1 (`Set up job`).
        number: u32,
    },
    /// A step has ended, or was skipped.
    StepCompleted {
        /// The job's name.
        job: String,
        /// The step's name.
        name: String,
        /// Its place in the job.
        number: u32,
        /// How it ended.
        conclusion: Conclusion,
    },
    /// One line of a job's log, without a time.
    Log {
        /// The job's name.
        job: String,
        /// The line, without its line break.
        line: String,
    },
    /// An artifact was uploaded.
    Artifact {
        /// Its name.
        name: String,
        /// The zip archive that GitHub would offer for download.
        zip: Vec<u8>,
    },
    /// A job has ended, or was skipped.
    JobCompleted {
        /// The job's name.
        job: String,
        /// How it ended.
        conclusion: Conclusion,
    },
    /// The run has ended. Nothing follows.
    RunCompleted {
        /// How it ended.
        conclusion: Conclusion,
    },
}

/// Executes a workflow from its first job to its last, and reports to `sink`. Dropping the future
/// ends what is running.
pub async fn execute(request: Request, sink: UnboundedSender<Report>) {
    let conclusion = run::execute(request, &sink).await;
    // A sink that nobody reads any more is the caller's way of having lost interest.
    let _ = sink.send(Report::RunCompleted { conclusion });
}
