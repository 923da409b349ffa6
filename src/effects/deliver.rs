//! Delivering a run's message inside the network, and never blindly twice.

use crate::agent::{Answered, SendError};
use crate::domain::{Invocation, Run};
use crate::plan::step::Response;
use crate::plan::{self, Delivered};
use crate::store::ClaimedStep;

use super::{Done, Effects, Result, StepError};

/// How often an address is tried that cannot be reached: with the worker's backoff for about half
/// an hour. A person waits for it.
const ATTEMPTS: u32 = 12;

impl Effects {
    pub(super) async fn deliver(&self, run: Run, claimed: &ClaimedStep) -> Result<Done> {
        let Invocation::Delivery(delivery) = &run.request.invocation else {
            return Err(StepError::Fail("The run has no message to deliver.".to_owned()));
        };
        let open = |sealed: &str| self.sealing_key.open(sealed).ok();
        let prepared = self.agent.prepare(&run.id, &delivery.message, open).await;
        let prepared = prepared.map_err(|reason| undeliverable(&run, &reason.0))?;
        let (shown, repeatable) = (prepared.shown(), prepared.is_repeatable());
        let now = || self.clock.now();
        if claimed.interrupted && !repeatable {
            let reason = "this service was stopped meanwhile";
            return Ok(plan::unclear(run, &shown, reason, now()).into());
        }
        let is_last = claimed.attempt >= ATTEMPTS;
        match self.agent.send(prepared).await {
            Ok(answered) => Ok(plan::delivered(run, &said(shown, answered), now()).into()),
            Err(SendError::Forbidden(reason)) => Err(undeliverable(&run, &reason)),
            Err(SendError::NotSent(reason)) if is_last => {
                Err(StepError::Fail(format!("{shown} cannot be reached: {reason}.")))
            }
            Err(SendError::NotSent(reason)) => Err(StepError::Retry {
                reason: format!("{shown} cannot be reached: {reason}"),
                until: None,
            }),
            Err(SendError::Lost(reason)) if repeatable && !is_last => {
                Err(StepError::Unknown(format!("the answer to {shown} was lost: {reason}")))
            }
            Err(SendError::Lost(reason)) => Ok(plan::unclear(run, &shown, &reason, now()).into()),
        }
    }
}

/// A misspelt action is delivered, too: so both ways out are named.
fn undeliverable(run: &Run, reason: &str) -> StepError {
    StepError::Fail(format!(
        "{reason} (No template defines the action {}, so its message is for the address that it \
         names.)",
        run.request.action
    ))
}

fn said(request: String, answered: Answered) -> Delivered {
    Delivered {
        request,
        response: Response { status: answered.status, body: answered.body.unwrap_or_default() },
        told: answered.told,
        is_success: answered.is_success,
        end: answered.end,
        links: answered.links.unwrap_or_default(),
        summary: answered.summary,
        external_run_id: answered.external_run_id,
        faults: answered.faults,
    }
}
