//! Repositories, branches and commits.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::ids::{ActionId, InvalidId, RunId};

/// `owner/name` on GitHub. Compared without regard to case, as GitHub does; shown as written.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RepositoryName {
    owner: String,
    name: String,
}

impl RepositoryName {
    /// Checks both parts against what GitHub allows in a name.
    pub fn new(owner: &str, name: &str) -> Result<Self, InvalidId> {
        let owner_ok = (1..=100).contains(&owner.len())
            && owner.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        let name_ok = (1..=100).contains(&name.len())
            && !matches!(name, "." | "..")
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
        if owner_ok && name_ok {
            return Ok(Self { owner: owner.to_owned(), name: name.to_owned() });
        }
        let value = format!("{owner}/{name}").chars().take(80).collect();
        Err(InvalidId {
            what: "repository",
            value,
            rule: "`owner/name`, letters, digits and `-_.`",
        })
    }

    /// The account that owns the repository.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// The repository's name without its owner.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The form in which repositories are compared and looked up: lower case.
    pub fn key(&self) -> String {
        let mut key = [self.owner.as_str(), "/", self.name.as_str()].concat();
        key.make_ascii_lowercase();
        key
    }
}

impl PartialEq for RepositoryName {
    fn eq(&self, other: &Self) -> bool {
        self.owner.eq_ignore_ascii_case(&other.owner) && self.name.eq_ignore_ascii_case(&other.name)
    }
}
impl Eq for RepositoryName {}

impl fmt::Display for RepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

impl FromStr for RepositoryName {
    type Err = InvalidId;
    fn from_str(value: &str) -> Result<Self, InvalidId> {
        let (owner, name) = value.split_once('/').unwrap_or((value, ""));
        Self::new(owner, name)
    }
}

impl TryFrom<String> for RepositoryName {
    type Error = InvalidId;
    fn try_from(value: String) -> Result<Self, InvalidId> {
        value.parse()
    }
}

impl From<RepositoryName> for String {
    fn from(value: RepositoryName) -> String {
        value.to_string()
    }
}

/// A branch's short name (`main`, not `refs/heads/main`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BranchName(String);

impl BranchName {
    /// Checks the rules of `git check-ref-format` that a branch must keep.
    pub fn new(value: impl Into<String>) -> Result<Self, InvalidId> {
        let value = value.into();
        let bad = value.is_empty()
            || value.len() > 244
            || value.starts_with(['/', '-', '.'])
            || value.ends_with(['/', '.'])
            || value.as_bytes().ends_with(b".lock")
            || value.contains("..")
            || value.contains("//")
            || value.contains("/.")
            || value.contains("@{")
            || value == "@"
            || value.contains(".lock/")
            || value.chars().any(|c| c.is_control() || " ~^:?*[\\".contains(c));
        if bad {
            let value = value.chars().take(80).collect();
            return Err(InvalidId { what: "branch", value, rule: "a name that git accepts" });
        }
        Ok(Self(value))
    }

    /// The branch of a run: `towpath/<action>/<run id>`. Derived, so that there is always something
    /// to look for. Characters of the action that git refuses become `-`.
    pub fn of_run(action: &ActionId, run: &RunId) -> Self {
        let mut action: String = action
            .as_str()
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' })
            .take(80)
            .collect();
        if action.starts_with('-') {
            action.insert(0, 'a');
        }
        Self(format!("{}{action}/{run}", Self::OWN_PREFIX))
    }

    /// What the branches of this program begin with.
    pub const OWN_PREFIX: &'static str = "towpath/";

    /// The run of a branch that [`BranchName::of_run`] named.
    pub fn run(&self) -> Option<RunId> {
        let rest = self.0.strip_prefix(Self::OWN_PREFIX)?;
        let (_, run) = rest.split_once('/')?;
        RunId::new(run).ok()
    }

    /// The short name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `refs/heads/<name>`.
    pub fn qualified(&self) -> String {
        format!("refs/heads/{}", self.0)
    }
}

impl fmt::Display for BranchName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for BranchName {
    type Error = InvalidId;
    fn try_from(value: String) -> Result<Self, InvalidId> {
        Self::new(value)
    }
}

impl From<BranchName> for String {
    fn from(value: BranchName) -> String {
        value.0
    }
}

/// A git object id in hexadecimal: 40 characters, or 64 in a SHA-256 repository.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CommitSha(String);

impl CommitSha {
    /// Checks length and alphabet.
    pub fn new(value: impl Into<String>) -> Result<Self, InvalidId> {
        let value = value.into();
        if matches!(value.len(), 40 | 64) && value.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Ok(Self(value.to_ascii_lowercase()));
        }
        let value = value.chars().take(80).collect();
        Err(InvalidId { what: "commit", value, rule: "40 or 64 hexadecimal digits" })
    }

    /// All digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first seven digits, for people.
    pub fn short(&self) -> &str {
        &self.0[..7]
    }
}

impl fmt::Display for CommitSha {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for CommitSha {
    type Error = InvalidId;
    fn try_from(value: String) -> Result<Self, InvalidId> {
        Self::new(value)
    }
}

impl From<CommitSha> for String {
    fn from(value: CommitSha) -> String {
        value.0
    }
}

/// Who may see a repository. GitHub's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// Who was given access.
    Private,
    /// Everybody of the enterprise.
    Internal,
    /// Everybody.
    Public,
}

impl Visibility {
    /// GitHub's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Internal => "internal",
            Self::Public => "public",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_branch_of_a_run_leads_back_to_the_run() {
        let run = RunId::new("r_QOz6WoOB1Q2lmhZZ").unwrap();
        for action in ["add_documentdb", "..", "vm:create+fast", "é", "-x", "a.lock"] {
            let Ok(action) = ActionId::new(action) else {
                continue;
            };
            let branch = BranchName::of_run(&action, &run);
            assert_eq!(BranchName::new(branch.as_str()).as_ref(), Ok(&branch), "{action}");
            assert_eq!(branch.run(), Some(run.clone()));
        }
    }

    #[test]
    fn branches_that_git_refuses_are_refused() {
        for bad in
            ["", "/a", "a/", "a..b", "a b", "a~1", "x.lock", "a//b", "-a", "a/.b", "@", "a@{b"]
        {
            assert!(BranchName::new(bad).is_err(), "{bad:?}");
        }
        for good in ["main", "release/2.0", "feature_x", "ünï"] {
            assert!(BranchName::new(good).is_ok(), "{good:?}");
        }
    }

    #[test]
    fn repositories_compare_as_github_compares_them() {
        let one: RepositoryName = "Acme/Infra".parse().unwrap();
        assert_eq!(one, "acme/infra".parse().unwrap());
        assert_eq!(one.to_string(), "Acme/Infra");
        for bad in ["acme", "acme/", "/x", "a/b/c", "a/..", "a b/c", "a/b?x"] {
            assert!(bad.parse::<RepositoryName>().is_err(), "{bad:?}");
        }
    }
}
