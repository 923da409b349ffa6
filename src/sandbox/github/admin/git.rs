//! The git side of a repository: who pushes what, and what stands on its branches.

use super::SandboxRepository;
use crate::sandbox::github::git::Change;
use crate::sandbox::github::references::Force;
use crate::sandbox::github::refusal::Refusal;
use crate::sandbox::github::state::AccountKind;

/// What people do with branches.
impl SandboxRepository {
    /// A person commits files on a branch, which is made if it is not there, and pushes. A file
    /// without content is removed.
    pub fn push(
        &self,
        person: &str,
        branch: &str,
        files: &[(&str, Option<&str>)],
        message: &str,
    ) -> String {
        self.with(|world, index| {
            let person = world.account(person, AccountKind::User);
            let git = world.git(index)?;
            let default = world.repositories[index].default_branch.clone();
            if git.branch(branch).is_none() {
                let base = git.branch(&default).ok_or_else(Refusal::not_found)?;
                world.create_reference(index, &format!("refs/heads/{branch}"), &base, person)?;
            }
            let parent = git.branch(branch);
            world.commit_on_branch(
                index,
                (branch, parent.as_deref()),
                &changes(files),
                message,
                person,
            )
        })
    }

    /// A person makes a branch at the tip of the default branch.
    pub fn create_branch(&self, person: &str, branch: &str) {
        self.with(|world, index| {
            let person = world.account(person, AccountKind::User);
            let default = world.repositories[index].default_branch.clone();
            let base = world.git(index)?.branch(&default).ok_or_else(Refusal::not_found)?;
            world.create_reference(index, &format!("refs/heads/{branch}"), &base, person)
        });
    }

    /// A person deletes a branch.
    pub fn delete_branch(&self, person: &str, branch: &str) {
        self.with(|world, index| {
            let person = world.account(person, AccountKind::User);
            world.delete_reference(index, &format!("refs/heads/{branch}"), person)
        });
    }

    /// A person lets a branch point somewhere else, by force.
    pub fn force_push(&self, person: &str, branch: &str, sha: &str) {
        self.with(|world, index| {
            let person = world.account(person, AccountKind::User);
            world.move_reference(index, &format!("refs/heads/{branch}"), sha, Force::Yes, person)
        });
    }

    /// The commit that a branch, tag or sha names.
    pub fn head(&self, reference: &str) -> Option<String> {
        self.with(|world, index| Ok(world.git(index)?.resolve(reference)))
    }

    /// The names of all branches.
    pub fn branches(&self) -> Vec<String> {
        self.with(|world, index| {
            let all = world.git(index)?.references("refs/heads/");
            Ok(all
                .into_iter()
                .map(|(name, _)| name.trim_start_matches("refs/heads/").to_owned())
                .collect())
        })
    }

    /// A file as text.
    pub fn file_at(&self, reference: &str, path: &str) -> Option<String> {
        self.with(|world, index| {
            let git = world.git(index)?;
            let bytes = git.resolve(reference).and_then(|commit| git.file(&commit, path));
            Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
        })
    }

    /// Whether GitHub has signed a commit.
    pub fn is_verified(&self, reference: &str) -> bool {
        self.with(|world, index| {
            let commit = world.git(index)?.resolve(reference);
            Ok(commit.is_some_and(|commit| world.repositories[index].verified.contains(&commit)))
        })
    }

    /// How many commits a branch has.
    pub fn commits(&self, branch: &str) -> usize {
        self.with(|world, index| {
            let git = world.git(index)?;
            let head = git.resolve(branch).ok_or_else(Refusal::not_found)?;
            Ok(git.history(&head)?.len())
        })
    }

    /// All paths of a commit.
    pub fn files_at(&self, reference: &str) -> Vec<String> {
        self.with(|world, index| {
            let git = world.git(index)?;
            let commit = git.resolve(reference).ok_or_else(Refusal::not_found)?;
            let entries = git.all_entries(&git.tree_of(&commit)?)?;
            Ok(entries.into_iter().filter(|it| it.kind != "tree").map(|it| it.path).collect())
        })
    }
}

pub(super) fn changes(files: &[(&str, Option<&str>)]) -> Vec<Change> {
    let change = |(path, text): &(&str, Option<&str>)| Change {
        path: (*path).to_owned(),
        bytes: text.map(|text| text.as_bytes().to_vec()),
    };
    files.iter().map(change).collect()
}
