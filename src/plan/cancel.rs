//! Cancelling: what it means for a run that somebody does not want it any more, which depends on how
//! far it is. What was merged or made is not undone.

use chrono::{DateTime, Utc};

use crate::domain::observation::{PullRequestSeen, PullRequestState, RunPhase};
use crate::domain::parts::PartFacts;
use crate::domain::run::{Event, PullRequestWork, Run, Stage, Work};

use super::body::escape;
use super::decision::Decision;
use super::draft::Draft;
use super::step::{Cancel, ClosePullRequest, Step, StopWorkflow};
use super::words::one_line;

/// Why a run cannot be cancelled, in a sentence with the way out; `None` if it can.
pub fn cannot_be_cancelled(run: &Run) -> Option<String> {
    if run.status.is_end() {
        return Some(format!("The run has ended already: {}.", run.label));
    }
    let work = match &run.work {
        Some(Work::PullRequest(work)) => work,
        Some(Work::Workflow(work)) => {
            let phase = work.workflow_run.as_ref()?.latest.phase;
            return (phase == RunPhase::Completed).then(|| {
                "Its workflow run has ended already, and what became of it is being read."
                    .to_owned()
            });
        }
        Some(Work::Parts(work)) => {
            let all_landed = work.parts.iter().all(|part| part.state.has_landed);
            return all_landed.then(|| {
                "All of it is merged, and a merged change cannot be cancelled. Run the action that \
                 takes it back, or stop the applies on GitHub."
                    .to_owned()
            });
        }
        Some(Work::Delivery(_)) | None => return None,
    };
    let landed = work.landed().is_some();
    let is_merged =
        work.pull_request.as_ref().is_some_and(|facts| facts.state == PullRequestState::Merged);
    (landed || is_merged).then(|| match work.pull_request.as_ref().map(|facts| facts.number) {
        Some(number) => format!(
            "Pull request #{number} is merged, and a merged change cannot be cancelled. Run the \
             action that takes it back, or stop the apply on GitHub."
        ),
        None => format!(
            "The files of {} are written already. Delete the repository if it is not wanted.",
            work.repository
        ),
    })
}

/// Somebody wants the run cancelled.
pub fn cancel(run: Run, by: &str, now: DateTime<Utc>) -> Decision {
    let by = one_line(by, 80);
    let reason = cannot_be_cancelled(&run);
    let mut draft = Draft::of(run);
    if draft.was_over() {
        return draft.finish(now);
    }
    if let Some(reason) = reason {
        draft.say(Event::warning(format!("{by} asked that this run be cancelled. {reason}")));
        return draft.finish(now);
    }
    let on_github = match &draft.run.work {
        Some(Work::Parts(work)) if work.parts.iter().any(|part| part.has_begun) => {
            return cancel_parts(draft, &by).finish(now);
        }
        Some(Work::Workflow(work)) => work.workflow_run.as_ref().map(|facts| {
            Step::StopWorkflow(StopWorkflow {
                repository: work.repository.clone(),
                workflow_run: facts.id,
            })
        }),
        Some(Work::PullRequest(work)) => close(&draft.run, work, &by),
        Some(Work::Parts(_) | Work::Delivery(_)) | None => None,
    };
    match on_github {
        Some(step) => go_on(draft, step, by),
        None => end(draft, &by),
    }
    .finish(now)
}

/// Each part is cancelled as far as it can be, and the run ends with what they tell. Asked once more,
/// only those are told that are not on their way there already.
fn cancel_parts(draft: Draft, by: &str) -> Draft {
    draft.on_parts(|draft, work| {
        let goes_on = |part: &&mut PartFacts| {
            let is_told = part.is_told_to_cancel || part.is_being_cancelled();
            !part.state.status.is_end() && !is_told
        };
        let mut is_news = false;
        for part in work.parts.iter_mut().filter(goes_on) {
            part.is_told_to_cancel = true;
            draft.tell(part.run.clone(), Step::Cancel(Cancel { by: by.to_owned() }));
            is_news = true;
        }
        if is_news {
            draft.say(Event::progress(format!(
                "{by} cancels this run, in each repository as far as it can be."
            )));
            draft.stage(draft.run.stage, Run::CANCELLING);
        }
    })
}

fn close(run: &Run, work: &PullRequestWork, by: &str) -> Option<Step> {
    let facts = work.pull_request.as_ref()?;
    Some(Step::ClosePullRequest(ClosePullRequest {
        repository: work.repository.clone(),
        number: facts.number,
        branch: work.branch.clone(),
        own_sha: facts.own_sha.clone(),
        comment: format!("{} cancelled the run {} that this is for.", escape(by), run.request.id),
    }))
}

fn go_on(mut draft: Draft, step: Step, by: String) -> Draft {
    let what = match &step {
        Step::StopWorkflow(_) => "GitHub is asked to stop its workflow run.",
        _ => "Its pull request is being closed.",
    };
    draft.say(Event::progress(format!("{by} cancels this run. {what}")));
    draft.then(step);
    draft.stage(draft.run.stage, Run::CANCELLING);
    draft.on_pull_request(|_, work| work.cancelled_by = Some(by))
}

/// Ends a run of which nobody on GitHub knows, but for a repository that it may have made.
fn end(mut draft: Draft, by: &str) -> Draft {
    let made = match &draft.run.work {
        Some(Work::PullRequest(work)) if work.new_repository.is_some() && work.base.is_some() => {
            format!("The repository {} is made, and stays: delete it there.", work.repository)
        }
        Some(Work::Delivery(_)) => {
            "It is not delivered any more. Look there all the same where an \
                                    answer was lost before."
                .to_owned()
        }
        _ => "Nothing was done for it.".to_owned(),
    };
    draft.say(Event::progress(format!("{by} cancelled this run. {made}")));
    draft.end(Stage::Failed, Run::CANCELLED, None);
    draft
}

/// The pull request of a run that is being cancelled is closed.
pub(super) fn closed(draft: &mut Draft, work: &mut PullRequestWork, seen: &PullRequestSeen) {
    let Some(by) = work.cancelled_by.take() else { return };
    let number = seen.number;
    draft.say(Event::progress(format!(
        "{by} cancelled this run: pull request #{number} is closed without a merge. Nothing was \
         changed."
    )));
    let summary = format!("[Pull request #{number}]({}) was closed.", seen.html_url);
    draft.end(Stage::Failed, Run::CANCELLED, Some(summary));
}

/// The pull request was merged before it could be closed.
pub(super) fn too_late(draft: &mut Draft, work: &mut PullRequestWork) {
    if let Some(by) = work.cancelled_by.take() {
        draft.say(Event::warning(format!(
            "{by} asked that this run be cancelled, but the merge came first: the change is applied."
        )));
    }
}

/// It cannot be cancelled, for this reason: it goes on.
pub fn not_cancelled(run: Run, reason: &str, now: DateTime<Utc>) -> Decision {
    let mut draft = Draft::of(run).on_pull_request(|_, work| work.cancelled_by = None);
    draft.say(Event::warning(format!("The run could not be cancelled, and goes on. {reason}")));
    if draft.run.label == Run::CANCELLING {
        let label = match &draft.run.work {
            Some(Work::PullRequest(_)) => "Waiting for review",
            _ => "Running",
        };
        draft.stage(draft.run.stage, label);
    }
    draft.finish(now)
}
