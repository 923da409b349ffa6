//! What the mutations answer with, as GitHub's schema has it.

use async_graphql::{Interface, SimpleObject};

use crate::sandbox::github::graphql::git_object::{Commit, Ref};
use crate::sandbox::github::graphql::objects::Node;
use crate::sandbox::github::graphql::pull_request::PullRequest;
use crate::sandbox::github::graphql::repository::Label;

#[derive(SimpleObject)]
pub(crate) struct CreateRefPayload {
    pub(super) client_mutation_id: Option<String>,
    #[graphql(name = "ref")]
    pub(super) reference: Option<Ref>,
}

#[derive(SimpleObject)]
pub(crate) struct UpdateRefPayload {
    pub(super) client_mutation_id: Option<String>,
    #[graphql(name = "ref")]
    pub(super) reference: Option<Ref>,
}

#[derive(SimpleObject)]
pub(crate) struct UpdateRefsPayload {
    pub(super) client_mutation_id: Option<String>,
}

#[derive(SimpleObject)]
pub(crate) struct DeleteRefPayload {
    pub(super) client_mutation_id: Option<String>,
}

#[derive(SimpleObject)]
pub(crate) struct CreateCommitOnBranchPayload {
    pub(super) client_mutation_id: Option<String>,
    pub(super) commit: Option<Commit>,
    #[graphql(name = "ref")]
    pub(super) reference: Option<Ref>,
}

#[derive(SimpleObject)]
pub(crate) struct CreatePullRequestPayload {
    pub(super) client_mutation_id: Option<String>,
    pub(super) pull_request: Option<PullRequest>,
}

#[derive(SimpleObject)]
pub(crate) struct UpdatePullRequestPayload {
    pub(super) client_mutation_id: Option<String>,
    pub(super) pull_request: Option<PullRequest>,
}

#[derive(SimpleObject)]
pub(crate) struct ClosePullRequestPayload {
    pub(super) client_mutation_id: Option<String>,
    pub(super) pull_request: Option<PullRequest>,
}

#[derive(SimpleObject)]
pub(crate) struct CreateLabelPayload {
    pub(super) client_mutation_id: Option<String>,
    pub(super) label: Option<Label>,
}

/// What labels can be put on.
#[derive(Interface)]
#[graphql(name = "Labelable", field(name = "number", ty = "i32"))]
pub(crate) enum Labelable {
    PullRequest(PullRequest),
}

#[derive(SimpleObject)]
pub(crate) struct AddLabelsToLabelablePayload {
    pub(super) client_mutation_id: Option<String>,
    pub(super) labelable: Option<Labelable>,
}

#[derive(SimpleObject)]
pub(crate) struct RequestReviewsPayload {
    pub(super) client_mutation_id: Option<String>,
    pub(super) pull_request: Option<PullRequest>,
}

#[derive(SimpleObject)]
pub(crate) struct AddCommentPayload {
    pub(super) client_mutation_id: Option<String>,
    pub(super) subject: Option<Node>,
}

#[derive(SimpleObject)]
pub(crate) struct EnablePullRequestAutoMergePayload {
    pub(super) client_mutation_id: Option<String>,
    pub(super) pull_request: Option<PullRequest>,
}
