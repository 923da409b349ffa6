//! What is said of a commit (statuses, check runs, deployments), and the environments that are
//! deployed to.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Id, Time};

#[derive(Clone)]
pub(crate) struct Status {
    pub(crate) id: Id,
    pub(crate) sha: String,
    pub(crate) state: String,
    pub(crate) context: String,
    pub(crate) description: Option<String>,
    pub(crate) target_url: Option<String>,
    pub(crate) creator: Id,
    pub(crate) created_at: Time,
}

#[derive(Clone)]
pub(crate) struct CheckRun {
    pub(crate) id: Id,
    pub(crate) suite: Id,
    pub(crate) sha: String,
    pub(crate) name: String,
    pub(crate) status: String,
    pub(crate) conclusion: Option<String>,
    pub(crate) details_url: Option<String>,
    pub(crate) external_id: String,
    pub(crate) output: Value,
    pub(crate) annotations: Vec<Value>,
    pub(crate) actions: Vec<Value>,
    pub(crate) started_at: Time,
    pub(crate) completed_at: Option<Time>,
}

#[derive(Clone)]
pub(crate) struct Deployment {
    pub(crate) id: Id,
    pub(crate) sha: String,
    pub(crate) reference: String,
    pub(crate) environment: String,
    pub(crate) task: String,
    pub(crate) description: Option<String>,
    pub(crate) payload: Value,
    pub(crate) creator: Id,
    pub(crate) created_at: Time,
    pub(crate) statuses: Vec<DeploymentStatus>,
}

#[derive(Clone)]
pub(crate) struct DeploymentStatus {
    pub(crate) id: Id,
    pub(crate) state: String,
    pub(crate) description: String,
    pub(crate) log_url: String,
    pub(crate) creator: Id,
    pub(crate) created_at: Time,
}

#[derive(Clone)]
pub(crate) struct Environment {
    pub(crate) id: Id,
    pub(crate) name: String,
    pub(crate) needs_approval: bool,
    pub(crate) secrets: BTreeMap<String, SealedSecret>,
    pub(crate) created_at: Time,
}

#[derive(Clone)]
pub(crate) struct SealedSecret {
    pub(crate) sealed: Vec<u8>,
    pub(crate) created_at: Time,
    pub(crate) updated_at: Time,
}
