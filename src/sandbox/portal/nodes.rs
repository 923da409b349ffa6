//! Runs of a workflow's nodes.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{Answer, Refusal, object, ok, text, texts};
use super::polling::check_reserved;
use super::world::NodeRun;
use super::{SandboxPort, Shared, world};

type App = State<Arc<Shared>>;

impl SandboxPort {
    /// A workflow reaches a node: its run waits to be claimed by `installationId` of the
    /// configuration, or for the execution agent.
    pub fn reach_node(&self, config: Value) -> String {
        let mut world = self.shared.world();
        let id = world.id("wfnr");
        let installation = config["installationId"].as_str().unwrap_or(super::polling::AGENT);
        let pending = world::Pending { installation: installation.to_owned(), claimed_until: None };
        let node = NodeRun {
            id: id.clone(),
            config,
            status: "IN_PROGRESS".to_owned(),
            result: None,
            label: None,
            links: Vec::new(),
            output: None,
            external_run_id: None,
            log: Vec::new(),
            pending: Some(pending),
        };
        world.nodes.insert(id.clone(), node);
        world.put_node_into_topic(&self.shared.options.client_secret, &id);
        id
    }
}

impl NodeRun {
    /// As a claim shows it.
    pub(super) fn claimed(&self) -> Value {
        json!({
            "identifier": self.id, "nodeUid": self.id, "status": self.status,
            "config": self.config, "pendingExecution": self.pending.is_some(),
        })
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Find {
    external_run_id: String,
}

pub(super) async fn find(
    State(shared): App,
    headers: HeaderMap,
    Query(wanted): Query<Find>,
) -> Answer {
    check_reserved(&headers)?;
    let world = shared.world();
    let found = world.nodes.values().filter(|node| {
        node.external_run_id.as_ref().is_some_and(|id| *id == wanted.external_run_id)
    });
    let found = found.map(|node| {
        json!({
            "identifier": node.id, "status": node.status,
            "node": {"config": node.config}, "output": node.output.clone().unwrap_or(json!({})),
        })
    });
    ok(StatusCode::OK, json!({"nodeRuns": found.collect::<Vec<_>>()}))
}

pub(super) async fn update(State(shared): App, Path(id): Path<String>, body: Bytes) -> Answer {
    let allowed = ["status", "result", "output", "links", "externalRunId", "statusLabel"];
    let body = object(&body, &allowed)?;
    let (status, result) = (text(&body, "status")?, text(&body, "result")?);
    let links = body.contains_key("links").then(|| texts(&body, "links")).transpose()?;
    let (label, external) = (text(&body, "statusLabel")?, text(&body, "externalRunId")?);
    let mut world = shared.world();
    let node = open(world.nodes.get_mut(&id), &id)?;
    node.status = status.unwrap_or_else(|| node.status.clone());
    node.result = result.or(node.result.take());
    node.label = label.or(node.label.take());
    node.external_run_id = external.or(node.external_run_id.take());
    node.links = links.unwrap_or_else(|| std::mem::take(&mut node.links));
    node.output = body.get("output").cloned().or(node.output.take());
    ok(StatusCode::OK, json!({"nodeRun": {"identifier": id, "status": node.status}}))
}

pub(super) async fn add_logs(State(shared): App, Path(id): Path<String>, body: Bytes) -> Answer {
    let body = object(&body, &["logs"])?;
    let wrong = || Refusal::invalid("\"logs\" is no list of {level, message}");
    let lines = body.get("logs").and_then(Value::as_array).filter(|lines| !lines.is_empty());
    let lines = lines.ok_or_else(wrong)?;
    let parsed = lines.iter().map(|line| {
        let message = line["message"].as_str().filter(|message| !message.is_empty());
        let level = line["level"].as_str();
        let level = level.filter(|level| ["INFO", "WARN", "ERROR", "DEBUG"].contains(level));
        Some((level?.to_owned(), message?.to_owned()))
    });
    let parsed: Vec<_> = parsed.collect::<Option<_>>().ok_or_else(wrong)?;
    let mut world = shared.world();
    let node = world.nodes.get_mut(&id).ok_or_else(|| Refusal::not_found("Node run", &id))?;
    node.log.extend(parsed);
    ok(StatusCode::CREATED, json!({}))
}

fn open<'a>(node: Option<&'a mut NodeRun>, id: &str) -> Result<&'a mut NodeRun, Refusal> {
    let node = node.ok_or_else(|| Refusal::not_found("Node run", id))?;
    if node.status == "COMPLETED" {
        let message = format!("the node run \"{id}\" is completed");
        return Err(Refusal::new(StatusCode::CONFLICT, "conflict", message));
    }
    Ok(node)
}
