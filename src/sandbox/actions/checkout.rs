//! `actions/checkout`: a real clone of the run's repository, made without a git program.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use git2::build::CheckoutBuilder;
use git2::{Oid, Repository};

/// What to check out.
pub(super) struct Checkout<'a> {
    /// The bare repository.
    pub(super) git_dir: &'a Path,
    /// Where to; may exist and be empty.
    pub(super) target: &'a Path,
    /// The branch, tag or commit that the step asks for.
    pub(super) wanted: Option<&'a str>,
    /// The run's own ref and commit, where the step asks for nothing.
    pub(super) git_ref: &'a str,
    /// See `git_ref`.
    pub(super) sha: &'a str,
    /// How many commits of history; 0 for all of it, with all branches and tags.
    pub(super) depth: usize,
}

impl Checkout<'_> {
    /// Makes the clone, and answers with the commit that it stands on.
    pub(super) fn execute(&self) -> Result<String> {
        let repository = self.borrow_objects()?;
        let (commit, branch) = self.resolve()?;
        self.copy_refs(&repository, commit, branch.as_deref())?;
        let object = repository.find_object(commit, None)?;
        repository.checkout_tree(&object, Some(CheckoutBuilder::new().force()))?;
        match &branch {
            Some(branch) => repository.set_head(&format!("refs/heads/{branch}"))?,
            None => repository.set_head_detached(commit)?,
        }
        Ok(commit.to_string())
    }

    /// A new repository that reads the objects of the bare one, as `git clone --shared` makes it.
    fn borrow_objects(&self) -> Result<Repository> {
        let repository = Repository::init(self.target).context("making the clone")?;
        let objects =
            fs::canonicalize(self.git_dir.join("objects")).context("finding the repository")?;
        let info = repository.path().join("objects/info");
        fs::create_dir_all(&info)?;
        fs::write(info.join("alternates"), format!("{}\n", objects.display()))?;
        // What the runner itself writes must not look like a change.
        fs::create_dir_all(repository.path().join("info"))?;
        fs::write(repository.path().join("info/exclude"), super::terraform::WRITTEN_FILES)?;
        if repository.find_remote("origin").is_err() {
            repository.remote("origin", &self.git_dir.to_string_lossy())?;
        }
        Repository::open(self.target).context("opening the clone")
    }

    /// The commit to stand on, and the branch where it is one.
    fn resolve(&self) -> Result<(Oid, Option<String>)> {
        let bare = Repository::open_bare(self.git_dir).context("opening the repository")?;
        let Some(wanted) = self.wanted else {
            let commit = Oid::from_str(self.sha).context("reading the run's commit")?;
            return Ok((commit, self.git_ref.strip_prefix("refs/heads/").map(str::to_owned)));
        };
        let name = wanted.strip_prefix("refs/heads/").unwrap_or(wanted);
        if let Ok(branch) = bare.find_branch(name, git2::BranchType::Local) {
            return Ok((branch.get().peel_to_commit()?.id(), Some(name.to_owned())));
        }
        let found = bare.revparse_single(wanted).and_then(|object| object.peel_to_commit());
        let commit =
            found.with_context(|| format!("the repository has no ref or commit `{wanted}`"))?;
        Ok((commit.id(), None))
    }

    fn copy_refs(&self, repository: &Repository, commit: Oid, branch: Option<&str>) -> Result<()> {
        let set = |name: &str, target: Oid| {
            repository.reference(name, target, true, "checkout").map(drop)
        };
        if let Some(branch) = branch {
            set(&format!("refs/heads/{branch}"), commit)?;
            set(&format!("refs/remotes/origin/{branch}"), commit)?;
        }
        if self.depth > 0 {
            return cut_history(repository, commit, self.depth);
        }
        let bare = Repository::open_bare(self.git_dir)?;
        for reference in bare.references()? {
            let reference = reference?;
            let (Some(name), Some(target)) = (reference.name(), reference.target()) else {
                continue;
            };
            if let Some(branch) = name.strip_prefix("refs/heads/") {
                set(&format!("refs/remotes/origin/{branch}"), target)?;
            } else if name.starts_with("refs/tags/") {
                set(name, target)?;
            }
        }
        Ok(())
    }
}

/// Ends the history after `depth` commits, so that `HEAD^` is missing here where it would be
/// missing on GitHub.
fn cut_history(repository: &Repository, commit: Oid, depth: usize) -> Result<()> {
    let mut edge = BTreeSet::from([commit]);
    for _ in 1..depth {
        let mut older = BTreeSet::new();
        for commit in &edge {
            let commit = repository.find_commit(*commit)?;
            match commit.parent_count() {
                0 => drop(older.insert(commit.id())),
                _ => older.extend(commit.parent_ids()),
            }
        }
        edge = older;
    }
    let lines: Vec<String> = edge.iter().map(Oid::to_string).collect();
    fs::write(repository.path().join("shallow"), lines.join("\n") + "\n")
        .context("writing the end of the history")
}
