//! What GraphQL tells of git trees and blobs, as files and folders.

use serde::Deserialize;

use crate::domain::standing::{FileMode, StandingFile};

/// What is asked of each blob.
pub(super) const BLOB_FIELDS: &str = "fragment Blob on Blob { oid text isBinary isTruncated }";

/// A tree or a blob in GraphQL: whatever stands at a path.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Tree {
    #[serde(default)]
    entries: Option<Vec<TreeEntry>>,
    #[serde(flatten)]
    blob: Blob,
}

#[derive(Debug, Deserialize)]
struct TreeEntry {
    name: String,
    mode: u32,
    oid: String,
    object: Option<Tree>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Blob {
    oid: Option<String>,
    text: Option<String>,
    is_binary: Option<bool>,
    is_truncated: bool,
}

/// What was found at a path.
#[derive(Debug)]
pub(super) enum Entry {
    /// A file, with its text unless that was cut short.
    File { file: StandingFile, truncated: bool },
    /// A folder that was not looked into.
    Folder { path: String },
}

impl Entry {
    /// The path of what is called so in a folder.
    pub(super) fn joined(folder: &str, name: &str) -> String {
        if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
    }
}

/// Selects a tree's entries, and theirs, so many levels deep.
pub(super) fn entries_to_depth(depth: usize) -> String {
    let deeper = match depth {
        0 | 1 => String::new(),
        _ => format!(" ... on Tree {{ {} }}", entries_to_depth(depth - 1)),
    };
    format!("entries {{ name mode oid object {{ ...Blob{deeper} }} }}")
}

impl Tree {
    /// Everything at and below `path`.
    pub(super) fn entries_below(self, path: &str) -> Vec<Entry> {
        let Some(entries) = self.entries else {
            // A file stands where a folder was expected. Whoever planned will say so.
            return self.blob.entry(path.to_owned(), FileMode::Regular).into_iter().collect();
        };
        entries.into_iter().flat_map(|entry| entry.flat(path)).collect()
    }
}

impl TreeEntry {
    fn flat(self, folder: &str) -> Vec<Entry> {
        let path = Entry::joined(folder, &self.name);
        let Some(mode) = mode_of(self.mode) else {
            return match self.object {
                Some(tree) if tree.entries.is_some() => tree.entries_below(&path),
                _ => vec![Entry::Folder { path }],
            };
        };
        let blob = self.object.map(|object| object.blob).unwrap_or_default();
        let blob = Blob { oid: Some(self.oid), ..blob };
        blob.entry(path, mode).into_iter().collect()
    }
}

impl Blob {
    pub(super) fn entry(self, path: String, mode: FileMode) -> Option<Entry> {
        let truncated = self.is_truncated && self.is_binary != Some(true);
        let text = self.text.filter(|_| !self.is_truncated && self.is_binary != Some(true));
        let file = StandingFile { path, blob: self.oid?, mode, text };
        Some(Entry::File { file, truncated })
    }
}

/// GraphQL has git's octal modes as numbers. `None` is a folder.
fn mode_of(mode: u32) -> Option<FileMode> {
    match mode {
        0o040_000 => None,
        0o100_755 => Some(FileMode::Executable),
        0o120_000 => Some(FileMode::Symlink),
        0o160_000 => Some(FileMode::Submodule),
        _ => Some(FileMode::Regular),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_read_as_git_means_them() {
        let modes = [16_384, 33_188, 33_261, 40_960, 57_344].map(mode_of);
        assert_eq!(
            modes,
            [
                None,
                Some(FileMode::Regular),
                Some(FileMode::Executable),
                Some(FileMode::Symlink),
                Some(FileMode::Submodule),
            ]
        );
    }
}
