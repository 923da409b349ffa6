//! References, and the objects of git that they lead to: commits, trees and blobs.

use async_graphql::{Context, ID, Interface, Object};
use git2::ObjectType;

use super::pull_request::{PullRequestConnection, PullRequestState};
use super::repository::{IssueOrder, Repository, Wanted, connection, within};
use super::scalars::{DateTime, GitObjectId, Uri};
use super::{Maybe, maybe};
use crate::sandbox::github::body::node_id;
use crate::sandbox::github::git::Entry;
use crate::sandbox::github::refusal::Answered;
use crate::sandbox::github::state::{Id, World};

#[derive(Clone)]
pub(crate) struct Ref {
    pub(crate) repository: Id,
    pub(crate) name: String,
}

#[Object]
impl Ref {
    pub(crate) async fn id(&self) -> ID {
        node_id("REF", format!("{}_{}", self.repository, hex::encode(&self.name))).into()
    }

    async fn name(&self) -> &str {
        let short =
            self.name.strip_prefix("refs/heads/").or_else(|| self.name.strip_prefix("refs/tags/"));
        short.unwrap_or(&self.name)
    }

    async fn prefix(&self) -> &str {
        let short =
            self.name.strip_prefix("refs/heads/").or_else(|| self.name.strip_prefix("refs/tags/"));
        &self.name[..self.name.len() - short.map_or(0, str::len)]
    }

    async fn repository(&self) -> Repository {
        Repository { id: self.repository }
    }

    async fn target(&self, ctx: &Context<'_>) -> Maybe<GitObject> {
        maybe(within(ctx, self.repository, |world, it| {
            let Some(sha) = world.git(it)?.reference(&self.name) else {
                return Ok(None);
            };
            git_object(world, it, &sha)
        }))
    }

    #[expect(clippy::too_many_arguments, reason = "GitHub's field has these arguments")]
    async fn associated_pull_requests(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        last: Option<i32>,
        states: Option<Vec<PullRequestState>>,
        head_ref_name: Option<String>,
        base_ref_name: Option<String>,
        order_by: Option<IssueOrder>,
    ) -> async_graphql::Result<PullRequestConnection> {
        let branch = self.name.trim_start_matches("refs/heads/").to_owned();
        let head = head_ref_name.filter(|name| *name != branch).or(Some(branch));
        let wanted = Wanted { head, base: base_ref_name, states, order: order_by, first, last };
        Ok(within(ctx, self.repository, |world, it| {
            Ok(connection(&world.repositories[it], &wanted))
        })?)
    }
}

/// A commit, a tree or a blob.
#[derive(Interface, Clone)]
#[graphql(field(name = "oid", ty = "GitObjectId"), field(name = "id", ty = "ID"))]
pub(crate) enum GitObject {
    Commit(Commit),
    Tree(Tree),
    Blob(Blob),
}

/// What an expression such as `main:infra` names.
pub(super) fn git_object(
    world: &World,
    index: usize,
    expression: &str,
) -> Answered<Option<GitObject>> {
    let git = world.git(index)?;
    let Some((kind, oid)) = git.resolve_object(expression) else {
        return Ok(None);
    };
    Ok(object_of(world.repositories[index].id, kind, oid))
}

fn object_of(repository: Id, kind: ObjectType, oid: String) -> Option<GitObject> {
    match kind {
        ObjectType::Commit => Some(GitObject::Commit(Commit { repository, oid })),
        ObjectType::Tree => Some(GitObject::Tree(Tree { repository, oid })),
        ObjectType::Blob => Some(GitObject::Blob(Blob { repository, oid })),
        _ => None,
    }
}

#[derive(Clone)]
pub(crate) struct Commit {
    pub(crate) repository: Id,
    pub(crate) oid: String,
}

#[Object]
impl Commit {
    pub(crate) async fn id(&self) -> ID {
        node_id("C", format!("{}_{}", self.repository, self.oid)).into()
    }

    pub(crate) async fn oid(&self) -> GitObjectId {
        GitObjectId(self.oid.clone())
    }

    async fn url(&self, ctx: &Context<'_>) -> async_graphql::Result<Uri> {
        let page = within(ctx, self.repository, |world, it| {
            Ok(world.repository_page(&world.repositories[it]))
        })?;
        Ok(Uri(format!("{page}/commit/{}", self.oid)))
    }

    async fn message(&self, ctx: &Context<'_>) -> async_graphql::Result<String> {
        let message = |world: &mut World, it| {
            Ok(world.git(it)?.commit(&self.oid)?.message().unwrap_or_default().to_owned())
        };
        Ok(within(ctx, self.repository, message)?)
    }

    async fn message_headline(&self, ctx: &Context<'_>) -> async_graphql::Result<String> {
        let message = self.message(ctx).await?;
        Ok(message.lines().next().unwrap_or_default().to_owned())
    }

    async fn committed_date(&self, ctx: &Context<'_>) -> async_graphql::Result<DateTime> {
        let at = |world: &mut World, it| {
            let seconds = world.git(it)?.commit(&self.oid)?.time().seconds();
            Ok(chrono::DateTime::from_timestamp(seconds, 0).unwrap_or_default().into())
        };
        Ok(within(ctx, self.repository, at)?)
    }

    async fn tree(&self, ctx: &Context<'_>) -> async_graphql::Result<Tree> {
        let oid = within(ctx, self.repository, |world, it| world.git(it)?.tree_of(&self.oid))?;
        Ok(Tree { repository: self.repository, oid })
    }
}

#[derive(Clone)]
pub(crate) struct Tree {
    repository: Id,
    oid: String,
}

#[Object]
impl Tree {
    pub(crate) async fn id(&self) -> ID {
        node_id("T", format!("{}_{}", self.repository, self.oid)).into()
    }

    pub(crate) async fn oid(&self) -> GitObjectId {
        GitObjectId(self.oid.clone())
    }

    async fn entries(&self, ctx: &Context<'_>) -> Maybe<Vec<TreeEntry>> {
        maybe(within(ctx, self.repository, |world, it| {
            let entries = world.git(it)?.entries(&self.oid)?.into_iter();
            Ok(Some(
                entries.map(|entry| TreeEntry { repository: self.repository, entry }).collect(),
            ))
        }))
    }
}

pub(crate) struct TreeEntry {
    repository: Id,
    entry: Entry,
}

#[Object]
impl TreeEntry {
    async fn name(&self) -> &str {
        &self.entry.path
    }

    async fn path(&self) -> Option<&str> {
        Some(&self.entry.path)
    }

    async fn mode(&self) -> i32 {
        self.entry.mode
    }

    #[graphql(name = "type")]
    async fn kind(&self) -> &str {
        self.entry.kind
    }

    pub(crate) async fn oid(&self) -> GitObjectId {
        GitObjectId(self.entry.oid.clone())
    }

    async fn size(&self) -> i32 {
        self.entry.size.and_then(|it| i32::try_from(it).ok()).unwrap_or(0)
    }

    async fn object(&self) -> Option<GitObject> {
        let kind = match self.entry.kind {
            "tree" => ObjectType::Tree,
            "blob" => ObjectType::Blob,
            _ => return None,
        };
        object_of(self.repository, kind, self.entry.oid.clone())
    }
}

/// GitHub cuts the text of a blob off at half a megabyte.
const LONGEST_TEXT: usize = 512_000;

#[derive(Clone)]
pub(crate) struct Blob {
    repository: Id,
    oid: String,
}

impl Blob {
    fn bytes(&self, ctx: &Context<'_>) -> Answered<Vec<u8>> {
        within(ctx, self.repository, |world, it| world.git(it)?.blob(&self.oid))
    }
}

#[Object]
impl Blob {
    pub(crate) async fn id(&self) -> ID {
        node_id("B", format!("{}_{}", self.repository, self.oid)).into()
    }

    pub(crate) async fn oid(&self) -> GitObjectId {
        GitObjectId(self.oid.clone())
    }

    async fn byte_size(&self, ctx: &Context<'_>) -> async_graphql::Result<i32> {
        Ok(i32::try_from(self.bytes(ctx)?.len()).unwrap_or(i32::MAX))
    }

    async fn is_binary(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<bool>> {
        Ok(Some(self.bytes(ctx)?.contains(&0)))
    }

    async fn is_truncated(&self, ctx: &Context<'_>) -> async_graphql::Result<bool> {
        Ok(self.bytes(ctx)?.len() > LONGEST_TEXT)
    }

    async fn text(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<String>> {
        let bytes = self.bytes(ctx)?;
        let end = bytes.len().min(LONGEST_TEXT);
        let is_text = !bytes.contains(&0);
        Ok(is_text.then(|| String::from_utf8_lossy(&bytes[..end]).into_owned()))
    }
}
