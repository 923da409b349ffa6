//! Commits in their four forms, changed files, tree entries and contents.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::DateTime;
use git2::Commit;
use serde_json::{Value, json};

use super::{node_id, time, with};
use crate::sandbox::github::git::{FileDifference, Git};
use crate::sandbox::github::refusal::Answered;
use crate::sandbox::github::state::{Id, Repository, World};

impl World {
    /// A commit as the git database shows it.
    pub(crate) fn git_commit_body(
        &self,
        repository: &Repository,
        git: &Git,
        sha: &str,
    ) -> Answered<Value> {
        let commit = git.commit(sha)?;
        let url = self.repository_url(repository);
        let page = self.repository_page(repository);
        let parents: Vec<Value> = commit
            .parent_ids()
            .map(|id| {
                json!({
                    "sha": id.to_string(),
                    "url": format!("{url}/git/commits/{id}"),
                    "html_url": format!("{page}/commit/{id}"),
                })
            })
            .collect();
        Ok(json!({
            "sha": sha,
            "node_id": node_id("C", format!("{}_{sha}", repository.id)),
            "url": format!("{url}/git/commits/{sha}"),
            "html_url": format!("{page}/commit/{sha}"),
            "author": signature(&commit.author()),
            "committer": signature(&commit.committer()),
            "tree": tree(&url, &commit),
            "message": commit.message().unwrap_or_default(),
            "parents": parents,
            "verification": Self::verification(repository, &commit),
        }))
    }

    /// A commit as the pages of a repository show it, with its author's account.
    pub(crate) fn commit_body(
        &self,
        repository: &Repository,
        git: &Git,
        sha: &str,
    ) -> Answered<Value> {
        let commit = git.commit(sha)?;
        let url = self.repository_url(repository);
        let page = self.repository_page(repository);
        let parents: Vec<Value> = commit
            .parent_ids()
            .map(|id| {
                json!({
                    "sha": id.to_string(),
                    "url": format!("{url}/commits/{id}"),
                    "html_url": format!("{page}/commit/{id}"),
                })
            })
            .collect();
        Ok(json!({
            "sha": sha,
            "node_id": node_id("C", format!("{}_{sha}", repository.id)),
            "url": format!("{url}/commits/{sha}"),
            "html_url": format!("{page}/commit/{sha}"),
            "comments_url": format!("{url}/commits/{sha}/comments"),
            "commit": {
                "author": signature(&commit.author()),
                "committer": signature(&commit.committer()),
                "message": commit.message().unwrap_or_default(),
                "tree": tree(&url, &commit),
                "url": format!("{url}/git/commits/{sha}"),
                "comment_count": 0,
                "verification": Self::verification(repository, &commit),
            },
            "author": self.maybe_account_body(self.author_of(&commit)),
            "committer": self.maybe_account_body(self.author_of(&commit)),
            "parents": parents,
        }))
    }

    /// The short form that runs carry.
    pub(crate) fn head_commit_body(git: &Git, sha: &str) -> Answered<Value> {
        let commit = git.commit(sha)?;
        let (author, committer) = (commit.author(), commit.committer());
        Ok(json!({
            "id": sha,
            "tree_id": commit.tree_id().to_string(),
            "message": commit.message().unwrap_or_default(),
            "timestamp": signature(&committer)["date"],
            "author": {"name": author.name(), "email": author.email()},
            "committer": {"name": committer.name(), "email": committer.email()},
        }))
    }

    /// The form that push events carry, with the paths it touched.
    pub(crate) fn pushed_commit_body(
        &self,
        repository: &Repository,
        git: &Git,
        sha: &str,
    ) -> Answered<Value> {
        let commit = git.commit(sha)?;
        let from = commit
            .parent_id(0)
            .map_or(crate::sandbox::github::git::ZERO.to_owned(), |id| id.to_string());
        let files = git.differences(&from, sha)?;
        let paths = |status: &str| -> Vec<&str> {
            files.iter().filter(|it| it.status == status).map(|it| it.path.as_str()).collect()
        };
        let url = format!("{}/commit/{sha}", self.repository_page(repository));
        let body = with(
            Self::head_commit_body(git, sha)?,
            json!({"distinct": true, "url": url, "added": paths("added"),
                   "removed": paths("removed"), "modified": paths("modified")}),
        );
        Ok(body)
    }

    fn author_of(&self, commit: &Commit<'_>) -> Option<Id> {
        let name = commit.author().name()?.to_owned();
        Some(self.find_account(&name)?.id)
    }

    fn verification(repository: &Repository, commit: &Commit<'_>) -> Value {
        if !repository.verified.contains(&commit.id().to_string()) {
            return json!({"verified": false, "reason": "unsigned", "signature": null,
                          "payload": null, "verified_at": null});
        }
        json!({
            "verified": true,
            "reason": "valid",
            "signature": "-----BEGIN PGP SIGNATURE-----\n\nsandbox\n-----END PGP SIGNATURE-----\n",
            "payload": String::from_utf8_lossy(commit.raw_header_bytes()),
            "verified_at": signature(&commit.committer())["date"],
        })
    }

    pub(crate) fn file_body(
        &self,
        repository: &Repository,
        sha: &str,
        file: &FileDifference,
    ) -> Value {
        let url = self.repository_url(repository);
        let page = self.repository_page(repository);
        let path = &file.path;
        let mut body = json!({
            "sha": file.blob,
            "filename": path,
            "status": file.status,
            "additions": file.additions,
            "deletions": file.deletions,
            "changes": file.additions + file.deletions,
            "blob_url": format!("{page}/blob/{sha}/{path}"),
            "raw_url": format!("{page}/raw/{sha}/{path}"),
            "contents_url": format!("{url}/contents/{path}?ref={sha}"),
            "patch": file.patch,
        });
        if let Some(previous) = &file.previous {
            body["previous_filename"] = json!(previous);
        }
        body
    }

    /// One entry of a contents answer; bytes only for a single file.
    pub(crate) fn contents_body(
        &self,
        repository: &Repository,
        reference: &str,
        path: &str,
        (kind, oid, size): (&str, &str, usize),
    ) -> Value {
        let url = self.repository_url(repository);
        let page = self.repository_page(repository);
        let this = format!("{url}/contents/{path}?ref={reference}");
        let is_folder = kind == "tree";
        let git = format!("{url}/git/{}s/{oid}", if is_folder { "tree" } else { "blob" });
        let html = format!("{page}/{}/{reference}/{path}", if is_folder { "tree" } else { "blob" });
        json!({
            "name": path.rsplit('/').next().unwrap_or(path),
            "path": path,
            "sha": oid,
            "size": size,
            "url": this,
            "html_url": html,
            "git_url": git,
            "download_url": if is_folder { Value::Null } else { json!(format!("{page}/raw/{reference}/{path}")) },
            "type": if is_folder { "dir" } else { "file" },
            "_links": {"self": this, "git": git, "html": html},
        })
    }
}

/// Base64 with the line breaks that GitHub puts in.
pub(crate) fn wrapped_base64(bytes: &[u8]) -> String {
    let text = STANDARD.encode(bytes);
    let mut wrapped = String::new();
    for (index, letter) in text.chars().enumerate() {
        wrapped.push(letter);
        if index % 60 == 59 {
            wrapped.push('\n');
        }
    }
    wrapped.push('\n');
    wrapped
}

fn tree(url: &str, commit: &Commit<'_>) -> Value {
    let id = commit.tree_id();
    json!({"sha": id.to_string(), "url": format!("{url}/git/trees/{id}")})
}

fn signature(who: &git2::Signature<'_>) -> Value {
    let at = DateTime::from_timestamp(who.when().seconds(), 0).unwrap_or_default();
    json!({"name": who.name().unwrap_or_default(), "email": who.email().unwrap_or_default(), "date": time(at)})
}
