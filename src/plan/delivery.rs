//! A message that was delivered to an address inside the network: what its answer means.

use chrono::{DateTime, Utc};

use super::decision::Decision;
use super::draft::Draft;
use super::step::Response;
use crate::domain::Invocation;
use crate::domain::run::{Event, Run, Stage, Status, Work};

/// What came back.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivered {
    /// Method and address, for people.
    pub request: String,
    /// What was answered. `body` is null where there is nothing to be shown.
    pub response: Response,
    /// The beginning of the answer, on one line, for people.
    pub told: String,
    /// Whether it is a success (2xx).
    pub is_success: bool,
    /// The end of the run, where whoever set up the delivery reads one from the answer.
    pub end: Option<Status>,
    /// Pages that the answer names.
    pub links: Vec<String>,
    /// The short text beside the status.
    pub summary: Option<String>,
    /// The outside's name of what was begun.
    pub external_run_id: Option<String>,
    /// What the answer names and the portal would not take. Sentences.
    pub faults: Vec<String>,
}

/// Goes on from an answer. A message that is not synchronous leaves the end of the run to whoever
/// got it, unless the answer is no success, or says how the run has ended.
pub fn delivered(run: Run, answer: &Delivered, now: DateTime<Utc>) -> Decision {
    let waits = is_synchronous(&run);
    let mut draft = Draft::of(run);
    let status = answer.response.status;
    let line = format!("{} answered {status}.", answer.request);
    let end = match answer.end {
        Some(end) => Some(end),
        None if !answer.is_success => Some(Status::Failure),
        None => waits.then_some(Status::Success),
    };
    for url in answer.links.iter().rev() {
        draft.run.add_link(url);
    }
    set_work(&mut draft, answer.external_run_id.clone(), end.is_none());
    let shows = waits && !answer.response.body.is_null();
    draft.respond(shows.then(|| answer.response.clone()));
    let summary = answer.summary.clone();
    if !answer.is_success && !answer.told.is_empty() {
        draft.say(Event::failure(format!("{line} {}", answer.told)));
    } else {
        draft.say(Event::progress(line.clone()));
    }
    draft.summarise(summary.or_else(|| (end == Some(Status::Failure)).then_some(line)));
    for fault in &answer.faults {
        draft.say(Event::warning(fault.clone()));
    }
    match end {
        Some(Status::Success) => draft.end(Stage::Done, "Succeeded", None),
        Some(_) => draft.end(Stage::Failed, "Failed", None),
        None => {
            draft.say(Event::progress("Whoever got it reports how it goes on."));
            draft.end(Stage::Done, "Delivered", None);
        }
    }
    draft.finish(now)
}

/// Nobody knows whether a message arrived, and it may not be sent again. Who waits for the answer is
/// told so; else whoever may have got it can still report the end.
pub fn unclear(run: Run, request: &str, reason: &str, now: DateTime<Utc>) -> Decision {
    let waits = is_synchronous(&run);
    let mut draft = Draft::of(run);
    set_work(&mut draft, None, !waits);
    draft.say(Event::failure(format!(
        "The answer to {request} was lost ({reason}). It may have arrived, and is not sent again, \
         because doing it twice may not be the same as doing it once. Look there before you run \
         the action again. If a repetition does no harm, use PUT, or set TOWPATH_AGENT_RESEND."
    )));
    draft.end(Stage::Failed, "Answer lost", None);
    draft.finish(now)
}

fn is_synchronous(run: &Run) -> bool {
    matches!(&run.request.invocation, Invocation::Delivery(delivery) if delivery.is_synchronous())
}

fn set_work(draft: &mut Draft, external_run_id: Option<String>, is_left_to_receiver: bool) {
    if let Some(Work::Delivery(work)) = &mut draft.run.work {
        work.external_run_id = external_run_id;
        work.is_left_to_receiver = is_left_to_receiver;
    }
}
