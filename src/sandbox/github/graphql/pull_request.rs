//! Pull requests.

use async_graphql::{Context, Enum, ID, Object, SimpleObject};

use super::git_object::Commit;
use super::objects::Actor;
use super::repository::{Label, LabelConnection, within};
use super::scalars::{BigInt, DateTime, GitObjectId, Uri};
use super::{Maybe, maybe};
use crate::sandbox::github::body::node_id;
use crate::sandbox::github::refusal::Answered;
use crate::sandbox::github::state::{self, Id, Mergeable, Pull, PullState, World};

#[derive(Enum, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PullRequestState {
    Open,
    Closed,
    Merged,
}

impl From<PullState> for PullRequestState {
    fn from(state: PullState) -> Self {
        match state {
            PullState::Open => Self::Open,
            PullState::Closed => Self::Closed,
            PullState::Merged => Self::Merged,
        }
    }
}

#[derive(Enum, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MergeableState {
    Mergeable,
    Conflicting,
    Unknown,
}

#[derive(Enum, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PullRequestReviewDecision {
    Approved,
    ChangesRequested,
    ReviewRequired,
}

#[derive(Enum, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PullRequestReviewState {
    Approved,
    ChangesRequested,
    Dismissed,
    Commented,
}

impl PullRequestReviewState {
    fn of(state: &str) -> Self {
        match state {
            "APPROVED" => Self::Approved,
            "CHANGES_REQUESTED" => Self::ChangesRequested,
            "DISMISSED" => Self::Dismissed,
            _ => Self::Commented,
        }
    }
}

#[derive(SimpleObject)]
pub(crate) struct PullRequestReview {
    full_database_id: Option<BigInt>,
    state: PullRequestReviewState,
    url: Uri,
    author: Option<Actor>,
}

#[derive(SimpleObject)]
pub(crate) struct PullRequestReviewConnection {
    nodes: Option<Vec<Option<PullRequestReview>>>,
}

#[derive(SimpleObject)]
pub(crate) struct PullRequestConnection {
    nodes: Option<Vec<Option<PullRequest>>>,
    total_count: i32,
}

impl PullRequestConnection {
    pub(crate) fn page(
        repository: Id,
        numbers: &[u64],
        first: Option<i32>,
        last: Option<i32>,
    ) -> Self {
        let size = usize::try_from(first.or(last).unwrap_or(100)).unwrap_or(0).min(numbers.len());
        let page = match (first, last) {
            (None, Some(_)) => &numbers[numbers.len() - size..],
            _ => &numbers[..size],
        };
        let nodes = page.iter().map(|number| Some(PullRequest { repository, number: *number }));
        Self {
            nodes: Some(nodes.collect()),
            total_count: i32::try_from(numbers.len()).unwrap_or(i32::MAX),
        }
    }
}

#[derive(Clone)]
pub(crate) struct PullRequest {
    pub(crate) repository: Id,
    pub(crate) number: u64,
}

impl PullRequest {
    fn look<T>(
        &self,
        ctx: &Context<'_>,
        read: impl FnOnce(&World, &state::Repository, &Pull) -> T,
    ) -> Answered<T> {
        within(ctx, self.repository, |world, it| {
            let found = &world.repositories[it];
            Ok(read(world, found, found.pull(self.number)?))
        })
    }

    fn commit(&self, oid: Option<String>) -> Option<Commit> {
        oid.map(|oid| Commit { repository: self.repository, oid })
    }
}

#[Object]
impl PullRequest {
    pub(crate) async fn id(&self, ctx: &Context<'_>) -> async_graphql::Result<ID> {
        Ok(self.look(ctx, |_, _, pull| node_id("PR", pull.id).into())?)
    }

    pub(crate) async fn number(&self) -> i32 {
        i32::try_from(self.number).unwrap_or(i32::MAX)
    }

    async fn url(&self, ctx: &Context<'_>) -> async_graphql::Result<Uri> {
        let page = self.look(ctx, |world, found, _| world.repository_page(found))?;
        Ok(Uri(format!("{page}/pull/{}", self.number)))
    }

    async fn title(&self, ctx: &Context<'_>) -> async_graphql::Result<String> {
        Ok(self.look(ctx, |_, _, pull| pull.title.clone())?)
    }

    async fn body(&self, ctx: &Context<'_>) -> async_graphql::Result<String> {
        Ok(self.look(ctx, |_, _, pull| pull.body.clone().unwrap_or_default())?)
    }

    async fn state(&self, ctx: &Context<'_>) -> async_graphql::Result<PullRequestState> {
        Ok(self.look(ctx, |_, _, pull| pull.state.into())?)
    }

    async fn closed(&self, ctx: &Context<'_>) -> async_graphql::Result<bool> {
        Ok(self.look(ctx, |_, _, pull| pull.state != PullState::Open)?)
    }

    async fn merged(&self, ctx: &Context<'_>) -> async_graphql::Result<bool> {
        Ok(self.look(ctx, |_, _, pull| pull.state == PullState::Merged)?)
    }

    async fn is_draft(&self, ctx: &Context<'_>) -> async_graphql::Result<bool> {
        Ok(self.look(ctx, |_, _, pull| pull.draft)?)
    }

    async fn head_ref_name(&self, ctx: &Context<'_>) -> async_graphql::Result<String> {
        Ok(self.look(ctx, |_, _, pull| pull.head_ref.clone())?)
    }

    async fn head_ref_oid(&self, ctx: &Context<'_>) -> async_graphql::Result<GitObjectId> {
        Ok(self.look(ctx, |_, _, pull| GitObjectId(pull.head_sha.clone()))?)
    }

    async fn base_ref_name(&self, ctx: &Context<'_>) -> async_graphql::Result<String> {
        Ok(self.look(ctx, |_, _, pull| pull.base_ref.clone())?)
    }

    async fn base_ref_oid(&self, ctx: &Context<'_>) -> async_graphql::Result<GitObjectId> {
        Ok(self.look(ctx, |_, _, pull| GitObjectId(pull.base_sha.clone()))?)
    }

    async fn created_at(&self, ctx: &Context<'_>) -> async_graphql::Result<DateTime> {
        Ok(self.look(ctx, |_, _, pull| pull.created_at.into())?)
    }

    async fn updated_at(&self, ctx: &Context<'_>) -> async_graphql::Result<DateTime> {
        Ok(self.look(ctx, |_, _, pull| pull.updated_at.into())?)
    }

    async fn merged_at(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<DateTime>> {
        Ok(self.look(ctx, |_, _, pull| pull.merged_at.map(DateTime::from))?)
    }

    async fn closed_at(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<DateTime>> {
        Ok(self.look(ctx, |_, _, pull| pull.closed_at.map(DateTime::from))?)
    }

    async fn author(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<Actor>> {
        Ok(self.look(ctx, |world, _, pull| Some(Actor::of(world, pull.author)))?)
    }

    async fn merged_by(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<Actor>> {
        Ok(self.look(ctx, |world, _, pull| pull.merged_by.map(|it| Actor::of(world, it)))?)
    }

    /// Only once merged: GraphQL does not show the test merge here.
    async fn merge_commit(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<Commit>> {
        let merged =
            |pull: &Pull| pull.merge_commit.clone().filter(|_| pull.state == PullState::Merged);
        Ok(self.commit(self.look(ctx, |_, _, pull| merged(pull))?))
    }

    async fn potential_merge_commit(
        &self,
        ctx: &Context<'_>,
    ) -> async_graphql::Result<Option<Commit>> {
        let open =
            |pull: &Pull| pull.merge_commit.clone().filter(|_| pull.state == PullState::Open);
        Ok(self.commit(self.look(ctx, |_, _, pull| open(pull))?))
    }

    /// Unknown to the first who asks; asking starts the computation.
    async fn mergeable(&self, ctx: &Context<'_>) -> async_graphql::Result<MergeableState> {
        let known = within(ctx, self.repository, |world, it| {
            let before = world.repositories[it].pull(self.number)?.mergeable;
            world.compute_mergeable(it, self.number)?;
            Ok(before)
        })?;
        Ok(match known {
            Mergeable::Unknown => MergeableState::Unknown,
            Mergeable::Yes => MergeableState::Mergeable,
            Mergeable::No => MergeableState::Conflicting,
        })
    }

    async fn review_decision(
        &self,
        ctx: &Context<'_>,
    ) -> async_graphql::Result<Option<PullRequestReviewDecision>> {
        let decision = self.look(ctx, |_, _, pull| World::review_decision(pull))?;
        Ok(match decision {
            Some("APPROVED") => Some(PullRequestReviewDecision::Approved),
            Some("CHANGES_REQUESTED") => Some(PullRequestReviewDecision::ChangesRequested),
            _ => None,
        })
    }

    async fn is_in_merge_queue(&self, ctx: &Context<'_>) -> async_graphql::Result<bool> {
        Ok(self.look(ctx, |_, _, pull| pull.queued)?)
    }

    /// The sandbox has no forks.
    async fn is_cross_repository(&self) -> bool {
        false
    }

    /// The newest verdict of each reviewer, comments aside.
    async fn latest_opinionated_reviews(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
    ) -> Maybe<PullRequestReviewConnection> {
        let most = usize::try_from(first.unwrap_or(100)).unwrap_or(0);
        maybe(self.look(ctx, |world, found, pull| {
            let page = world.repository_page(found);
            let mut newest = std::collections::BTreeMap::new();
            for review in pull.reviews.iter().filter(|it| it.state != "COMMENTED") {
                newest.insert(review.author, review);
            }
            let nodes = newest.into_values().take(most).map(|review| {
                Some(PullRequestReview {
                    full_database_id: Some(BigInt(review.id.to_string())),
                    state: PullRequestReviewState::of(review.state),
                    url: Uri(format!(
                        "{page}/pull/{}#pullrequestreview-{}",
                        pull.number, review.id
                    )),
                    author: Some(Actor::of(world, review.author)),
                })
            });
            Some(PullRequestReviewConnection { nodes: Some(nodes.collect()) })
        }))
    }

    async fn labels(&self, ctx: &Context<'_>, first: Option<i32>) -> Maybe<LabelConnection> {
        maybe(self.look(ctx, |_, found, pull| {
            let labels = found.labels.iter().filter(|it| pull.labels.contains(&it.id));
            Some(LabelConnection::page(labels.map(Label::of).collect(), first))
        }))
    }
}
