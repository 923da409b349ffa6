//! Accounts, teams, the App and its installations.

use serde_json::{Value, json};

use super::{maybe_time, node_id, time, with};
use crate::sandbox::github::state::{AccountKind, Id, Installation, Team, World};

impl World {
    pub(crate) fn account_node(&self, id: Id) -> String {
        let prefix = match self.account_by_id(id).kind {
            AccountKind::User => "U",
            AccountKind::Organization => "O",
            AccountKind::Bot => "BOT",
        };
        node_id(prefix, id)
    }

    /// The short form that stands wherever somebody is named.
    pub(crate) fn account_body(&self, id: Id) -> Value {
        let account = self.account_by_id(id);
        let kind = match account.kind {
            AccountKind::User => "User",
            AccountKind::Organization => "Organization",
            AccountKind::Bot => "Bot",
        };
        let login = account.login.replace('[', "%5B").replace(']', "%5D");
        let base = &self.base_url;
        let url = format!("{base}/users/{login}");
        json!({
            "login": account.login,
            "id": id,
            "node_id": self.account_node(id),
            "avatar_url": format!("{base}/avatars/{id}"),
            "gravatar_id": "",
            "url": url,
            "html_url": format!("{base}/{login}"),
            "followers_url": format!("{url}/followers"),
            "following_url": format!("{url}/following{{/other_user}}"),
            "gists_url": format!("{url}/gists{{/gist_id}}"),
            "starred_url": format!("{url}/starred{{/owner}}{{/repo}}"),
            "subscriptions_url": format!("{url}/subscriptions"),
            "organizations_url": format!("{url}/orgs"),
            "repos_url": format!("{url}/repos"),
            "events_url": format!("{url}/events{{/privacy}}"),
            "received_events_url": format!("{url}/received_events"),
            "type": kind,
            "site_admin": false,
        })
    }

    pub(crate) fn maybe_account_body(&self, id: Option<Id>) -> Value {
        id.map_or(Value::Null, |id| self.account_body(id))
    }

    /// What `GET /users/{username}` adds.
    pub(crate) fn user_body(&self, id: Id) -> Value {
        let created_at = time(self.account_by_id(id).created_at);
        with(
            self.account_body(id),
            json!({
                "name": null, "company": null, "blog": "", "location": null, "email": null,
                "hireable": null, "bio": null, "public_repos": 0, "public_gists": 0,
                "followers": 0, "following": 0,
                "created_at": created_at, "updated_at": created_at,
            }),
        )
    }

    /// An organisation as webhooks name it.
    pub(crate) fn organization_body(&self, id: Id) -> Value {
        let login = self.login(id);
        let base = &self.base_url;
        let url = format!("{base}/orgs/{login}");
        json!({
            "login": login,
            "id": id,
            "node_id": self.account_node(id),
            "url": url,
            "repos_url": format!("{url}/repos"),
            "events_url": format!("{url}/events"),
            "hooks_url": format!("{url}/hooks"),
            "issues_url": format!("{url}/issues"),
            "members_url": format!("{url}/members{{/member}}"),
            "public_members_url": format!("{url}/public_members{{/member}}"),
            "avatar_url": format!("{base}/avatars/{id}"),
            "description": "",
        })
    }

    pub(crate) fn organization_full_body(&self, id: Id) -> Value {
        let created_at = time(self.account_by_id(id).created_at);
        with(
            self.organization_body(id),
            json!({
                "html_url": format!("{}/{}", self.base_url, self.login(id)),
                "has_organization_projects": true, "has_repository_projects": true,
                "public_repos": 0, "public_gists": 0, "followers": 0, "following": 0,
                "type": "Organization", "created_at": created_at, "updated_at": created_at,
                "archived_at": null,
            }),
        )
    }

    pub(crate) fn team_body(&self, team: &Team) -> Value {
        let url = format!("{}/organizations/{}/team/{}", self.base_url, team.organization, team.id);
        let organization = self.login(team.organization);
        json!({
            "id": team.id,
            "node_id": node_id("T", team.id),
            "name": team.slug,
            "slug": team.slug,
            "description": "",
            "privacy": "closed",
            "notification_setting": "notifications_enabled",
            "permission": "push",
            "url": url,
            "html_url": format!("{}/orgs/{organization}/teams/{}", self.base_url, team.slug),
            "members_url": format!("{url}/members{{/member}}"),
            "repositories_url": format!("{url}/repos"),
            "type": "organization",
            "organization_id": team.organization,
            "parent": null,
        })
    }

    pub(crate) fn team_full_body(&self, team: &Team) -> Value {
        let created_at = time(self.account_by_id(team.organization).created_at);
        with(
            self.team_body(team),
            json!({
                "created_at": created_at, "updated_at": created_at, "members_count": 0,
                "repos_count": team.repositories.len(),
                "organization": self.organization_full_body(team.organization),
            }),
        )
    }

    pub(crate) fn app_body(&self) -> Value {
        let created_at = time(self.app.created_at);
        json!({
            "id": self.app.id,
            "slug": self.app.slug,
            "node_id": node_id("A", self.app.id),
            "client_id": self.app.client_id,
            "owner": self.account_body(self.app.owner),
            "name": self.app.slug,
            "description": "",
            "external_url": "https://example.com",
            "html_url": format!("{}/apps/{}", self.base_url, self.app.slug),
            "created_at": created_at,
            "updated_at": created_at,
            "permissions": self.app.permissions,
            "events": self.hooks.events,
        })
    }

    pub(crate) fn installation_body(&self, installation: &Installation) -> Value {
        let base = &self.base_url;
        let id = installation.id;
        let kind = self.account_by_id(installation.account).kind;
        let is_user = kind == AccountKind::User;
        json!({
            "id": id,
            "account": self.account_body(installation.account),
            "repository_selection": if installation.selected.is_some() { "selected" } else { "all" },
            "access_tokens_url": format!("{base}/app/installations/{id}/access_tokens"),
            "repositories_url": format!("{base}/installation/repositories"),
            "html_url": format!("{base}/settings/installations/{id}"),
            "app_id": self.app.id,
            "app_slug": self.app.slug,
            "target_id": installation.account,
            "target_type": if is_user { "User" } else { "Organization" },
            "permissions": installation.permissions,
            "events": self.hooks.events,
            "created_at": time(installation.created_at),
            "updated_at": time(installation.suspended_at.unwrap_or(installation.created_at)),
            "single_file_name": null,
            "has_multiple_single_files": false,
            "single_file_paths": [],
            "suspended_by": match installation.suspended_at {
                Some(_) => self.account_body(self.app.owner),
                None => Value::Null,
            },
            "suspended_at": maybe_time(installation.suspended_at),
        })
    }
}
