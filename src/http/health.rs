//! Whether the program lives, whether it can work, and its numbers.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::AppState;
use crate::domain::Stage;

pub(super) async fn alive() -> Response {
    Json(json!({"status": "alive"})).into_response()
}

/// Ready when the database answers and messages are taken in; else 503 with every reason. Where runs
/// are fetched, what happens on GitHub is found by looking, and needs no webhooks.
pub(super) async fn ready(State(state): State<Arc<AppState>>) -> Response {
    let mut reasons = if state.takes_webhooks { state.intake.problems() } else { Vec::new() };
    if state.store.ping().await.is_err() {
        reasons.insert(0, "The database does not answer.".to_owned());
    }
    if reasons.is_empty() {
        return Json(json!({"status": "ready", "reasons": []})).into_response();
    }
    let body = json!({"status": "not ready", "reasons": reasons});
    (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
}

/// Prometheus' text form. What the store can count is counted now; if it cannot, the rest is shown.
pub(super) async fn metrics(State(state): State<Arc<AppState>>) -> Response {
    if let Ok(counts) = state.store.counts().await {
        // A stage that has no run any more is counted, too.
        for stage in Stage::ALL {
            metrics::gauge!("towpath_runs", "stage" => stage.as_str()).set(0.0);
        }
        for (stage, number) in counts.runs {
            metrics::gauge!("towpath_runs", "stage" => stage.as_str()).set(float(number));
        }
        metrics::gauge!("towpath_steps_ready").set(float(counts.steps_waiting));
        metrics::gauge!("towpath_steps_parked").set(float(counts.steps_parked));
        let oldest = counts.oldest_due.map(|due| state.intake.clock.now() - due);
        let oldest = oldest.map_or(0.0, |age| age.as_seconds_f64().max(0.0));
        metrics::gauge!("towpath_oldest_step_seconds").set(oldest);
    }
    if let Ok(parked) = state.store.count_parked_messages().await {
        metrics::gauge!("towpath_messages_parked").set(float(parked));
    }
    let text = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    (text, state.metrics.render()).into_response()
}

#[expect(clippy::cast_precision_loss, reason = "nobody has 2^52 runs")]
fn float(number: u64) -> f64 {
    number as f64
}
