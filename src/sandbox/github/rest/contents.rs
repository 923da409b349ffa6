//! The contents API: read a file or a folder, write one file.

use axum::http::Method;
use serde_json::{Value, json};

use super::{Answer, Body, Call, Route, ok, route};
use crate::sandbox::github::auth::Access::Needs;
use crate::sandbox::github::body::commit::wrapped_base64;
use crate::sandbox::github::body::with;
use crate::sandbox::github::git::Change;
use crate::sandbox::github::refusal::{Answered, Refusal};
use crate::sandbox::github::state::World;

pub(super) fn routes() -> Vec<Route> {
    let (read, write) = (Needs(&["contents:read"]), Needs(&["contents:write"]));
    vec![
        route(Method::GET, "/repos/{owner}/{repo}/contents/{path...}", read, get),
        route(Method::GET, "/repos/{owner}/{repo}/contents", read, get),
        route(Method::PUT, "/repos/{owner}/{repo}/contents/{path...}", write, put),
        route(Method::DELETE, "/repos/{owner}/{repo}/contents/{path...}", write, delete),
    ]
}

fn get(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let repository = call.repository(world)?;
    let git = world.git(repository)?;
    let found = &world.repositories[repository];
    let reference = call.query("ref").unwrap_or(&found.default_branch);
    let path = call.parameter("path").trim_matches('/');
    let missing = || Refusal::unresolved(format!("No commit found for the ref {reference}"));
    let commit = git.resolve(reference.trim_start_matches("refs/")).ok_or_else(missing)?;
    let (kind, oid) =
        git.resolve_object(&format!("{commit}:{path}")).ok_or_else(Refusal::not_found)?;
    if kind == git2::ObjectType::Tree {
        let entries = git.entries(&oid)?;
        let bodies = entries.iter().map(|it| {
            let path =
                if path.is_empty() { it.path.clone() } else { format!("{path}/{}", it.path) };
            world.contents_body(found, reference, &path, (it.kind, &it.oid, it.size.unwrap_or(0)))
        });
        return ok(bodies.collect());
    }
    let bytes = git.blob(&oid)?;
    let accept = call.headers.get("accept").and_then(|it| it.to_str().ok()).unwrap_or_default();
    if accept.contains("raw") {
        let body = Body::Bytes("application/vnd.github.raw; charset=utf-8", bytes);
        return Ok(Answer { status: 200, body, headers: Vec::new() });
    }
    ok(with(
        world.contents_body(found, reference, path, ("blob", &oid, bytes.len())),
        json!({"encoding": "base64", "content": wrapped_base64(&bytes)}),
    ))
}

fn put(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let bytes = super::git_data::decode(call.required("content")?)?;
    let (existed, commit) = write(world, call, Some(bytes))?;
    let repository = call.repository(world)?;
    let git = world.git(repository)?;
    let found = &world.repositories[repository];
    let path = call.parameter("path");
    let branch = call.text("branch").unwrap_or(&found.default_branch);
    let (_, oid) =
        git.resolve_object(&format!("{commit}:{path}")).ok_or_else(Refusal::not_found)?;
    let size = git.blob(&oid)?.len();
    let body = json!({
        "content": world.contents_body(found, branch, path, ("blob", &oid, size)),
        "commit": commit_body(world, repository, &commit)?,
    });
    Ok(Answer::json(if existed { 200 } else { 201 }, body))
}

fn delete(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    call.required("sha")?;
    let (_, commit) = write(world, call, None)?;
    let repository = call.repository(world)?;
    ok(json!({"content": null, "commit": commit_body(world, repository, &commit)?}))
}

fn commit_body(world: &World, repository: usize, sha: &str) -> Answered<Value> {
    world.git_commit_body(&world.repositories[repository], &world.git(repository)?, sha)
}

/// Writes or removes the file; tells whether it stood there before, and the new commit.
fn write(world: &mut World, call: &Call<'_>, bytes: Option<Vec<u8>>) -> Answered<(bool, String)> {
    let repository = call.repository(world)?;
    let git = world.git(repository)?;
    let default = world.repositories[repository].default_branch.clone();
    let branch = call.text("branch").unwrap_or(&default);
    let path = call.parameter("path");
    if path.starts_with(".github/workflows/") {
        call.caller.needs("workflows:write")?;
    }
    let parent = git.branch(branch);
    if parent.is_none() && !git.references("refs/heads/").is_empty() {
        return Err(Refusal::unresolved(format!("Branch {branch} not found")));
    }
    let standing = parent
        .as_ref()
        .and_then(|parent| git.resolve_object(&format!("{parent}:{path}")))
        .map(|(_, oid)| oid);
    match (&standing, call.text("sha")) {
        (Some(_), None) => {
            return Err(Refusal::unprocessable("Invalid request.\n\n\"sha\" wasn't supplied."));
        }
        (Some(oid), Some(given)) if oid != given => {
            return Err(Refusal::conflict(format!("{path} does not match {given}")));
        }
        (None, _) if bytes.is_none() => return Err(Refusal::not_found()),
        _ => {}
    }
    let changes = [Change { path: path.to_owned(), bytes }];
    let actor = call.actor(world);
    let message = call.required("message")?;
    let commit = world.commit_on_branch(
        repository,
        (branch, parent.as_deref()),
        &changes,
        message,
        actor,
    )?;
    Ok((standing.is_some(), commit))
}
