//! Making repositories, and describing them.

use axum::http::Method;
use serde_json::json;

use super::{Answer, Call, Route, created, ok, route};
use crate::sandbox::github::auth::Access::Needs;
use crate::sandbox::github::git::Change;
use crate::sandbox::github::refusal::{Answered, Refusal};
use crate::sandbox::github::state::World;

pub(super) fn routes() -> Vec<Route> {
    let administration = Needs(&["administration:write"]);
    vec![
        route(Method::POST, "/orgs/{org}/repos", administration, in_organization),
        route(Method::POST, "/repos/{owner}/{repo}/generate", administration, from_template),
        route(Method::PATCH, "/repos/{owner}/{repo}", administration, update),
    ]
}

fn in_organization(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let index = make(world, call, call.parameter("org"))?;
    if call.body["auto_init"] == json!(true) {
        let title = format!("# {}\n", world.repositories[index].name);
        let readme = Change { path: "README.md".to_owned(), bytes: Some(title.into_bytes()) };
        begin(world, index, &[readme])?;
    }
    created(world.repository_full_body(&world.repositories[index]))
}

fn from_template(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let template = call.repository(world)?;
    if !world.repositories[template].is_template {
        return Err(Refusal::not_found());
    }
    let git = world.git(template)?;
    let head = git.branch(&world.repositories[template].default_branch);
    let head = head.ok_or_else(Refusal::not_found)?;
    let entries = git.all_entries(&git.tree_of(&head)?)?;
    let files = entries.into_iter().filter(|entry| entry.kind != "tree");
    let files: Vec<Change> = files
        .map(|entry| Change { bytes: git.file(&head, &entry.path), path: entry.path })
        .collect();
    let index = make(world, call, call.required("owner")?)?;
    begin(world, index, &files)?;
    created(world.repository_full_body(&world.repositories[index]))
}

fn update(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let index = call.repository(world)?;
    if let Some(description) = call.text("description") {
        world.repositories[index].description = Some(description.to_owned());
    }
    ok(world.repository_full_body(&world.repositories[index]))
}

/// A new, empty repository of an organisation on which the caller is installed. Where the App is
/// installed on chosen repositories only, a new one is not among them.
fn make(world: &mut World, call: &Call<'_>, owner: &str) -> Answered<usize> {
    let own = world.find_account(owner).map(|account| account.id);
    let installed = world.installations.iter().find(|it| Some(it.id) == call.caller.installation());
    if own.is_none() || installed.map(|it| it.account) != own {
        return Err(Refusal::not_accessible());
    }
    let name = call.required("name")?;
    let full_name = format!("{owner}/{name}");
    if world.find_repository(&full_name).is_some() {
        return Err(Refusal::invalid("Repository", "name already exists on this account"));
    }
    let id = world.create_repository(&full_name, &[])?;
    let index = world.repositories.iter().position(|it| it.id == id);
    let index = index.ok_or_else(Refusal::not_found)?;
    let found = &mut world.repositories[index];
    found.private = call.body["private"] == json!(true);
    found.description = call.text("description").map(str::to_owned);
    Ok(index)
}

/// GitHub's first commit, as the App's.
fn begin(world: &mut World, index: usize, files: &[Change]) -> Answered<()> {
    let branch = world.repositories[index].default_branch.clone();
    let bot = world.app.bot;
    world.commit_on_branch(index, (&branch, None), files, "Initial commit", bot).map(drop)
}
