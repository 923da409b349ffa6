//! Proposing a change by git's own objects: for executable bits, which GraphQL has not, and for a
//! branch that was moved and is to be set again.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Error, GitHub, ProposalState};
use crate::domain::CommitSha;
use crate::domain::standing::{FileAddition, Proposal, Proposed};
use crate::github::shapes::unusable;

/// How many entries a tree is given at once: larger ones run into GitHub's time limit.
const CHUNK: usize = 100;

#[derive(Deserialize)]
struct Sha {
    sha: String,
}

#[derive(Deserialize)]
struct Commit {
    tree: Sha,
}

impl GitHub {
    /// Makes a proposal's commit and branch by REST, then the rest as [`GitHub::propose`] does. A
    /// branch that exists is set to the new commit, whatever it was before. The commit names no
    /// author, so that GitHub signs it as the App's.
    pub async fn propose_by_git_data(
        &self,
        proposal: &Proposal,
        state: ProposalState,
    ) -> Result<Proposed, Error> {
        if state.commit_exists {
            return self.propose(proposal, state).await;
        }
        let commit = self.commit(proposal).await?;
        self.set_branch(proposal, &commit, state.branch_exists).await?;
        let there = ProposalState { branch_exists: true, commit_exists: true };
        match self.propose(proposal, there).await {
            Ok(proposed) => Ok(Proposed { commit: Some(commit), ..proposed }),
            // The commit was made: that is an answer, and the words are kept beside it.
            Err(Error::Invalid { message, .. }) => {
                Ok(Proposed { commit: Some(commit), refused: vec![message], ..Proposed::default() })
            }
            Err(error) => Err(error),
        }
    }

    /// Writes a proposal's commit, which no branch points at yet. Signed as the App's.
    pub async fn commit(&self, proposal: &Proposal) -> Result<CommitSha, Error> {
        let tree = self.write_tree(proposal).await?;
        self.write_commit(proposal, &tree).await
    }

    async fn write_tree(&self, proposal: &Proposal) -> Result<String, Error> {
        let repository = &proposal.repository;
        let path = format!("/git/commits/{}", proposal.base_sha);
        let base: Commit = self.get(repository, format!("looking at {repository}"), &path).await?;
        let mut entries = Vec::new();
        for file in &proposal.changes.additions {
            entries.push(self.tree_entry(proposal, file).await?);
        }
        for path in &proposal.changes.deletions {
            entries.push(json!({ "path": path, "mode": "100644", "type": "blob", "sha": null }));
        }
        let mut tree = base.tree.sha;
        for chunk in entries.chunks(CHUNK) {
            let doing = format!("writing a tree in {repository}");
            let body = json!({ "base_tree": tree, "tree": chunk });
            let made: Sha = self.write(repository, Method::POST, doing, "/git/trees", body).await?;
            tree = made.sha;
        }
        Ok(tree)
    }

    /// Text goes into the tree as it is; other bytes need a blob first.
    async fn tree_entry(&self, proposal: &Proposal, file: &FileAddition) -> Result<Value, Error> {
        let mode = if file.executable { "100755" } else { "100644" };
        if let Ok(text) = std::str::from_utf8(&file.contents) {
            return Ok(json!({ "path": file.path, "mode": mode, "type": "blob", "content": text }));
        }
        let doing = format!("writing {} in {}", file.path, proposal.repository);
        let body =
            json!({ "content": BASE64_STANDARD.encode(&file.contents), "encoding": "base64" });
        let blob: Sha =
            self.write(&proposal.repository, Method::POST, doing, "/git/blobs", body).await?;
        Ok(json!({ "path": file.path, "mode": mode, "type": "blob", "sha": blob.sha }))
    }

    async fn write_commit(&self, proposal: &Proposal, tree: &str) -> Result<CommitSha, Error> {
        let doing = format!("writing a commit in {}", proposal.repository);
        let message = format!("{}\n\n{}", proposal.headline, proposal.message);
        let body = json!({
            "message": message.trim_end(), "tree": tree, "parents": [proposal.base_sha],
        });
        let made: Sha =
            self.write(&proposal.repository, Method::POST, &*doing, "/git/commits", body).await?;
        CommitSha::new(made.sha).map_err(unusable(&doing))
    }

    async fn set_branch(
        &self,
        proposal: &Proposal,
        commit: &CommitSha,
        exists: bool,
    ) -> Result<(), Error> {
        let repository = &proposal.repository;
        let doing = format!("setting {} in {repository}", proposal.branch);
        let _: Value = if exists {
            let branch = super::connection::encoded_path(proposal.branch.as_str());
            let path = format!("/git/refs/heads/{branch}");
            let body = json!({ "sha": commit, "force": true });
            self.write(repository, Method::PATCH, doing, &path, body).await?
        } else {
            let body = json!({ "ref": proposal.branch.qualified(), "sha": commit });
            self.write(repository, Method::POST, doing, "/git/refs", body).await?
        };
        Ok(())
    }
}
