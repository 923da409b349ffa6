//! People of the sandbox: who is signed in at its browser, who belongs to what, and what was handed
//! out by the web flow for Apps.

use std::collections::{HashMap, HashSet};

use super::SandboxGitHub;
use super::state::{AccountKind, Id};

/// The App's client secret. It opens nothing but sandboxes, and everybody has it.
pub const SANDBOX_CLIENT_SECRET: &str = "the sandbox App's client secret";

/// What is known of people.
#[derive(Default)]
pub(crate) struct SignIns {
    /// Who sits at the browser, and has allowed the App to know it.
    pub(crate) person: Option<Id>,
    /// Codes that wait to be exchanged, once.
    pub(crate) codes: HashMap<String, Code>,
    /// Tokens of people.
    pub(crate) tokens: HashMap<String, Id>,
    /// Members of organisations, as (organisation, person).
    pub(crate) members: HashSet<(Id, Id)>,
    /// Members of teams, as (team, person).
    pub(crate) team_members: HashSet<(Id, Id)>,
}

/// A code, and what its exchange is held against.
pub(crate) struct Code {
    pub(crate) person: Id,
    pub(crate) redirect: String,
    /// PKCE's challenge (S256), where one was sent.
    pub(crate) challenge: Option<String>,
}

/// What people do in their browsers and organisations.
impl SandboxGitHub {
    /// From now on this person sits at the browser.
    pub fn sign_in_as(&self, login: &str) {
        self.with(|world| {
            let person = world.account(login, AccountKind::User);
            world.sign_ins.person = Some(person);
        });
    }

    /// Makes somebody a member of an organisation.
    pub fn add_member(&self, organization: &str, login: &str) {
        self.with(|world| {
            let organization = world.account(organization, AccountKind::Organization);
            let person = world.account(login, AccountKind::User);
            world.sign_ins.members.insert((organization, person));
        });
    }

    /// Makes somebody a member of a team, and so of its organisation; or takes them out of the team.
    pub fn set_team_member(&self, organization: &str, slug: &str, login: &str, is_member: bool) {
        self.add_member(organization, login);
        self.with(|world| {
            let organization = world.account(organization, AccountKind::Organization);
            let person = world.account(login, AccountKind::User);
            let Some(team) = world.find_team(organization, slug).map(|team| team.id) else {
                return;
            };
            if is_member {
                world.sign_ins.team_members.insert((team, person));
            } else {
                world.sign_ins.team_members.remove(&(team, person));
            }
        });
    }
}
