//! Commit statuses, check runs, deployments.

use axum::http::Method;
use serde_json::{Value, json};

use super::{Answer, Call, Route, created, ok, route};
use crate::sandbox::github::auth::Access::Needs;
use crate::sandbox::github::refusal::{Answered, Refusal};
use crate::sandbox::github::state::{CheckRun, Deployment, Status, World};

pub(super) fn routes() -> Vec<Route> {
    let deployments = Needs(&["deployments:read"]);
    let deploy = Needs(&["deployments:write"]);
    vec![
        route(
            Method::POST,
            "/repos/{owner}/{repo}/statuses/{sha}",
            Needs(&["statuses:write"]),
            create_status,
        ),
        route(
            Method::POST,
            "/repos/{owner}/{repo}/check-runs",
            Needs(&["checks:write"]),
            create_check,
        ),
        route(
            Method::PATCH,
            "/repos/{owner}/{repo}/check-runs/{check_run_id}",
            Needs(&["checks:write"]),
            update_check,
        ),
        route(
            Method::GET,
            "/repos/{owner}/{repo}/check-runs/{check_run_id}",
            Needs(&["checks:read"]),
            check,
        ),
        route(
            Method::GET,
            "/repos/{owner}/{repo}/check-runs/{check_run_id}/annotations",
            Needs(&["checks:read"]),
            annotations,
        ),
        route(Method::GET, "/repos/{owner}/{repo}/deployments", deployments, list_deployments),
        route(Method::POST, "/repos/{owner}/{repo}/deployments", deploy, create_deployment),
        route(
            Method::GET,
            "/repos/{owner}/{repo}/deployments/{deployment_id}",
            deployments,
            deployment,
        ),
        route(
            Method::GET,
            "/repos/{owner}/{repo}/deployments/{deployment_id}/statuses",
            deployments,
            deployment_statuses,
        ),
        route(
            Method::POST,
            "/repos/{owner}/{repo}/deployments/{deployment_id}/statuses",
            deploy,
            create_deployment_status,
        ),
    ]
}

fn create_status(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let repository = call.repository(world)?;
    let actor = call.actor(world);
    let id = world.set_status(repository, call.parameter("sha"), &call.body, actor)?;
    let found = &world.repositories[repository];
    let status = found.statuses.iter().find(|it| it.id == id).ok_or_else(Refusal::not_found)?;
    created(world.status_full_body(found, status))
}

/// The newest status of each context, and what they add up to.
pub(super) fn combined_status(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let repository = call.repository(world)?;
    let sha = super::repositories::resolved(&world.git(repository)?, call.parameter("ref"))?;
    let found = &world.repositories[repository];
    let mut newest: Vec<&Status> = Vec::new();
    for status in found.statuses.iter().rev().filter(|it| it.sha == sha) {
        if newest.iter().all(|it| it.context != status.context) {
            newest.push(status);
        }
    }
    let any = |states: &[&str]| newest.iter().any(|it| states.contains(&it.state.as_str()));
    let state = match () {
        () if any(&["error", "failure"]) => "failure",
        () if newest.is_empty() || any(&["pending"]) => "pending",
        () => "success",
    };
    let statuses: Vec<Value> = newest.iter().map(|it| world.status_body(found, it)).collect();
    let url = format!("{}/commits/{sha}", world.repository_url(found));
    ok(json!({
        "state": state,
        "statuses": statuses,
        "sha": sha,
        "total_count": statuses.len(),
        "repository": world.repository_minimal_body(found),
        "commit_url": url,
        "url": format!("{url}/status"),
    }))
}

fn find_check(world: &World, repository: usize, id: u64) -> Answered<&CheckRun> {
    world.repositories[repository]
        .check_runs
        .iter()
        .find(|it| it.id == id)
        .ok_or_else(Refusal::not_found)
}

fn create_check(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let repository = call.repository(world)?;
    call.required("name")?;
    call.required("head_sha")?;
    let id = world.set_check_run(repository, None, &call.body)?;
    created(
        world.check_run_body(&world.repositories[repository], find_check(world, repository, id)?),
    )
}

fn update_check(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let repository = call.repository(world)?;
    let id = world.set_check_run(repository, Some(call.number("check_run_id")?), &call.body)?;
    ok(world.check_run_body(&world.repositories[repository], find_check(world, repository, id)?))
}

fn check(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let repository = call.repository(world)?;
    let check = find_check(world, repository, call.number("check_run_id")?)?;
    ok(world.check_run_body(&world.repositories[repository], check))
}

fn annotations(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let repository = call.repository(world)?;
    let check = find_check(world, repository, call.number("check_run_id")?)?;
    call.list(check.annotations.clone())
}

pub(super) fn of_commit(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let repository = call.repository(world)?;
    let sha = super::repositories::resolved(&world.git(repository)?, call.parameter("ref"))?;
    let found = &world.repositories[repository];
    let fits = |it: &&CheckRun| {
        it.sha == sha && call.query("check_name").is_none_or(|name| name == it.name)
    };
    // Unless all are asked for: the newest of each name.
    let is_newest = |check: &&CheckRun| {
        let mut same = found.check_runs.iter().rev().filter(|it| it.sha == sha);
        call.query("filter") == Some("all")
            || same.find(|it| it.name == check.name).is_some_and(|it| it.id == check.id)
    };
    let checks = found.check_runs.iter().rev().filter(fits).filter(is_newest);
    call.counted_list("check_runs", checks.map(|it| world.check_run_body(found, it)).collect())
}

fn find_deployment(world: &World, repository: usize, id: u64) -> Answered<&Deployment> {
    world.repositories[repository]
        .deployments
        .iter()
        .find(|it| it.id == id)
        .ok_or_else(Refusal::not_found)
}

fn list_deployments(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let found = &world.repositories[call.repository(world)?];
    let equal = |name: &str, value: &str| call.query(name).is_none_or(|wanted| wanted == value);
    let fits = |it: &&Deployment| {
        equal("sha", &it.sha)
            && equal("environment", &it.environment)
            && equal("ref", &it.reference)
    };
    call.list(
        found
            .deployments
            .iter()
            .rev()
            .filter(fits)
            .map(|it| world.deployment_body(found, it))
            .collect(),
    )
}

fn create_deployment(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let repository = call.repository(world)?;
    call.required("ref")?;
    let actor = call.actor(world);
    let id = world.create_deployment(repository, &call.body, actor)?;
    created(
        world.deployment_body(
            &world.repositories[repository],
            find_deployment(world, repository, id)?,
        ),
    )
}

fn deployment(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let repository = call.repository(world)?;
    let found = find_deployment(world, repository, call.number("deployment_id")?)?;
    ok(world.deployment_body(&world.repositories[repository], found))
}

fn deployment_statuses(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let repository = call.repository(world)?;
    let found = find_deployment(world, repository, call.number("deployment_id")?)?;
    let statuses = found.statuses.iter().rev();
    call.list(
        statuses
            .map(|it| world.deployment_status_body(&world.repositories[repository], found, it))
            .collect(),
    )
}

fn create_deployment_status(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let repository = call.repository(world)?;
    let deployment = call.number("deployment_id")?;
    let actor = call.actor(world);
    let id = world.set_deployment_status(repository, deployment, &call.body, actor)?;
    let found = find_deployment(world, repository, deployment)?;
    let status = found.statuses.iter().find(|it| it.id == id).ok_or_else(Refusal::not_found)?;
    created(world.deployment_status_body(&world.repositories[repository], found, status))
}
