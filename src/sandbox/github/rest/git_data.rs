//! The git database: references, commits, trees, blobs.

use axum::http::Method;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{Answer, Call, Route, created, ok, route};
use crate::sandbox::github::auth::Access::Needs;
use crate::sandbox::github::body::commit::wrapped_base64;
use crate::sandbox::github::body::node_id;
use crate::sandbox::github::git::{Entry, Git, Person, TreeChange};
use crate::sandbox::github::references::Force;
use crate::sandbox::github::refusal::{Answered, Refusal};
use crate::sandbox::github::state::{Repository, World};

pub(super) fn routes() -> Vec<Route> {
    let (read, write) = (Needs(&["contents:read"]), Needs(&["contents:write"]));
    vec![
        route(Method::GET, "/repos/{owner}/{repo}/git/ref/{ref...}", read, reference),
        route(Method::GET, "/repos/{owner}/{repo}/git/matching-refs/{ref...}", read, matching),
        route(Method::POST, "/repos/{owner}/{repo}/git/refs", write, create_reference),
        route(Method::PATCH, "/repos/{owner}/{repo}/git/refs/{ref...}", write, update_reference),
        route(Method::DELETE, "/repos/{owner}/{repo}/git/refs/{ref...}", write, delete_reference),
        route(Method::GET, "/repos/{owner}/{repo}/git/commits/{commit_sha}", read, commit),
        route(Method::POST, "/repos/{owner}/{repo}/git/commits", write, create_commit),
        route(Method::GET, "/repos/{owner}/{repo}/git/trees/{tree_sha...}", read, tree),
        route(Method::POST, "/repos/{owner}/{repo}/git/trees", write, create_tree),
        route(Method::GET, "/repos/{owner}/{repo}/git/blobs/{file_sha}", read, blob),
        route(Method::POST, "/repos/{owner}/{repo}/git/blobs", write, create_blob),
    ]
}

fn full_name(call: &Call<'_>) -> String {
    format!("refs/{}", call.parameter("ref"))
}

/// An empty repository has no git database to ask.
fn not_empty(git: &Git) -> Answered<()> {
    if git.references("refs/heads/").is_empty() {
        return Err(Refusal::conflict("Git Repository is empty."));
    }
    Ok(())
}

fn reference(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let repository = call.repository(world)?;
    let git = world.git(repository)?;
    not_empty(&git)?;
    let name = full_name(call);
    let sha = git.reference(&name).ok_or_else(Refusal::not_found)?;
    ok(world.reference_body(&world.repositories[repository], &name, &sha))
}

fn matching(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let repository = call.repository(world)?;
    let all = world.git(repository)?.references(&full_name(call));
    let found = &world.repositories[repository];
    call.list(all.iter().map(|(name, sha)| world.reference_body(found, name, sha)).collect())
}

/// A commit that changes workflow files may only be pointed to with `workflows: write`.
fn needs_workflows(world: &World, repository: usize, call: &Call<'_>, sha: &str) -> Answered<()> {
    if world.touches_workflows(repository, sha)? {
        call.caller.needs("workflows:write")
    } else {
        Ok(())
    }
}

fn create_reference(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let repository = call.repository(world)?;
    not_empty(&world.git(repository)?)?;
    let (name, sha) = (call.required("ref")?, call.required("sha")?);
    needs_workflows(world, repository, call, sha)?;
    world.create_reference(repository, name, sha, call.actor(world))?;
    created(world.reference_body(&world.repositories[repository], name, sha))
}

fn update_reference(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let repository = call.repository(world)?;
    let (name, sha) = (full_name(call), call.required("sha")?);
    let force = if call.body["force"] == true { Force::Yes } else { Force::No };
    needs_workflows(world, repository, call, sha)?;
    world.move_reference(repository, &name, sha, force, call.actor(world))?;
    ok(world.reference_body(&world.repositories[repository], &name, sha))
}

fn delete_reference(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let repository = call.repository(world)?;
    world.delete_reference(repository, &full_name(call), call.actor(world))?;
    Ok(Answer::empty(204))
}

fn commit(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let repository = call.repository(world)?;
    let git = world.git(repository)?;
    ok(world.git_commit_body(
        &world.repositories[repository],
        &git,
        call.parameter("commit_sha"),
    )?)
}

fn person(world: &World, body: &Value, otherwise: Person) -> Person {
    let Some(name) = body["name"].as_str() else {
        return otherwise;
    };
    let email = body["email"].as_str().unwrap_or_default().to_owned();
    Person { name: name.to_owned(), email, at: world.now() }
}

fn create_commit(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let repository = call.repository(world)?;
    let git = world.git(repository)?;
    let tree = call.required("tree")?;
    let parents: Vec<&str> =
        call.body["parents"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    // Only what GitHub writes itself is signed by it: no author, no committer, no signature given.
    let is_signed = ["author", "committer", "signature"].iter().all(|key| call.body[key].is_null());
    let bot = world.person(world.app.bot);
    let author = person(world, &call.body["author"], bot);
    let committer = if is_signed { world.github_person() } else { author.clone() };
    let committer = person(world, &call.body["committer"], committer);
    let sha = git
        .write_commit(tree, &parents, call.required("message")?, (&author, &committer))
        .map_err(|_| Refusal::unprocessable("Tree SHA or a parent SHA does not exist"))?;
    if is_signed {
        world.repositories[repository].verified.insert(sha.clone());
    }
    created(world.git_commit_body(&world.repositories[repository], &git, &sha)?)
}

fn entry_body(world: &World, repository: &Repository, entry: &Entry) -> Value {
    let url = world.repository_url(repository);
    let oid = &entry.oid;
    let mut body = json!({
        "path": entry.path,
        "mode": format!("{:06o}", entry.mode),
        "type": entry.kind,
        "sha": oid,
        "url": format!("{url}/git/{}s/{oid}", entry.kind),
    });
    if let Some(size) = entry.size {
        body["size"] = json!(size);
    }
    body
}

fn tree_body(world: &World, repository: usize, sha: &str, recursive: bool) -> Answered<Value> {
    let git = world.git(repository)?;
    let found = &world.repositories[repository];
    let entries = if recursive { git.all_entries(sha)? } else { git.entries(sha)? };
    let entries: Vec<Value> = entries.iter().map(|it| entry_body(world, found, it)).collect();
    let url = format!("{}/git/trees/{sha}", world.repository_url(found));
    Ok(json!({"sha": sha, "url": url, "tree": entries, "truncated": false}))
}

fn tree(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let repository = call.repository(world)?;
    let git = world.git(repository)?;
    not_empty(&git)?;
    let wanted = call.parameter("tree_sha");
    let sha = match git.kind(wanted) {
        Some(git2::ObjectType::Tree) => wanted.to_owned(),
        _ => git.tree_of(&git.resolve(wanted).ok_or_else(Refusal::not_found)?)?,
    };
    ok(tree_body(world, repository, &sha, call.query("recursive").is_some())?)
}

fn create_tree(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let repository = call.repository(world)?;
    let git = world.git(repository)?;
    let mut changes = Vec::new();
    for item in call.body["tree"].as_array().into_iter().flatten() {
        changes.push(tree_change(&git, item)?);
    }
    let sha = git
        .write_tree(call.text("base_tree"), &changes)
        .map_err(|_| Refusal::unprocessable("GitRPC::BadObjectState"))?;
    created(tree_body(world, repository, &sha, false)?)
}

fn tree_change(git: &Git, item: &Value) -> Answered<TreeChange> {
    let path = item["path"].as_str().unwrap_or_default().to_owned();
    let is_inside = path.split('/').all(|part| !matches!(part, "" | "." | ".." | ".git"));
    if !is_inside {
        return Err(Refusal::unprocessable("tree.path contains a malformed path component"));
    }
    if item.get("sha").is_some_and(Value::is_null) && item["content"].is_null() {
        return Ok(TreeChange::Remove { path });
    }
    let oid = match (item["content"].as_str(), item["sha"].as_str()) {
        (Some(content), _) => git.write_blob(content.as_bytes())?,
        (None, Some(sha)) if git.kind(sha).is_some() => sha.to_owned(),
        _ => return Err(Refusal::unprocessable("tree.sha is not a valid object")),
    };
    let mode = item["mode"].as_str().and_then(|mode| i32::from_str_radix(mode, 8).ok());
    let mode = mode.ok_or_else(|| Refusal::unprocessable("Must supply a valid tree.mode"))?;
    Ok(TreeChange::Put { path, oid, mode })
}

fn blob(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let repository = call.repository(world)?;
    let sha = call.parameter("file_sha");
    let bytes = world.git(repository)?.blob(sha)?;
    let found = &world.repositories[repository];
    ok(json!({
        "sha": sha,
        "node_id": node_id("B", format!("{}_{sha}", found.id)),
        "size": bytes.len(),
        "url": format!("{}/git/blobs/{sha}", world.repository_url(found)),
        "content": wrapped_base64(&bytes),
        "encoding": "base64",
    }))
}

fn create_blob(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let repository = call.repository(world)?;
    let content = call.required("content")?;
    let bytes = match call.text("encoding") {
        Some("base64") => decode(content)?,
        _ => content.as_bytes().to_vec(),
    };
    let sha = world.git(repository)?.write_blob(&bytes)?;
    let url = format!("{}/git/blobs/{sha}", world.repository_url(&world.repositories[repository]));
    created(json!({"url": url, "sha": sha}))
}

pub(super) fn decode(content: &str) -> Answered<Vec<u8>> {
    let content: String = content.split_whitespace().collect();
    STANDARD.decode(content).map_err(|_| Refusal::unprocessable("content is not valid Base64"))
}
