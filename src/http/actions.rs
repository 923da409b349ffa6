//! Starting an action from this program's own pages.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::AppState;
use super::answer::Failure;
use super::hooks::answered;
use crate::domain::action_run::RunKind;
use crate::domain::{ActionId, ActionRun, Invocation, RunId, User};

/// The longest `Idempotency-Key`, in bytes.
const LONGEST_KEY: usize = 255;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Start {
    #[serde(default)]
    inputs: Map<String, Value>,
    /// An identifier, or the entity itself.
    entity: Option<Value>,
    /// An e-mail address.
    user: Option<String>,
}

/// `POST /api/v1/actions/{action}/runs`. With an `Idempotency-Key`, the same run however often.
pub(super) async fn start(
    State(state): State<Arc<AppState>>,
    Path(action): Path<String>,
    headers: HeaderMap,
    body: Result<Json<Start>, JsonRejection>,
) -> Result<Response, Failure> {
    let action = ActionId::new(action).map_err(|error| Failure::invalid(format!("{error}.")))?;
    let Json(body) = body.map_err(|error| Failure::new(error.status(), error.body_text()))?;
    let request = ActionRun {
        id: run_id(&action, &headers)?,
        kind: RunKind::Own,
        action,
        action_title: None,
        operation: None,
        inputs: body.inputs,
        entity: body.entity.map(entity).transpose()?,
        user: User { email: body.user, ..User::default() },
        organization: None,
        encrypted: Vec::new(),
        invocation: Invocation::Template,
    };
    Ok(answered("api", state.intake.run(request).await).into_response())
}

fn entity(given: Value) -> Result<Value, Failure> {
    match given {
        Value::String(identifier) => Ok(json!({"identifier": identifier})),
        Value::Object(entity) if entity.get("identifier").is_some_and(Value::is_string) => {
            Ok(Value::Object(entity))
        }
        _ => Err(Failure::invalid("entity has to be an identifier or an object with one.")),
    }
}

/// A new id, or the one that belongs to the key.
fn run_id(action: &ActionId, headers: &HeaderMap) -> Result<RunId, Failure> {
    match headers.get("idempotency-key") {
        None => Ok(own_run_id(action, &fastrand::u128(..).to_le_bytes())),
        Some(key) if (1..=LONGEST_KEY).contains(&key.len()) => {
            Ok(own_run_id(action, key.as_bytes()))
        }
        Some(_) => Err(Failure::invalid("Idempotency-Key has to have 1 to 255 bytes.")),
    }
}

/// The id of a run that is asked for here: the same for the same key.
pub(super) fn own_run_id(action: &ActionId, key: &[u8]) -> RunId {
    let digest = Sha256::new().chain_update(action.as_str()).chain_update([0]);
    let digest = digest.chain_update(key).finalize();
    RunId::new(format!("r_{}", hex::encode(&digest[..16]))).expect("letters and digits are an id")
}
