//! Workflow runs and webhooks by hand: a test decides what happens, when, and in which order.

use serde_json::{Map, Value};

use super::SandboxGitHub;
use super::admin::SandboxRepository;
use super::refusal::{Answered, Refusal};
use super::runner::Report;
use super::state::{AccountKind, Id, World};
use super::webhooks::Outcome;

/// One workflow run, as a handle.
#[derive(Clone)]
pub struct SandboxRun {
    repository: SandboxRepository,
    /// GitHub's number for it.
    pub id: u64,
}

/// What a workflow run looks like now.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkflowRun {
    /// GitHub's number for it.
    pub id: u64,
    /// `.github/workflows/x.yml`.
    pub path: String,
    /// The title in the list of runs.
    pub display_title: String,
    /// What started it, e.g. `workflow_dispatch`.
    pub event: String,
    /// The branch it runs on.
    pub branch: String,
    /// The commit it runs on.
    pub sha: String,
    /// GitHub's word, e.g. `in_progress`.
    pub status: String,
    /// GitHub's word, e.g. `success`; `None` while it runs.
    pub conclusion: Option<String>,
    /// From 1.
    pub attempt: u32,
    /// What it was dispatched with.
    pub inputs: Map<String, Value>,
}

/// A webhook that waits to be released.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldWebhook {
    /// The id of the delivery.
    pub id: u64,
    /// `workflow_run` and so on.
    pub event: String,
    /// `completed` and so on.
    pub action: Option<String>,
}

impl SandboxRepository {
    /// All runs, oldest first.
    pub fn workflow_runs(&self) -> Vec<WorkflowRun> {
        self.with(|world, index| Ok(world.repositories[index].runs.iter().map(describe).collect()))
    }

    /// A run by its id.
    pub fn workflow_run(&self, id: u64) -> SandboxRun {
        self.with(|world, index| world.repositories[index].run(id).map(drop));
        SandboxRun { repository: self.clone(), id }
    }

    /// The run that was made last.
    pub fn last_workflow_run(&self) -> SandboxRun {
        let id = self.with(|world, index| {
            world.repositories[index].runs.last().map(|it| it.id).ok_or_else(Refusal::not_found)
        });
        SandboxRun { repository: self.clone(), id }
    }

    /// A person disables a workflow.
    pub fn disable_workflow(&self, file: &str) {
        self.with(|world, index| {
            let id = world.find_workflow(index, file)?.id;
            let found = world.repositories[index].workflows.iter_mut().find(|it| it.id == id);
            found.ok_or_else(Refusal::not_found)?.disabled = true;
            Ok(())
        });
    }
}

fn describe(run: &super::state::Run) -> WorkflowRun {
    WorkflowRun {
        id: run.id,
        path: run.path.clone(),
        display_title: run.display_title.clone(),
        event: run.event.clone(),
        branch: run.branch.clone(),
        sha: run.sha.clone(),
        status: run.status.to_owned(),
        conclusion: run.conclusion.clone(),
        attempt: run.attempt,
        inputs: run.inputs.clone(),
    }
}

impl SandboxRun {
    fn with<T>(&self, work: impl FnOnce(&mut World, usize, Id) -> Answered<T>) -> T {
        self.repository.with(|world, index| work(world, index, self.id))
    }

    /// What it looks like now.
    pub fn now(&self) -> WorkflowRun {
        self.with(|world, index, run| world.repositories[index].run(run).map(describe))
    }

    /// Waits until the run has ended.
    pub async fn ended(&self) {
        loop {
            let changed = self.repository.github.changed();
            if self.has_ended() {
                return;
            }
            changed.await;
        }
    }

    fn has_ended(&self) -> bool {
        self.repository.github.look(|world| {
            let index = world.repository_index(self.repository.id);
            let run = index.and_then(|index| world.repositories[index].run(self.id).ok());
            run.is_none_or(|run| run.conclusion.is_some())
        })
    }

    /// The run begins.
    pub fn start(&self) {
        self.with(World::run_in_progress);
    }

    /// Something happens in it.
    pub fn report(&self, report: Report) {
        self.with(|world, index, run| world.apply(index, run, report));
    }

    /// A job waits for a machine.
    pub fn job_queued(&self, job: &str) {
        self.with(|world, index, run| world.job_queued(index, run, job));
    }

    /// A job begins.
    pub fn job_started(&self, job: &str) {
        self.with(|world, index, run| world.job_started(index, run, job));
    }

    /// A step of a job has been done.
    pub fn step(&self, job: &str, name: &str, number: u64, conclusion: &str) {
        self.with(|world, index, run| {
            world.step_started(index, run, job, name, number)?;
            world.step_completed(index, run, job, number, conclusion)
        });
    }

    /// A line of a job's log.
    pub fn log(&self, job: &str, line: &str) {
        self.with(|world, index, run| world.log_line(index, run, job, line));
    }

    /// An artifact is uploaded.
    pub fn artifact(&self, name: &str, zip: Vec<u8>) {
        self.with(|world, index, run| world.add_artifact(index, run, name, zip));
    }

    /// A job ends.
    pub fn job_completed(&self, job: &str, conclusion: &str) {
        self.with(|world, index, run| world.job_completed(index, run, job, conclusion));
    }

    /// A job waits for the approval of its environment.
    pub fn job_waiting(&self, job: &str, environment: &str) {
        self.with(|world, index, run| world.job_waiting(index, run, job, environment));
    }

    /// A person approves an environment that jobs wait for.
    pub fn approve(&self, environment: &str) {
        self.with(|world, index, run| world.decide_environment(index, run, environment, true));
    }

    /// A person refuses an environment that jobs wait for: the run fails.
    pub fn reject(&self, environment: &str) {
        self.with(|world, index, run| world.decide_environment(index, run, environment, false));
    }

    /// The run ends.
    pub fn complete(&self, conclusion: &str) {
        self.with(|world, index, run| world.run_completed(index, run, conclusion));
    }

    /// A person runs it once more.
    pub fn rerun(&self, person: &str) {
        self.with(|world, index, run| {
            let person = world.account(person, AccountKind::User);
            world.rerun(index, run, person)
        });
    }

    /// A person cancels it.
    pub fn cancel(&self) {
        self.with(World::cancel_run);
    }
}

/// Webhooks by hand.
impl SandboxGitHub {
    /// Where webhooks go from now on.
    pub fn set_webhook_url(&self, url: &str) {
        self.with(|world| world.hooks.url = Some(url.to_owned()));
    }

    /// Keeps all webhooks from now on until they are released.
    pub fn hold_webhooks(&self) {
        self.with(|world| {
            world.hooks.held.get_or_insert_default();
        });
    }

    /// The webhooks that are held, in the order they were made.
    pub fn held_webhooks(&self) -> Vec<HeldWebhook> {
        self.with(|world| {
            let held = world.hooks.held.iter().flatten();
            let found = held.filter_map(|id| world.hooks.log.iter().rev().find(|it| it.id == *id));
            found
                .map(|it| HeldWebhook {
                    id: it.id,
                    event: it.event.clone(),
                    action: it.action.clone(),
                })
                .collect()
        })
    }

    /// Sends some of the held webhooks, in this order. Named twice is sent twice.
    pub fn release_webhooks(&self, ids: &[u64]) {
        self.with(|world| {
            for id in ids {
                let is_held = world.hooks.held.as_mut().is_some_and(|held| {
                    let before = held.len();
                    held.retain(|it| it != id);
                    held.len() < before
                });
                if is_held {
                    world.hooks.queue.push_back(*id);
                } else {
                    world.duplicate(*id);
                }
            }
        });
    }

    /// Sends all held webhooks in order, and holds no more.
    pub fn release_all_webhooks(&self) {
        self.with(|world| {
            let held = world.hooks.held.take().unwrap_or_default();
            world.hooks.queue.extend(held);
        });
    }

    /// A held webhook fails on its way; the delivery log shows that.
    pub fn drop_webhook(&self, id: u64) {
        self.with(|world| {
            if let Some(held) = &mut world.hooks.held {
                held.retain(|it| *it != id);
            }
            world.record_outcome(id, Outcome::unreachable());
        });
    }

    /// A held webhook vanishes; not even the delivery log knows it.
    pub fn lose_webhook(&self, id: u64) {
        self.with(|world| {
            if let Some(held) = &mut world.hooks.held {
                held.retain(|it| *it != id);
            }
            world.hooks.log.retain(|it| it.id != id);
        });
    }

    /// Sends a delivery once more, with the same GUID.
    pub fn duplicate_webhook(&self, id: u64) {
        self.with(|world| world.duplicate(id));
    }

    /// Every delivery so far as (event, action, status code); 0 until it was tried.
    pub fn webhook_log(&self) -> Vec<(String, Option<String>, u16)> {
        self.with(|world| {
            let log = world.hooks.log.iter();
            log.map(|it| {
                (
                    it.event.clone(),
                    it.action.clone(),
                    it.outcome.as_ref().map_or(0, |it| it.status_code),
                )
            })
            .collect()
        })
    }
}

impl World {
    fn duplicate(&mut self, delivery: Id) {
        let Some(found) = self.hooks.log.iter().find(|it| it.id == delivery) else {
            return;
        };
        let mut again = found.clone();
        again.id = self.fresh_id();
        again.outcome = None;
        self.hooks.queue.push_back(again.id);
        self.hooks.log.push(again);
    }
}
