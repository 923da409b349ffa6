//! Claim and acknowledge: runs that wait for an agent. A claim hides a run for a while; without an
//! acknowledgement it can then be claimed again.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Shared;
use super::answer::{Answer, Refusal, needed_text, object, ok, text, texts};
use super::world::{Pending, Run, World};

type App = State<Arc<Shared>>;

/// The installation for which actions with `agent: true` wait.
pub(super) const AGENT: &str = "_PORT_EXEC_AGENT";

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Claim {
    installation_id: String,
    limit: usize,
    #[serde(default)]
    visibility_timeout_ms: Option<i64>,
    #[serde(default)]
    exclude: Vec<String>,
    #[serde(default)]
    invocation_method: Option<String>,
}

impl Claim {
    fn parse(headers: &HeaderMap, body: &[u8]) -> Result<Self, Refusal> {
        check_reserved(headers)?;
        let claim: Self =
            serde_json::from_slice(body).map_err(|error| Refusal::invalid(error.to_string()))?;
        let timeout = claim.visibility_timeout_ms.unwrap_or(60_000);
        if !(1..=1000).contains(&claim.limit) || !(1..=600_000).contains(&timeout) {
            return Err(Refusal::invalid("\"limit\" or \"visibilityTimeoutMs\" is out of range"));
        }
        Ok(claim)
    }

    fn hidden_until(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        now + TimeDelta::milliseconds(self.visibility_timeout_ms.unwrap_or(60_000))
    }

    fn takes(&self, pending: Option<&Pending>, now: DateTime<Utc>) -> bool {
        pending.is_some_and(|pending| {
            pending.installation == self.installation_id
                && pending.claimed_until.is_none_or(|until| until <= now)
        })
    }
}

/// Port keeps these calls for its own clients, and knows them by this header.
pub(super) fn check_reserved(headers: &HeaderMap) -> Result<(), Refusal> {
    match headers.get("x-port-reserved-usage").and_then(|value| value.to_str().ok()) {
        Some("true") => Ok(()),
        _ => Err(Refusal::new(
            StatusCode::FORBIDDEN,
            "missing_permissions",
            "this call needs the header x-port-reserved-usage: true",
        )),
    }
}

pub(super) async fn claim(State(shared): App, headers: HeaderMap, body: Bytes) -> Answer {
    let claim = Claim::parse(&headers, &body)?;
    let mut world = shared.world();
    let now = world.clock.now();
    let mut runs: Vec<&mut Run> = world
        .runs
        .values_mut()
        .filter(|run| run.status == "IN_PROGRESS" && claim.takes(run.pending.as_ref(), now))
        .filter(|run| !claim.exclude.contains(&run.action))
        .filter(|run| {
            claim.invocation_method.as_ref().is_none_or(|method| run.payload["type"] == **method)
        })
        .collect();
    runs.sort_by_key(|run| run.number);
    runs.truncate(claim.limit);
    for run in &mut runs {
        hide(&mut run.pending, claim.hidden_until(now));
    }
    ok(StatusCode::OK, json!({"runs": runs.iter().map(|run| run.shown()).collect::<Vec<_>>()}))
}

pub(super) async fn claim_nodes(State(shared): App, headers: HeaderMap, body: Bytes) -> Answer {
    let claim = Claim::parse(&headers, &body)?;
    let mut world = shared.world();
    let now = world.clock.now();
    let waiting = world.nodes.values_mut().filter(|node| claim.takes(node.pending.as_ref(), now));
    let mut claimed: Vec<Value> = Vec::new();
    for node in waiting.take(claim.limit) {
        hide(&mut node.pending, claim.hidden_until(now));
        claimed.push(node.claimed());
    }
    ok(StatusCode::OK, json!({"nodeRuns": claimed}))
}

pub(super) async fn acknowledge(State(shared): App, headers: HeaderMap, body: Bytes) -> Answer {
    check_reserved(&headers)?;
    let body = object(&body, &["runId", "runIds"])?;
    let mut world = shared.world();
    if let Some(id) = text(&body, "runId")? {
        if !take(&mut world, &id) {
            return Err(already(&id));
        }
        return ok(StatusCode::OK, json!({"ackedCount": 1}));
    }
    let ids = texts(&body, "runIds")?;
    let taken = ids.iter().filter(|id| take(&mut world, id)).count();
    ok(StatusCode::OK, json!({"ackedCount": taken}))
}

pub(super) async fn acknowledge_node(
    State(shared): App,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    check_reserved(&headers)?;
    let id = needed_text(&object(&body, &["nodeRunIdentifier"])?, "nodeRunIdentifier")?;
    let mut world = shared.world();
    let node = world.nodes.get_mut(&id).ok_or_else(|| Refusal::not_found("Node run", &id))?;
    match node.pending.take() {
        Some(_) => ok(StatusCode::OK, json!({"acked": true})),
        None => Err(already(&id)),
    }
}

fn hide(pending: &mut Option<Pending>, until: DateTime<Utc>) {
    if let Some(pending) = pending {
        pending.claimed_until = Some(until);
    }
}

/// Takes a run that was claimed: nobody else gets it from now on.
fn take(world: &mut World, id: &str) -> bool {
    let pending = world.runs.get_mut(id).map(|run| &mut run.pending);
    pending.is_some_and(|pending| pending.take().is_some())
}

fn already(id: &str) -> Refusal {
    let message = format!("\"{id}\" was already acknowledged");
    Refusal::new(StatusCode::CONFLICT, "conflict", message)
}
