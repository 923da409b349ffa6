//! What people are shown of GitHub as it stands when they look: jobs with their logs, and budgets.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::observation::{Conclusion, RunPhase};

/// A job of a workflow run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobView {
    /// Its name.
    pub name: String,
    /// Its page.
    pub url: Option<String>,
    /// How far it is.
    pub phase: RunPhase,
    /// How it ended.
    pub conclusion: Option<Conclusion>,
    /// When it began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub completed_at: Option<DateTime<Utc>>,
    /// Its steps, in order.
    pub steps: Vec<StepView>,
    /// The last lines of its log. Empty while it runs, and where GitHub keeps it no longer.
    pub log_tail: Vec<String>,
}

/// A step of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepView {
    /// Its name.
    pub name: String,
    /// How far it is.
    pub phase: RunPhase,
    /// How it ended.
    pub conclusion: Option<Conclusion>,
}

/// Until when GitHub takes nothing for an account, which is named in lower case. The App itself has no
/// name.
pub type Limits = BTreeMap<String, DateTime<Utc>>;

/// What an installation may still ask of GitHub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// The account, in lower case.
    pub owner: String,
    /// GitHub's name of the budget: `core`, `graphql`.
    pub resource: String,
    /// Requests, or points of GraphQL, that are left.
    pub left: i64,
    /// Of how many.
    pub of: i64,
    /// When it is full again.
    pub resets_at: DateTime<Utc>,
}
