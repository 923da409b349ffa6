//! A workflow and its runs, down to the steps of their jobs.

use serde_json::{Map, Value};

use super::{Id, Time};

#[derive(Clone)]
pub(crate) struct Workflow {
    pub(crate) id: Id,
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) disabled: bool,
    pub(crate) created_at: Time,
}

#[derive(Clone)]
pub(crate) struct Run {
    pub(crate) id: Id,
    pub(crate) suite: Id,
    pub(crate) number: u64,
    pub(crate) attempt: u32,
    pub(crate) workflow: Id,
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) display_title: String,
    pub(crate) event: String,
    pub(crate) payload: Value,
    pub(crate) inputs: Map<String, Value>,
    pub(crate) branch: String,
    pub(crate) reference: String,
    pub(crate) sha: String,
    pub(crate) status: &'static str,
    pub(crate) conclusion: Option<String>,
    pub(crate) actor: Id,
    pub(crate) pulls: Vec<u64>,
    pub(crate) created_at: Time,
    pub(crate) started_at: Time,
    pub(crate) updated_at: Time,
    pub(crate) jobs: Vec<Job>,
    pub(crate) artifacts: Vec<Artifact>,
}

#[derive(Clone)]
pub(crate) struct Job {
    pub(crate) id: Id,
    pub(crate) attempt: u32,
    pub(crate) name: String,
    pub(crate) status: &'static str,
    pub(crate) conclusion: Option<String>,
    /// The environment whose approval it waits for.
    pub(crate) environment: Option<String>,
    pub(crate) steps: Vec<Step>,
    pub(crate) log: String,
    pub(crate) created_at: Time,
    pub(crate) started_at: Time,
    pub(crate) completed_at: Option<Time>,
}

#[derive(Clone)]
pub(crate) struct Step {
    pub(crate) name: String,
    pub(crate) number: u64,
    pub(crate) conclusion: Option<String>,
    pub(crate) started_at: Time,
    pub(crate) completed_at: Option<Time>,
}

#[derive(Clone)]
pub(crate) struct Artifact {
    pub(crate) id: Id,
    pub(crate) name: String,
    pub(crate) zip: Vec<u8>,
    pub(crate) created_at: Time,
}

impl Run {
    /// The jobs of the newest attempt.
    pub(crate) fn latest_jobs(&self) -> impl Iterator<Item = &Job> {
        self.jobs.iter().filter(|job| job.attempt == self.attempt)
    }

    pub(crate) fn is_completed(&self) -> bool {
        self.status == "completed"
    }
}
