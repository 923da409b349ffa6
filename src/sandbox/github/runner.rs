//! How a workflow run is executed: the sandbox hands it to a runner and is told what happens.

use std::path::PathBuf;

use futures_util::future::BoxFuture;
use serde_json::{Map, Value};

use super::SandboxGitHub;
use super::refusal::Answered;
use super::state::{Id, World};

/// Something that executes workflows. Without one, runs stay queued until a test drives them.
pub trait WorkflowRunner: Send + Sync + 'static {
    /// Executes one attempt of one run, to its end.
    fn run(&self, job: WorkflowJobRequest, report: RunReporter) -> BoxFuture<'static, ()>;
}

/// One attempt of one workflow run.
#[derive(Clone, Debug)]
pub struct WorkflowJobRequest {
    /// `owner/name`.
    pub repository: String,
    /// A fresh folder with the files of the commit.
    pub workspace: PathBuf,
    /// The bare git repository.
    pub git_dir: PathBuf,
    /// A folder that all runs of this repository share, for Terraform's state.
    pub state_dir: PathBuf,
    /// The text of the workflow file at the commit.
    pub workflow: String,
    /// `.github/workflows/x.yml`.
    pub workflow_file: String,
    /// `push`, `pull_request`, `workflow_dispatch`.
    pub event_name: String,
    /// `github.event`.
    pub event: Value,
    /// `inputs`.
    pub inputs: Map<String, Value>,
    /// `github.ref`, e.g. `refs/heads/main`.
    pub git_ref: String,
    /// `github.sha`.
    pub sha: String,
    /// `github.run_id`.
    pub run_id: u64,
    /// `github.run_attempt`, from 1.
    pub attempt: u32,
    /// `secrets`, opened.
    pub secrets: Map<String, Value>,
    /// `vars`.
    pub variables: Map<String, Value>,
}

/// Something that happened in a run.
#[derive(Clone, Debug)]
pub enum Report {
    /// A job waits for a machine.
    JobQueued {
        /// The job.
        name: String,
    },
    /// A job waits until somebody approves its environment.
    JobWaiting {
        /// The job.
        name: String,
        /// The environment.
        environment: String,
    },
    /// A job has begun.
    JobStarted {
        /// The job.
        name: String,
    },
    /// A step has begun.
    StepStarted {
        /// The job.
        job: String,
        /// The step.
        name: String,
        /// Its place in the job, from 1.
        number: u64,
    },
    /// A step has ended.
    StepCompleted {
        /// The job.
        job: String,
        /// The step.
        name: String,
        /// Its place in the job, from 1.
        number: u64,
        /// GitHub's word, e.g. `success`.
        conclusion: String,
    },
    /// A line of a job's log.
    Log {
        /// The job.
        job: String,
        /// The line, without its end.
        line: String,
    },
    /// An uploaded artifact.
    Artifact {
        /// Its name.
        name: String,
        /// A zip archive.
        zip: Vec<u8>,
    },
    /// A job has ended.
    JobCompleted {
        /// The job.
        job: String,
        /// GitHub's word, e.g. `success`.
        conclusion: String,
    },
    /// The run has ended.
    RunCompleted {
        /// GitHub's word, e.g. `success`.
        conclusion: String,
    },
}

/// Where a runner tells what happens in its run.
#[derive(Clone)]
pub struct RunReporter {
    pub(crate) github: SandboxGitHub,
    pub(crate) repository: Id,
    pub(crate) run: Id,
    pub(crate) attempt: u32,
}

impl RunReporter {
    /// Writes down what happened and sends the events of it. What is told about an attempt that is
    /// over (cancelled, re-run) is dropped.
    pub fn report(&self, report: Report) {
        let written = self.github.with(|world| {
            let Some(repository) = world.repository_index(self.repository) else {
                return Ok(());
            };
            let run = world.repositories[repository].run(self.run)?;
            if run.attempt != self.attempt || run.is_completed() {
                return Ok(());
            }
            world.apply(repository, self.run, report)
        });
        if let Err(refusal) = written {
            tracing::warn!(run.id = self.run, "report of a run does not fit: {}", refusal.message);
        }
    }

    /// Waits until somebody approves the environment (true), or refuses it or ends the run (false).
    pub async fn approved(&self, environment: &str) -> bool {
        loop {
            let changed = self.github.changed();
            let state = self.github.look(|world| {
                let index = world.repository_index(self.repository)?;
                let run = world.repositories[index].run(self.run).ok()?;
                let waits =
                    run.latest_jobs().any(|it| it.environment.as_deref() == Some(environment));
                if run.is_completed() || run.attempt != self.attempt {
                    return Some(false);
                }
                (!waits).then_some(true)
            });
            if let Some(approved) = state {
                return approved;
            }
            changed.await;
        }
    }

    /// Whether the environment asks for an approval in this repository.
    pub fn needs_approval(&self, environment: &str) -> bool {
        self.github.look(|world| {
            let index = world.repository_index(self.repository);
            let environment = index.and_then(|it| world.repositories[it].environment(environment));
            environment.is_some_and(|environment| environment.needs_approval)
        })
    }
}

impl World {
    pub(crate) fn apply(&mut self, repository: usize, run: Id, report: Report) -> Answered<()> {
        match report {
            Report::JobQueued { name } => self.job_queued(repository, run, &name),
            Report::JobWaiting { name, environment } => {
                self.job_waiting(repository, run, &name, &environment)
            }
            Report::JobStarted { name } => self.job_started(repository, run, &name),
            Report::StepStarted { job, name, number } => {
                self.step_started(repository, run, &job, &name, number)
            }
            Report::StepCompleted { job, number, conclusion, .. } => {
                self.step_completed(repository, run, &job, number, &conclusion)
            }
            Report::Log { job, line } => self.log_line(repository, run, &job, &line),
            Report::Artifact { name, zip } => self.add_artifact(repository, run, &name, zip),
            Report::JobCompleted { job, conclusion } => {
                self.job_completed(repository, run, &job, &conclusion)
            }
            Report::RunCompleted { conclusion } => self.run_completed(repository, run, &conclusion),
        }
    }

    /// What a runner needs for one attempt, with its workspace checked out.
    pub(crate) fn prepare_run(&self, repository: usize, run: Id) -> Answered<WorkflowJobRequest> {
        let found = &self.repositories[repository];
        let run = found.run(run)?;
        let git = self.git(repository)?;
        let workspace =
            self.directory.join("workspaces").join(format!("{}-{}", run.id, run.attempt));
        let state_dir = self.directory.join("state").join(&found.full_name);
        let made =
            std::fs::create_dir_all(&workspace).and_then(|()| std::fs::create_dir_all(&state_dir));
        made.map_err(|error| super::refusal::Refusal::unprocessable(error.to_string()))?;
        git.check_out(&run.sha, &workspace)?;
        let workflow = git.file(&run.sha, &run.path).unwrap_or_default();
        Ok(WorkflowJobRequest {
            repository: found.full_name.clone(),
            workspace,
            git_dir: found.path.clone(),
            state_dir,
            workflow: String::from_utf8_lossy(&workflow).into_owned(),
            workflow_file: run.path.clone(),
            event_name: run.event.clone(),
            event: run.payload.clone(),
            inputs: run.inputs.clone(),
            git_ref: run.reference.clone(),
            sha: run.sha.clone(),
            run_id: run.id,
            attempt: run.attempt,
            secrets: self.opened_secrets(repository),
            variables: found.variables.clone(),
        })
    }
}
