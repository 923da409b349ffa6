//! A pull request, its reviews and comments.

use super::{Id, Time};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PullState {
    Open,
    Closed,
    Merged,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mergeable {
    /// Nobody asked yet; asking starts the computation.
    Unknown,
    Yes,
    No,
}

#[derive(Clone)]
pub(crate) struct Pull {
    pub(crate) id: Id,
    pub(crate) number: u64,
    pub(crate) title: String,
    pub(crate) body: Option<String>,
    pub(crate) state: PullState,
    pub(crate) draft: bool,
    pub(crate) head_ref: String,
    pub(crate) head_sha: String,
    pub(crate) base_ref: String,
    pub(crate) base_sha: String,
    pub(crate) author: Id,
    pub(crate) created_at: Time,
    pub(crate) updated_at: Time,
    pub(crate) closed_at: Option<Time>,
    pub(crate) merged_at: Option<Time>,
    pub(crate) merged_by: Option<Id>,
    pub(crate) mergeable: Mergeable,
    /// The test merge while open; what the base moved to once merged.
    pub(crate) merge_commit: Option<String>,
    pub(crate) labels: Vec<Id>,
    pub(crate) reviewers: Vec<Id>,
    pub(crate) team_reviewers: Vec<Id>,
    pub(crate) reviews: Vec<Review>,
    pub(crate) auto_merge: Option<(Id, &'static str)>,
    pub(crate) queued: bool,
}

#[derive(Clone)]
pub(crate) struct Review {
    pub(crate) id: Id,
    pub(crate) author: Id,
    /// Upper case, as REST writes it.
    pub(crate) state: &'static str,
    pub(crate) body: String,
    pub(crate) commit: String,
    pub(crate) submitted_at: Time,
}

#[derive(Clone)]
pub(crate) struct Comment {
    pub(crate) id: Id,
    pub(crate) number: u64,
    pub(crate) author: Id,
    pub(crate) body: String,
    pub(crate) created_at: Time,
}
