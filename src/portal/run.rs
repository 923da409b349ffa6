//! Calls about runs: status, log lines, and looking at both. Runs of an action and of a workflow's
//! node have an address and a form each.

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::report::{Call as Report, LogEntry};
use super::transport::Call;
use super::{Error, Port};
use crate::domain::action_run::RunKind;
use crate::domain::report::Response;
use crate::domain::{RunId, Status};

/// What changes of a run. `None` stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PatchRun {
    /// The end of the run, taken once.
    pub status: Option<Status>,
    /// The label beside the status.
    pub label: Option<String>,
    /// All links.
    pub links: Option<Vec<String>>,
    /// The short text beside the status, Markdown.
    pub summary: Option<String>,
    /// GitHub's id of the work.
    pub external_run_id: Option<String>,
    /// What an address inside the network has answered: of a node, a part of its output.
    pub response: Option<Response>,
}

/// How a run stands in the portal.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunSeen {
    /// The portal's status.
    pub status: Status,
    /// Its label.
    #[serde(default)]
    pub status_label: Option<String>,
}

/// Port's most for a page of log lines (API description).
const LOG_PAGE: usize = 50;

/// How many pages of a log are looked at: no run of this program writes more.
const LOG_PAGES: usize = 20;

impl Port {
    /// Sends one of the calls that [`super::report::calls`] has put together.
    pub async fn report(&self, run: &RunId, kind: RunKind, call: &Report) -> Result<(), Error> {
        match call {
            Report::Log(entry) => self.append_log(run, kind, entry).await,
            Report::Respond(response) => self.respond(run, response).await,
            Report::Patch(patch) => self.patch_run(run, kind, patch).await,
        }
    }

    /// Changes status, label, links, summary or the external id of a run.
    pub async fn patch_run(
        &self,
        run: &RunId,
        kind: RunKind,
        patch: &PatchRun,
    ) -> Result<(), Error> {
        match kind {
            RunKind::Action | RunKind::Own => {
                let call = Call::new(Method::PATCH, ["actions", "runs", run.as_str()]);
                self.transport.write(call.query("version", "v2").body(action_patch(patch))).await
            }
            RunKind::WorkflowNode => {
                let call = Call::new(Method::PATCH, ["workflows", "nodes", "runs", run.as_str()]);
                let answer = self.transport.write(call.body(node_patch(patch))).await;
                answer.map_err(ended_node)
            }
        }
    }

    /// Shows an answer with an action run. The form is that of Port's agent; it is not in Port's API
    /// description.
    pub async fn respond(&self, run: &RunId, response: &Response) -> Result<(), Error> {
        let call = Call::new(Method::PATCH, ["actions", "runs", run.as_str(), "response"]);
        self.transport.write(call.body(json!({"response": response.body}))).await
    }

    /// Adds a message to a run's log. For an action run, a label and the end go with it; a node's
    /// log takes neither, so that they follow as a change of the run.
    pub async fn append_log(
        &self,
        run: &RunId,
        kind: RunKind,
        entry: &LogEntry,
    ) -> Result<(), Error> {
        match kind {
            RunKind::Action | RunKind::Own => {
                let call = Call::new(Method::POST, ["actions", "runs", run.as_str(), "logs"]);
                self.transport.write(call.body(action_log(entry))).await
            }
            RunKind::WorkflowNode => {
                let path = ["workflows", "nodes", "runs", run.as_str(), "logs"];
                let level = if entry.end == Some(Status::Failure) { "ERROR" } else { "INFO" };
                let lines = json!({"logs": [{"level": level, "message": entry.message}]});
                self.transport.write(Call::new(Method::POST, path).body(lines)).await?;
                if entry.label.is_none() && entry.end.is_none() {
                    return Ok(());
                }
                let (status, label) = (entry.end, entry.label.clone());
                let rest = PatchRun { status, label, ..PatchRun::default() };
                self.patch_run(run, kind, &rest).await
            }
        }
    }

    /// The messages of an action run's log, to look whether one arrived whose answer was lost.
    /// For runs of a workflow's node, Port has no such question.
    pub async fn logs(&self, run: &RunId) -> Result<Vec<String>, Error> {
        #[derive(Deserialize)]
        struct Page {
            #[serde(rename = "runLogs")]
            lines: Vec<Line>,
        }
        #[derive(Deserialize)]
        struct Line {
            message: String,
        }
        let mut messages = Vec::new();
        for page in 0..LOG_PAGES {
            let (limit, offset) = (LOG_PAGE.to_string(), (page * LOG_PAGE).to_string());
            let call = Call::new(Method::GET, ["actions", "runs", run.as_str(), "logs"])
                .query("limit", &limit)
                .query("offset", &offset);
            let Page { lines } = self.transport.read(call).await?;
            let is_last = lines.len() < LOG_PAGE;
            messages.extend(lines.into_iter().map(|line| line.message));
            if is_last {
                break;
            }
        }
        Ok(messages)
    }

    /// How an action run stands in the portal. For runs of a workflow's node, Port has no such
    /// question; a report to one that has ended is answered with [`Error::Exhausted`].
    pub async fn run(&self, run: &RunId) -> Result<RunSeen, Error> {
        #[derive(Deserialize)]
        struct Found {
            run: RunSeen,
        }
        let call = Call::new(Method::GET, ["actions", "runs", run.as_str()]).query("version", "v2");
        let Found { run } = self.transport.read(call).await?;
        Ok(run)
    }
}

fn action_patch(patch: &PatchRun) -> Value {
    object([
        ("status", patch.status.map(|status| status.as_str().into())),
        ("statusLabel", patch.label.clone().map(Value::from)),
        ("link", patch.links.clone().map(Value::from)),
        ("summary", patch.summary.clone().map(Value::from)),
        ("externalRunId", patch.external_run_id.clone().map(Value::from)),
    ])
}

/// The same for a node (ocean, `actions_and_workflow_runs.py`): its end is two fields, and the
/// summary is a part of its output, which later nodes of the workflow can read.
fn node_patch(patch: &PatchRun) -> Value {
    let result = patch.status.map(|status| match status {
        Status::Success => "SUCCESS",
        _ => "FAILED",
    });
    object([
        ("status", result.map(|_| "COMPLETED".into())),
        ("result", result.map(Value::from)),
        ("statusLabel", patch.label.clone().map(Value::from)),
        ("links", patch.links.clone().map(Value::from)),
        ("output", output(patch)),
        ("externalRunId", patch.external_run_id.clone().map(Value::from)),
    ])
}

fn output(patch: &PatchRun) -> Option<Value> {
    let response = patch.response.as_ref();
    let output = object([
        ("summary", patch.summary.clone().map(Value::from)),
        ("response", response.map(|it| json!({"status": it.status, "data": it.body}))),
    ]);
    output.as_object().is_some_and(|parts| !parts.is_empty()).then_some(output)
}

fn action_log(entry: &LogEntry) -> Value {
    object([
        ("message", Some(entry.message.clone().into())),
        ("statusLabel", entry.label.clone().map(Value::from)),
        ("terminationStatus", entry.end.map(|status| status.as_str().into())),
    ])
}

/// A node that has ended answers 409 (<https://github.com/port-labs/ocean/pull/3414>).
fn ended_node(error: Error) -> Error {
    match error {
        Error::Refused { status: 409, .. } => Error::Exhausted,
        other => other,
    }
}

fn object<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    let known = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(known.collect::<Map<_, _>>())
}
