//! What people are told of a run: how far it is, why a workflow failed, what a plan would change.

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

/// How far the run is. Neighbours that wait together are sent as one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Lines for the run's log.
    #[serde(default)]
    pub log: Vec<String>,
    /// The label, if it changes.
    pub label: Option<String>,
    /// All links, if they change.
    pub links: Option<Vec<String>>,
    /// The short text beside the status, Markdown.
    pub summary: Option<String>,
    /// What an address inside the network has answered, where the portal shows it.
    #[serde(default)]
    pub response: Option<Response>,
    /// GitHub's id of the work: `gh_<owner id>_<repository id>_<workflow run id>` or `owner/name#number`.
    pub external_run_id: Option<String>,
}

/// An answer that the portal shows with a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// JSON, or text.
    pub body: serde_json::Value,
}

impl Progress {
    /// Whether it says nothing but a label.
    pub fn is_label_alone(&self) -> bool {
        let label = self.label.clone();
        *self == Self { label, ..Self::default() }
    }
}
