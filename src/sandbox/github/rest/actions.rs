//! Workflows, runs, jobs, logs, artifacts, approvals.

use axum::http::Method;
use chrono::{DateTime, NaiveDate, Utc};
use serde_json::json;

use super::{Answer, Call, Route, created, ok, route};
use crate::sandbox::github::auth::Access::Needs;
use crate::sandbox::github::body::node_id;
use crate::sandbox::github::refusal::{Answered, Refusal};
use crate::sandbox::github::state::{Download, Job, Run, World};

/// How long the link of a redirect lives.
const LINK_LIFE: chrono::TimeDelta = chrono::TimeDelta::minutes(1);
/// GitHub finds at most so many runs with a filter.
const MOST_FILTERED: usize = 1_000;

pub(super) fn routes() -> Vec<Route> {
    let (read, write) = (Needs(&["actions:read"]), Needs(&["actions:write"]));
    vec![
        route(Method::GET, "/repos/{owner}/{repo}/actions/workflows", read, workflows),
        route(Method::GET, "/repos/{owner}/{repo}/actions/workflows/{workflow_id}", read, workflow),
        route(
            Method::GET,
            "/repos/{owner}/{repo}/actions/workflows/{workflow_id}/runs",
            read,
            runs,
        ),
        route(
            Method::POST,
            "/repos/{owner}/{repo}/actions/workflows/{workflow_id}/dispatches",
            write,
            dispatch,
        ),
        route(Method::GET, "/repos/{owner}/{repo}/actions/runs", read, runs),
        route(Method::GET, "/repos/{owner}/{repo}/actions/runs/{run_id}", read, run),
        route(
            Method::GET,
            "/repos/{owner}/{repo}/actions/runs/{run_id}/attempts/{attempt_number}",
            read,
            attempt,
        ),
        route(
            Method::GET,
            "/repos/{owner}/{repo}/actions/runs/{run_id}/attempts/{attempt_number}/jobs",
            read,
            jobs_of_attempt,
        ),
        route(Method::GET, "/repos/{owner}/{repo}/actions/runs/{run_id}/jobs", read, jobs),
        route(
            Method::GET,
            "/repos/{owner}/{repo}/actions/runs/{run_id}/artifacts",
            read,
            artifacts,
        ),
        route(
            Method::GET,
            "/repos/{owner}/{repo}/actions/runs/{run_id}/pending_deployments",
            read,
            pending,
        ),
        route(Method::POST, "/repos/{owner}/{repo}/actions/runs/{run_id}/rerun", write, rerun),
        route(
            Method::POST,
            "/repos/{owner}/{repo}/actions/runs/{run_id}/rerun-failed-jobs",
            write,
            rerun,
        ),
        route(Method::POST, "/repos/{owner}/{repo}/actions/runs/{run_id}/cancel", write, cancel),
        route(Method::GET, "/repos/{owner}/{repo}/actions/jobs/{job_id}", read, job),
        route(Method::GET, "/repos/{owner}/{repo}/actions/jobs/{job_id}/logs", read, logs),
        route(Method::GET, "/repos/{owner}/{repo}/actions/artifacts/{artifact_id}", read, artifact),
        route(
            Method::GET,
            "/repos/{owner}/{repo}/actions/artifacts/{artifact_id}/{archive_format}",
            read,
            archive,
        ),
    ]
}

fn workflows(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let found = &world.repositories[call.repository(world)?];
    let all = found.workflows.iter().map(|it| world.workflow_body(found, it)).collect();
    call.counted_list("workflows", all)
}

fn workflow(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let repository = call.repository(world)?;
    let workflow = world.find_workflow(repository, call.parameter("workflow_id"))?;
    ok(world.workflow_body(&world.repositories[repository], &workflow))
}

fn dispatch(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let repository = call.repository(world)?;
    let wants_details = match call.body.get("return_run_details") {
        Some(_) if world.legacy_dispatch => {
            return Err(Refusal::unprocessable(
                "Invalid request.\n\n\"return_run_details\" is not a permitted key.",
            ));
        }
        Some(wanted) => *wanted == true,
        None => false,
    };
    let actor = call.actor(world);
    let inputs = call.object("inputs");
    let key = call.parameter("workflow_id");
    let run = world.dispatch(repository, key, call.required("ref")?, &inputs, actor)?;
    if !wants_details && call.version == "2022-11-28" {
        return Ok(Answer::empty(204));
    }
    let found = &world.repositories[repository];
    ok(json!({
        "workflow_run_id": run,
        "run_url": format!("{}/actions/runs/{run}", world.repository_url(found)),
        "html_url": format!("{}/actions/runs/{run}", world.repository_page(found)),
    }))
}

fn runs(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let repository = call.repository(world)?;
    let workflow = match call.parameter("workflow_id") {
        "" => None,
        key => Some(world.find_workflow(repository, key)?.id),
    };
    let found = &world.repositories[repository];
    let equal = |name: &str, value: &str| call.query(name).is_none_or(|wanted| wanted == value);
    let fits = |it: &&Run| {
        workflow.is_none_or(|id| it.workflow == id)
            && equal("event", &it.event)
            && equal("branch", &it.branch)
            && equal("head_sha", &it.sha)
            && equal("check_suite_id", &it.suite.to_string())
            && equal("actor", world.login(it.actor))
            && call
                .query("status")
                .is_none_or(|it_is| it.status == it_is || it.conclusion.as_deref() == Some(it_is))
            && call.query("created").is_none_or(|range| was_created(range, it.created_at))
    };
    let wanted = found.runs.iter().rev().filter(fits).take(MOST_FILTERED);
    let bodies = wanted.map(|it| world.run_body(found, it)).collect::<Answered<_>>()?;
    call.counted_list("workflow_runs", bodies)
}

/// GitHub's date ranges: `>=X`, `<=X`, `>X`, `<X`, `X..Y`, `X`.
fn was_created(range: &str, at: DateTime<Utc>) -> bool {
    // What is compared has whole seconds, as it is shown.
    let at = DateTime::from_timestamp(at.timestamp(), 0).unwrap_or(at);
    let from = |text: &str| -> Option<DateTime<Utc>> {
        let day = || text.parse::<NaiveDate>().ok()?.and_hms_opt(0, 0, 0).map(|it| it.and_utc());
        DateTime::parse_from_rfc3339(text).ok().map(|it| it.to_utc()).or_else(day)
    };
    if let Some((first, last)) = range.split_once("..") {
        let after = first == "*" || from(first).is_some_and(|it| at >= it);
        return after && (last == "*" || from(last).is_some_and(|it| at <= it));
    }
    let holds = |text: &str, check: fn(DateTime<Utc>, DateTime<Utc>) -> bool| {
        from(text).is_some_and(|it| check(at, it))
    };
    if let Some(text) = range.strip_prefix(">=") {
        return holds(text, |at, it| at >= it);
    }
    if let Some(text) = range.strip_prefix("<=") {
        return holds(text, |at, it| at <= it);
    }
    if let Some(text) = range.strip_prefix('>') {
        return holds(text, |at, it| at > it);
    }
    if let Some(text) = range.strip_prefix('<') {
        return holds(text, |at, it| at < it);
    }
    let whole_day = range.parse::<NaiveDate>().is_ok_and(|day| at.date_naive() == day);
    whole_day || holds(range, |at, it| at == it)
}

fn run(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let found = &world.repositories[call.repository(world)?];
    ok(world.run_body(found, found.run(call.number("run_id")?)?)?)
}

fn attempt(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let found = &world.repositories[call.repository(world)?];
    let run = found.run(call.number("run_id")?)?;
    let attempt = call.number("attempt_number")?;
    if attempt == u64::from(run.attempt) {
        return ok(world.run_body(found, run)?);
    }
    // An attempt that was repeated is over; its jobs say how.
    let mut past = run.clone();
    past.attempt = u32::try_from(attempt)
        .ok()
        .filter(|it| (1..run.attempt).contains(it))
        .ok_or_else(Refusal::not_found)?;
    let failed = past.latest_jobs().find(|job| job.conclusion.as_deref() != Some("success"));
    past.conclusion = failed.map_or(Some("success".to_owned()), |job| job.conclusion.clone());
    past.status = "completed";
    ok(world.run_body(found, &past)?)
}

fn job_list(world: &World, call: &Call<'_>, fits: impl Fn(&Run, &Job) -> bool) -> Answered<Answer> {
    let found = &world.repositories[call.repository(world)?];
    let run = found.run(call.number("run_id")?)?;
    let jobs = run.jobs.iter().filter(|job| fits(run, job));
    call.counted_list("jobs", jobs.map(|job| world.job_body(found, run, job)).collect())
}

fn jobs(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let all = call.query("filter") == Some("all");
    job_list(world, call, |run, job| all || job.attempt == run.attempt)
}

fn jobs_of_attempt(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let attempt = call.number("attempt_number")?;
    job_list(world, call, |_, job| u64::from(job.attempt) == attempt)
}

fn find_job(world: &World, call: &Call<'_>) -> Answered<(usize, Run, Job)> {
    let repository = call.repository(world)?;
    let id = call.number("job_id")?;
    for run in &world.repositories[repository].runs {
        if let Some(job) = run.jobs.iter().find(|job| job.id == id) {
            return Ok((repository, run.clone(), job.clone()));
        }
    }
    Err(Refusal::not_found())
}

fn job(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let (repository, run, job) = find_job(world, call)?;
    ok(world.job_body(&world.repositories[repository], &run, &job))
}

fn logs(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let (_, _, job) = find_job(world, call)?;
    if job.status != "completed" {
        return Err(Refusal::not_found());
    }
    redirect(world, "text/plain; charset=utf-8", job.log.into_bytes())
}

/// A link of its own host part that lives a minute.
fn redirect(world: &mut World, content_type: &'static str, bytes: Vec<u8>) -> Answered<Answer> {
    let key: String = std::iter::repeat_with(fastrand::alphanumeric).take(32).collect();
    let expires_at = world.now() + LINK_LIFE;
    // Another host, as with GitHub: a client that keeps its token on the way is refused there.
    let storage = world.base_url.replacen("//127.0.0.1:", "//localhost:", 1);
    let location = format!("{storage}/_downloads/{key}");
    world.downloads.insert(key, Download { expires_at, content_type, bytes });
    Ok(Answer::redirect(location))
}

fn artifacts(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let found = &world.repositories[call.repository(world)?];
    let run = found.run(call.number("run_id")?)?;
    let wanted =
        run.artifacts.iter().filter(|it| call.query("name").is_none_or(|name| name == it.name));
    call.counted_list("artifacts", wanted.map(|it| world.artifact_body(found, run, it)).collect())
}

fn artifact(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let found = &world.repositories[call.repository(world)?];
    let id = call.number("artifact_id")?;
    let both = found.runs.iter().flat_map(|run| run.artifacts.iter().map(move |it| (run, it)));
    let (run, artifact) =
        both.into_iter().find(|(_, it)| it.id == id).ok_or_else(Refusal::not_found)?;
    ok(world.artifact_body(found, run, artifact))
}

fn archive(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let found = &world.repositories[call.repository(world)?];
    let id = call.number("artifact_id")?;
    let mut all = found.runs.iter().flat_map(|run| &run.artifacts);
    let zip = all.find(|it| it.id == id).ok_or_else(Refusal::not_found)?.zip.clone();
    if call.parameter("archive_format") != "zip" {
        return Err(Refusal::not_found());
    }
    redirect(world, "application/zip", zip)
}

fn pending(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let found = &world.repositories[call.repository(world)?];
    let run = found.run(call.number("run_id")?)?;
    let waiting =
        run.latest_jobs().filter_map(|job| found.environment(job.environment.as_deref()?));
    let bodies = waiting.map(|it| {
        let body = world.environment_body(found, it);
        json!({
            "environment": {
                "id": it.id, "node_id": node_id("EN", it.id), "name": it.name,
                "url": body["url"], "html_url": body["html_url"],
            },
            "wait_timer": 0,
            "wait_timer_started_at": null,
            "current_user_can_approve": false,
            "reviewers": [],
        })
    });
    ok(bodies.collect())
}

fn rerun(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let repository = call.repository(world)?;
    world.rerun(repository, call.number("run_id")?, call.actor(world))?;
    created(json!({}))
}

fn cancel(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let repository = call.repository(world)?;
    world.cancel_run(repository, call.number("run_id")?)?;
    Ok(Answer::json(202, json!({})))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_times_is_read_as_github_reads_it() {
        let at = DateTime::parse_from_rfc3339("2026-11-20T12:00:00.500Z").unwrap().to_utc();
        assert!(was_created(">=2026-11-20T12:00:00Z", at));
        assert!(!was_created(">2026-11-20T12:00:00Z", at));
        assert!(was_created("2026-11-19..2026-11-21", at));
        assert!(was_created("2026-11-20", at));
        assert!(!was_created("<2026-11-20", at));
    }
}
