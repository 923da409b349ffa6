//! Telling a listener of what a step tells the portal: the same, one event a step.

use serde_json::{Value, json};

use super::{Effects, Result};
use crate::domain::{EntityRef, Progress, Run};
use crate::listener::{CloudEvent, Kind};
use crate::plan::Step;
use crate::plan::step::End;
use crate::store::{ClaimedStep, StepId};

impl Effects {
    /// `step` is the claimed one, or one that is told along with it.
    pub(super) async fn tell_listener(
        &self,
        claimed: &ClaimedStep,
        id: StepId,
        step: &Step,
    ) -> Result<()> {
        let Some(listener) = &self.listener else { return Ok(()) };
        let run = &claimed.run;
        let Some((kind, subject, data)) = told(run, step) else { return Ok(()) };
        let event = CloudEvent {
            id: format!("{}.{}", run.id, id.0),
            kind,
            subject,
            time: claimed.created_at,
            data,
        };
        Ok(listener.tell(&event).await?)
    }
}

/// What a step says to the outside, and of what.
fn told(run: &Run, step: &Step) -> Option<(Kind, String, Value)> {
    let of_run = || run.id.to_string();
    Some(match step {
        Step::Progress(progress) => (Kind::RunProgressed, of_run(), progressed(run, progress)),
        Step::End(end) => (Kind::RunEnded, of_run(), ended(run, end)),
        Step::Upsert(upsert) => {
            let data = json!({"run": run.id, "entity": upsert.entity});
            (Kind::EntityWritten, name(&upsert.entity.entity), data)
        }
        Step::Delete(delete) => {
            let data = json!({"run": run.id, "entity": delete.entity});
            (Kind::EntityRemoved, name(&delete.entity), data)
        }
        _ => return None,
    })
}

fn progressed(run: &Run, progress: &Progress) -> Value {
    json!({
        "run": run.id, "action": run.request.action, "status": "IN_PROGRESS",
        "label": progress.label, "log": progress.log, "links": progress.links,
        "summary": progress.summary, "external_run_id": progress.external_run_id,
    })
}

fn ended(run: &Run, end: &End) -> Value {
    json!({
        "run": run.id, "action": run.request.action, "status": end.status, "label": end.label,
        "log": end.log, "links": end.links, "summary": end.summary,
    })
}

fn name(entity: &EntityRef) -> String {
    format!("{}/{}", entity.blueprint, entity.identifier)
}
