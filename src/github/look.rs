//! One look at the target of a change: the repository, the base, what stands at the path, the
//! run's own branch and pull request, labels and reviewers. One query.

use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::connection::call::Effect;
use super::connection::{Call, Graph, GraphqlError};
use super::shapes::{Oid, PULL_FIELDS, Pull, unusable};
use super::trees::{BLOB_FIELDS, Tree, entries_to_depth};
use super::{Error, GitHub};
use crate::domain::standing::{ReviewerId, Standing};
use crate::domain::{BranchName, CommitSha, RepositoryName};

/// How many folders deep the first look goes. Deeper ones cost one more query each.
const DEPTH: usize = 4;

/// What is asked of a target.
#[derive(Debug, Clone, Copy)]
pub struct TargetQuestion<'a> {
    /// Where.
    pub repository: &'a RepositoryName,
    /// Into which branch; the default branch, where none is named.
    pub base: Option<&'a BranchName>,
    /// The folder that is of interest, without `/` at its ends; empty is all.
    pub path: &'a str,
    /// The run's own branch.
    pub branch: &'a BranchName,
    /// Labels by name.
    pub labels: &'a [String],
    /// Reviewers: `octocat`, `@acme/devops`.
    pub reviewers: &'a [String],
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Repository {
    id: String,
    name_with_owner: RepositoryName,
    base: Option<Reference>,
    own: Option<Reference>,
    tree: Option<Tree>,
    pull_requests: Pulls,
}

#[derive(Deserialize)]
struct Reference {
    name: String,
    target: Option<Oid>,
}

#[derive(Deserialize)]
struct Pulls {
    nodes: Vec<Pull>,
}

impl GitHub {
    /// Looks at the target of a change. A label or reviewer that is not there is left out; a
    /// repository or base branch that is not there is an error.
    pub async fn look_at_target(&self, question: TargetQuestion<'_>) -> Result<Standing, Error> {
        let repository = question.repository;
        let doing = format!("looking at {repository}");
        let (query, variables) = query_for(&question);
        let call = Call::graphql(&doing, Effect::Read, &query, &variables);
        let graph = self.graphql(repository, &call).await?;
        let found = found_in(&graph, &doing)?;
        let (base, base_sha) = base_of(&found, &question, &doing)?;
        let now = &found.name_with_owner;
        let own_pull_request = newest_own(found.pull_requests.nodes)
            .map(|pull| pull.seen(now))
            .transpose()
            .map_err(unusable(&doing))?;
        let entries = found.tree.map(|tree| tree.entries_below(question.path)).unwrap_or_default();
        Ok(Standing {
            files: self.files_of(repository, &base_sha, entries).await?,
            own_branch: found.own.map(|own| sha_of(own, &doing)).transpose()?,
            own_pull_request,
            labels: labels_in(&graph, question.labels),
            reviewers: reviewers_in(&graph, question.reviewers),
            repository: found.name_with_owner,
            repository_node_id: found.id,
            base,
            base_sha,
        })
    }
}

/// The document and its variables. What people named goes into variables only.
fn query_for(question: &TargetQuestion<'_>) -> (String, Value) {
    let mut parameters = String::new();
    let mut variables = Map::new();
    let mut ask = |name: String, value: &str| {
        let _ = write!(parameters, ", ${name}: String!");
        variables.insert(name, json!(value));
    };
    ask("own".to_owned(), &question.branch.qualified());
    ask("head".to_owned(), question.branch.as_str());
    let base = match question.base {
        Some(base) => {
            ask("base".to_owned(), &base.qualified());
            "base: ref(qualifiedName: $base)"
        }
        None => "base: defaultBranchRef",
    };
    let start = question.base.map_or("HEAD".to_owned(), BranchName::qualified);
    ask("tree".to_owned(), &format!("{start}:{}", question.path));

    let mut labels = String::new();
    for (n, label) in question.labels.iter().enumerate() {
        ask(format!("label{n}"), label);
        let _ = write!(labels, " label{n}: label(name: $label{n}) {{ id name }}");
    }
    let mut reviewers = String::new();
    for (n, reviewer) in question.reviewers.iter().enumerate() {
        let plain = reviewer.trim_start_matches('@');
        if let Some((organisation, team)) = plain.split_once('/') {
            ask(format!("organisation{n}"), organisation);
            ask(format!("team{n}"), team);
            let _ = write!(
                reviewers,
                " reviewer{n}: organization(login: $organisation{n}) {{ \
                 team(slug: $team{n}) {{ id }} }}"
            );
        } else {
            ask(format!("user{n}"), plain);
            let _ = write!(reviewers, " reviewer{n}: user(login: $user{n}) {{ id }}");
        }
    }
    let query = format!(
        "query Look($owner: String!, $name: String!{parameters}) {{ \
         repository(owner: $owner, name: $name) {{ id nameWithOwner \
         {base} {{ name target {{ oid }} }} \
         own: ref(qualifiedName: $own) {{ name target {{ oid }} }} \
         tree: object(expression: $tree) {{ ...Blob ... on Tree {{ {entries} }} }} \
         pullRequests(headRefName: $head, first: 10, \
         orderBy: {{ field: CREATED_AT, direction: DESC }}) {{ nodes {{ ...Pull }} }}{labels} \
         }}{reviewers} }} {PULL_FIELDS} {BLOB_FIELDS}",
        entries = entries_to_depth(DEPTH),
    );
    variables.insert("owner".to_owned(), json!(question.repository.owner()));
    variables.insert("name".to_owned(), json!(question.repository.name()));
    (query, Value::Object(variables))
}

/// The repository in the answer. An error below a reviewer is only one who is not there.
fn found_in(graph: &Graph, doing: &str) -> Result<Repository, Error> {
    // Not so a label. But a tree or a branch that could not be read is not one that is not there.
    let telling = |error: &&GraphqlError| !error.below().is_some_and(|f| f.starts_with("label"));
    if let Some(error) = graph.errors_at("repository").find(telling) {
        return Err(error.as_failure_of(doing));
    }
    let found = graph.data.get("repository").filter(|found| !found.is_null());
    let found = found.ok_or_else(|| Error::NotFound { doing: doing.to_owned() })?;
    Repository::deserialize(found)
        .map_err(|error| Error::Unexpected { doing: doing.to_owned(), reason: error.to_string() })
}

fn base_of(
    found: &Repository,
    question: &TargetQuestion<'_>,
    doing: &str,
) -> Result<(BranchName, CommitSha), Error> {
    let repository = &found.name_with_owner;
    let target = found.base.as_ref().and_then(|base| Some((&base.name, base.target.as_ref()?)));
    let Some((name, target)) = target else {
        let Some(base) = question.base else {
            return Err(Error::Empty { repository: repository.to_string() });
        };
        let message = format!("{repository} has no branch {base}");
        return Err(Error::Invalid { doing: doing.to_owned(), message });
    };
    let base = BranchName::new(name.as_str()).map_err(unusable(doing))?;
    Ok((base, CommitSha::new(target.oid.as_str()).map_err(unusable(doing))?))
}

fn sha_of(reference: Reference, doing: &str) -> Result<CommitSha, Error> {
    let oid = reference.target.map(|target| target.oid).unwrap_or_default();
    CommitSha::new(oid).map_err(unusable(doing))
}

/// The open one, else the newest.
fn newest_own(pulls: Vec<Pull>) -> Option<Pull> {
    let mut own: Vec<Pull> = pulls.into_iter().filter(|pull| !pull.is_cross_repository).collect();
    let open = own.iter().position(Pull::is_open).unwrap_or(0);
    (!own.is_empty()).then(|| own.swap_remove(open))
}

fn labels_in(graph: &Graph, asked: &[String]) -> Vec<(String, String)> {
    let id = |n: usize| graph.data["repository"][format!("label{n}")]["id"].as_str();
    let found = asked.iter().enumerate();
    found.filter_map(|(n, name)| Some((name.clone(), id(n)?.to_owned()))).collect()
}

fn reviewers_in(graph: &Graph, asked: &[String]) -> Vec<(String, ReviewerId)> {
    let id = |n: usize| {
        let found = &graph.data[format!("reviewer{n}")];
        let user = found["id"].as_str().map(|id| ReviewerId::User(id.to_owned()));
        user.or_else(|| Some(ReviewerId::Team(found["team"]["id"].as_str()?.to_owned())))
    };
    asked.iter().enumerate().filter_map(|(n, name)| Some((name.clone(), id(n)?))).collect()
}
