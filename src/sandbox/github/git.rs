//! The git side of a sandbox repository: a bare repository on disk, asked and changed in whole steps.

use std::path::Path;

use git2::build::TreeUpdateBuilder;
use git2::{Commit, FileMode, ObjectType, Oid, Signature, Sort, Time};

use super::refusal::{Answered, Refusal};
use super::state;

/// The id git gives to nothing, in push events.
pub(crate) const ZERO: &str = "0000000000000000000000000000000000000000";

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

/// One entry of a tree.
pub(crate) struct Entry {
    pub(crate) path: String,
    pub(crate) mode: i32,
    pub(crate) kind: &'static str,
    pub(crate) oid: String,
    pub(crate) size: Option<usize>,
}

/// One file that differs between two commits.
pub(crate) struct FileDifference {
    pub(crate) path: String,
    pub(crate) previous: Option<String>,
    pub(crate) status: &'static str,
    pub(crate) blob: String,
    pub(crate) additions: usize,
    pub(crate) deletions: usize,
    pub(crate) patch: String,
}

/// How a tree is put together over REST.
pub(crate) enum TreeChange {
    Put { path: String, oid: String, mode: i32 },
    Remove { path: String },
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

    /// Oldest first.
    pub(crate) fn commits_between(&self, base: &str, head: &str) -> Answered<Vec<String>> {
        let mut walk = self.repository.revwalk()?;
        walk.set_sorting(Sort::TOPOLOGICAL | Sort::REVERSE)?;
        walk.push(Oid::from_str(head)?)?;
        if base != ZERO {
            walk.hide(Oid::from_str(base)?)?;
        }
        Ok(walk.flatten().map(|oid| oid.to_string()).collect())
    }

    /// Newest first.
    pub(crate) fn history(&self, head: &str) -> Answered<Vec<String>> {
        let mut commits = self.commits_between(ZERO, head)?;
        commits.reverse();
        Ok(commits)
    }

    pub(crate) fn ahead_behind(&self, head: &str, base: &str) -> Answered<(usize, usize)> {
        let (head, base) = (Oid::from_str(head)?, Oid::from_str(base)?);
        Ok(self.repository.graph_ahead_behind(head, base)?)
    }

    pub(crate) fn contains(&self, head: &str, ancestor: &str) -> bool {
        head == ancestor || matches!(self.ahead_behind(ancestor, head), Ok((0, _)))
    }

    pub(crate) fn merge_base(&self, one: &str, other: &str) -> Answered<String> {
        Ok(self.repository.merge_base(Oid::from_str(one)?, Oid::from_str(other)?)?.to_string())
    }

    /// The files that changed from one commit (or nothing) to another.
    pub(crate) fn differences(&self, from: &str, to: &str) -> Answered<Vec<FileDifference>> {
        let old = match from {
            ZERO => None,
            sha => Some(self.commit(sha)?.tree()?),
        };
        let new = self.commit(to)?.tree()?;
        let mut diff = self.repository.diff_tree_to_tree(old.as_ref(), Some(&new), None)?;
        diff.find_similar(None)?;
        (0..diff.deltas().len()).map(|index| difference(&diff, index)).collect()
    }

    /// Writes the files of a commit into a folder.
    pub(crate) fn check_out(&self, sha: &str, folder: &Path) -> Answered<()> {
        let commit = self.commit(sha)?;
        let mut checkout = git2::build::CheckoutBuilder::new();
        checkout.target_dir(folder).force().recreate_missing(true).update_index(false);
        Ok(self.repository.checkout_tree(commit.as_object(), Some(&mut checkout))?)
    }
}

fn difference(diff: &git2::Diff<'_>, index: usize) -> Answered<FileDifference> {
    let delta = diff.get_delta(index).ok_or_else(Refusal::not_found)?;
    let patch = git2::Patch::from_diff(diff, index)?;
    let (additions, deletions, text) = match patch {
        Some(mut patch) => {
            let (_, additions, deletions) = patch.line_stats()?;
            let text = String::from_utf8_lossy(&patch.to_buf()?).into_owned();
            let hunks = text.find("@@").map(|start| text[start..].to_owned()).unwrap_or_default();
            (additions, deletions, hunks)
        }
        None => (0, 0, String::new()),
    };
    let status = match delta.status() {
        git2::Delta::Added => "added",
        git2::Delta::Deleted => "removed",
        git2::Delta::Renamed => "renamed",
        _ => "modified",
    };
    let path_of = |file: &git2::DiffFile<'_>| {
        file.path().map(|path| path.to_string_lossy().into_owned()).unwrap_or_default()
    };
    let gone = status == "removed";
    let (old, new) = (delta.old_file(), delta.new_file());
    Ok(FileDifference {
        path: path_of(if gone { &old } else { &new }),
        previous: (status == "renamed").then(|| path_of(&old)),
        status,
        blob: if gone { old.id() } else { new.id() }.to_string(),
        additions,
        deletions,
        patch: text,
    })
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
