//! Moving a branch from one commit to another, if it is still there: by GraphQL, because REST cannot
//! be told where the branch has to be.

use serde_json::json;

use super::connection::Call;
use super::connection::call::Effect;
use super::{Error, GitHub};
use crate::domain::{BranchName, CommitSha, RepositoryName};

/// Which branch is moved, and where.
#[derive(Debug, Clone, Copy)]
pub struct BranchMove<'a> {
    /// Where.
    pub repository: &'a RepositoryName,
    /// GraphQL's node id of the repository.
    pub repository_node_id: &'a str,
    /// The branch.
    pub branch: &'a BranchName,
    /// The commit that it must be at.
    pub from: &'a CommitSha,
    /// The commit that it is moved to, which need not contain the other.
    pub to: &'a CommitSha,
}

impl GitHub {
    /// Moves a branch. Where it is somewhere else than it must be, nothing is moved, and the answer
    /// is [`Error::Conflict`].
    pub async fn move_branch(&self, branch: BranchMove<'_>) -> Result<(), Error> {
        let doing = format!("moving {} in {}", branch.branch, branch.repository);
        let query = "mutation Move($move: UpdateRefsInput!) { \
                     updateRefs(input: $move) { clientMutationId } }";
        let variables = json!({ "move": {
            "repositoryId": branch.repository_node_id,
            "refUpdates": [{
                "name": branch.branch.qualified(),
                "beforeOid": branch.from,
                "afterOid": branch.to,
                "force": true,
            }],
        }});
        let call = Call::graphql(&doing, Effect::Write, query, &variables);
        let graph = self.graphql(branch.repository, &call).await?;
        match graph.errors.first() {
            Some(error) => Err(error.as_failure_of(&doing)),
            None => Ok(()),
        }
    }
}
