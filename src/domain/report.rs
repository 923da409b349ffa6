//! What is read on GitHub about a workflow run, to be told to people: why it failed, what its plan
//! would change.

use serde::{Deserialize, Serialize};

/// Which job and step failed, and what it said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// The first job that failed.
    pub job: Option<String>,
    /// Its first step that failed.
    pub step: Option<String>,
    /// The job's page.
    pub url: Option<String>,
    /// The last lines of the job's log.
    pub log_tail: Vec<String>,
}

/// What a plan would do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanSummary {
    /// Resources to be made.
    pub add: u64,
    /// Resources to be changed.
    pub change: u64,
    /// Resources to be destroyed.
    pub destroy: u64,
    /// Each resource and what happens to it (`terraform_data.cluster`, `create`), where the plan
    /// says it.
    #[serde(default)]
    pub resources: Vec<(String, String)>,
}
