//! What was put aside because it could not be handled: steps, which can be done once more, and
//! messages of a stream, which can be looked at where they stand.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::AppState;
use super::answer::Failure;
use crate::store::{ParkedStep, StepId};

/// How many are shown at most.
const PAGE: u32 = 200;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    before: Option<i64>,
}

/// The steps that were put aside, the newest first.
pub(super) async fn steps(
    State(state): State<Arc<AppState>>,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Json<Value>, Failure> {
    let Query(page) = page.map_err(|error| Failure::invalid(error.body_text()))?;
    let steps = state.store.parked_steps(page.before.map(StepId), PAGE).await?;
    let is_full = steps.len() == PAGE as usize;
    let next = steps.last().filter(|_| is_full).map(|step| step.id.0);
    Ok(Json(json!({"steps": steps.iter().map(shown).collect::<Vec<_>>(), "next": next})))
}

/// One step that was put aside.
pub(super) async fn step(
    State(state): State<Arc<AppState>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Failure> {
    let parked = match id.parse::<StepId>() {
        Ok(id) => state.store.parked_step(id).await?,
        Err(_) => None,
    };
    parked.as_ref().map(shown).map(Json).ok_or_else(|| unknown(&id))
}

/// Does a parked step once more.
pub(super) async fn replay(
    State(state): State<Arc<AppState>>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let run = match id.parse::<StepId>() {
        Ok(id) => state.store.replay(id).await?,
        Err(_) => None,
    };
    let run = run.ok_or_else(|| unknown(&id))?;
    tracing::info!(run.id = %run, step.id = id, "a parked step is done once more");
    Ok((StatusCode::ACCEPTED, Json(json!({"run": run}))).into_response())
}

/// The messages of a stream that were left aside last.
pub(super) async fn messages(State(state): State<Arc<AppState>>) -> Result<Json<Value>, Failure> {
    let messages = state.store.parked_messages(PAGE).await?;
    let messages = messages.iter().map(|message| {
        json!({
            "source": message.source, "reason": message.reason, "parked_at": message.parked_at,
        })
    });
    Ok(Json(json!({"messages": messages.collect::<Vec<_>>()})))
}

fn shown(step: &ParkedStep) -> Value {
    json!({
        "id": step.id.0,
        "run": step.run,
        "kind": step.kind,
        "attempt": step.attempt,
        "reason": step.reason,
        "created_at": step.created_at,
        "parked_at": step.parked_at,
    })
}

fn unknown(id: &str) -> Failure {
    Failure::not_found(format!("There is no parked step {id:?}; it may have been replayed."))
}
