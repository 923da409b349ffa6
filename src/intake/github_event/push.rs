//! Pushes, with the folders in which they change something.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::{Account, Repository};
use crate::domain::observation::PushSeen;
use crate::domain::{BranchName, CommitSha, Observation};

/// In how many folders a push is followed.
const MOST_FOLDERS: usize = 200;

#[derive(Deserialize)]
pub(super) struct PushEvent {
    #[serde(rename = "ref")]
    reference: String,
    after: String,
    #[serde(default)]
    deleted: bool,
    repository: Repository,
    sender: Option<Account>,
    #[serde(default)]
    commits: Vec<PushedCommit>,
}

/// The files that a commit changed, from the repository's root.
#[derive(Deserialize)]
struct PushedCommit {
    #[serde(default)]
    added: Vec<String>,
    #[serde(default)]
    removed: Vec<String>,
    #[serde(default)]
    modified: Vec<String>,
}

impl PushEvent {
    /// Every folder that holds a file that was changed, at whatever depth. A push that changes more
    /// than is looked up at once is left to the sweep, which asks GitHub for conflicts.
    fn folders(&self) -> Vec<String> {
        let files = self
            .commits
            .iter()
            .flat_map(|commit| commit.added.iter().chain(&commit.removed).chain(&commit.modified));
        let mut folders = BTreeSet::new();
        for file in files {
            let ends = file.match_indices('/').map(|(end, _)| file[..end].to_owned());
            folders.extend(ends);
            if folders.len() > MOST_FOLDERS {
                return Vec::new();
            }
        }
        folders.into_iter().collect()
    }

    pub(super) fn seen(self) -> Option<Observation> {
        let branch = self.reference.strip_prefix("refs/heads/")?;
        let folders = self.folders();
        let is_deleted = self.deleted || self.after.bytes().all(|digit| digit == b'0');
        let after = if is_deleted { None } else { Some(CommitSha::new(self.after).ok()?) };
        Some(Observation::Push(PushSeen {
            folders,
            repository: self.repository.full_name,
            branch: BranchName::new(branch).ok()?,
            after,
            by: self.sender.map(|account| account.login),
        }))
    }
}
