//! What the mutations take.

use async_graphql::{Enum, ID, InputObject};

use super::scalars::{Base64String, GitObjectId, GitRefname};

#[derive(InputObject)]
pub(crate) struct CreateRefInput {
    pub(crate) client_mutation_id: Option<String>,
    pub(crate) repository_id: ID,
    pub(crate) name: String,
    pub(crate) oid: GitObjectId,
}

#[derive(InputObject)]
pub(crate) struct UpdateRefInput {
    pub(crate) client_mutation_id: Option<String>,
    pub(crate) ref_id: ID,
    pub(crate) oid: GitObjectId,
    pub(crate) force: Option<bool>,
}

#[derive(InputObject)]
pub(crate) struct RefUpdate {
    pub(crate) name: GitRefname,
    pub(crate) after_oid: GitObjectId,
    pub(crate) before_oid: Option<GitObjectId>,
    pub(crate) force: Option<bool>,
}

#[derive(InputObject)]
pub(crate) struct UpdateRefsInput {
    pub(crate) client_mutation_id: Option<String>,
    pub(crate) repository_id: ID,
    pub(crate) ref_updates: Vec<RefUpdate>,
}

#[derive(InputObject)]
pub(crate) struct DeleteRefInput {
    pub(crate) client_mutation_id: Option<String>,
    pub(crate) ref_id: ID,
}

#[derive(InputObject)]
pub(crate) struct CommittableBranch {
    pub(crate) id: Option<ID>,
    pub(crate) repository_name_with_owner: Option<String>,
    pub(crate) branch_name: Option<String>,
}

#[derive(InputObject)]
pub(crate) struct CommitMessage {
    pub(crate) headline: String,
    pub(crate) body: Option<String>,
}

#[derive(InputObject)]
pub(crate) struct FileAddition {
    pub(crate) path: String,
    pub(crate) contents: Base64String,
}

#[derive(InputObject)]
pub(crate) struct FileDeletion {
    pub(crate) path: String,
}

#[derive(InputObject)]
pub(crate) struct FileChanges {
    pub(crate) additions: Option<Vec<FileAddition>>,
    pub(crate) deletions: Option<Vec<FileDeletion>>,
}

#[derive(InputObject)]
pub(crate) struct CreateCommitOnBranchInput {
    pub(crate) client_mutation_id: Option<String>,
    pub(crate) branch: CommittableBranch,
    pub(crate) expected_head_oid: GitObjectId,
    pub(crate) message: CommitMessage,
    pub(crate) file_changes: Option<FileChanges>,
}

#[derive(InputObject)]
pub(crate) struct CreatePullRequestInput {
    pub(crate) client_mutation_id: Option<String>,
    pub(crate) repository_id: ID,
    pub(crate) base_ref_name: String,
    pub(crate) head_ref_name: String,
    pub(crate) head_repository_id: Option<ID>,
    pub(crate) title: String,
    pub(crate) body: Option<String>,
    pub(crate) draft: Option<bool>,
    pub(crate) maintainer_can_modify: Option<bool>,
}

#[derive(Enum, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PullRequestUpdateState {
    Open,
    Closed,
}

#[derive(InputObject)]
pub(crate) struct UpdatePullRequestInput {
    pub(crate) client_mutation_id: Option<String>,
    pub(crate) pull_request_id: ID,
    pub(crate) title: Option<String>,
    pub(crate) body: Option<String>,
    pub(crate) state: Option<PullRequestUpdateState>,
}

#[derive(InputObject)]
pub(crate) struct ClosePullRequestInput {
    pub(crate) client_mutation_id: Option<String>,
    pub(crate) pull_request_id: ID,
}

#[derive(InputObject)]
pub(crate) struct CreateLabelInput {
    pub(crate) client_mutation_id: Option<String>,
    pub(crate) repository_id: ID,
    pub(crate) name: String,
    pub(crate) color: String,
    pub(crate) description: Option<String>,
}

#[derive(InputObject)]
pub(crate) struct AddLabelsToLabelableInput {
    pub(crate) client_mutation_id: Option<String>,
    pub(crate) labelable_id: ID,
    pub(crate) label_ids: Vec<ID>,
}

#[derive(InputObject)]
pub(crate) struct RequestReviewsInput {
    pub(crate) client_mutation_id: Option<String>,
    pub(crate) pull_request_id: ID,
    pub(crate) user_ids: Option<Vec<ID>>,
    pub(crate) team_ids: Option<Vec<ID>>,
    pub(crate) union: Option<bool>,
}

#[derive(InputObject)]
pub(crate) struct AddCommentInput {
    pub(crate) client_mutation_id: Option<String>,
    pub(crate) subject_id: ID,
    pub(crate) body: String,
}

#[derive(Enum, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PullRequestMergeMethod {
    Merge,
    Squash,
    Rebase,
}

#[derive(InputObject)]
pub(crate) struct EnablePullRequestAutoMergeInput {
    pub(crate) client_mutation_id: Option<String>,
    pub(crate) pull_request_id: ID,
    pub(crate) merge_method: Option<PullRequestMergeMethod>,
    pub(crate) commit_headline: Option<String>,
    pub(crate) commit_body: Option<String>,
    pub(crate) expected_head_oid: Option<GitObjectId>,
}
