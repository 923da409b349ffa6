//! Repositories and their labels.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};

use super::git_object::{GitObject, Ref, git_object};
use super::pull_request::{PullRequest, PullRequestConnection, PullRequestState};
use super::scalars::{GitObjectId, Uri};
use super::{Maybe, maybe, world};
use crate::sandbox::github::body::node_id;
use crate::sandbox::github::refusal::{Answered, Refusal};
use crate::sandbox::github::state::{self, Id, Pull, World};

#[derive(Clone)]
pub(crate) struct Repository {
    pub(crate) id: Id,
}

/// Looks into a repository's state.
pub(super) fn within<T>(
    ctx: &Context<'_>,
    repository: Id,
    work: impl FnOnce(&mut World, usize) -> Answered<T>,
) -> Answered<T> {
    world(ctx, |world, _| {
        let index = world.repository_index(repository).ok_or_else(Refusal::not_found)?;
        work(world, index)
    })
}

#[derive(Enum, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OrderDirection {
    Asc,
    Desc,
}

#[derive(Enum, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IssueOrderField {
    Comments,
    CreatedAt,
    UpdatedAt,
}

#[derive(InputObject)]
pub(crate) struct IssueOrder {
    direction: OrderDirection,
    field: IssueOrderField,
}

/// Which pull requests, and in which order.
#[derive(Default)]
pub(super) struct Wanted {
    pub(super) head: Option<String>,
    pub(super) base: Option<String>,
    pub(super) states: Option<Vec<PullRequestState>>,
    pub(super) order: Option<IssueOrder>,
    pub(super) first: Option<i32>,
    pub(super) last: Option<i32>,
}

pub(super) fn connection(found: &state::Repository, wanted: &Wanted) -> PullRequestConnection {
    let equal = |wanted: &Option<String>, value: &str| wanted.as_ref().is_none_or(|it| it == value);
    let fits = |it: &&Pull| {
        equal(&wanted.head, &it.head_ref)
            && equal(&wanted.base, &it.base_ref)
            && wanted.states.as_ref().is_none_or(|all| all.contains(&it.state.into()))
    };
    let mut pulls: Vec<&Pull> = found.pulls.iter().filter(fits).collect();
    if let Some(order) = &wanted.order {
        if order.field == IssueOrderField::UpdatedAt {
            pulls.sort_by_key(|it| it.updated_at);
        }
        if order.direction == OrderDirection::Desc {
            pulls.reverse();
        }
    }
    let numbers: Vec<u64> = pulls.iter().map(|it| it.number).collect();
    PullRequestConnection::page(found.id, &numbers, wanted.first, wanted.last)
}

#[Object]
impl Repository {
    pub(crate) async fn id(&self) -> ID {
        node_id("R", self.id).into()
    }

    async fn database_id(&self) -> Option<i32> {
        i32::try_from(self.id).ok()
    }

    async fn name(&self, ctx: &Context<'_>) -> async_graphql::Result<String> {
        Ok(within(ctx, self.id, |world, it| Ok(world.repositories[it].name.clone()))?)
    }

    async fn name_with_owner(&self, ctx: &Context<'_>) -> async_graphql::Result<String> {
        Ok(within(ctx, self.id, |world, it| Ok(world.repositories[it].full_name.clone()))?)
    }

    async fn url(&self, ctx: &Context<'_>) -> async_graphql::Result<Uri> {
        Ok(within(ctx, self.id, |world, it| {
            Ok(Uri(world.repository_page(&world.repositories[it])))
        })?)
    }

    async fn is_private(&self, ctx: &Context<'_>) -> async_graphql::Result<bool> {
        Ok(within(ctx, self.id, |world, it| Ok(world.repositories[it].private))?)
    }

    async fn is_archived(&self) -> bool {
        false
    }

    async fn is_empty(&self, ctx: &Context<'_>) -> async_graphql::Result<bool> {
        Ok(within(ctx, self.id, |world, it| {
            Ok(world.git(it)?.references("refs/heads/").is_empty())
        })?)
    }

    async fn auto_merge_allowed(&self, ctx: &Context<'_>) -> async_graphql::Result<bool> {
        Ok(within(ctx, self.id, |world, it| Ok(world.repositories[it].allow_auto_merge))?)
    }

    async fn default_branch_ref(&self, ctx: &Context<'_>) -> Maybe<Ref> {
        maybe(within(ctx, self.id, |world, it| {
            let name = format!("refs/heads/{}", world.repositories[it].default_branch);
            let stands = world.git(it)?.reference(&name).is_some();
            Ok(stands.then_some(Ref { repository: self.id, name }))
        }))
    }

    #[graphql(name = "ref")]
    async fn reference(&self, ctx: &Context<'_>, qualified_name: String) -> Maybe<Ref> {
        maybe(within(ctx, self.id, |world, it| {
            let git = world.git(it)?;
            let tries = [
                qualified_name.clone(),
                format!("refs/heads/{qualified_name}"),
                format!("refs/tags/{qualified_name}"),
            ];
            let name = tries
                .into_iter()
                .find(|name| name.starts_with("refs/") && git.reference(name).is_some());
            Ok(name.map(|name| Ref { repository: self.id, name }))
        }))
    }

    async fn object(
        &self,
        ctx: &Context<'_>,
        expression: Option<String>,
        oid: Option<GitObjectId>,
    ) -> Maybe<GitObject> {
        maybe(within(ctx, self.id, |world, it| {
            let expression = expression.or(oid.map(|it| it.0)).unwrap_or_default();
            git_object(world, it, &expression)
        }))
    }

    async fn pull_request(&self, ctx: &Context<'_>, number: i32) -> Maybe<PullRequest> {
        maybe(within(ctx, self.id, |world, it| {
            let wanted = u64::try_from(number).unwrap_or_default();
            let missing = |_| {
                Refusal::unresolved(format!(
                    "Could not resolve to a PullRequest with the number of {number}."
                ))
            };
            world.repositories[it].pull(wanted).map_err(missing)?;
            Ok(Some(PullRequest { repository: self.id, number: wanted }))
        }))
    }

    #[expect(clippy::too_many_arguments, reason = "GitHub's field has these arguments")]
    async fn pull_requests(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        last: Option<i32>,
        head_ref_name: Option<String>,
        base_ref_name: Option<String>,
        states: Option<Vec<PullRequestState>>,
        order_by: Option<IssueOrder>,
    ) -> async_graphql::Result<PullRequestConnection> {
        let wanted = Wanted {
            head: head_ref_name,
            base: base_ref_name,
            states,
            order: order_by,
            first,
            last,
        };
        Ok(within(ctx, self.id, |world, it| Ok(connection(&world.repositories[it], &wanted)))?)
    }

    async fn label(&self, ctx: &Context<'_>, name: String) -> Maybe<Label> {
        maybe(within(ctx, self.id, |world, it| {
            Ok(world.repositories[it].label(&name).map(Label::of))
        }))
    }

    async fn labels(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        query: Option<String>,
    ) -> Maybe<LabelConnection> {
        maybe(within(ctx, self.id, |world, it| {
            let fits = |label: &&state::Label| {
                query.as_ref().is_none_or(|query| label.name.contains(query))
            };
            let all: Vec<Label> =
                world.repositories[it].labels.iter().filter(fits).map(Label::of).collect();
            Ok(Some(LabelConnection::page(all, first)))
        }))
    }
}

#[derive(SimpleObject, Clone)]
pub(crate) struct Label {
    id: ID,
    name: String,
    color: String,
    description: Option<String>,
}

impl Label {
    pub(crate) fn of(label: &state::Label) -> Self {
        Self {
            id: node_id("LA", label.id).into(),
            name: label.name.clone(),
            color: label.color.clone(),
            description: label.description.clone(),
        }
    }
}

#[derive(SimpleObject)]
pub(crate) struct LabelConnection {
    nodes: Option<Vec<Option<Label>>>,
    total_count: i32,
}

impl LabelConnection {
    pub(crate) fn page(all: Vec<Label>, first: Option<i32>) -> Self {
        let total_count = i32::try_from(all.len()).unwrap_or(i32::MAX);
        let size = usize::try_from(first.unwrap_or(100)).unwrap_or(0);
        Self { nodes: Some(all.into_iter().take(size).map(Some).collect()), total_count }
    }
}
