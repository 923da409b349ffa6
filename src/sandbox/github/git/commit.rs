//! Writing commits: of changed files, of merges, and of commits put on another base.

use std::path::Path;

use git2::build::TreeUpdateBuilder;
use git2::{Commit, FileMode, Oid, Signature, Time};

use super::Git;
use crate::sandbox::github::refusal::{Answered, Refusal};
use crate::sandbox::github::state;

/// One path that a commit writes or, without bytes, removes.
pub(crate) struct Change {
    pub(crate) path: String,
    pub(crate) bytes: Option<Vec<u8>>,
}

/// Who made a commit, and when.
#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) at: state::Time,
}

/// How a tree is put together over REST.
pub(crate) enum TreeChange {
    Put { path: String, oid: String, mode: i32 },
    Remove { path: String },
}

impl Git {
    /// A tree over another one (or over nothing).
    pub(crate) fn write_tree(
        &self,
        base: Option<&str>,
        changes: &[TreeChange],
    ) -> Answered<String> {
        let base = match base {
            Some(base) => self.repository.find_tree(Oid::from_str(base)?)?,
            None => self.repository.find_tree(self.repository.treebuilder(None)?.write()?)?,
        };
        let mut builder = TreeUpdateBuilder::new();
        for change in changes {
            match change {
                TreeChange::Put { path, oid, mode } => {
                    builder.upsert(path.as_str(), Oid::from_str(oid)?, file_mode(*mode)?);
                }
                TreeChange::Remove { path } => {
                    base.get_path(Path::new(path))?;
                    builder.remove(path.as_str());
                }
            }
        }
        Ok(builder.create_updated(&self.repository, &base)?.to_string())
    }

    /// A commit of changed files on top of a parent. Nothing points to it yet.
    pub(crate) fn commit_changes(
        &self,
        parent: Option<&str>,
        changes: &[Change],
        message: &str,
        who: (&Person, &Person),
    ) -> Answered<String> {
        let base = parent.map(|parent| self.tree_of(parent)).transpose()?;
        let mut tree_changes = Vec::new();
        for change in changes {
            tree_changes.push(self.tree_change(parent, change)?);
        }
        let tree = self.write_tree(base.as_deref(), &tree_changes)?;
        let parents: Vec<_> = parent.into_iter().collect();
        self.write_commit(&tree, &parents, message, who)
    }

    fn tree_change(&self, parent: Option<&str>, change: &Change) -> Answered<TreeChange> {
        let path = change.path.clone();
        let Some(bytes) = &change.bytes else {
            return Ok(TreeChange::Remove { path });
        };
        // A file that stands keeps its mode.
        let standing = parent
            .and_then(|parent| {
                self.commit(parent).ok()?.tree().ok()?.get_path(Path::new(&path)).ok()
            })
            .map(|entry| entry.filemode())
            .filter(|mode| *mode == 0o100_755);
        let mode = standing.unwrap_or(0o100_644);
        Ok(TreeChange::Put { path, oid: self.write_blob(bytes)?, mode })
    }

    pub(crate) fn write_commit(
        &self,
        tree: &str,
        parents: &[&str],
        message: &str,
        (author, committer): (&Person, &Person),
    ) -> Answered<String> {
        let tree = self.repository.find_tree(Oid::from_str(tree)?)?;
        let parents: Vec<Commit<'_>> =
            parents.iter().map(|parent| self.commit(parent)).collect::<Answered<_>>()?;
        let parents: Vec<&Commit<'_>> = parents.iter().collect();
        let (author, committer) = (author.signature()?, committer.signature()?);
        let oid = self.repository.commit(None, &author, &committer, message, &tree, &parents)?;
        Ok(oid.to_string())
    }

    /// The merged tree, or `None` when the two sides conflict.
    pub(crate) fn merged_tree(&self, ours: &str, theirs: &str) -> Answered<Option<String>> {
        let (ours, theirs) = (self.commit(ours)?, self.commit(theirs)?);
        self.tree_of_index(self.repository.merge_commits(&ours, &theirs, None)?)
    }

    fn tree_of_index(&self, mut index: git2::Index) -> Answered<Option<String>> {
        if index.has_conflicts() {
            return Ok(None);
        }
        Ok(Some(index.write_tree_to(&self.repository)?.to_string()))
    }

    /// The commits of `head` that `base` lacks, put on top of `base` one by one.
    pub(crate) fn rebased(
        &self,
        base: &str,
        head: &str,
        committer: &Person,
    ) -> Answered<Option<String>> {
        let mut tip = base.to_owned();
        for sha in self.commits_between(base, head)? {
            let commit = self.commit(&sha)?;
            let index = self.repository.cherrypick_commit(&commit, &self.commit(&tip)?, 0, None)?;
            let Some(tree) = self.tree_of_index(index)? else {
                return Ok(None);
            };
            let tree = self.repository.find_tree(Oid::from_str(&tree)?)?;
            let message = commit.message().unwrap_or_default();
            let parent = self.commit(&tip)?;
            let oid = self.repository.commit(
                None,
                &commit.author(),
                &committer.signature()?,
                message,
                &tree,
                &[&parent],
            )?;
            tip = oid.to_string();
        }
        Ok(Some(tip))
    }
}

impl Person {
    fn signature(&self) -> Answered<Signature<'static>> {
        Ok(Signature::new(&self.name, &self.email, &Time::new(self.at.timestamp(), 0))?)
    }
}

fn file_mode(mode: i32) -> Answered<FileMode> {
    Ok(match mode {
        0o100_644 => FileMode::Blob,
        0o100_755 => FileMode::BlobExecutable,
        0o120_000 => FileMode::Link,
        0o040_000 => FileMode::Tree,
        0o160_000 => FileMode::Commit,
        _ => {
            return Err(Refusal::unprocessable("tree.mode is not one of the allowed modes"));
        }
    })
}
