//! The git side of a sandbox repository: a bare repository on disk, asked and changed in whole steps.

mod commit;
mod history;

use std::path::Path;

use git2::{Commit, ObjectType, Oid};

use super::refusal::{Answered, Refusal};

pub(crate) use commit::{Change, Person, TreeChange};
pub(crate) use history::FileDifference;

/// The id git gives to nothing, in push events.
pub(crate) const ZERO: &str = "0000000000000000000000000000000000000000";

/// One entry of a tree.
pub(crate) struct Entry {
    pub(crate) path: String,
    pub(crate) mode: i32,
    pub(crate) kind: &'static str,
    pub(crate) oid: String,
    pub(crate) size: Option<usize>,
}

/// An open git repository.
pub(crate) struct Git {
    repository: git2::Repository,
}

impl Git {
    pub(crate) fn create(path: &Path, default_branch: &str) -> Answered<Self> {
        let mut options = git2::RepositoryInitOptions::new();
        options.bare(true).initial_head(default_branch);
        Ok(Self { repository: git2::Repository::init_opts(path, &options)? })
    }

    pub(crate) fn open(path: &Path) -> Answered<Self> {
        Ok(Self { repository: git2::Repository::open_bare(path)? })
    }

    /// What a full reference name points to.
    pub(crate) fn reference(&self, name: &str) -> Option<String> {
        self.repository.refname_to_id(name).ok().map(|oid| oid.to_string())
    }

    pub(crate) fn branch(&self, name: &str) -> Option<String> {
        self.reference(&format!("refs/heads/{name}"))
    }

    pub(crate) fn references(&self, prefix: &str) -> Vec<(String, String)> {
        let Ok(found) = self.repository.references_glob(&format!("{prefix}*")) else {
            return Vec::new();
        };
        let mut names: Vec<_> = found
            .flatten()
            .filter_map(|it| Some((it.name()?.to_owned(), it.target()?.to_string())))
            .collect();
        names.sort();
        names
    }

    pub(crate) fn set_reference(&self, name: &str, sha: &str) -> Answered<()> {
        self.repository.reference(name, Oid::from_str(sha)?, true, "sandbox")?;
        Ok(())
    }

    pub(crate) fn delete_reference(&self, name: &str) -> Answered<()> {
        Ok(self.repository.find_reference(name)?.delete()?)
    }

    pub(crate) fn is_reference_name(name: &str) -> bool {
        git2::Reference::is_valid_name(name)
    }

    /// A branch, a tag, a full reference or a sha, as a commit.
    pub(crate) fn resolve(&self, reference: &str) -> Option<String> {
        let tries = [
            format!("refs/heads/{reference}"),
            format!("refs/tags/{reference}"),
            format!("refs/{reference}"),
        ];
        if let Some(found) = tries.iter().find_map(|name| self.reference(name)) {
            return Some(found);
        }
        let reference = if reference.is_empty() { "HEAD" } else { reference };
        let object = self.repository.revparse_single(reference).ok()?;
        Some(object.peel_to_commit().ok()?.id().to_string())
    }

    /// The kind and id of what a `<ref>:<path>` expression names.
    pub(crate) fn resolve_object(&self, expression: &str) -> Option<(ObjectType, String)> {
        let object = self.repository.revparse_single(expression).ok()?;
        Some((object.kind()?, object.id().to_string()))
    }

    pub(crate) fn kind(&self, sha: &str) -> Option<ObjectType> {
        self.repository.find_object(Oid::from_str(sha).ok()?, None).ok()?.kind()
    }

    pub(crate) fn commit(&self, sha: &str) -> Answered<Commit<'_>> {
        let oid = Oid::from_str(sha).map_err(|_| Refusal::not_found())?;
        Ok(self.repository.find_commit(oid)?)
    }

    pub(crate) fn tree_of(&self, sha: &str) -> Answered<String> {
        Ok(self.commit(sha)?.tree_id().to_string())
    }

    pub(crate) fn blob(&self, oid: &str) -> Answered<Vec<u8>> {
        Ok(self.repository.find_blob(Oid::from_str(oid)?)?.content().to_vec())
    }

    pub(crate) fn write_blob(&self, bytes: &[u8]) -> Answered<String> {
        Ok(self.repository.blob(bytes)?.to_string())
    }

    /// The file at a path of a commit.
    pub(crate) fn file(&self, commit: &str, path: &str) -> Option<Vec<u8>> {
        let (kind, oid) = self.resolve_object(&format!("{commit}:{path}"))?;
        (kind == ObjectType::Blob).then(|| self.blob(&oid).ok())?
    }

    /// The entries directly under a tree.
    pub(crate) fn entries(&self, tree: &str) -> Answered<Vec<Entry>> {
        let tree = self.repository.find_tree(Oid::from_str(tree)?)?;
        Ok(tree.iter().filter_map(|entry| self.entry(&entry, "")).collect())
    }

    /// All entries under a tree, with their full paths.
    pub(crate) fn all_entries(&self, tree: &str) -> Answered<Vec<Entry>> {
        let tree = self.repository.find_tree(Oid::from_str(tree)?)?;
        let mut found = Vec::new();
        tree.walk(git2::TreeWalkMode::PreOrder, |folder, entry| {
            found.extend(self.entry(entry, folder));
            git2::TreeWalkResult::Ok
        })?;
        Ok(found)
    }

    fn entry(&self, entry: &git2::TreeEntry<'_>, folder: &str) -> Option<Entry> {
        let kind = match entry.kind()? {
            ObjectType::Tree => "tree",
            ObjectType::Commit => "commit",
            _ => "blob",
        };
        let blob = self.repository.find_blob(entry.id()).ok();
        Some(Entry {
            path: format!("{folder}{}", entry.name()?),
            mode: entry.filemode(),
            kind,
            oid: entry.id().to_string(),
            size: blob.map(|blob| blob.size()),
        })
    }

    /// Writes the files of a commit into a folder.
    pub(crate) fn check_out(&self, sha: &str, folder: &Path) -> Answered<()> {
        let commit = self.commit(sha)?;
        let mut checkout = git2::build::CheckoutBuilder::new();
        checkout.target_dir(folder).force().recreate_missing(true).update_index(false);
        Ok(self.repository.checkout_tree(commit.as_object(), Some(&mut checkout))?)
    }
}
