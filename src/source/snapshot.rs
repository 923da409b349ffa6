//! The files of a folder at a commit, and how they are kept in the database.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};

use super::address::Address;
use crate::domain::CommitSha;
use crate::domain::standing::FileMode;
use crate::github::{self, FolderFile, GitHub};
use crate::store::{self, Store};
use crate::template::SourceFile;

/// Files of all templates: some thousand would be hundreds of templates.
const MOST_FILES: usize = 5_000;
/// Bytes of all of them.
const MOST_BYTES: usize = 16 * 1024 * 1024;

/// The files of a folder at a commit.
pub(super) struct Snapshot {
    pub(super) commit: CommitSha,
    pub(super) files: Vec<SourceFile>,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    commit: CommitSha,
    files: Vec<KeptFile>,
}

#[derive(Serialize, Deserialize)]
struct KeptFile {
    path: String,
    /// In base64: a template may hold any bytes.
    contents: String,
    executable: bool,
}

/// Why a folder cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    /// GitHub does not hand it out now, or ever.
    #[error("{}", .0.sentence())]
    GitHub(#[from] github::Error),
    /// What stands there can be no templates.
    #[error("{0}")]
    Files(String),
}

/// The files of a place as it stands now. The error is a sentence.
pub async fn read(github: &GitHub, address: &Address) -> Result<Vec<SourceFile>, String> {
    let commit = github.commit_of(&address.repository, address.reference.as_deref()).await;
    let commit = commit.map_err(|error| error.sentence())?;
    let snapshot = Snapshot::read(github, address, commit).await;
    Ok(snapshot.map_err(|error| error.to_string())?.files)
}

impl Snapshot {
    /// Reads a folder at a commit.
    pub(super) async fn read(
        github: &GitHub,
        address: &Address,
        commit: CommitSha,
    ) -> Result<Self, Unreadable> {
        let found = github.read_folder(&address.repository, &commit, &address.path).await?;
        let bytes: usize = found.iter().map(|file| file.contents.len()).sum();
        if found.len() > MOST_FILES || bytes > MOST_BYTES {
            let message = format!(
                "There are {} files of {bytes} bytes: more than {MOST_FILES}, or {MOST_BYTES} bytes. \
                 Name the folder that holds the templates and nothing else.",
                found.len()
            );
            return Err(Unreadable::Files(message));
        }
        let files = found.into_iter().map(source_file).collect::<Result<_, _>>()?;
        Ok(Self { commit, files })
    }

    /// The last good one.
    pub(super) async fn kept(
        store: &Store,
        address: &Address,
    ) -> Result<Option<Self>, store::Error> {
        let text = store.kept(&format!("templates:{address}")).await?;
        // What an older version wrote otherwise is read from GitHub anew.
        Ok(text.and_then(|text| Self::from_text(&text)))
    }

    /// The commit of the last good one: what other processes look at.
    pub(super) async fn kept_commit(
        store: &Store,
        address: &Address,
    ) -> Result<Option<CommitSha>, store::Error> {
        let text = store.kept(&format!("templates_commit:{address}")).await?;
        Ok(text.and_then(|text| CommitSha::new(text).ok()))
    }

    /// Keeps it as the last good one.
    pub(super) async fn keep(&self, store: &Store, address: &Address) -> Result<(), store::Error> {
        store.keep(&format!("templates:{address}"), &self.to_text()).await?;
        store.keep(&format!("templates_commit:{address}"), self.commit.as_str()).await
    }

    fn to_text(&self) -> String {
        let files = self.files.iter().map(|file| KeptFile {
            path: file.path.clone(),
            contents: BASE64_STANDARD.encode(&file.contents),
            executable: file.executable,
        });
        let kept = Kept { commit: self.commit.clone(), files: files.collect() };
        serde_json::to_string(&kept).unwrap_or_default()
    }

    fn from_text(text: &str) -> Option<Self> {
        let kept: Kept = serde_json::from_str(text).ok()?;
        let files = kept.files.into_iter().map(|file| {
            let contents = BASE64_STANDARD.decode(file.contents).ok()?;
            Some(SourceFile { path: file.path, contents, executable: file.executable })
        });
        Some(Self { commit: kept.commit, files: files.collect::<Option<_>>()? })
    }
}

fn source_file(file: FolderFile) -> Result<SourceFile, Unreadable> {
    let FolderFile { path, contents, mode } = file;
    match mode {
        FileMode::Regular | FileMode::Executable => {
            Ok(SourceFile { path, contents, executable: mode == FileMode::Executable })
        }
        FileMode::Symlink | FileMode::Submodule => {
            Err(Unreadable::Files(format!("`{path}` is a link; templates are plain files.")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_back() {
        let file = SourceFile { path: "a/b".to_owned(), contents: vec![0, 255], executable: true };
        let commit = CommitSha::new("a".repeat(40)).unwrap();
        let read = Snapshot { commit: commit.clone(), files: vec![file.clone()] }.to_text();
        let read = Snapshot::from_text(&read).unwrap();
        assert_eq!((read.commit, read.files), (commit, vec![file]));
        assert!(Snapshot::from_text("{}").is_none());
    }
}
