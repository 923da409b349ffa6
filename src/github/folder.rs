//! A folder of a repository as it stands at a commit, and the commit that a name leads to.

use serde::Deserialize;
use serde_json::json;

use super::connection::Call;
use super::connection::call::Effect;
use super::contents::object_in;
use super::shapes::{Oid, PULL_FIELDS, Pull, unusable};
use super::{Error, GitHub};
use crate::domain::observation::PullRequestSeen;
use crate::domain::standing::FileMode;
use crate::domain::{BranchName, CommitSha, RepositoryName};

/// A file of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderFile {
    /// Below the folder, with `/`.
    pub path: String,
    /// All of it; nothing of a link or a submodule.
    pub contents: Vec<u8>,
    /// Git's mode.
    pub mode: FileMode,
}

#[derive(Deserialize)]
struct Pulls {
    nodes: Vec<Pull>,
}

impl GitHub {
    /// The commit that a branch, a tag or a commit's name leads to; without one, the default
    /// branch's.
    pub async fn commit_of(
        &self,
        repository: &RepositoryName,
        reference: Option<&str>,
    ) -> Result<CommitSha, Error> {
        let name = reference.unwrap_or("HEAD");
        let doing = format!("looking for {name} in {repository}");
        let query = "query Commit($owner: String!, $name: String!, $commit: String!) { \
                     repository(owner: $owner, name: $name) { object0: object(expression: $commit) \
                     { ... on Commit { oid } } } }";
        let variables = json!({
            "owner": repository.owner(), "name": repository.name(),
            "commit": format!("{name}^{{commit}}"),
        });
        let call = Call::graphql(&doing, Effect::Read, query, &variables);
        let graph = self.graphql(repository, &call).await?;
        let found = object_in::<Oid>(&graph, 0, &doing)?;
        let found = found.ok_or_else(|| Error::NotFound { doing: doing.clone() })?;
        CommitSha::new(found.oid).map_err(unusable(&doing))
    }

    /// Every file of a folder at a commit; an empty path is all of the repository. One query, for a
    /// folder that is at most four levels deep and holds text.
    pub async fn read_folder(
        &self,
        repository: &RepositoryName,
        commit: &CommitSha,
        folder: &str,
    ) -> Result<Vec<FolderFile>, Error> {
        let tree = self.tree_at(repository, commit, folder).await?;
        let found = self.files_of(repository, commit, tree.entries_below(folder)).await?;
        let mut files = Vec::with_capacity(found.len());
        for file in found {
            let below = file.path.strip_prefix(folder).map(|rest| rest.trim_start_matches('/'));
            let Some(path) = below.filter(|path| !path.is_empty()) else { continue };
            let is_file = matches!(file.mode, FileMode::Regular | FileMode::Executable);
            let contents = match file.text {
                Some(text) => text.into_bytes(),
                None if is_file => self.blob_bytes(repository, &file.blob).await?,
                None => Vec::new(),
            };
            files.push(FolderFile { path: path.to_owned(), contents, mode: file.mode });
        }
        if files.is_empty() {
            let doing = format!("reading the folder `{folder}` of {repository} at {commit}");
            return Err(Error::NotFound { doing });
        }
        Ok(files)
    }

    /// The open pull requests to a branch, those of forks left out: the newest hundred.
    pub async fn open_pull_requests(
        &self,
        repository: &RepositoryName,
        base: &BranchName,
    ) -> Result<Vec<PullRequestSeen>, Error> {
        let doing = format!("looking at the pull requests of {repository}");
        let query = format!(
            "query OpenPullRequests($owner: String!, $name: String!, $base: String!) {{ \
             repository(owner: $owner, name: $name) {{ pullRequests(first: 100, states: [OPEN], \
             baseRefName: $base, orderBy: {{field: CREATED_AT, direction: DESC}}) \
             {{ nodes {{ ...Pull }} }} }} }} {PULL_FIELDS}"
        );
        let variables = json!({
            "owner": repository.owner(), "name": repository.name(), "base": base.as_str(),
        });
        let call = Call::graphql(&doing, Effect::Read, &query, &variables);
        let graph = self.graphql(repository, &call).await?;
        if let Some(error) = graph.errors_at("repository").next() {
            return Err(error.as_failure_of(&doing));
        }
        let found = &graph.data["repository"]["pullRequests"];
        let found = Pulls::deserialize(found).map_err(|error| Error::Unexpected {
            doing: doing.clone(),
            reason: error.to_string(),
        })?;
        let own = found.nodes.into_iter().filter(|pull| !pull.is_cross_repository);
        own.map(|pull| pull.seen(repository).map_err(unusable(&doing))).collect()
    }
}
