//! Proposing a change: branch, commit, pull request and new labels in one mutation document.
//!
//! The parts are done in order and are no transaction. What was done is answered beside what was
//! refused; the next attempt looks, and sends the rest.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::connection::call::Effect;
use super::connection::{Call, Graph};
use super::shapes::{Oid, PULL_FIELDS, Pull, unusable};
use super::{Error, GitHub};
use crate::domain::CommitSha;
use crate::domain::standing::{Proposal, Proposed};

/// The colour of labels that are made: GitHub asks for one.
const LABEL_COLOR: &str = "ededed";

/// What of a proposal is there already, and is not to be made again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ProposalState {
    /// The branch.
    pub branch_exists: bool,
    /// The commit on it.
    pub commit_exists: bool,
}

impl GitHub {
    /// Makes what is not there yet of a proposal. A file's executable bit is not kept: see
    /// [`GitHub::propose_by_git_data`].
    pub async fn propose(
        &self,
        proposal: &Proposal,
        state: ProposalState,
    ) -> Result<Proposed, Error> {
        let doing = format!("proposing {} in {}", proposal.branch, proposal.repository);
        let (query, variables) = document(proposal, state);
        let call = Call::graphql(&doing, Effect::Write, &query, &variables);
        let graph = self.graphql(&proposal.repository, &call).await?;
        outcome(proposal, state, &graph, &doing)
    }
}

fn document(proposal: &Proposal, state: ProposalState) -> (String, Value) {
    let mut parameters = Vec::new();
    let mut fields = Vec::new();
    let mut variables = Map::new();
    let mut part = |name: &str, kind: &str, field: String, input: Value| {
        parameters.push(format!("${name}: {kind}!"));
        fields.push(field);
        variables.insert(name.to_owned(), input);
    };
    if !state.branch_exists && !state.commit_exists {
        let field = "createRef(input: $ref) { ref { name } }".to_owned();
        part("ref", "CreateRefInput", field, branch_input(proposal));
    }
    if !state.commit_exists {
        let field = "createCommitOnBranch(input: $commit) { commit { oid } }".to_owned();
        part("commit", "CreateCommitOnBranchInput", field, commit_input(proposal));
    }
    let field = "createPullRequest(input: $pull) { pullRequest { ...Pull } }".to_owned();
    part("pull", "CreatePullRequestInput", field, pull_input(proposal));
    for (n, label) in proposal.new_labels.iter().enumerate() {
        let field = format!("label{n}: createLabel(input: $label{n}) {{ label {{ id name }} }}");
        let input = json!({
            "repositoryId": proposal.repository_node_id, "name": label, "color": LABEL_COLOR,
        });
        part(&format!("label{n}"), "CreateLabelInput", field, input);
    }
    let query = format!(
        "mutation Propose({}) {{ {} }} {PULL_FIELDS}",
        parameters.join(", "),
        fields.join(" ")
    );
    (query, Value::Object(variables))
}

fn branch_input(proposal: &Proposal) -> Value {
    json!({
        "repositoryId": proposal.repository_node_id,
        "name": proposal.branch.qualified(),
        "oid": proposal.base_sha,
    })
}

fn commit_input(proposal: &Proposal) -> Value {
    let additions: Vec<_> = proposal
        .changes
        .additions
        .iter()
        .map(
            |file| json!({ "path": file.path, "contents": BASE64_STANDARD.encode(&file.contents) }),
        )
        .collect();
    let deletions: Vec<_> =
        proposal.changes.deletions.iter().map(|path| json!({ "path": path })).collect();
    json!({
        "branch": {
            "repositoryNameWithOwner": proposal.repository,
            "branchName": proposal.branch,
        },
        "expectedHeadOid": proposal.base_sha,
        "message": { "headline": proposal.headline, "body": proposal.message },
        "fileChanges": { "additions": additions, "deletions": deletions },
    })
}

fn pull_input(proposal: &Proposal) -> Value {
    json!({
        "repositoryId": proposal.repository_node_id,
        "baseRefName": proposal.base,
        "headRefName": proposal.branch,
        "title": proposal.title,
        "body": proposal.body,
        "draft": proposal.draft,
    })
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Made {
    create_commit_on_branch: Option<Commit>,
    create_pull_request: Option<PullMade>,
}

#[derive(Deserialize)]
struct Commit {
    commit: Option<Oid>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PullMade {
    pull_request: Option<Pull>,
}

fn outcome(
    proposal: &Proposal,
    state: ProposalState,
    graph: &Graph,
    doing: &str,
) -> Result<Proposed, Error> {
    let made = Option::<Made>::deserialize(&graph.data)
        .map_err(|error| Error::Unexpected { doing: doing.to_owned(), reason: error.to_string() })?
        .unwrap_or_default();
    let commit = made.create_commit_on_branch.and_then(|made| made.commit);
    let commit =
        commit.map(|made| CommitSha::new(made.oid)).transpose().map_err(unusable(doing))?;
    let pull = made.create_pull_request.and_then(|made| made.pull_request);
    let pull_request =
        pull.map(|pull| pull.seen(&proposal.repository)).transpose().map_err(unusable(doing))?;
    let nothing_done = commit.is_none() && pull_request.is_none();
    if nothing_done && let Some(error) = decisive(graph, state) {
        return Err(error.as_failure_of(doing));
    }
    let label = |n: usize| graph.data[format!("label{n}")]["label"]["id"].as_str();
    let labels = proposal.new_labels.iter().enumerate();
    Ok(Proposed {
        commit,
        pull_request,
        labels: labels.filter_map(|(n, name)| Some((name.clone(), label(n)?.to_owned()))).collect(),
        refused: graph.errors.iter().map(|error| error.message.clone()).collect(),
    })
}

/// Of several errors, the one that the others follow from. A branch that exists does not keep the
/// commit from being made, so the commit's own error comes first.
fn decisive(graph: &Graph, state: ProposalState) -> Option<&super::connection::GraphqlError> {
    let first = if state.commit_exists { "createPullRequest" } else { "createCommitOnBranch" };
    let cause = graph.errors.iter().find(|error| error.is_forbidden() || error.is_trouble());
    cause.or_else(|| graph.errors_at(first).next()).or_else(|| graph.errors.first())
}
