//! A check run: what this program says on a commit, beside the other checks of its page.

use serde::{Deserialize, Serialize};

use super::observation::Conclusion;
use super::repository::CommitSha;

/// What the check on the pull request of a run is called.
pub const OWN_CHECK: &str = "Towpath";

/// The button on it that has the pull request rendered again.
pub const RENDER_AGAIN: &str = "render_again";

/// A check run as it shall stand on a commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// What it is called, and what a branch protection may require.
    pub name: String,
    /// On which commit.
    pub commit: CommitSha,
    /// The same id is the same check run, written again; another attempt has another.
    pub external_id: String,
    /// The page with all of it; the App's own, where none is named.
    #[serde(default)]
    pub details_url: Option<String>,
    /// `None` while it is being found out.
    pub conclusion: Option<Conclusion>,
    /// One line.
    pub title: String,
    /// Markdown. What is longer than GitHub takes is cut.
    pub summary: String,
    /// Remarks on lines of the commit. Kept in order: what was sent is not sent again.
    pub annotations: Vec<Annotation>,
    /// At most three.
    pub buttons: Vec<Button>,
}

/// A remark on a line of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Annotation {
    /// From the repository's root.
    pub path: String,
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: Option<usize>,
    /// How bad it is.
    pub level: AnnotationLevel,
    /// What there is to say.
    pub message: String,
}

/// How bad what an annotation says is. GitHub's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnnotationLevel {
    /// To be known.
    Notice,
    /// To be thought about.
    Warning,
    /// To be mended.
    Failure,
}

/// Something that a reader of a check run can press. GitHub answers with `requested_action`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Button {
    /// What stands on it: at most 20 characters.
    pub label: String,
    /// What it does: at most 40 characters.
    pub description: String,
    /// By which the answer names it: at most 20 characters.
    pub identifier: String,
}

/// What the check on a run's pull request is made from, and where it stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnCheck {
    /// What was asked for, and what was proved of it. Markdown.
    pub request: String,
    /// How the plan of the commit at the head has ended, once it is known.
    pub plan: Option<PlanEnd>,
    /// What people were told when the pull request was left to them.
    pub left: Option<String>,
    /// A digest of what it was decided last to say. `None`: what it says is not there yet.
    pub decided: Option<String>,
    /// The check run that was written last, and on which commit.
    pub written: Option<(CommitSha, u64)>,
    /// One may be there that was not heard of: an attempt was given up.
    pub may_be_there: bool,
    /// GitHub does not let the App write checks: it is not tried again.
    pub is_refused: bool,
}

/// How a plan has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanEnd {
    /// It says what would change.
    Passed,
    /// It does not.
    Failed,
}
