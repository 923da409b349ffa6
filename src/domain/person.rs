//! People of the dashboard: who they are on GitHub, and what they may do here.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An account on GitHub.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// GitHub's id, which outlives a change of the login.
    pub id: u64,
    /// The account's name in addresses.
    pub login: String,
    /// The name that people read, where one is given.
    pub name: Option<String>,
    /// The public e-mail address, where there is one.
    pub email: Option<String>,
}

/// What somebody may do. Each contains those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    /// See everything.
    View,
    /// Start actions.
    Run,
    /// Start what needs an approval, cancel, and have parked work tried again.
    Administer,
}

/// Whom a right is given to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Group {
    /// The members of an organisation: `acme`.
    Organization(String),
    /// The members of a team: `acme/devops`, or `@acme/devops`.
    Team {
        /// The organisation.
        organization: String,
        /// The team's name in addresses.
        slug: String,
    },
    /// One account: `@octocat`.
    Login(String),
}

/// A text that names no group.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is neither an organisation (acme), nor a team (acme/devops), nor a person (@octocat)"
)]
pub struct InvalidGroup(String);

impl FromStr for Group {
    type Err = InvalidGroup;

    fn from_str(text: &str) -> Result<Self, InvalidGroup> {
        let (at, name) = text.strip_prefix('@').map_or((false, text), |name| (true, name));
        // GitHub's own rule is a little narrower; this one keeps out what would be another path.
        let is_name = |name: &str| {
            !name.is_empty()
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
        };
        match name.split_once('/') {
            Some((organization, slug)) if is_name(organization) && is_name(slug) => {
                Ok(Self::Team { organization: organization.to_owned(), slug: slug.to_owned() })
            }
            None if is_name(name) && at => Ok(Self::Login(name.to_owned())),
            None if is_name(name) => Ok(Self::Organization(name.to_owned())),
            _ => Err(InvalidGroup(text.to_owned())),
        }
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Organization(name) => f.write_str(name),
            Self::Team { organization, slug } => write!(f, "@{organization}/{slug}"),
            Self::Login(login) => write!(f, "@{login}"),
        }
    }
}

/// Who may do what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    /// Who may see.
    pub view: Vec<Group>,
    /// Who may also start actions.
    pub run: Vec<Group>,
    /// Who may do everything.
    pub administer: Vec<Group>,
}

impl Rules {
    /// The groups that a right is given to, the farthest right first.
    pub fn by_right(&self) -> [(Right, &[Group]); 3] {
        [(Right::Administer, &self.administer), (Right::Run, &self.run), (Right::View, &self.view)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_an_organisation_a_team_or_a_person() {
        let group = |text: &str| text.parse::<Group>().map(|group| format!("{group:?} {group}"));
        assert_eq!(group("acme").unwrap(), "Organization(\"acme\") acme");
        assert_eq!(group("acme/devops"), group("@acme/devops"));
        assert_eq!(group("@octocat").unwrap(), "Login(\"octocat\") @octocat");
        for wrong in ["", "@", "a/b/c", "/a", "a b", "a/..", "../orgs"] {
            assert!(wrong.parse::<Group>().is_err(), "{wrong}");
        }
    }
}
