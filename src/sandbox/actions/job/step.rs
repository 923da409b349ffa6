//! One step of a job: what it sees, its script, and what it leaves for those after it.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::{Map, Value, json};

use super::Leg;
use crate::sandbox::actions::expression::{self, Scope, Standing, is_true, text};
use crate::sandbox::actions::script::{self, Script};
use crate::sandbox::actions::workflow::Step;
use crate::sandbox::actions::{Conclusion, command_file, terraform};

impl Leg {
    /// Executes one step and notes what it means for those after it.
    pub(super) async fn step(&mut self, step: &Step, number: u32) {
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
}
