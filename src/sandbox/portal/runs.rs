//! Runs of actions: executed, looked at, reported on, approved.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Shared;
use super::answer::{Answer, Refusal, needed_text, object, ok, text, texts};
use super::trigger::{self, Trigger};
use super::world::{Run, written};

type App = State<Arc<Shared>>;

/// The most log lines of one page.
const LOG_PAGE: usize = 50;

pub(super) async fn execute(State(shared): App, Path(action): Path<String>, body: Bytes) -> Answer {
    let body = object(&body, &["properties", "entity"])?;
    let Some(Value::Object(inputs)) = body.get("properties").cloned() else {
        return Err(Refusal::invalid("\"properties\" is no object"));
    };
    let wanted = Trigger { action, inputs, entity: text(&body, "entity")?, ..Trigger::default() };
    let id = trigger::create(&mut shared.world(), &shared.options, wanted, "API")?;
    let run = shared.world().runs.get(&id).map(Run::shown);
    let sender = shared.clone();
    shared.tasks.spawn(async move { trigger::deliver(&sender, &id).await });
    ok(StatusCode::ACCEPTED, json!({"run": run}))
}

/// The filters of `GET /v1/actions/runs`.
#[derive(Debug, Deserialize)]
pub(super) struct Filter {
    entity: Option<String>,
    blueprint: Option<String>,
    action: Option<String>,
    active: Option<bool>,
    external_run_id: Option<String>,
    limit: Option<usize>,
}

impl Filter {
    fn fits(&self, run: &Run) -> bool {
        let same = |wanted: &Option<String>, has: Option<&String>| {
            wanted.as_ref().is_none_or(|wanted| Some(wanted) == has)
        };
        same(&self.entity, run.entity.as_ref())
            && same(&self.blueprint, run.blueprint.as_ref())
            && same(&self.action, Some(&run.action))
            && same(&self.external_run_id, run.external_run_id.as_ref())
            && self.active.is_none_or(|active| active == run.ended_at.is_none())
    }
}

pub(super) async fn list(State(shared): App, Query(filter): Query<Filter>) -> Answer {
    let world = shared.world();
    let mut runs: Vec<&Run> = world.runs.values().filter(|run| filter.fits(run)).collect();
    runs.sort_by_key(|run| std::cmp::Reverse(run.number));
    let shown = runs.into_iter().take(filter.limit.unwrap_or(100)).map(Run::shown);
    ok(StatusCode::OK, json!({"runs": shown.collect::<Vec<_>>()}))
}

pub(super) async fn get(State(shared): App, Path(id): Path<String>) -> Answer {
    let world = shared.world();
    let run = world.runs.get(&id).ok_or_else(|| Refusal::not_found("Run", &id))?;
    ok(StatusCode::OK, json!({"run": run.shown()}))
}

pub(super) async fn update(State(shared): App, Path(id): Path<String>, body: Bytes) -> Answer {
    let allowed = ["status", "statusLabel", "link", "message", "summary", "externalRunId"];
    let body = object(&body, &allowed)?;
    let (status, links) = (end_of(&body, "status")?, links_of(&body)?);
    let (label, summary) = (text(&body, "statusLabel")?, text(&body, "summary")?);
    let external = text(&body, "externalRunId")?;
    let mut world = shared.world();
    let now = world.clock.now();
    let run = world.open_run(&id)?;
    run.label = label.or(run.label.take());
    run.summary = summary.or(run.summary.take());
    run.external_run_id = external.or(run.external_run_id.take());
    run.links = links.unwrap_or_else(|| std::mem::take(&mut run.links));
    run.updated_at = now;
    if let Some(status) = status {
        run.end(status, now);
    }
    ok(StatusCode::OK, json!({"run": run.shown()}))
}

pub(super) async fn add_log(State(shared): App, Path(id): Path<String>, body: Bytes) -> Answer {
    let body = object(&body, &["message", "terminationStatus", "statusLabel"])?;
    let message = needed_text(&body, "message")?;
    let (end, label) = (end_of(&body, "terminationStatus")?, text(&body, "statusLabel")?);
    let mut world = shared.world();
    let (now, line_id) = (world.clock.now(), world.id("rl"));
    let run = world.open_run(&id)?;
    run.append(line_id.clone(), message.clone(), now);
    run.label = label.or(run.label.take());
    run.updated_at = now;
    if let Some(end) = end {
        run.end(end, now);
    }
    ok(StatusCode::CREATED, json!({"runLog": shown_line(&id, &line_id, &message, now)}))
}

#[derive(Debug, Deserialize)]
pub(super) struct Page {
    limit: Option<usize>,
    offset: Option<usize>,
}

pub(super) async fn logs(
    State(shared): App,
    Path(id): Path<String>,
    Query(page): Query<Page>,
) -> Answer {
    let limit = page.limit.unwrap_or(LOG_PAGE);
    if !(1..=LOG_PAGE).contains(&limit) {
        return Err(Refusal::invalid("\"limit\" has to be 1 to 50"));
    }
    let world = shared.world();
    let run = world.runs.get(&id).ok_or_else(|| Refusal::not_found("Run", &id))?;
    let lines = run.log.iter().skip(page.offset.unwrap_or(0)).take(limit);
    let lines = lines.map(|line| shown_line(&id, &line.id, &line.message, line.created_at));
    ok(StatusCode::OK, json!({"runLogs": lines.collect::<Vec<_>>()}))
}

fn shown_line(run: &str, id: &str, message: &str, at: chrono::DateTime<chrono::Utc>) -> Value {
    json!({
        "id": id, "runId": run, "message": message,
        "createdBy": "sandbox", "createdAt": written(at),
    })
}

pub(super) async fn approve(State(shared): App, Path(id): Path<String>, body: Bytes) -> Answer {
    let body = object(&body, &["status", "description"])?;
    let verdict = needed_text(&body, "status")?;
    let approved = match verdict.as_str() {
        "APPROVE" => true,
        "DECLINE" => false,
        _ => return Err(Refusal::invalid("\"status\" is APPROVE or DECLINE")),
    };
    let shown = {
        let mut world = shared.world();
        let now = world.clock.now();
        let run = world.open_run(&id)?;
        if run.status != "WAITING_FOR_APPROVAL" {
            let (status, code) = (StatusCode::UNPROCESSABLE_ENTITY, "run_not_waiting_for_approval");
            return Err(Refusal::new(status, code, "the run does not wait for an approval"));
        }
        run.approval = Some(verdict);
        if approved {
            "IN_PROGRESS".clone_into(&mut run.status);
        } else {
            run.end("DECLINED".to_owned(), now);
        }
        run.shown()
    };
    if approved {
        let sender = shared.clone();
        shared.tasks.spawn(async move { trigger::deliver(&sender, &id).await });
    }
    ok(StatusCode::CREATED, json!({"run": shown}))
}

pub(super) async fn respond(State(shared): App, Path(id): Path<String>, body: Bytes) -> Answer {
    let mut body = object(&body, &["response"])?;
    let response = body.remove("response");
    let mut world = shared.world();
    let run = world.open_run(&id)?;
    run.response = response.or(run.response.take());
    ok(StatusCode::OK, json!({"run": run.shown()}))
}

fn end_of(body: &Map<String, Value>, name: &str) -> Result<Option<String>, Refusal> {
    match text(body, name)? {
        Some(end) if end != "SUCCESS" && end != "FAILURE" => {
            Err(Refusal::invalid(format!("\"{name}\" is SUCCESS or FAILURE")))
        }
        end => Ok(end),
    }
}

fn links_of(body: &Map<String, Value>) -> Result<Option<Vec<String>>, Refusal> {
    match body.get("link") {
        None => Ok(None),
        Some(Value::String(link)) => Ok(Some(vec![link.clone()])),
        Some(_) => texts(body, "link").map(Some),
    }
}
