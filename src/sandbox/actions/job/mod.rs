//! One job, or one variant of it: its environment's approval, its steps, its outputs.

mod action;
mod log;
mod step;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Map, Value};

use super::expression::{self, Scope, Standing, text};
use super::run::{Ended, Run};
use super::workflow::Job;
use super::{Conclusion, Report, script, terraform};
use log::Log;

/// GitHub's own limit of a job, in minutes (docs.github.com, usage limits).
const LONGEST_MINUTES: f64 = 360.0;

/// A job on its way.
pub(super) struct Leg {
    run: Arc<Run>,
    job: Arc<Job>,
    name: String,
    /// `GITHUB_WORKSPACE`.
    work: PathBuf,
    /// `RUNNER_TEMP`.
    temp: PathBuf,
    /// The runner's own files: scripts, command files, programs.
    own: PathBuf,
    scope: Scope,
    /// What scripts wrote to `GITHUB_ENV`.
    exported: BTreeMap<String, String>,
    /// Folders of programs, the latest first.
    path: Vec<PathBuf>,
    log: Log,
}

impl Leg {
    pub(super) fn new(
        run: Arc<Run>,
        job: Arc<Job>,
        name: String,
        folder: &Path,
        scope: Scope,
    ) -> Self {
        let [work, temp, own] = ["work", "temp", "runner"].map(|part| folder.join(part));
        let log = Log::of(Arc::clone(&run), name.clone());
        Self {
            run,
            job,
            name,
            work,
            temp,
            own,
            scope,
            exported: BTreeMap::new(),
            path: Vec::new(),
            log,
        }
    }

    /// Executes the job from its queueing to its end.
    pub(super) async fn execute(mut self) -> Ended {
        self.scope.standing = Standing::Well;
        self.run.report(Report::JobQueued { job: self.name.clone() });
        let ended = match self.start().await {
            Ok(true) => self.steps_in_time().await,
            Ok(false) => {
                self.log.say("##[error]The deployment was rejected.");
                Ended::without_outputs(Conclusion::Failure)
            }
            Err(error) => {
                self.log.say(&format!("##[error]{error:#}"));
                Ended::without_outputs(Conclusion::Failure)
            }
        };
        let conclusion = ended.conclusion;
        self.run.report(Report::JobCompleted { job: self.name.clone(), conclusion });
        ended
    }

    /// Waits for the environment and prepares the folders. `false`: not approved.
    async fn start(&mut self) -> Result<bool> {
        let is_approved = self.approval().await?;
        self.run.report(Report::JobStarted { job: self.name.clone() });
        if !is_approved {
            return Ok(false);
        }
        for folder in [&mut self.work, &mut self.temp, &mut self.own] {
            fs::create_dir_all(&*folder).context("making the job's folders")?;
            *folder = fs::canonicalize(&*folder)?;
        }
        let event = serde_json::to_vec(&self.run.request.event)?;
        fs::write(self.own.join("event.json"), event)?;
        Ok(true)
    }

    async fn approval(&self) -> Result<bool> {
        let Some(environment) = &self.job.environment else {
            return Ok(true);
        };
        let environment =
            text(&expression::value(environment, &self.scope).map_err(anyhow::Error::msg)?);
        let Some(approval) = (self.run.request.approvals)(&environment) else {
            return Ok(true);
        };
        self.run.report(Report::JobWaiting { job: self.name.clone(), environment });
        Ok(approval.await)
    }

    async fn steps_in_time(&mut self) -> Ended {
        let minutes = self.minutes(self.job.timeout_minutes.as_ref());
        if let Ok(ended) = tokio::time::timeout(minutes, self.steps()).await {
            return ended;
        }
        self.log.say("##[error]The job has exceeded its maximum execution time.");
        Ended::without_outputs(Conclusion::Cancelled)
    }

    fn minutes(&self, given: Option<&Value>) -> Duration {
        let given = given.and_then(|given| expression::deep(given, &self.scope).ok());
        let minutes = given.and_then(|given| text(&given).parse::<f64>().ok());
        let minutes = minutes.unwrap_or(LONGEST_MINUTES).clamp(0.0, LONGEST_MINUTES);
        Duration::from_secs_f64(minutes * 60.0)
    }

    async fn steps(&mut self) -> Ended {
        let job = Arc::clone(&self.job);
        let mut number = 1;
        self.set_up(number);
        for step in &job.steps {
            number += 1;
            self.step(step, number).await;
        }
        let name = "Complete job".to_owned();
        self.step_started(&name, number + 1);
        self.step_completed(name, number + 1, Conclusion::Success);
        let conclusion = match self.scope.standing {
            Standing::Failed => Conclusion::Failure,
            _ => Conclusion::Success,
        };
        match self.outputs() {
            Ok(outputs) => Ended { conclusion, outputs },
            Err(error) => {
                self.log.say(&format!("##[error]{error}"));
                Ended::without_outputs(Conclusion::Failure)
            }
        }
    }

    fn set_up(&mut self, number: u32) {
        let name = "Set up job".to_owned();
        self.step_started(&name, number);
        self.log.say("Runner: the Towpath sandbox, on this machine");
        match terraform::install(&self.own, &self.run.request) {
            Ok(installed) => {
                self.path.insert(0, installed.folder);
                self.log.say(&installed.notice);
            }
            Err(error) => {
                self.log.say(&format!("##[warning]Terraform is not available: {error:#}"));
            }
        }
        if !script::finds("git") {
            self.log.say(
                "##[warning]git is not installed: checkouts work, scripts that call git do not.",
            );
        }
        self.step_completed(name, number, Conclusion::Success);
    }

    fn step_started(&self, name: &str, number: u32) {
        self.run.report(Report::StepStarted {
            job: self.name.clone(),
            name: name.to_owned(),
            number,
        });
    }

    fn step_completed(&self, name: String, number: u32, conclusion: Conclusion) {
        self.run.report(Report::StepCompleted { job: self.name.clone(), name, number, conclusion });
    }

    fn outputs(&self) -> Result<Map<String, Value>, String> {
        let evaluated = expression::deep(&Value::Object(self.job.outputs.clone()), &self.scope)?;
        let outputs = evaluated.as_object().into_iter().flatten();
        Ok(outputs.map(|(name, value)| (name.clone(), Value::String(text(value)))).collect())
    }
}
