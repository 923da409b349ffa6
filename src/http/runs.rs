//! Reading runs and entities.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::AppState;
use super::answer::Failure;
use crate::domain::parts::PartFacts;
use crate::domain::run::Work;
use crate::domain::{ActionId, BlueprintId, RepositoryName, Run, RunId, Status};
use crate::store::{RecordedEvent, RunFilter};

/// The description of the API.
pub(super) const OPENAPI: &str = include_str!("openapi.json");

/// How many runs a page has, where the question does not say it, and at most.
const PAGE: u32 = 50;
const LARGEST_PAGE: u32 = 200;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filter {
    status: Option<Status>,
    action: Option<ActionId>,
    repository: Option<String>,
    text: Option<String>,
    before: Option<RunId>,
    limit: Option<u32>,
}

impl Filter {
    fn check(self) -> Result<RunFilter, Failure> {
        let limit = self.limit.unwrap_or(PAGE);
        if !(1..=LARGEST_PAGE).contains(&limit) {
            return Err(Failure::invalid(format!("limit has to be 1 to {LARGEST_PAGE}.")));
        }
        let repository = self.repository.map(|name| name.parse::<RepositoryName>()).transpose();
        Ok(RunFilter {
            status: self.status,
            action: self.action,
            repository: repository.map_err(|error| Failure::invalid(format!("{error}.")))?,
            entity: None,
            person: None,
            text: self.text.filter(|text| !text.is_empty()),
            before: self.before,
            limit,
        })
    }
}

pub(super) async fn list(
    State(state): State<Arc<AppState>>,
    filter: Result<Query<Filter>, QueryRejection>,
) -> Result<Json<Value>, Failure> {
    let Query(filter) = filter.map_err(|error| Failure::invalid(error.body_text()))?;
    let filter = filter.check()?;
    let runs = state.store.runs(&filter).await?;
    let is_full = runs.len() == filter.limit as usize;
    let next = runs.last().filter(|_| is_full).map(|run| &run.id);
    Ok(Json(json!({"runs": runs.iter().map(shown).collect::<Vec<_>>(), "next": next})))
}

pub(super) async fn get(
    State(state): State<Arc<AppState>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Failure> {
    let run = find(&state, &id).await?;
    let events = state.store.events(&run.id, 0).await?;
    let mut body = shown(&run);
    body["events"] = events.iter().map(shown_event).collect();
    Ok(Json(body))
}

pub(super) async fn find(state: &AppState, id: &str) -> Result<Run, Failure> {
    let unknown = || Failure::not_found(format!("There is no run {id:?}."));
    let id = RunId::new(id).map_err(|_| unknown())?;
    let run = state.store.run(&id).await?;
    // A part is shown with its whole.
    run.filter(|run| run.part_of().is_none()).ok_or_else(unknown)
}

/// A run as the API shows it, without its events.
fn shown(run: &Run) -> Value {
    let (pull_request, workflow_run) = match &run.work {
        Some(Work::PullRequest(work)) => (work.pull_request.as_ref(), None),
        Some(Work::Workflow(work)) => (None, work.workflow_run.as_ref()),
        Some(Work::Delivery(_) | Work::Parts(_)) | None => (None, None),
    };
    json!({
        "id": run.id,
        "portal_run_id": run.id,
        "action": run.request.action,
        "operation": run.operation,
        "status": run.status,
        "label": run.label,
        "links": run.links,
        "repository": run.repository().map(ToString::to_string),
        "pull_request": pull_request.map(|pull_request| json!({
            "number": pull_request.number,
            "url": pull_request.html_url,
            "state": pull_request.state,
        })),
        "workflow_run": workflow_run.map(|run| json!({
            "id": run.id, "url": run.html_url, "attempt": run.latest.attempt,
        })),
        "parts": parts(run).iter().map(shown_part).collect::<Vec<_>>(),
        "created_at": run.created_at,
        "updated_at": run.updated_at,
        "ended_at": run.ended_at,
    })
}

fn parts(run: &Run) -> &[PartFacts] {
    match &run.work {
        Some(Work::Parts(work)) => &work.parts,
        _ => &[],
    }
}

/// One of several repositories that a run writes to.
fn shown_part(part: &PartFacts) -> Value {
    let state = &part.state;
    json!({
        "target": part.target,
        "repository": part.repository.to_string(),
        "status": state.status,
        "label": state.label,
        "pull_request": state.pull_request.as_ref().map(|pull_request| json!({
            "number": pull_request.number,
            "url": pull_request.html_url,
            "state": pull_request.state,
        })),
    })
}

/// A line of a run's history as the API shows it.
pub(super) fn shown_event(event: &RecordedEvent) -> Value {
    json!({"seq": event.seq, "at": event.at, "kind": event.kind, "message": event.message})
}

pub(super) async fn entities(
    State(state): State<Arc<AppState>>,
    Path(blueprint): Path<String>,
) -> Result<Json<Value>, Failure> {
    let blueprint =
        BlueprintId::new(blueprint).map_err(|error| Failure::invalid(format!("{error}.")))?;
    let entities = state.store.entities(&blueprint).await?;
    let entities = entities.into_iter().map(|record| {
        let mut shown = json!(record.entity);
        shown["run"] = json!(record.run);
        shown["updated_at"] = json!(record.updated_at);
        shown
    });
    Ok(Json(json!({"entities": entities.collect::<Vec<_>>()})))
}

pub(super) async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI).into_response()
}
