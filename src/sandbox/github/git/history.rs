//! How commits stand to each other: what one has that another lacks, and the files that differ.

use git2::{Oid, Sort};

use super::{Git, ZERO};
use crate::sandbox::github::refusal::{Answered, Refusal};

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

impl Git {
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
