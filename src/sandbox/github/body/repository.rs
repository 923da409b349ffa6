//! Repositories, labels and references.

use serde_json::{Map, Value, json};

use super::{node_id, time, with};
use crate::sandbox::github::state::{Label, Repository, World};

/// Fields that are the repository's API URL with something behind it.
const LINKS: [(&str, &str); 37] = [
    ("url", ""),
    ("archive_url", "/{archive_format}{/ref}"),
    ("assignees_url", "/assignees{/user}"),
    ("blobs_url", "/git/blobs{/sha}"),
    ("branches_url", "/branches{/branch}"),
    ("collaborators_url", "/collaborators{/collaborator}"),
    ("comments_url", "/comments{/number}"),
    ("commits_url", "/commits{/sha}"),
    ("compare_url", "/compare/{base}...{head}"),
    ("contents_url", "/contents/{+path}"),
    ("contributors_url", "/contributors"),
    ("deployments_url", "/deployments"),
    ("downloads_url", "/downloads"),
    ("events_url", "/events"),
    ("forks_url", "/forks"),
    ("git_commits_url", "/git/commits{/sha}"),
    ("git_refs_url", "/git/refs{/sha}"),
    ("git_tags_url", "/git/tags{/sha}"),
    ("hooks_url", "/hooks"),
    ("issue_comment_url", "/issues/comments{/number}"),
    ("issue_events_url", "/issues/events{/number}"),
    ("issues_url", "/issues{/number}"),
    ("keys_url", "/keys{/key_id}"),
    ("labels_url", "/labels{/name}"),
    ("languages_url", "/languages"),
    ("merges_url", "/merges"),
    ("milestones_url", "/milestones{/number}"),
    ("notifications_url", "/notifications{?since,all,participating}"),
    ("pulls_url", "/pulls{/number}"),
    ("releases_url", "/releases{/id}"),
    ("stargazers_url", "/stargazers"),
    ("statuses_url", "/statuses/{sha}"),
    ("subscribers_url", "/subscribers"),
    ("subscription_url", "/subscription"),
    ("tags_url", "/tags"),
    ("teams_url", "/teams"),
    ("trees_url", "/git/trees{/sha}"),
];

impl World {
    pub(crate) fn repository_url(&self, repository: &Repository) -> String {
        format!("{}/repos/{}", self.base_url, repository.full_name)
    }

    pub(crate) fn repository_page(&self, repository: &Repository) -> String {
        format!("{}/{}", self.base_url, repository.full_name)
    }

    /// The short form, as runs carry it.
    pub(crate) fn repository_minimal_body(&self, repository: &Repository) -> Value {
        let url = self.repository_url(repository);
        let mut links = Map::new();
        for (field, path) in LINKS {
            links.insert(field.to_owned(), json!(format!("{url}{path}")));
        }
        with(
            json!({
                "id": repository.id,
                "node_id": node_id("R", repository.id),
                "name": repository.name,
                "full_name": repository.full_name,
                "private": repository.private,
                "owner": self.account_body(repository.owner),
                "html_url": self.repository_page(repository),
                "description": repository.description,
                "fork": false,
            }),
            Value::Object(links),
        )
    }

    pub(crate) fn repository_body(&self, repository: &Repository) -> Value {
        let page = self.repository_page(repository);
        let name = &repository.full_name;
        with(
            self.repository_minimal_body(repository),
            json!({
                "created_at": time(repository.created_at),
                "updated_at": time(repository.pushed_at),
                "pushed_at": time(repository.pushed_at),
                "clone_url": format!("{page}.git"),
                "git_url": format!("git://sandbox/{name}.git"),
                "ssh_url": format!("git@sandbox:{name}.git"),
                "svn_url": page,
                "mirror_url": null,
                "homepage": null,
                "language": null,
                "license": null,
                "size": 1,
                "stargazers_count": 0, "watchers_count": 0, "forks_count": 0,
                "open_issues_count": 0, "forks": 0, "open_issues": 0, "watchers": 0,
                "has_issues": true, "has_projects": true, "has_downloads": true,
                "has_wiki": true, "has_pages": false, "has_discussions": false,
                "archived": false,
                "disabled": false,
                "allow_forking": true,
                "is_template": repository.is_template,
                "web_commit_signoff_required": false,
                "topics": [],
                "visibility": if repository.private { "private" } else { "public" },
                "default_branch": repository.default_branch,
            }),
        )
    }

    /// What `GET /repos/{owner}/{repo}` adds.
    pub(crate) fn repository_full_body(&self, repository: &Repository) -> Value {
        with(
            self.repository_body(repository),
            json!({
                "network_count": 0,
                "subscribers_count": 0,
                "allow_auto_merge": repository.allow_auto_merge,
                "allow_squash_merge": true,
                "allow_merge_commit": true,
                "allow_rebase_merge": true,
                "delete_branch_on_merge": false,
            }),
        )
    }

    pub(crate) fn label_body(&self, repository: &Repository, label: &Label) -> Value {
        json!({
            "id": label.id,
            "node_id": node_id("LA", label.id),
            "url": format!("{}/labels/{}", self.repository_url(repository), label.name),
            "name": label.name,
            "color": label.color,
            "default": false,
            "description": label.description.as_deref().unwrap_or_default(),
        })
    }

    pub(crate) fn reference_body(&self, repository: &Repository, name: &str, sha: &str) -> Value {
        let url = self.repository_url(repository);
        json!({
            "ref": name,
            "node_id": node_id("REF", format!("{}_{}", repository.id, hex::encode(name))),
            "url": format!("{url}/git/{name}"),
            "object": {
                "sha": sha,
                "type": "commit",
                "url": format!("{url}/git/commits/{sha}"),
            },
        })
    }
}
