//! How far a run is, as the person who pressed the button is told.

use serde::{Deserialize, Serialize};

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
    /// GitHub's id of the work: `gh_<owner id>_<repository id>_<workflow run id>` or `owner/name#number`.
    pub external_run_id: Option<String>,
}
