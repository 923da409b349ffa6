//! Telling the portal of a run: everything that waits, in the fewest calls.

use crate::domain::action_run::RunKind;
use crate::domain::{Run, Status};
use crate::plan::step::{End, Progress, Step};
use crate::portal::{self, Port};
use crate::store::{ClaimedStep, StepId};

use super::{Done, Effects, Result};

impl Effects {
    pub(super) async fn report(&self, claimed: &ClaimedStep) -> Result<Done> {
        let waiting = Waiting::gather(claimed);
        let told = waiting.also.clone();
        if let Some(port) = self.portal_of(&claimed.run) {
            let repeated = claimed.interrupted || claimed.attempt > 1;
            tell(port, &claimed.run, waiting, repeated).await?;
        }
        // A step each, because a repetition may find more of them waiting, and an event that has the
        // same id has to say the same.
        self.tell_listener(claimed, claimed.id, &claimed.step).await?;
        let also = claimed.following.iter().filter(|(id, _)| told.contains(id));
        for (id, step) in also {
            self.tell_listener(claimed, *id, step).await?;
        }
        Ok(Done::Reported(told))
    }
}

/// What waits to be told of a run, up to its end.
struct Waiting {
    progress: Vec<Progress>,
    end: Option<Status>,
    also: Vec<StepId>,
}

impl Waiting {
    fn gather(claimed: &ClaimedStep) -> Self {
        let mut waiting = Self { progress: Vec::new(), end: None, also: Vec::new() };
        waiting.add(&claimed.step);
        for (id, step) in &claimed.following {
            if waiting.end.is_some() {
                break;
            }
            waiting.add(step);
            waiting.also.push(*id);
        }
        waiting
    }

    fn add(&mut self, step: &Step) {
        match step {
            Step::Progress(progress) => self.progress.push(progress.clone()),
            Step::End(end) => {
                self.end = Some(end.status);
                self.progress.push(last_words(end));
            }
            _ => {}
        }
    }
}

fn last_words(end: &End) -> Progress {
    Progress {
        log: end.log.clone(),
        label: Some(end.label.clone()),
        links: end.links.clone(),
        summary: end.summary.clone(),
        response: end.response.clone(),
        external_run_id: end.external_run_id.clone(),
    }
}

/// `repeated`: an earlier attempt may have told a part, perhaps with fewer lines in one message.
/// What sets a value is told again; a line of the log only if it is not there. (The log of a
/// workflow's node cannot be read.)
async fn tell(port: &Port, run: &Run, waiting: Waiting, repeated: bool) -> Result<()> {
    let kind = run.request.kind;
    let Waiting { mut progress, end, .. } = waiting;
    if repeated && kind == RunKind::Action {
        let known = format!("\n{}\n", port.logs(&run.id).await?.join("\n"));
        let is_new = |line: &String| !known.contains(&format!("\n{line}\n"));
        for progress in &mut progress {
            progress.log.retain(is_new);
        }
    }
    let calls = portal::report::calls(kind, &progress, end);
    for call in &calls {
        match port.report(&run.id, kind, call).await {
            Ok(()) => {}
            // Ended there already: by our own word whose answer was lost, or by somebody.
            Err(portal::Error::Exhausted) => {
                tracing::info!(run.id = %run.id, "the portal has ended the run already");
                return Ok(());
            }
            // Good to see, and no reason to keep the end of the run from the portal.
            Err(portal::Error::Refused { .. } | portal::Error::NotFound(_))
                if matches!(call, portal::report::Call::Respond(_)) =>
            {
                tracing::warn!(run.id = %run.id, "the portal does not show the answer of a run");
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
