//! The state: what is in the catalog, which actions there are, and how their runs stand.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

use super::answer::Refusal;
use super::fault::{Fault, FaultKind, Request};
use crate::clock::Clock;

pub(super) struct World {
    pub(super) clock: Clock,
    pub(super) token: Option<Token>,
    pub(super) organization: Map<String, Value>,
    pub(super) blueprints: BTreeMap<String, Value>,
    pub(super) actions: BTreeMap<String, Value>,
    /// By blueprint and identifier.
    pub(super) entities: BTreeMap<(String, String), Value>,
    pub(super) runs: BTreeMap<String, Run>,
    pub(super) nodes: BTreeMap<String, NodeRun>,
    /// The topic of action runs, up to where it was read.
    pub(super) topic: Vec<String>,
    pub(super) requests: Vec<Request>,
    pub(super) faults: Vec<Fault>,
    numbers: u64,
}

pub(super) struct Token {
    pub(super) text: String,
    pub(super) until: DateTime<Utc>,
}

/// A run of an action.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// `r_…`.
    pub id: String,
    /// The order in which runs were made.
    pub number: u64,
    /// The action's identifier.
    pub action: String,
    /// The blueprint that the action belongs to.
    pub blueprint: Option<String>,
    /// The identifier of the entity that it ran on.
    pub entity: Option<String>,
    /// What was filled in; encrypted where the form says so.
    pub properties: Map<String, Value>,
    /// `IN_PROGRESS`, `SUCCESS`, …
    pub status: String,
    /// The label beside the status.
    pub label: Option<String>,
    /// All links.
    pub links: Vec<String>,
    /// The text beside the status.
    pub summary: Option<String>,
    /// The id of the work in the system that does it.
    pub external_run_id: Option<String>,
    /// The evaluated invocation method.
    pub payload: Value,
    /// What the backend answered, where it said so.
    pub response: Option<Value>,
    /// The messages of its log.
    pub log: Vec<LogLine>,
    /// Whether and by whom it was approved, where it needs that.
    pub approval: Option<String>,
    /// `UI` or `API`.
    pub source: &'static str,
    /// Where it waits to be claimed, if it does.
    pub(super) pending: Option<Pending>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
}

/// A message of a run's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Its id.
    pub id: String,
    /// One or more lines.
    pub message: String,
    /// When it arrived.
    pub created_at: DateTime<Utc>,
}

/// A run that waits to be claimed and acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pending {
    /// For whom.
    pub(super) installation: String,
    /// Until when a claim hides it.
    pub(super) claimed_until: Option<DateTime<Utc>>,
}

/// A run of a workflow's node.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeRun {
    /// `wfnr_…`.
    pub id: String,
    /// The node's evaluated configuration.
    pub config: Value,
    /// `IN_PROGRESS` or `COMPLETED`.
    pub status: String,
    /// `SUCCESS`, `FAILED` or `CANCELLED`, once completed.
    pub result: Option<String>,
    /// The label beside the status.
    pub label: Option<String>,
    /// All links.
    pub links: Vec<String>,
    /// What later nodes can read.
    pub output: Option<Value>,
    /// The id of the work in the system that does it.
    pub external_run_id: Option<String>,
    /// Level and message.
    pub log: Vec<(String, String)>,
    pub(super) pending: Option<Pending>,
}

impl World {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            clock,
            token: None,
            organization: Map::from_iter([("name".to_owned(), json!("Sandbox"))]),
            blueprints: BTreeMap::new(),
            actions: BTreeMap::new(),
            entities: BTreeMap::new(),
            runs: BTreeMap::new(),
            nodes: BTreeMap::new(),
            topic: Vec::new(),
            requests: Vec::new(),
            faults: Vec::new(),
            numbers: 0,
        }
    }

    /// The next number, for ids and orders.
    pub(super) fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// A new id: its kind, and 16 characters.
    pub(super) fn id(&mut self, kind: &str) -> String {
        let random: String = (0..10).map(|_| fastrand::alphanumeric()).collect();
        format!("{kind}_{random}{:06}", self.number())
    }

    /// The time now, as Port writes it.
    pub(super) fn now(&self) -> String {
        written(self.clock.now())
    }

    pub(super) fn put_blueprint(&mut self, blueprint: Value) -> Value {
        put(&mut self.blueprints, &written(self.clock.now()), blueprint)
    }

    pub(super) fn put_action(&mut self, action: Value) -> Value {
        put(&mut self.actions, &written(self.clock.now()), action)
    }

    pub(super) fn put_entity(&mut self, blueprint: &str, mut entity: Value) -> Value {
        let now = self.now();
        let identifier = entity["identifier"].as_str().unwrap_or_default().to_owned();
        let key = (blueprint.to_owned(), identifier);
        let known = self.entities.get(&key).map(|known| known["createdAt"].clone());
        entity["blueprint"] = json!(blueprint);
        entity["createdAt"] = known.unwrap_or_else(|| json!(now));
        entity["createdBy"] = json!("sandbox");
        entity["updatedAt"] = json!(now);
        entity["updatedBy"] = json!("sandbox");
        for part in ["properties", "relations"] {
            if !entity[part].is_object() {
                entity[part] = json!({});
            }
        }
        self.entities.insert(key, entity.clone());
        entity
    }

    pub(super) fn blueprint(&self, identifier: &str) -> Result<&Value, Refusal> {
        let found = self.blueprints.get(identifier);
        found.ok_or_else(|| Refusal::not_found("Blueprint", identifier))
    }

    pub(super) fn entity(&self, blueprint: &str, identifier: &str) -> Option<&Value> {
        self.entities.get(&(blueprint.to_owned(), identifier.to_owned()))
    }

    pub(super) fn entities_of(&self, blueprint: &str) -> impl Iterator<Item = &Value> {
        self.entities.iter().filter(move |((of, _), _)| of == blueprint).map(|(_, entity)| entity)
    }

    /// The run, if it still takes reports.
    pub(super) fn open_run(&mut self, id: &str) -> Result<&mut Run, Refusal> {
        let run = self.runs.get_mut(id).ok_or_else(|| Refusal::not_found("Run", id))?;
        match run.ended_at {
            None => Ok(run),
            Some(_) => Err(Refusal::exhausted(StatusCode::UNPROCESSABLE_ENTITY, id)),
        }
    }

    pub(super) fn record(&mut self, request: Request) -> usize {
        self.requests.push(request);
        self.requests.len() - 1
    }

    pub(super) fn answered(&mut self, index: usize, status: u16) {
        if let Some(request) = self.requests.get_mut(index) {
            request.status = Some(status);
        }
    }

    /// The first fault that is meant for this call; it is used up by that.
    pub(super) fn fault_for(&mut self, request: &Request) -> Option<FaultKind> {
        let fault = self.faults.iter_mut().find(|fault| {
            fault.times > 0
                && fault.method == request.method
                && (fault.path == request.route || fault.path == request.path)
        })?;
        fault.times -= 1;
        Some(fault.kind.clone())
    }
}

impl Run {
    /// As Port answers it, in the form of v2.
    pub(super) fn shown(&self) -> Value {
        let mut shown = json!({
            "id": self.id,
            "status": self.status,
            "statusLabel": self.label,
            "action": {"identifier": self.action},
            "properties": self.properties,
            "requiredApproval": self.approval.is_some(),
            "source": self.source,
            "link": self.links,
            "payload": self.payload,
            "createdBy": "sandbox",
            "createdAt": written(self.created_at),
            "updatedAt": written(self.updated_at),
        });
        for (name, value) in [
            ("blueprint", self.blueprint.as_ref().map(|id| json!({"identifier": id}))),
            ("entity", self.entity.as_ref().map(|id| json!({"identifier": id}))),
            ("summary", self.summary.as_ref().map(|text| json!(text))),
            ("response", self.response.clone()),
            ("endedAt", self.ended_at.map(|at| json!(written(at)))),
            ("installationId", self.pending.as_ref().map(|it| json!(it.installation))),
            ("pendingExecution", self.pending.as_ref().map(|_| json!(true))),
            ("claimedUntil", self.claimed_until().map(|at| json!(written(at)))),
        ] {
            if let Some(value) = value {
                shown[name] = value;
            }
        }
        shown
    }

    fn claimed_until(&self) -> Option<DateTime<Utc>> {
        self.pending.as_ref()?.claimed_until
    }

    /// Adds a message to the log.
    pub(super) fn append(&mut self, id: String, message: String, now: DateTime<Utc>) {
        self.log.push(LogLine { id, message, created_at: now });
    }

    /// The end.
    pub(super) fn end(&mut self, status: String, now: DateTime<Utc>) {
        self.status = status;
        self.ended_at = Some(now);
    }

    /// All of its log as one text.
    pub fn log_text(&self) -> String {
        self.log.iter().map(|line| line.message.as_str()).collect::<Vec<_>>().join("\n")
    }
}

/// A time as Port writes it.
pub(super) fn written(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn put(all: &mut BTreeMap<String, Value>, now: &str, mut thing: Value) -> Value {
    let identifier = thing["identifier"].as_str().unwrap_or_default().to_owned();
    let known = all.get(&identifier).map(|known| known["createdAt"].clone());
    thing["createdAt"] = known.unwrap_or_else(|| json!(now));
    thing["createdBy"] = json!("sandbox");
    thing["updatedAt"] = json!(now);
    thing["updatedBy"] = json!("sandbox");
    all.insert(identifier, thing.clone());
    thing
}
