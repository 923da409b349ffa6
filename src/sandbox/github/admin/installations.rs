//! Where the App is installed, what it may do there, and the teams of organisations.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::sandbox::github::SandboxGitHub;
use crate::sandbox::github::body::{node_id, with};
use crate::sandbox::github::limits::Used;
use crate::sandbox::github::state::{AccountKind, Id, Installation, Repository, Team, World};

/// What the App was installed on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Installed {
    /// All repositories of the account.
    All,
    /// Only those that are added by name.
    Selected,
}

/// The App and the organisations.
impl SandboxGitHub {
    /// Installs the App on an organisation; returns the installation id.
    pub fn install(&self, organization: &str, on: Installed) -> u64 {
        self.with(|world| world.install(organization, on))
    }

    /// Removes the App from an organisation. Its tokens die with it.
    pub fn uninstall(&self, organization: &str) {
        self.with(|world| {
            let Some(id) = world.installation_by_login(organization) else {
                return;
            };
            let fields = json!({"action": "deleted", "repositories": world.repository_list(id)});
            world.emit_installation("installation", id, fields);
            world.installations.retain(|it| it.id != id);
        });
    }

    /// Suspends the installation of an organisation, or lets it work again.
    pub fn suspend(&self, organization: &str, suspended: bool) {
        self.with(|world| {
            let Some(id) = world.installation_by_login(organization) else {
                return;
            };
            let now = world.now();
            let found = world.installations.iter_mut().find(|it| it.id == id);
            if let Some(found) = found {
                found.suspended_at = suspended.then_some(now);
            }
            let action = if suspended { "suspend" } else { "unsuspend" };
            world.emit_installation("installation", id, json!({"action": action}));
        });
    }

    /// Changes what an installation grants, as an owner who approves (or does not).
    pub fn grant(&self, organization: &str, permission: &str, level: Option<&str>) {
        self.with(|world| {
            let id = world.installation_by_login(organization);
            let found = world.installations.iter_mut().find(|it| Some(it.id) == id);
            let Some(found) = found else { return };
            match level {
                Some(level) => found.permissions.insert(permission.to_owned(), level.to_owned()),
                None => found.permissions.remove(permission),
            };
            let (id, permissions) = (found.id, found.permissions.clone());
            for token in world.tokens.values_mut().filter(|it| it.installation == id) {
                token.permissions.retain(|name, _| permissions.contains_key(name));
            }
            world.emit_installation(
                "installation",
                id,
                json!({"action": "new_permissions_accepted"}),
            );
        });
    }

    /// Adds a repository to a `Selected` installation.
    pub fn add_to_installation(&self, full_name: &str) {
        self.with(|world| {
            let Some(index) = world.find_repository(full_name) else {
                return;
            };
            let (owner, id) = (world.repositories[index].owner, world.repositories[index].id);
            let found = world.installations.iter_mut().find(|it| it.account == owner);
            let Some(found) = found else { return };
            if let Some(selected) = &mut found.selected {
                selected.insert(id);
            }
            let installation = found.id;
            let added = json!([short(&world.repositories[index])]);
            let fields = json!({"action": "added", "repository_selection": "selected",
                "repositories_added": added, "repositories_removed": [], "requester": null});
            world.emit_installation("installation_repositories", installation, fields);
        });
    }

    /// Makes a team of an organisation that may work on these repositories.
    pub fn add_team(&self, organization: &str, slug: &str, repositories: &[&str]) {
        self.with(|world| {
            let organization = world.account(organization, AccountKind::Organization);
            let found = repositories.iter().filter_map(|it| world.find_repository(it));
            let repositories: HashSet<Id> = found.map(|it| world.repositories[it].id).collect();
            let id = world.fresh_id();
            world.teams.push(Team { id, organization, slug: slug.to_owned(), repositories });
        });
    }

    /// Ends the life of all tokens that were minted.
    pub fn expire_tokens(&self) {
        self.with(|world| world.tokens.clear());
    }
}

impl World {
    pub(crate) fn install(&mut self, organization: &str, on: Installed) -> Id {
        let account = self.account(organization, AccountKind::Organization);
        if let Some(known) = self.installations.iter().find(|it| it.account == account) {
            return known.id;
        }
        let id = self.fresh_id();
        let created_at = self.now();
        self.installations.push(Installation {
            id,
            account,
            selected: (on == Installed::Selected).then(HashSet::new),
            permissions: self.app.permissions.clone(),
            suspended_at: None,
            created_at,
            used: Used::since(created_at, self.hourly),
        });
        let fields = json!({"action": "created", "repositories": self.repository_list(id), "requester": null});
        self.emit_installation("installation", id, fields);
        id
    }

    pub(super) fn installation_by_login(&self, organization: &str) -> Option<Id> {
        let account = self.find_account(organization)?.id;
        Some(self.installations.iter().find(|it| it.account == account)?.id)
    }

    fn repository_list(&self, installation: Id) -> Vec<Value> {
        let is_in =
            |index: &usize| self.installation_of(*index).is_some_and(|it| it.id == installation);
        (0..self.repositories.len()).filter(is_in).map(|it| short(&self.repositories[it])).collect()
    }
}

fn short(repository: &Repository) -> Value {
    with(
        json!({"id": repository.id, "node_id": node_id("R", repository.id)}),
        json!({"name": repository.name, "full_name": repository.full_name, "private": repository.private}),
    )
}
