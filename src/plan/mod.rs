//! Decides, and does nothing: a request and what is known go in, steps or a refusal come out.
//!
//! Pure: no I/O, no async, no clock. Does not know about: GitHub's or the portal's API, the store.

mod ask;
mod begin;
mod body;
mod cancel;
mod conclude;
mod decision;
mod delivery;
mod draft;
mod folder_queue;
mod foresee;
mod late;
mod made_already;
mod new_repository;
mod own_check;
mod parts;
mod patch;
mod proposal;
mod pull_request;
pub mod step;
mod words;
mod workflow;

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::Observation;
use crate::domain::run::{Event, Run, Stage};

pub use ask::{Asked, Target, ask, is_folder_of, not_there, nowhere};
pub use begin::{Refusal, begin, refuse};
pub use cancel::{cancel, cannot_be_cancelled, not_cancelled};
pub use conclude::render_entity;
pub use decision::{Answer, Decision};
pub use delivery::{Delivered, delivered, unclear};
pub use folder_queue::{ask_again, wait_behind};
pub use foresee::{Foreseen, PartPreview, Preview, foresee, foresee_nowhere, preview_id};
pub use late::{in_time, is_due};
pub use made_already::made_already;
pub use new_repository::{
    being_made_by, first_committed, has_first_commit, name_taken, new_repository, repository_made,
};
pub use own_check::{CheckRun, check_given_up, check_refused, check_run_of, check_written};
pub use parts::{Beside, Checked, begin_part, beside, checked, heard, may_propose, withdraw};
pub use patch::{Patch, PatchKind, patches};
pub use proposal::{Ground, Proposing, Ready, nothing_to_change, propose};
pub use pull_request::{
    leave_to_people, move_to, moved, not_rendered_again, proposed, reason_to_render_again,
};
pub use step::Step;
pub use workflow::dispatched;

use draft::Draft;
use step::{After, StoreSecret};

/// Merges what was seen into a run. Whatever comes late, twice or out of order moves nothing
/// backwards and does nothing twice.
pub fn outcome(run: Run, seen: &Observation, now: DateTime<Utc>) -> Decision {
    Draft::of(run)
        .on_workflow(|draft, work| match seen {
            Observation::WorkflowRun(seen) => workflow::run_seen(draft, work, seen),
            Observation::WorkflowJob(seen) => workflow::job_seen(draft, work, seen),
            _ => {}
        })
        .on_pull_request(|draft, work| match seen {
            Observation::WorkflowRun(seen) => pull_request::run_seen(draft, work, seen),
            Observation::WorkflowJob(seen) => pull_request::job_seen(draft, work, seen),
            Observation::PullRequest(seen) => pull_request::pull_request_seen(draft, work, seen),
            Observation::Review(seen) => pull_request::review_seen(draft, work, seen),
            Observation::Signal(seen) => pull_request::signal_seen(draft, work, seen),
            Observation::Push(seen) => pull_request::pushed(draft, work, seen),
            Observation::RenderAgain(seen) => pull_request::asked_for(draft, work, seen),
            Observation::CheckAgain(seen) => own_check::asked_again(work, seen),
        })
        .finish(now)
}

/// Merges several things that were seen at once, in the order in which they are given.
pub fn outcomes(run: Run, seen: &[Observation], now: DateTime<Utc>) -> Decision {
    let nothing = Draft::of(run).finish(now);
    seen.iter().fold(nothing, |sum, seen| {
        let next = outcome(sum.run.clone(), seen, now);
        sum.and(next)
    })
}

/// Goes on from the answer of a step that only read.
pub fn answered(run: Run, answer: &Answer, now: DateTime<Utc>) -> Decision {
    Draft::of(run)
        .on_workflow(|draft, work| match answer {
            Answer::Explained { explanation, then: After::EndWorkflow(conclusion) } => {
                workflow::explained(draft, work, explanation, *conclusion);
            }
            Answer::Outputs(outputs) => workflow::outputs_read(draft, work, outputs),
            Answer::Catalog(told) => workflow::catalog_answered(draft, work, told),
            Answer::Contains { .. } | Answer::Explained { .. } | Answer::Planned(_) => {}
        })
        .on_pull_request(|draft, work| match answer {
            Answer::Contains { head, contains } => {
                pull_request::compared(draft, work, head, *contains);
            }
            Answer::Explained { explanation, then } => {
                pull_request::explained(draft, work, explanation, *then);
            }
            Answer::Planned(summary) => {
                pull_request::plan_read(draft, work, summary.as_ref());
            }
            Answer::Outputs(outputs) => pull_request::outputs_read(draft, work, outputs),
            Answer::Catalog(told) => pull_request::catalog_answered(draft, work, told),
        })
        .on_parts(|draft, work| match answer {
            Answer::Outputs(outputs) => parts::outputs_read(draft, work, outputs),
            Answer::Catalog(told) => parts::catalog_answered(draft, work, told),
            Answer::Contains { .. } | Answer::Explained { .. } | Answer::Planned(_) => {}
        })
        .finish(now)
}

/// Adds lines to a run's history and its log, and changes nothing else.
pub fn note(run: Run, events: Vec<Event>, now: DateTime<Utc>) -> Decision {
    let mut draft = Draft::of(run);
    for event in events {
        draft.say(event);
    }
    draft.finish(now)
}

/// Says until when a run waits for GitHub's limits. `None` where there is nothing to say: it waits
/// for a moment only, or has said so. `is_first`: its step was not tried before.
pub fn limited(
    run: Run,
    until: DateTime<Utc>,
    is_first: bool,
    now: DateTime<Utc>,
) -> Option<Decision> {
    /// A wait that nobody needs to be told of.
    const SHORT: TimeDelta = TimeDelta::minutes(1);
    let at = until.format("%Y-%m-%d %H:%M UTC");
    let label = format!("Waiting for GitHub until {at}");
    let has_begun = run.stage != Stage::Received;
    let is_said = if has_begun { !is_first } else { run.label == label };
    if until - now <= SHORT || is_said || run.status.is_end() {
        return None;
    }
    let mut draft = Draft::of(run);
    if !has_begun {
        draft.stage(Stage::Received, &label);
    }
    draft.say(Event::progress(format!(
        "GitHub takes so many requests an hour and no more. This run waits until {at}, and goes on \
         by itself."
    )));
    Some(draft.finish(now))
}

/// Ends a run whose work cannot be done, with the reason.
pub fn fail(run: Run, reason: String, now: DateTime<Utc>) -> Decision {
    let mut draft = Draft::of(run);
    draft.say(Event::failure(reason));
    draft.end(Stage::Failed, "Failed", None);
    draft.finish(now)
}

/// Ends a run whose secret is stored.
pub fn stored(run: Run, secret: &StoreSecret, now: DateTime<Utc>) -> Decision {
    let mut draft = Draft::of(run);
    let of = secret.environment.as_deref().map(|name| format!(" for {name}")).unwrap_or_default();
    let line = format!("The secret {} is stored in {}{of}.", secret.name, secret.repository);
    draft.say(Event::progress(line));
    draft.end(Stage::Done, "Stored", None);
    draft.finish(now)
}

#[cfg(test)]
mod tests;
