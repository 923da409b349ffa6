//! A run: which jobs there are, in which order, and what follows from how they end.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value, json};
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinSet;

use super::expression::{self, Scope, Standing, is_true, text};
use super::job::Leg;
use super::matrix;
use super::trigger;
use super::workflow::{Job, Workflow};
use super::{Conclusion, Report, Request};

/// What all jobs of a run share.
pub(super) struct Run {
    pub(super) request: Request,
    pub(super) workflow: Workflow,
    /// The archives that were uploaded, by name.
    pub(super) artifacts: Mutex<BTreeMap<String, Vec<u8>>>,
    sink: UnboundedSender<Report>,
}

/// How a job ended, and what it leaves to those that need it.
#[derive(Debug, Clone)]
pub(super) struct Ended {
    pub(super) conclusion: Conclusion,
    pub(super) outputs: Map<String, Value>,
}

impl Ended {
    pub(super) fn without_outputs(conclusion: Conclusion) -> Self {
        Self { conclusion, outputs: Map::new() }
    }
}

/// The run's title: its evaluated `run-name`, or nothing where the workflow has none.
pub fn display_title(request: &Request) -> Option<String> {
    let workflow = Workflow::parse(&request.workflow).ok()?;
    let title = expression::value(workflow.run_name.as_ref()?, &scope(request, &workflow));
    title.ok().map(|title| text(&title)).filter(|title| !title.trim().is_empty())
}

/// Executes all jobs, each as soon as those that it needs have ended.
pub(super) async fn execute(request: Request, sink: &UnboundedSender<Report>) -> Conclusion {
    let file = request.workflow_file.clone();
    let workflow = Workflow::parse(&request.workflow);
    let readable = workflow.and_then(|workflow| Ok((workflow.jobs()?, workflow)));
    let (jobs, workflow) = match readable {
        Ok(readable) => readable,
        Err(error) => return refuse(&file, &error, sink),
    };
    let run = Arc::new(Run { request, workflow, artifacts: Mutex::default(), sink: sink.clone() });
    let jobs: Vec<Arc<Job>> = jobs.into_iter().map(Arc::new).collect();
    let ended = run.jobs(&jobs).await;
    overall(&ended)
}

/// A file that cannot be run still has one place where a person can read why.
fn refuse(file: &str, error: &str, sink: &UnboundedSender<Report>) -> Conclusion {
    let conclusion = Conclusion::Failure;
    let job = file.to_owned();
    let line = format!("##[error]The workflow {file} is not valid: {error}");
    let reports = [
        Report::JobQueued { job: job.clone() },
        Report::JobStarted { job: job.clone() },
        Report::Log { job: job.clone(), line },
        Report::JobCompleted { job, conclusion },
    ];
    for report in reports {
        let _ = sink.send(report);
    }
    conclusion
}

fn overall(ended: &BTreeMap<String, Ended>) -> Conclusion {
    let any = |wanted| ended.values().any(|job| job.conclusion == wanted);
    if any(Conclusion::Failure) {
        Conclusion::Failure
    } else if any(Conclusion::Cancelled) {
        Conclusion::Cancelled
    } else if any(Conclusion::Success) {
        Conclusion::Success
    } else {
        Conclusion::Skipped
    }
}

impl Run {
    pub(super) fn report(&self, report: Report) {
        // A sink that nobody reads any more is the caller's way of having lost interest.
        let _ = self.sink.send(report);
    }

    pub(super) fn artifacts(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        self.artifacts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn jobs(self: &Arc<Self>, jobs: &[Arc<Job>]) -> BTreeMap<String, Ended> {
        let mut ended: BTreeMap<String, Ended> = BTreeMap::new();
        let mut waiting: Vec<&Arc<Job>> = jobs.iter().collect();
        let mut running = JoinSet::new();
        loop {
            let is_ready = |job: &&Arc<Job>| job.needs.iter().all(|need| ended.contains_key(need));
            let (ready, rest): (Vec<_>, Vec<_>) = waiting.into_iter().partition(is_ready);
            waiting = rest;
            for job in ready {
                let (run, job) = (Arc::clone(self), Arc::clone(job));
                let scope = self.job_scope(&job, jobs, &ended);
                running.spawn(async move { (job.id.clone(), run.job(&job, scope).await) });
            }
            match running.join_next().await {
                None => return ended,
                Some(Ok((id, outcome))) => drop(ended.insert(id, outcome)),
                Some(Err(error)) => {
                    // Those that need the job would wait for ever.
                    tracing::error!(%error, "a job of the sandbox has panicked");
                    let lost = Ended::without_outputs(Conclusion::Failure);
                    return BTreeMap::from([(String::new(), lost)]);
                }
            }
        }
    }

    /// What a job sees: the run, and the jobs that it needs.
    fn job_scope(&self, job: &Job, jobs: &[Arc<Job>], ended: &BTreeMap<String, Ended>) -> Scope {
        let mut scope = scope(&self.request, &self.workflow);
        let needs = job.needs.iter().filter_map(|need| Some((need, ended.get(need)?)));
        let needs: Map<String, Value> = needs
            .map(|(need, ended)| {
                let result = ended.conclusion.as_str();
                (need.clone(), json!({"result": result, "outputs": ended.outputs}))
            })
            .collect();
        scope.set("needs", Value::Object(needs));
        let ancestors = ancestors(job, jobs);
        let has = |wanted| {
            ancestors.iter().any(|id| ended.get(id).is_some_and(|job| job.conclusion == wanted))
        };
        scope.standing = if has(Conclusion::Cancelled) {
            Standing::Cancelled
        } else if has(Conclusion::Failure) {
            Standing::Failed
        } else if job
            .needs
            .iter()
            .any(|id| ended.get(id).is_some_and(|job| job.conclusion == Conclusion::Skipped))
        {
            Standing::Skipped
        } else {
            Standing::Well
        };
        scope
    }

    async fn job(self: &Arc<Self>, job: &Arc<Job>, scope: Scope) -> Ended {
        let starts = expression::condition(job.condition.as_ref(), &scope);
        let legs = match starts {
            Ok(true) => legs(job, &scope),
            Ok(false) => {
                let name = name(job, None, &scope).unwrap_or_else(|_| job.id.clone());
                let conclusion = Conclusion::Skipped;
                self.report(Report::JobCompleted { job: name, conclusion });
                return Ended::without_outputs(conclusion);
            }
            Err(error) => Err(error),
        };
        let legs = match legs {
            Ok(legs) => legs,
            Err(error) => {
                let file = format!("{} ({})", job.id, self.request.workflow_file);
                return Ended::without_outputs(refuse(&file, &error, &self.sink));
            }
        };
        let mut running = JoinSet::new();
        for (at, (name, matrix)) in legs.into_iter().enumerate() {
            let mut scope = scope.clone();
            scope.set("matrix", Value::Object(matrix));
            scope.set("strategy", json!({"job-index": at}));
            let folder = self.request.workspace.join(format!("{}-{at}", job.id));
            let leg = Leg::new(Arc::clone(self), Arc::clone(job), name, &folder, scope);
            running.spawn(leg.execute());
        }
        let ended = running.join_all().await;
        let may_fail = is_true(&job.continue_on_error);
        join(ended, may_fail)
    }
}

/// The jobs that a job needs, directly or not.
fn ancestors(job: &Job, jobs: &[Arc<Job>]) -> Vec<String> {
    let mut found = job.needs.clone();
    let mut at = 0;
    while let Some(id) = found.get(at).cloned() {
        let needs = jobs.iter().filter(|job| job.id == id).flat_map(|job| &job.needs);
        let new: Vec<String> = needs.filter(|need| !found.contains(need)).cloned().collect();
        found.extend(new);
        at += 1;
    }
    found
}

/// A variant of a job: its name, and its values of the matrix.
type NamedLeg = (String, Map<String, Value>);

/// The variants of a job with their names.
fn legs(job: &Job, scope: &Scope) -> Result<Vec<NamedLeg>, String> {
    let Some(matrix) = &job.matrix else {
        return Ok(vec![(name(job, None, scope)?, Map::new())]);
    };
    let legs = matrix::legs(&expression::deep(matrix, scope)?)?;
    legs.into_iter().map(|leg| Ok((name(job, Some(&leg), scope)?, leg))).collect()
}

fn name(job: &Job, leg: Option<&Map<String, Value>>, scope: &Scope) -> Result<String, String> {
    let template = job.name.as_deref().unwrap_or(&job.id);
    let mut scope = scope.clone();
    scope.set("matrix", Value::Object(leg.cloned().unwrap_or_default()));
    let name = text(&expression::value(template, &scope)?);
    match leg {
        Some(leg) if !template.contains("${{") => Ok(name + &matrix::suffix(leg)),
        _ => Ok(name),
    }
}

/// The variants of a job as one.
fn join(legs: Vec<Ended>, may_fail: bool) -> Ended {
    let worst = [Conclusion::Failure, Conclusion::Cancelled]
        .into_iter()
        .find(|wanted| legs.iter().any(|leg| leg.conclusion == *wanted));
    let outputs = legs.into_iter().flat_map(|leg| leg.outputs).collect();
    let conclusion = worst.filter(|_| !may_fail).unwrap_or(Conclusion::Success);
    Ended { conclusion, outputs }
}

/// What is known before the first job: the contexts `github`, `inputs` and `env`.
fn scope(request: &Request, workflow: &Workflow) -> Scope {
    let mut scope = Scope::default();
    let triggers = trigger::triggers(&request.workflow).ok();
    let dispatch = triggers.and_then(|triggers| triggers.workflow_dispatch).unwrap_or_default();
    let inputs = match request.event_name.as_str() {
        "workflow_dispatch" => dispatch.typed(&request.inputs),
        _ => Map::new(),
    };
    scope.set("github", github(request, workflow));
    scope.set("inputs", Value::Object(inputs));
    scope
}

fn github(request: &Request, workflow: &Workflow) -> Value {
    let pull_request = |side: &str| request.event.pointer(&format!("/pull_request/{side}/ref"));
    let of_event = |pointer: &str| request.event.pointer(pointer).cloned().unwrap_or_default();
    let reference = &request.git_ref;
    let short = ["refs/heads/", "refs/tags/", "refs/pull/"];
    let short = short.iter().find_map(|prefix| reference.strip_prefix(prefix)).unwrap_or(reference);
    let owner = request.repository.split('/').next().unwrap_or_default();
    json!({
        "event_name": request.event_name,
        "event": request.event,
        "repository": request.repository,
        "repository_owner": owner,
        "ref": reference,
        "ref_name": short,
        "ref_type": if reference.starts_with("refs/tags/") { "tag" } else { "branch" },
        "base_ref": pull_request("base").cloned().unwrap_or_else(|| "".into()),
        "head_ref": pull_request("head").cloned().unwrap_or_else(|| "".into()),
        "sha": request.sha,
        "run_id": request.run_id.to_string(),
        "run_number": request.run_id.to_string(),
        "run_attempt": request.attempt.to_string(),
        "workflow": workflow.name.clone().unwrap_or_else(|| request.workflow_file.clone()),
        "workflow_ref": format!(
            "{}/.github/workflows/{}@{reference}", request.repository, request.workflow_file
        ),
        "actor": of_event("/sender/login"),
        "triggering_actor": of_event("/sender/login"),
        "server_url": "https://github.com",
        "api_url": "https://api.github.com",
        "token": "",
    })
}
