//! Cancelling a run.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use super::AppState;
use super::answer::Failure;
use super::runs::find;
use crate::plan;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cancel {
    /// Who wants it, as people read it.
    user: Option<String>,
}

/// `POST /api/v1/runs/{id}/cancel`. What becomes of it is in the run's history.
pub(super) async fn cancel(
    State(state): State<Arc<AppState>>,
    Path(id): Path<String>,
    body: Result<Option<Json<Cancel>>, JsonRejection>,
) -> Result<Response, Failure> {
    let body = body.map_err(|error| Failure::new(error.status(), error.body_text()))?;
    let Json(Cancel { user }) = body.unwrap_or_default();
    let run = find(&state, &id).await?;
    if let Some(reason) = plan::cannot_be_cancelled(&run) {
        return Err(Failure::new(StatusCode::CONFLICT, reason));
    }
    let by = user.unwrap_or_else(|| "Somebody at the API".to_owned());
    state.store.request_cancel(&run.id, &by).await?;
    tracing::info!(run.id = %run.id, by, "a run is to be cancelled");
    Ok((StatusCode::ACCEPTED, Json(json!({"run": run.id}))).into_response())
}
