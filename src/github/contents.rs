//! What stands in a repository: trees, files, texts.

use std::collections::VecDeque;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::connection::call::Effect;
use super::connection::{Call, Graph, encoded_path};
use super::trees::{BLOB_FIELDS, Blob, Entry, Tree, entries_to_depth};
use super::{Error, GitHub};
use crate::domain::standing::{FileMode, StandingFile};
use crate::domain::{BranchName, CommitSha, RepositoryName};

/// How many files are read by one query: GitHub gives a query ten seconds.
const CHUNK: usize = 50;

/// How many trees are read in a repository that is too large for one answer.
const MOST_TREES: usize = 200;

#[derive(Deserialize)]
struct RestTree {
    tree: Vec<RestEntry>,
    #[serde(default)]
    truncated: bool,
}

#[derive(Deserialize)]
struct RestEntry {
    path: String,
    sha: String,
    #[serde(rename = "type")]
    kind: String,
}

impl GitHub {
    /// The files among what was found: folders not yet looked into are, and texts that were cut
    /// short are read whole.
    pub(super) async fn files_of(
        &self,
        repository: &RepositoryName,
        sha: &CommitSha,
        entries: Vec<Entry>,
    ) -> Result<Vec<StandingFile>, Error> {
        let mut files = Vec::new();
        let mut waiting = VecDeque::from(entries);
        let mut trees = 0;
        while let Some(entry) = waiting.pop_front() {
            match entry {
                Entry::File { mut file, truncated } => {
                    if truncated {
                        file.text = self.read_blob(repository, &file.blob).await?;
                    }
                    files.push(file);
                }
                Entry::Folder { path } => {
                    trees += 1;
                    enough(trees, repository)?;
                    let tree = self.tree_at(repository, sha, &path).await?;
                    waiting.extend(tree.entries_below(&path));
                }
            }
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(files)
    }

    pub(super) async fn tree_at(
        &self,
        repository: &RepositoryName,
        sha: &CommitSha,
        path: &str,
    ) -> Result<Tree, Error> {
        let query = format!(
            "query Folder($owner: String!, $name: String!, $tree: String!) {{ \
             repository(owner: $owner, name: $name) {{ object0: object(expression: $tree) {{ \
             ... on Tree {{ {} }} }} }} }} {BLOB_FIELDS}",
            entries_to_depth(4)
        );
        let variables = json!({
            "owner": repository.owner(), "name": repository.name(), "tree": format!("{sha}:{path}"),
        });
        let doing = format!("looking at {path} in {repository}");
        let call = Call::graphql(&doing, Effect::Read, &query, &variables);
        let graph = self.graphql(repository, &call).await?;
        Ok(object_in::<Tree>(&graph, 0, &doing)?.unwrap_or_default())
    }

    /// The commit of a branch. `None` where there is no such branch.
    pub async fn branch_commit(
        &self,
        repository: &RepositoryName,
        branch: &BranchName,
    ) -> Result<Option<CommitSha>, Error> {
        #[derive(Deserialize)]
        struct Reference {
            object: Object,
        }
        #[derive(Deserialize)]
        struct Object {
            sha: CommitSha,
        }
        let doing = format!("looking at the branch {branch} of {repository}");
        // `git/ref`, not `git/refs`: that is where they are written.
        let path = format!("/git/ref/heads/{}", encoded_path(branch.as_str()));
        match self.get::<Reference>(repository, doing, &path).await {
            Ok(found) => Ok(Some(found.object.sha)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The kinds of rules that hold for a branch, which need not be there: `creation`, `update`, …
    pub async fn branch_rules(
        &self,
        repository: &RepositoryName,
        branch: &BranchName,
    ) -> Result<Vec<String>, Error> {
        #[derive(Deserialize)]
        struct Rule {
            #[serde(rename = "type")]
            kind: String,
        }
        let doing = format!("looking at the rules for {branch} in {repository}");
        let path = format!("/rules/branches/{}?per_page=100", encoded_path(branch.as_str()));
        let rules: Vec<Rule> = self.get(repository, doing, &path).await?;
        Ok(rules.into_iter().map(|rule| rule.kind).collect())
    }

    /// The paths of all `.towpath.yml` at a commit.
    pub async fn find_manifests(
        &self,
        repository: &RepositoryName,
        sha: &CommitSha,
    ) -> Result<Vec<String>, Error> {
        let mut found = Vec::new();
        let mut waiting = VecDeque::from([(String::new(), sha.as_str().to_owned(), true)]);
        let mut trees = 0;
        while let Some((folder, tree, recursive)) = waiting.pop_front() {
            trees += 1;
            enough(trees, repository)?;
            let answer = self.rest_tree(repository, &tree, recursive).await?;
            if answer.truncated && recursive {
                // Too large for one answer: this folder alone, then each one in it.
                waiting.push_back((folder, tree, false));
                continue;
            }
            for entry in answer.tree {
                let path = Entry::joined(&folder, &entry.path);
                match entry.kind.as_str() {
                    "tree" if !recursive => waiting.push_back((path, entry.sha, true)),
                    "blob" if is_manifest(&path) => found.push(path),
                    _ => {}
                }
            }
        }
        found.sort();
        Ok(found)
    }

    async fn rest_tree(
        &self,
        repository: &RepositoryName,
        sha: &str,
        recursive: bool,
    ) -> Result<RestTree, Error> {
        let doing = format!("looking for what was made in {repository}");
        // Any value of `recursive` means yes, even `0`.
        let query = if recursive { "?recursive=1" } else { "" };
        self.get(repository, doing, &format!("/git/trees/{sha}{query}")).await
    }

    /// The texts of files at a commit, by path. What is not there, or is no text, is left out.
    pub async fn read_texts(
        &self,
        repository: &RepositoryName,
        sha: &CommitSha,
        paths: &[String],
    ) -> Result<Vec<(String, String)>, Error> {
        let expressions: Vec<_> = paths.iter().map(|path| format!("{sha}:{path}")).collect();
        let kind = Object { argument: "expression", scalar: "String!" };
        let texts = self.objects(repository, kind, &expressions).await?;
        Ok(paths.iter().cloned().zip(texts).filter_map(|(p, text)| Some((p, text?))).collect())
    }

    /// The texts of blobs, by id. What is not there any more, or is no text, is left out.
    pub async fn read_blobs(
        &self,
        repository: &RepositoryName,
        blobs: &[String],
    ) -> Result<Vec<(String, String)>, Error> {
        let kind = Object { argument: "oid", scalar: "GitObjectID!" };
        let texts = self.objects(repository, kind, blobs).await?;
        Ok(blobs.iter().cloned().zip(texts).filter_map(|(b, text)| Some((b, text?))).collect())
    }

    async fn objects(
        &self,
        repository: &RepositoryName,
        kind: Object,
        names: &[String],
    ) -> Result<Vec<Option<String>>, Error> {
        let doing = format!("reading files in {repository}");
        let mut texts = Vec::with_capacity(names.len());
        for chunk in names.chunks(CHUNK) {
            let (query, variables) = kind.query(repository, chunk);
            let call = Call::graphql(&doing, Effect::Read, &query, &variables);
            let graph = self.graphql(repository, &call).await?;
            for n in 0..chunk.len() {
                let blob = object_in::<Blob>(&graph, n, &doing)?.unwrap_or_default();
                texts.push(match blob.entry(String::new(), FileMode::Regular) {
                    Some(Entry::File { file, truncated: true }) => {
                        self.read_blob(repository, &file.blob).await?
                    }
                    Some(Entry::File { file, .. }) => file.text,
                    _ => None,
                });
            }
        }
        Ok(texts)
    }

    /// A blob's text by REST, which cuts nothing short. `None` where it is no text.
    async fn read_blob(
        &self,
        repository: &RepositoryName,
        blob: &str,
    ) -> Result<Option<String>, Error> {
        Ok(String::from_utf8(self.blob_bytes(repository, blob).await?).ok())
    }

    /// All of a blob, whatever it is.
    pub(super) async fn blob_bytes(
        &self,
        repository: &RepositoryName,
        blob: &str,
    ) -> Result<Vec<u8>, Error> {
        #[derive(Deserialize)]
        struct RestBlob {
            content: String,
        }
        let doing = format!("reading a large file in {repository}");
        let found: RestBlob = self.get(repository, &doing, &format!("/git/blobs/{blob}")).await?;
        let joined: String = found.content.split_whitespace().collect();
        BASE64_STANDARD.decode(joined).map_err(|_| Error::Unexpected {
            doing,
            reason: "a blob that is not in base64".to_owned(),
        })
    }
}

/// By what objects are asked for.
struct Object {
    argument: &'static str,
    scalar: &'static str,
}

impl Object {
    fn query(&self, repository: &RepositoryName, names: &[String]) -> (String, Value) {
        let Self { argument, scalar } = self;
        let (mut parameters, mut fields, mut variables) =
            (String::new(), String::new(), Map::new());
        for (n, name) in names.iter().enumerate() {
            let _ = write!(parameters, ", $object{n}: {scalar}");
            let _ = write!(fields, " object{n}: object({argument}: $object{n}) {{ ...Blob }}");
            variables.insert(format!("object{n}"), json!(name));
        }
        variables.insert("owner".to_owned(), json!(repository.owner()));
        variables.insert("name".to_owned(), json!(repository.name()));
        let query = format!(
            "query Read($owner: String!, $name: String!{parameters}) {{ \
             repository(owner: $owner, name: $name) {{{fields} }} }} {BLOB_FIELDS}"
        );
        (query, Value::Object(variables))
    }
}

/// The numbered object of an answer. One that is not there is `None`.
pub(super) fn object_in<T: for<'a> Deserialize<'a>>(
    graph: &Graph,
    n: usize,
    doing: &str,
) -> Result<Option<T>, Error> {
    // What is not there is null without an error; what could not be read is not to pass for that.
    if let Some(error) = graph.errors_at("repository").next() {
        return Err(error.as_failure_of(doing));
    }
    let repository = &graph.data["repository"];
    if repository.is_null() {
        return Err(Error::NotFound { doing: doing.to_owned() });
    }
    Option::<T>::deserialize(&repository[format!("object{n}")])
        .map_err(|error| Error::Unexpected { doing: doing.to_owned(), reason: error.to_string() })
}

fn is_manifest(path: &str) -> bool {
    path.rsplit('/').next() == Some(".towpath.yml")
}

fn enough(trees: usize, repository: &RepositoryName) -> Result<(), Error> {
    if trees <= MOST_TREES {
        return Ok(());
    }
    let doing = format!("looking at the folders of {repository}");
    Err(Error::Invalid { doing, message: format!("more than {MOST_TREES} folders") })
}
