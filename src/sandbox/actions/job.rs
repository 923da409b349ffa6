//! One job, or one variant of it: its environment's approval, its steps, its outputs.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::{Map, Value, json};

use super::checkout::Checkout;
use super::command_file::{self, Line};
use super::expression::{self, Scope, Standing, is_true, text};
use super::run::{Ended, Run};
use super::script::{self, Script};
use super::workflow::{Job, Step};
use super::{Conclusion, Report, artifact, terraform};

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

/// The job's log, without what scripts asked to hide.
struct Log {
    run: Arc<Run>,
    job: String,
    masks: Vec<String>,
}

impl Log {
    fn say(&self, text: &str) {
        let mut text = text.to_owned();
        for mask in &self.masks {
            text = text.replace(mask, "***");
        }
        // An empty text is a line too.
        for line in text.strip_suffix('\n').unwrap_or(&text).split('\n') {
            self.run.report(Report::Log { job: self.job.clone(), line: line.to_owned() });
        }
    }

    /// Passes on a line that a script wrote.
    fn pass_on(&mut self, line: &str) {
        match command_file::line(line) {
            Line::Text(line) => self.say(&line),
            Line::Mask(mask) if mask.is_empty() => {}
            Line::Mask(mask) => self.masks.push(mask),
        }
    }
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
        let log = Log { run: Arc::clone(&run), job: name.clone(), masks: Vec::new() };
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

    /// Executes one step and notes what it means for those after it.
    async fn step(&mut self, step: &Step, number: u32) {
        let before = self.step_scope(step);
        let scope = before.as_ref().unwrap_or(&self.scope);
        let template = step.name.clone().unwrap_or_else(|| step.default_name());
        let name = expression::value(&template, scope).map_or(template, |name| text(&name));
        self.step_started(&name, number);
        let outcome = match &before {
            Ok(scope) => match expression::condition(step.condition.as_ref(), scope) {
                Ok(true) => self.step_in_time(step, number, scope).await,
                Ok(false) => Ok(None),
                Err(error) => Err(anyhow!(error)),
            },
            Err(error) => Err(anyhow!(error.clone())),
        };
        let (outcome, outputs) = match outcome {
            Ok(Some(outputs)) => (Conclusion::Success, outputs),
            Ok(None) => (Conclusion::Skipped, Map::new()),
            Err(error) => {
                self.log.say(&format!("##[error]{error:#}"));
                (Conclusion::Failure, self.read_outputs(number).unwrap_or_default())
            }
        };
        let may_fail = expression::deep(&step.continue_on_error, &self.scope)
            .is_ok_and(|value| is_true(&value));
        let conclusion = match outcome {
            Conclusion::Failure if may_fail => Conclusion::Success,
            Conclusion::Failure => {
                self.scope.standing = Standing::Failed;
                Conclusion::Failure
            }
            other => other,
        };
        self.note(step, outcome, conclusion, &outputs);
        self.step_completed(name, number, conclusion);
    }

    fn note(
        &mut self,
        step: &Step,
        outcome: Conclusion,
        conclusion: Conclusion,
        outputs: &Map<String, Value>,
    ) {
        let Some(id) = &step.id else {
            return;
        };
        let known = self.scope.contexts.entry("steps").or_insert_with(|| json!({}));
        known[id] = json!({
            "outputs": outputs, "outcome": outcome.as_str(), "conclusion": conclusion.as_str(),
        });
    }

    /// What a step sees, with its variables evaluated in `env`.
    fn step_scope(&self, step: &Step) -> Result<Scope, String> {
        let mut scope = self.scope.clone();
        let status = if self.scope.standing == Standing::Failed { "failure" } else { "success" };
        scope.set("job", json!({"status": status}));
        scope.set(
            "runner",
            json!({
                "os": if cfg!(target_os = "macos") { "macOS" } else { "Linux" },
                "arch": std::env::consts::ARCH,
                "temp": self.temp, "workspace": self.work, "name": "towpath-sandbox",
            }),
        );
        if let Some(Value::Object(github)) = scope.contexts.get_mut("github") {
            github.insert("workspace".to_owned(), json!(self.work));
            github.insert("event_path".to_owned(), json!(self.own.join("event.json")));
            github.insert("job".to_owned(), json!(self.job.id));
            github.insert("action".to_owned(), json!(step.id.as_deref().unwrap_or("__run")));
        }
        let exported =
            self.exported.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        for variables in [&self.run.workflow.env, &self.job.env, &exported, &step.env] {
            let evaluated = expression::deep(&Value::Object(variables.clone()), &scope)?;
            let env = scope.contexts.entry("env").or_insert_with(|| json!({}));
            for (name, value) in evaluated.as_object().into_iter().flatten() {
                env[name] = Value::String(text(value));
            }
        }
        Ok(scope)
    }

    async fn step_in_time(
        &mut self,
        step: &Step,
        number: u32,
        scope: &Scope,
    ) -> Result<Option<Map<String, Value>>> {
        let limit = self.minutes(step.timeout_minutes.as_ref());
        let done = tokio::time::timeout(limit, async {
            match (&step.run, &step.uses) {
                (Some(run), _) => self.script(step, run, number, scope).await,
                (None, Some(action)) => self.action(action, step, scope).await,
                (None, None) => bail!("the step has neither `run` nor `uses`"),
            }
        });
        done.await.context("The step has exceeded its maximum execution time.")?.map(Some)
    }

    /// A file of the runner for one step, such as the one behind `GITHUB_OUTPUT`.
    fn step_file(&self, kind: &str, number: u32) -> PathBuf {
        self.own.join(format!("{kind}-{number}"))
    }

    async fn script(
        &mut self,
        step: &Step,
        run: &str,
        number: u32,
        scope: &Scope,
    ) -> Result<Map<String, Value>> {
        let fill = |template: &str| {
            expression::value(template, scope).map(|value| text(&value)).map_err(anyhow::Error::msg)
        };
        let run = fill(run)?;
        let script_file = self.step_file("script", number);
        fs::write(&script_file, &run).context("writing the script")?;
        for kind in ["output", "env", "path", "summary"] {
            fs::write(self.step_file(kind, number), "")?;
        }
        let defaults = [&self.job.defaults, &self.run.workflow.defaults.run];
        let folder = step
            .working_directory
            .as_ref()
            .or_else(|| defaults.iter().find_map(|given| given.working_directory.as_ref()));
        let folder = self.work.join(fill(folder.map_or("", String::as_str))?);
        if !folder.is_dir() {
            bail!(
                "The working directory '{}' does not exist.",
                folder.strip_prefix(&self.work).unwrap_or(&folder).display()
            );
        }
        let shell =
            step.shell.as_ref().or_else(|| defaults.iter().find_map(|given| given.shell.as_ref()));
        let command = script::shell(shell.map(String::as_str), &script_file);
        self.log.say(&format!("##[group]Run {}", run.trim().lines().next().unwrap_or_default()));
        self.log.say(&run);
        self.log.say(&format!("shell: {}\n##[endgroup]", command.join(" ")));
        let env = self.variables(number, scope);
        let path = self.path.clone();
        let script = Script { command: &command, folder: &folder, env: &env, path: &path };
        let log = &mut self.log;
        let code = script.execute(|line| log.pass_on(&line)).await?;
        self.read_environment(number)?;
        if code != 0 {
            bail!("Process completed with exit code {code}.");
        }
        self.read_outputs(number)
    }

    fn variables(&self, number: u32, scope: &Scope) -> BTreeMap<String, String> {
        let context =
            |name: &str| scope.contexts.get(name).and_then(Value::as_object).into_iter().flatten();
        let github = context("github")
            .filter(|(name, value)| {
                !matches!(name.as_str(), "event" | "token") && !value.is_object()
            })
            .map(|(name, value)| (format!("GITHUB_{}", name.to_uppercase()), text(value)));
        let runner = context("runner")
            .map(|(name, value)| (format!("RUNNER_{}", name.to_uppercase()), text(value)));
        let file = |name: &str, kind: &str| {
            (name.to_owned(), self.step_file(kind, number).to_string_lossy().into_owned())
        };
        let files = [
            file("GITHUB_OUTPUT", "output"),
            file("GITHUB_ENV", "env"),
            file("GITHUB_PATH", "path"),
            file("GITHUB_STEP_SUMMARY", "summary"),
            ("CI".to_owned(), "true".to_owned()),
            ("GITHUB_ACTIONS".to_owned(), "true".to_owned()),
        ];
        let given = context("env").map(|(name, value)| (name.clone(), text(value)));
        given
            .chain(terraform::variables(&self.own))
            .chain(github)
            .chain(runner)
            .chain(files)
            .collect()
    }

    fn read_outputs(&self, number: u32) -> Result<Map<String, Value>> {
        let file = fs::read_to_string(self.step_file("output", number)).unwrap_or_default();
        let entries = command_file::entries(&file)
            .map_err(anyhow::Error::msg)
            .context("reading GITHUB_OUTPUT")?;
        Ok(entries.into_iter().map(|(name, value)| (name, Value::String(value))).collect())
    }

    fn read_environment(&mut self, number: u32) -> Result<()> {
        let file = fs::read_to_string(self.step_file("env", number)).unwrap_or_default();
        let entries = command_file::entries(&file)
            .map_err(anyhow::Error::msg)
            .context("reading GITHUB_ENV")?;
        self.exported.extend(entries);
        let file = fs::read_to_string(self.step_file("path", number)).unwrap_or_default();
        for folder in file.lines().filter(|line| !line.is_empty()) {
            self.path.insert(0, PathBuf::from(folder));
        }
        Ok(())
    }

    fn outputs(&self) -> Result<Map<String, Value>, String> {
        let evaluated = expression::deep(&Value::Object(self.job.outputs.clone()), &self.scope)?;
        let outputs = evaluated.as_object().into_iter().flatten();
        Ok(outputs.map(|(name, value)| (name.clone(), Value::String(text(value)))).collect())
    }

    async fn action(
        &mut self,
        action: &str,
        step: &Step,
        scope: &Scope,
    ) -> Result<Map<String, Value>> {
        let with = expression::deep(&Value::Object(step.with.clone()), scope)
            .map_err(anyhow::Error::msg)?;
        let given = |name: &str| with.get(name).map(text).filter(|value| !value.is_empty());
        let name = action.split_once('@').map_or(action, |(name, _)| name);
        self.log.say(&format!("##[group]Run {action}\n##[endgroup]"));
        match name {
            "actions/checkout" => self.checkout(&given).await,
            "hashicorp/setup-terraform" => {
                // Its wrapper is on the path of every job.
                self.log.say("Terraform is on the PATH already.");
                Ok(Map::new())
            }
            "actions/upload-artifact" => self.upload(&given).await,
            "actions/download-artifact" => self.download(&given).await,
            other => bail!(
                "The sandbox does not run the action {other}. It knows actions/checkout, \
                 actions/upload-artifact, actions/download-artifact and hashicorp/setup-terraform; \
                 use a script (`run`) instead, or try this workflow on GitHub."
            ),
        }
    }

    async fn checkout(
        &mut self,
        given: &(dyn Fn(&str) -> Option<String> + Send + Sync),
    ) -> Result<Map<String, Value>> {
        let request = self.run.request.clone();
        if let Some(other) =
            given("repository").filter(|name| !name.eq_ignore_ascii_case(&request.repository))
        {
            bail!("The sandbox checks out {} only, not {other}.", request.repository);
        }
        let depth = given("fetch-depth").unwrap_or_else(|| "1".to_owned());
        let depth =
            depth.parse().with_context(|| format!("fetch-depth '{depth}' is not a number"))?;
        let (target, wanted) = (self.work.join(given("path").unwrap_or_default()), given("ref"));
        let commit = tokio::task::spawn_blocking(move || {
            let checkout = Checkout {
                git_dir: &request.git_dir,
                target: &target,
                wanted: wanted.as_deref(),
                git_ref: &request.git_ref,
                sha: &request.sha,
                depth,
            };
            checkout.execute()
        });
        let commit = commit.await??;
        self.log.say(&format!("HEAD is now at {commit}"));
        Ok(Map::from_iter([("commit".to_owned(), Value::String(commit))]))
    }

    async fn upload(
        &mut self,
        given: &(dyn Fn(&str) -> Option<String> + Send + Sync),
    ) -> Result<Map<String, Value>> {
        let name = given("name").unwrap_or_else(|| "artifact".to_owned());
        let patterns = given("path").context("Input required and not supplied: path")?;
        let root = self.work.clone();
        let packed = tokio::task::spawn_blocking({
            let patterns = patterns.clone();
            move || artifact::pack(&root, &patterns)
        });
        let Some(zip) = packed.await?? else {
            let message = format!(
                "No files were found with the provided path: {patterns}. No artifacts will be uploaded."
            );
            match given("if-no-files-found").as_deref() {
                Some("error") => bail!(message),
                Some("ignore") => self.log.say(&message),
                _ => self.log.say(&format!("##[warning]{message}")),
            }
            return Ok(Map::new());
        };
        let may_overwrite = given("overwrite").is_some_and(|value| value == "true");
        if self.run.artifacts().contains_key(&name) && !may_overwrite {
            bail!("An artifact with the name {name} already exists on the workflow run.");
        }
        self.log.say(&format!("Artifact {name} is {} bytes.", zip.len()));
        self.run.artifacts().insert(name.clone(), zip.clone());
        self.run.report(Report::Artifact { name, zip });
        Ok(Map::new())
    }

    async fn download(
        &mut self,
        given: &(dyn Fn(&str) -> Option<String> + Send + Sync),
    ) -> Result<Map<String, Value>> {
        let target = self.work.join(given("path").unwrap_or_default());
        let found: Vec<(PathBuf, Vec<u8>)> = if let Some(name) = given("name") {
            let archive = self.run.artifacts().get(&name).cloned();
            let archive =
                archive.with_context(|| format!("Artifact not found for name: {name}"))?;
            vec![(target.clone(), archive)]
        } else {
            let artifacts = self.run.artifacts();
            let all = artifacts.iter();
            all.map(|(name, archive)| (target.join(name), archive.clone())).collect()
        };
        let count = found.len();
        let unpacked = tokio::task::spawn_blocking(move || {
            found.into_iter().try_for_each(|(folder, archive)| artifact::unpack(&archive, &folder))
        });
        unpacked.await??;
        self.log.say(&format!("Artifacts downloaded: {count}."));
        let path = target.to_string_lossy().into_owned();
        Ok(Map::from_iter([("download-path".to_owned(), Value::String(path))]))
    }
}
