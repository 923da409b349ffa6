//! What stands in a repository when a change is planned, and the change itself.

use serde::{Deserialize, Serialize};

use super::observation::PullRequestSeen;
use super::repository::{BranchName, CommitSha, RepositoryName};

/// What one look at the target answers.
#[derive(Debug, Clone)]
pub struct Standing {
    /// The name as GitHub has it now: a renamed repository answers under its new name.
    pub repository: RepositoryName,
    /// GraphQL's node id of the repository.
    pub repository_node_id: String,
    /// The branch that the change is for.
    pub base: BranchName,
    /// Its commit: what the change is based on.
    pub base_sha: CommitSha,
    /// What stands at and below the target path on the base, by path from the repository's root.
    pub files: Vec<StandingFile>,
    /// The run's own branch, if it is there already.
    pub own_branch: Option<CommitSha>,
    /// The run's own pull request, if it was made already, in whatever state.
    pub own_pull_request: Option<PullRequestSeen>,
    /// Labels that exist, name and node id.
    pub labels: Vec<(String, String)>,
    /// Reviewers that exist, as they were asked for (`@acme/devops`, `octocat`), and node id.
    pub reviewers: Vec<(String, ReviewerId)>,
}

/// The node id of a reviewer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReviewerId {
    /// A person.
    User(String),
    /// A team.
    Team(String),
}

/// A file on the base branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandingFile {
    /// From the repository's root, with `/`.
    pub path: String,
    /// Git's id of its content.
    pub blob: String,
    /// What kind of entry it is.
    pub mode: FileMode,
    /// Its content, where it is text and not cut short.
    pub text: Option<String>,
}

/// Git's mode of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileMode {
    /// 100644.
    Regular,
    /// 100755.
    Executable,
    /// 120000.
    Symlink,
    /// 160000.
    Submodule,
}

/// What a commit changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileChanges {
    /// Files to be written, complete.
    pub additions: Vec<FileAddition>,
    /// Paths to be removed.
    pub deletions: Vec<String>,
}

impl FileChanges {
    /// Whether nothing would change.
    pub fn is_empty(&self) -> bool {
        self.additions.is_empty() && self.deletions.is_empty()
    }

    /// Whether GraphQL's `createCommitOnBranch` can write it: that has no file modes.
    pub fn needs_modes(&self) -> bool {
        self.additions.iter().any(|file| file.executable)
    }
}

/// A file to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileAddition {
    /// From the repository's root, with `/`.
    pub path: String,
    /// All of it.
    pub contents: Vec<u8>,
    /// Mode 100755.
    pub executable: bool,
}

/// One commit on a branch of its own and the pull request for it.
#[derive(Debug, Clone)]
pub struct Proposal {
    /// Where.
    pub repository: RepositoryName,
    /// GraphQL's node id of the repository.
    pub repository_node_id: String,
    /// Into which branch.
    pub base: BranchName,
    /// On which commit.
    pub base_sha: CommitSha,
    /// The branch to be made.
    pub branch: BranchName,
    /// First line of the commit message.
    pub headline: String,
    /// The rest of the commit message.
    pub message: String,
    /// What the commit changes.
    pub changes: FileChanges,
    /// The pull request's title.
    pub title: String,
    /// The pull request's body, Markdown.
    pub body: String,
    /// Not yet for review.
    pub draft: bool,
    /// Labels that do not exist and are to be made.
    pub new_labels: Vec<String>,
}

/// What became of a [`Proposal`]. The three parts are not one transaction: what was done is said,
/// and the rest is taken up from there.
#[derive(Debug, Clone, Default)]
pub struct Proposed {
    /// The branch's commit, if it was made.
    pub commit: Option<CommitSha>,
    /// The pull request, if it was opened.
    pub pull_request: Option<PullRequestSeen>,
    /// Node ids of labels that were made, by name.
    pub labels: Vec<(String, String)>,
    /// What GitHub refused, in its words.
    pub refused: Vec<String>,
}
