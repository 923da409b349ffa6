//! A workflow file as typed data. What the runner cannot do is refused here, before anything runs.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::expression;

/// A workflow file. Values that may hold `${{ }}` are kept as they stand.
#[derive(Debug, Deserialize)]
pub(super) struct Workflow {
    pub(super) name: Option<String>,
    #[serde(rename = "run-name")]
    pub(super) run_name: Option<String>,
    pub(super) on: Value,
    #[serde(default)]
    pub(super) env: Map<String, Value>,
    #[serde(default)]
    pub(super) defaults: Defaults,
    jobs: Map<String, Value>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Defaults {
    #[serde(default)]
    pub(super) run: RunDefaults,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct RunDefaults {
    pub(super) shell: Option<String>,
    pub(super) working_directory: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct RawJob {
    name: Option<String>,
    needs: Option<OneOrMany>,
    r#if: Option<Value>,
    environment: Option<Environment>,
    #[serde(default)]
    env: Map<String, Value>,
    #[serde(default)]
    defaults: Defaults,
    #[serde(default)]
    outputs: Map<String, Value>,
    strategy: Option<Strategy>,
    timeout_minutes: Option<Value>,
    #[serde(default)]
    continue_on_error: Value,
    steps: Option<Vec<Step>>,
    uses: Option<String>,
    container: Option<Value>,
    services: Option<Value>,
}

/// A job that this runner can run.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) id: String,
    pub(super) name: Option<String>,
    pub(super) needs: Vec<String>,
    pub(super) condition: Option<Value>,
    pub(super) environment: Option<String>,
    pub(super) env: Map<String, Value>,
    pub(super) defaults: RunDefaults,
    pub(super) outputs: Map<String, Value>,
    pub(super) matrix: Option<Value>,
    pub(super) timeout_minutes: Option<Value>,
    pub(super) continue_on_error: Value,
    pub(super) steps: Vec<Step>,
}

#[derive(Debug, Deserialize)]
struct Strategy {
    matrix: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Environment {
    Name(String),
    Map { name: String },
}

/// A step: a script (`run`) or an action (`uses`).
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Step {
    pub(super) id: Option<String>,
    pub(super) name: Option<String>,
    #[serde(rename = "if")]
    pub(super) condition: Option<Value>,
    pub(super) run: Option<String>,
    pub(super) uses: Option<String>,
    #[serde(default)]
    pub(super) with: Map<String, Value>,
    #[serde(default)]
    pub(super) env: Map<String, Value>,
    pub(super) shell: Option<String>,
    pub(super) working_directory: Option<String>,
    #[serde(default)]
    pub(super) continue_on_error: Value,
    pub(super) timeout_minutes: Option<Value>,
}

impl Workflow {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        serde_saphyr::from_str(text).map_err(|error| error.without_snippet().to_string())
    }

    /// The jobs in the order of the file, each one known to be runnable.
    pub(super) fn jobs(&self) -> Result<Vec<Job>, String> {
        if self.jobs.is_empty() {
            return Err("the workflow has no jobs".to_owned());
        }
        let jobs = self.jobs.iter().map(|(id, job)| Job::read(id, job));
        let jobs: Vec<Job> = jobs.collect::<Result<_, _>>()?;
        check_needs(&jobs)?;
        Ok(jobs)
    }
}

impl Job {
    fn read(id: &str, job: &Value) -> Result<Self, String> {
        expression::check_all(job).map_err(|error| format!("job `{id}`: {error}"))?;
        let raw: RawJob =
            serde_json::from_value(job.clone()).map_err(|error| format!("job `{id}`: {error}"))?;
        let unsupported = [
            (raw.uses.is_some(), "reusable workflows (`uses`)"),
            (raw.container.is_some(), "containers (`container`)"),
            (raw.services.is_some(), "service containers (`services`)"),
        ];
        if let Some((_, what)) = unsupported.iter().find(|(is_used, _)| *is_used) {
            return Err(format!("job `{id}`: the sandbox does not run {what}"));
        }
        let steps = raw.steps.filter(|steps| !steps.is_empty());
        let steps = steps.ok_or_else(|| format!("job `{id}`: it has no steps"))?;
        if let Some(at) = steps.iter().position(|step| step.run.is_some() == step.uses.is_some()) {
            return Err(format!("job `{id}`: step {} needs either `run` or `uses`", at + 1));
        }
        Ok(Self {
            id: id.to_owned(),
            name: raw.name,
            needs: match raw.needs {
                None => Vec::new(),
                Some(OneOrMany::One(need)) => vec![need],
                Some(OneOrMany::Many(needs)) => needs,
            },
            condition: raw.r#if,
            environment: raw.environment.map(|environment| match environment {
                Environment::Name(name) | Environment::Map { name } => name,
            }),
            env: raw.env,
            defaults: raw.defaults.run,
            outputs: raw.outputs,
            matrix: raw.strategy.and_then(|strategy| strategy.matrix),
            timeout_minutes: raw.timeout_minutes,
            continue_on_error: raw.continue_on_error,
            steps,
        })
    }
}

impl Step {
    /// The name that GitHub shows where the step has none.
    pub(super) fn default_name(&self) -> String {
        let script = self.run.as_deref().and_then(|run| run.trim().lines().next());
        format!("Run {}", self.uses.as_deref().or(script).unwrap_or_default())
    }
}

/// Every needed job exists, and no job needs itself, however far round.
fn check_needs(jobs: &[Job]) -> Result<(), String> {
    let ids: BTreeSet<&str> = jobs.iter().map(|job| job.id.as_str()).collect();
    for job in jobs {
        if let Some(need) = job.needs.iter().find(|need| !ids.contains(need.as_str())) {
            return Err(format!("job `{}` depends on unknown job `{need}`", job.id));
        }
    }
    let mut done = BTreeSet::new();
    while done.len() < jobs.len() {
        let ready = |job: &&Job| {
            !done.contains(&job.id) && job.needs.iter().all(|need| done.contains(need))
        };
        let Some(job) = jobs.iter().find(ready) else {
            return Err("the jobs need each other in a circle".to_owned());
        };
        done.insert(job.id.clone());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(jobs: &str) -> String {
        Workflow::parse(&format!("on: push\njobs: {jobs}")).unwrap().jobs().unwrap_err()
    }

    #[test]
    fn what_cannot_be_run_is_refused_by_name() {
        assert!(refusal("{a: {uses: ./x.yml}}").contains("reusable workflows"));
        assert!(refusal("{a: {container: node, steps: [{run: x}]}}").contains("containers"));
        assert!(refusal("{a: {steps: [{name: x}]}}").contains("step 1 needs either"));
        assert!(refusal("{a: {needs: b, steps: [{run: x}]}}").contains("unknown job `b`"));
        assert!(
            refusal("{a: {needs: b, steps: [{run: x}]}, b: {needs: [a], steps: [{run: x}]}}")
                .contains("circle")
        );
        assert!(
            refusal("{a: {steps: [{run: 'echo ${{ nothing.x }}'}]}}").contains("`nothing`"),
            "an unknown context is found before anything runs"
        );
    }
}
