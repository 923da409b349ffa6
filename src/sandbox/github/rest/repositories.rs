//! Repositories, branches, commits, comparisons, labels, collaborators.

use axum::http::Method;
use serde_json::{Value, json};

use super::{Answer, Call, Route, created, ok, route};
use crate::sandbox::github::auth::Access::Needs;
use crate::sandbox::github::body::with;
use crate::sandbox::github::git::Git;
use crate::sandbox::github::refusal::{Answered, Refusal};
use crate::sandbox::github::state::World;

pub(super) fn routes() -> Vec<Route> {
    let read = Needs(&["contents:read"]);
    let metadata = Needs(&["metadata:read"]);
    vec![
        route(Method::GET, "/repos/{owner}/{repo}", metadata, repository),
        route(Method::GET, "/repos/{owner}/{repo}/branches", read, branches),
        route(Method::GET, "/repos/{owner}/{repo}/branches/{branch...}", read, branch),
        route(Method::GET, "/repos/{owner}/{repo}/rules/branches/{branch...}", metadata, rules),
        route(Method::GET, "/repos/{owner}/{repo}/commits", read, commits),
        route(
            Method::GET,
            "/repos/{owner}/{repo}/commits/{ref...}/status",
            Needs(&["statuses:read"]),
            super::checks::combined_status,
        ),
        route(
            Method::GET,
            "/repos/{owner}/{repo}/commits/{ref...}/check-runs",
            Needs(&["checks:read"]),
            super::checks::of_commit,
        ),
        route(
            Method::GET,
            "/repos/{owner}/{repo}/commits/{ref...}/pulls",
            Needs(&["pull_requests:read"]),
            super::pulls::of_commit,
        ),
        route(Method::GET, "/repos/{owner}/{repo}/commits/{ref...}", read, commit),
        route(Method::GET, "/repos/{owner}/{repo}/compare/{basehead...}", read, compare),
        route(
            Method::GET,
            "/repos/{owner}/{repo}/labels",
            Needs(&["issues:read", "pull_requests:read"]),
            labels,
        ),
        route(
            Method::POST,
            "/repos/{owner}/{repo}/labels",
            Needs(&["issues:write", "pull_requests:write"]),
            create_label,
        ),
        route(
            Method::GET,
            "/repos/{owner}/{repo}/labels/{name}",
            Needs(&["issues:read", "pull_requests:read"]),
            label,
        ),
        route(
            Method::GET,
            "/repos/{owner}/{repo}/collaborators/{username}",
            metadata,
            collaborator,
        ),
        route(
            Method::GET,
            "/repos/{owner}/{repo}/collaborators/{username}/permission",
            metadata,
            permission,
        ),
    ]
}

fn repository(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let repository = call.repository(world)?;
    ok(world.repository_full_body(&world.repositories[repository]))
}

fn branches(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let repository = call.repository(world)?;
    let found = &world.repositories[repository];
    let url = world.repository_url(found);
    let all = world.git(repository)?.references("refs/heads/");
    let body = all.into_iter().map(|(name, sha)| {
        let short = name.trim_start_matches("refs/heads/").to_owned();
        json!({"name": short, "commit": {"sha": sha, "url": format!("{url}/commits/{sha}")}, "protected": false})
    });
    call.list(body.collect())
}

fn branch(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let repository = call.repository(world)?;
    let name = call.parameter("branch");
    let git = world.git(repository)?;
    let sha = git.branch(name).ok_or_else(|| Refusal::unresolved("Branch not found"))?;
    let found = &world.repositories[repository];
    let url = format!("{}/branches/{name}", world.repository_url(found));
    ok(json!({
        "name": name,
        "commit": world.commit_body(found, &git, &sha)?,
        "_links": {"self": url, "html": format!("{}/tree/{name}", world.repository_page(found))},
        "protected": false,
        "protection": {"enabled": false, "required_status_checks": {"enforcement_level": "off", "contexts": [], "checks": []}},
        "protection_url": format!("{url}/protection"),
    }))
}

/// The rules that hold for a branch, whether it is there or not.
fn rules(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let repository = call.repository(world)?;
    let branch = call.parameter("branch");
    let holds = |below: &str| branch == below || branch.starts_with(&format!("{below}/"));
    let found = &world.repositories[repository];
    let rules = found.rules.iter().filter(|(below, _)| holds(below));
    let body = |kind: &str| {
        json!({
            "type": kind, "ruleset_id": 1, "ruleset_source_type": "Repository",
            "ruleset_source": found.full_name,
        })
    };
    call.list(rules.map(|(_, kind)| body(kind)).collect())
}

/// A commit by branch, tag or sha.
pub(super) fn resolved(git: &Git, reference: &str) -> Answered<String> {
    let missing = || Refusal::unprocessable(format!("No commit found for SHA: {reference}"));
    git.resolve(reference.trim_start_matches("refs/")).ok_or_else(missing)
}

fn commit(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let repository = call.repository(world)?;
    let git = world.git(repository)?;
    let sha = resolved(&git, call.parameter("ref"))?;
    let found = &world.repositories[repository];
    let from = git
        .commit(&sha)?
        .parent_id(0)
        .map_or(super::super::git::ZERO.to_owned(), |it| it.to_string());
    let files = git.differences(&from, &sha)?;
    let (additions, deletions) = (
        files.iter().map(|it| it.additions).sum::<usize>(),
        files.iter().map(|it| it.deletions).sum::<usize>(),
    );
    let bodies: Vec<Value> = files.iter().map(|it| world.file_body(found, &sha, it)).collect();
    ok(with(
        world.commit_body(found, &git, &sha)?,
        json!({
            "stats": {"additions": additions, "deletions": deletions, "total": additions + deletions},
            "files": bodies,
        }),
    ))
}

fn commits(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let repository = call.repository(world)?;
    let git = world.git(repository)?;
    let found = &world.repositories[repository];
    let reference = call.query("sha").unwrap_or(&found.default_branch);
    let head = git.resolve(reference).ok_or_else(Refusal::not_found)?;
    let history = git.history(&head)?;
    let bodies =
        history.iter().map(|sha| world.commit_body(found, &git, sha)).collect::<Answered<_>>()?;
    call.list(bodies)
}

fn compare(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let repository = call.repository(world)?;
    let git = world.git(repository)?;
    let (base, head) =
        call.parameter("basehead").split_once("...").ok_or_else(Refusal::not_found)?;
    let without_owner =
        |it: &str| it.rsplit_once(':').map_or(it.to_owned(), |(_, name)| name.to_owned());
    let base = git.resolve(&without_owner(base)).ok_or_else(Refusal::not_found)?;
    let head = git.resolve(&without_owner(head)).ok_or_else(Refusal::not_found)?;
    let merge_base = git.merge_base(&base, &head)?;
    let (ahead, behind) = git.ahead_behind(&head, &base)?;
    let status = match (ahead, behind) {
        (0, 0) => "identical",
        (_, 0) => "ahead",
        (0, _) => "behind",
        _ => "diverged",
    };
    let found = &world.repositories[repository];
    let between = git.commits_between(&base, &head)?;
    let commits: Vec<Value> =
        between.iter().map(|sha| world.commit_body(found, &git, sha)).collect::<Answered<_>>()?;
    let files = git.differences(&merge_base, &head)?;
    let files: Vec<Value> = files.iter().map(|it| world.file_body(found, &head, it)).collect();
    let page = format!("{}/compare/{base}...{head}", world.repository_page(found));
    ok(json!({
        "url": format!("{}/compare/{base}...{head}", world.repository_url(found)),
        "html_url": page,
        "permalink_url": page,
        "diff_url": format!("{page}.diff"),
        "patch_url": format!("{page}.patch"),
        "base_commit": world.commit_body(found, &git, &base)?,
        "merge_base_commit": world.commit_body(found, &git, &merge_base)?,
        "status": status,
        "ahead_by": ahead,
        "behind_by": behind,
        "total_commits": ahead,
        "commits": commits,
        "files": files,
    }))
}

fn labels(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let found = &world.repositories[call.repository(world)?];
    call.list(found.labels.iter().map(|it| world.label_body(found, it)).collect())
}

fn label(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let found = &world.repositories[call.repository(world)?];
    let label = found.label(call.parameter("name")).ok_or_else(Refusal::not_found)?;
    ok(world.label_body(found, label))
}

fn create_label(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let repository = call.repository(world)?;
    let color = call.text("color").unwrap_or("ededed");
    let label =
        world.create_label(repository, call.required("name")?, color, call.text("description"))?;
    created(world.label_body(&world.repositories[repository], &label))
}

fn collaborator(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let repository = call.repository(world)?;
    let account = world.find_account(call.parameter("username")).ok_or_else(Refusal::not_found)?;
    let is_one = world.repositories[repository].collaborators.contains_key(&account.id);
    if is_one { Ok(Answer::empty(204)) } else { Err(Refusal::not_found()) }
}

fn permission(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let repository = call.repository(world)?;
    let account = world.find_account(call.parameter("username")).ok_or_else(Refusal::not_found)?.id;
    let level =
        world.repositories[repository].collaborators.get(&account).copied().unwrap_or("read");
    let user = with(world.account_body(account), json!({"role_name": level}));
    ok(json!({"permission": level, "role_name": level, "user": user}))
}
