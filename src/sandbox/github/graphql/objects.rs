//! The root query, accounts, teams, and the look-up of a node by its global id.

use async_graphql::{Context, ID, Interface, Object, SimpleObject};

use super::git_object::Ref;
use super::pull_request::PullRequest;
use super::repository::Repository;
use super::scalars::{DateTime, Uri};
use super::{Maybe, maybe, world};
use crate::sandbox::github::auth::Caller;
use crate::sandbox::github::body::node_id;
use crate::sandbox::github::refusal::{Answered, Refusal};
use crate::sandbox::github::state::{AccountKind, Id, World};

pub(crate) struct Query;

#[Object]
impl Query {
    async fn repository(
        &self,
        ctx: &Context<'_>,
        owner: String,
        name: String,
    ) -> Maybe<Repository> {
        maybe(world(ctx, |world, caller| {
            let full = format!("{owner}/{name}");
            let missing = |_| {
                Refusal::unresolved(format!(
                    "Could not resolve to a Repository with the name '{full}'."
                ))
            };
            let index = world.visible(caller, &full).map_err(missing)?;
            Ok(Some(Repository { id: world.repositories[index].id }))
        }))
    }

    async fn user(&self, ctx: &Context<'_>, login: String) -> Maybe<User> {
        maybe(world(ctx, |world, _| {
            let found = world.find_account(&login).filter(|it| it.kind == AccountKind::User);
            let missing = || {
                Refusal::unresolved(format!(
                    "Could not resolve to a User with the login of '{login}'."
                ))
            };
            let found = found.ok_or_else(missing)?.id;
            Ok(Some(User::of(world, found)))
        }))
    }

    async fn organization(&self, ctx: &Context<'_>, login: String) -> Maybe<Organization> {
        maybe(world(ctx, |world, _| {
            let found =
                world.find_account(&login).filter(|it| it.kind == AccountKind::Organization);
            let missing = || {
                Refusal::unresolved(format!(
                    "Could not resolve to an Organization with the login of '{login}'."
                ))
            };
            Ok(Some(Organization { account: found.ok_or_else(missing)?.id }))
        }))
    }

    async fn node(&self, ctx: &Context<'_>, id: ID) -> Maybe<Node> {
        maybe(world(ctx, |world, caller| find_node(world, caller, &id).map(Some)))
    }

    async fn nodes(&self, ctx: &Context<'_>, ids: Vec<ID>) -> Vec<Maybe<Node>> {
        let find =
            |id: &ID| maybe(world(ctx, |world, caller| find_node(world, caller, id).map(Some)));
        ids.iter().map(find).collect()
    }

    async fn rate_limit(&self, ctx: &Context<'_>) -> Option<RateLimit> {
        let found = world(ctx, |world, caller| {
            let found = world.installations.iter().find(|it| Some(it.id) == caller.installation());
            let found = found.ok_or_else(Refusal::not_found)?;
            let number = |it: u64| i32::try_from(it).unwrap_or(i32::MAX);
            Ok(RateLimit {
                cost: 1,
                limit: number(world.hourly.budget),
                node_count: 1,
                remaining: number(world.hourly.budget.saturating_sub(found.used.graphql)),
                reset_at: found.used.window_ends.into(),
                used: number(found.used.graphql),
            })
        });
        found.ok()
    }
}

#[derive(SimpleObject)]
pub(crate) struct RateLimit {
    cost: i32,
    limit: i32,
    node_count: i32,
    remaining: i32,
    reset_at: DateTime,
    used: i32,
}

#[derive(SimpleObject, Clone)]
pub(crate) struct User {
    id: ID,
    login: String,
    url: Uri,
    #[graphql(skip)]
    pub(crate) account: Id,
}

#[derive(SimpleObject, Clone)]
pub(crate) struct Bot {
    id: ID,
    login: String,
    url: Uri,
}

impl User {
    pub(crate) fn of(world: &World, account: Id) -> Self {
        let login = world.login(account).to_owned();
        let url = Uri(format!("{}/{login}", world.base_url));
        Self { id: world.account_node(account).into(), login, url, account }
    }
}

/// Whoever did something.
#[derive(Interface, Clone)]
#[graphql(field(name = "login", ty = "&String"), field(name = "url", ty = "&Uri"))]
pub(crate) enum Actor {
    User(User),
    Bot(Bot),
}

impl Actor {
    pub(crate) fn of(world: &World, account: Id) -> Self {
        let User { id, login, url, account } = User::of(world, account);
        if world.account_by_id(account).kind == AccountKind::Bot {
            // GraphQL names a bot without the brackets.
            let login = login.trim_end_matches("[bot]").to_owned();
            return Self::Bot(Bot { id, login, url });
        }
        Self::User(User { id, login, url, account })
    }
}

#[derive(Clone)]
pub(crate) struct Organization {
    account: Id,
}

#[Object]
impl Organization {
    pub(crate) async fn id(&self, ctx: &Context<'_>) -> async_graphql::Result<ID> {
        Ok(world(ctx, |world, _| Ok(world.account_node(self.account)))?.into())
    }

    async fn login(&self, ctx: &Context<'_>) -> async_graphql::Result<String> {
        Ok(world(ctx, |world, _| Ok(world.login(self.account).to_owned()))?)
    }

    async fn team(&self, ctx: &Context<'_>, slug: String) -> Maybe<Team> {
        maybe(world(ctx, |world, caller| {
            caller.needs("members:read")?;
            let found = world.find_team(self.account, &slug);
            Ok(found.map(|it| Team {
                id: node_id("T", it.id).into(),
                slug: it.slug.clone(),
                name: it.slug.clone(),
            }))
        }))
    }
}

#[derive(SimpleObject, Clone)]
pub(crate) struct Team {
    id: ID,
    slug: String,
    name: String,
}

/// Everything that has a global id.
#[derive(Interface, Clone)]
#[graphql(field(name = "id", ty = "ID"))]
pub(crate) enum Node {
    Repository(Repository),
    PullRequest(PullRequest),
    Ref(Ref),
    Organization(Organization),
}

/// The number behind a global id of this kind.
pub(crate) fn number_of(id: &ID, prefix: &str) -> Answered<Id> {
    let number =
        id.strip_prefix(prefix).and_then(|it| it.strip_prefix('_')).and_then(|it| it.parse().ok());
    number.ok_or_else(|| unresolved(id))
}

pub(crate) fn unresolved(id: &ID) -> Refusal {
    Refusal::unresolved(format!(
        "Could not resolve to a node with the global id of '{}'",
        id.as_str()
    ))
}

/// The repository with this global id, as its place in the world.
pub(crate) fn repository_of(world: &World, caller: &Caller, id: &ID) -> Answered<usize> {
    let found = world.repository_index(number_of(id, "R")?);
    found.filter(|index| world.can_see(caller, *index)).ok_or_else(|| unresolved(id))
}

/// The pull request with this global id, as its repository's place and its number.
pub(crate) fn pull_of(world: &World, caller: &Caller, id: &ID) -> Answered<(usize, u64)> {
    let wanted = number_of(id, "PR")?;
    for (index, repository) in
        world.repositories.iter().enumerate().filter(|(it, _)| world.can_see(caller, *it))
    {
        if let Some(pull) = repository.pulls.iter().find(|it| it.id == wanted) {
            return Ok((index, pull.number));
        }
    }
    Err(unresolved(id))
}

/// The reference with this global id, as its repository's place and its full name.
pub(crate) fn reference_of(world: &World, caller: &Caller, id: &ID) -> Answered<(usize, String)> {
    let parts = id.strip_prefix("REF_").and_then(|it| it.split_once('_'));
    let (repository, name) = parts.ok_or_else(|| unresolved(id))?;
    let index = repository_of(world, caller, &ID(format!("R_{repository}")))?;
    let name = hex::decode(name).ok().and_then(|it| String::from_utf8(it).ok());
    Ok((index, name.ok_or_else(|| unresolved(id))?))
}

fn find_node(world: &World, caller: &Caller, id: &ID) -> Answered<Node> {
    match id.split_once('_').map(|(prefix, _)| prefix) {
        Some("R") => {
            let index = repository_of(world, caller, id)?;
            Ok(Node::Repository(Repository { id: world.repositories[index].id }))
        }
        Some("PR") => {
            let (index, number) = pull_of(world, caller, id)?;
            Ok(Node::PullRequest(PullRequest { repository: world.repositories[index].id, number }))
        }
        Some("REF") => {
            let (index, name) = reference_of(world, caller, id)?;
            let repository = world.repositories[index].id;
            world.git(index)?.reference(&name).ok_or_else(|| unresolved(id))?;
            Ok(Node::Ref(Ref { repository, name }))
        }
        Some("O") => Ok(Node::Organization(Organization { account: number_of(id, "O")? })),
        _ => Err(unresolved(id)),
    }
}
