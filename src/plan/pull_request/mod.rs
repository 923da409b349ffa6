//! A run that proposes a change: from the pull request over plan, review and merge to the apply.

mod again;
mod apply;
mod plan;
mod review;
mod verdict;

use chrono::{DateTime, Utc};

use crate::domain::CommitSha;
use crate::domain::observation::{Link, PullRequestSeen, PullRequestState, WorkflowRunSeen};
use crate::domain::run::{Event, PullRequestFacts, PullRequestWork, Run, Stage};

use super::cancel;
use super::conclude::{catalog_refused, catalog_told};
use super::decision::Decision;
use super::draft::Draft;
use super::step::{After, Decorate, Explanation, Step};

pub(crate) use again::{asked_for, pushed, rendered_on};
pub use again::{leave_to_people, move_to, moved, not_rendered_again, reason_to_render_again};
pub(crate) use apply::{
    awaited, begin as begin_apply, compared, job_seen, outcome, outputs_read, signal_seen,
};
pub(crate) use plan::plan_read;
pub(crate) use review::review_seen;

/// The pull request is open, whether it was just made or found.
pub fn proposed(
    run: Run,
    seen: &PullRequestSeen,
    own_sha: &CommitSha,
    decorate: Option<Decorate>,
    notes: &[String],
    now: DateTime<Utc>,
) -> Decision {
    let follow = |draft: &mut Draft, work: &mut PullRequestWork| {
        if work.pull_request.is_none() {
            begin_following(draft, work, seen, own_sha);
            for note in notes {
                draft.say(Event::progress(note.clone()));
            }
            if let Some(decorate) = decorate {
                draft.then(Step::Decorate(decorate));
            }
        }
        merge_state(draft, work, seen);
    };
    Draft::of(run).on_pull_request(follow).finish(now)
}

/// A pull request was seen.
pub(crate) fn pull_request_seen(
    draft: &mut Draft,
    work: &mut PullRequestWork,
    seen: &PullRequestSeen,
) {
    // Before the step that proposes has answered, there is nothing to merge this into: that step
    // finds the pull request by its branch.
    if work.pull_request.as_ref().is_some_and(|facts| facts.number == seen.number) {
        merge_state(draft, work, seen);
    }
}

/// A workflow run was seen: the plan, or a candidate for the apply, or neither.
pub(crate) fn run_seen(draft: &mut Draft, work: &mut PullRequestWork, seen: &WorkflowRunSeen) {
    plan::run_seen(draft, work, seen);
    apply::run_seen(draft, work, seen);
}

/// Why a plan or an apply failed is known now.
pub(crate) fn explained(
    draft: &mut Draft,
    work: &mut PullRequestWork,
    explanation: &Explanation,
    then: After,
) {
    match then {
        After::Planned => plan::explained(draft, work, explanation),
        After::EndApply(conclusion) => apply::explained(draft, work, conclusion, explanation),
        After::EndWorkflow(_) => {}
    }
}

/// The catalog was told that the change is applied, or refuses it.
pub(crate) fn catalog_answered(
    draft: &mut Draft,
    work: &PullRequestWork,
    told: &Result<(), String>,
) {
    match told {
        Ok(()) => catalog_told(draft, work.entity.as_ref(), "Applied"),
        Err(reason) => catalog_refused(draft, reason),
    }
}

fn begin_following(
    draft: &mut Draft,
    work: &mut PullRequestWork,
    seen: &PullRequestSeen,
    own_sha: &CommitSha,
) {
    work.repository = seen.repository.clone();
    work.base = Some(seen.base.clone());
    work.pull_request = Some(PullRequestFacts {
        number: seen.number,
        node_id: seen.node_id.clone(),
        html_url: seen.html_url.clone(),
        state: PullRequestState::Open,
        own_sha: own_sha.clone(),
        head_sha: own_sha.clone(),
        left_to_people: false,
        merge_commit: None,
        reviews: Vec::new(),
    });
    draft.run.add_link(&seen.html_url);
    draft.link(Link::pull_request(&work.repository, seen.number));
    draft.link(Link::commit(&work.repository, own_sha));
    draft.links_all(folder_link(work));
    if let Some((on, name)) = awaited(work) {
        draft.link(Link::awaited_apply(&work.repository, &on, &name));
    }
    draft.stage(Stage::Proposed, "Waiting for review");
    if work.behind.take().is_some() {
        draft.say(Event::progress("What came first is out of the way: it is this run's turn."));
    }
    draft.say(Event::progress(format!(
        "Pull request #{} is open: {}. It waits for review and merge.",
        seen.number, seen.html_url
    )));
}

/// The head is another commit, and is not left to anybody: what was said of the one before is over.
fn forget_plan(work: &mut PullRequestWork) {
    work.planned = None;
    work.plan_summary = None;
    if let Some(check) = &mut work.own_check {
        (check.plan, check.left) = (None, None);
    }
}

/// By what a push below the folder is heard of, as long as the change is not merged.
pub(crate) fn folder_link(work: &PullRequestWork) -> Option<Link> {
    Some(Link::folder(&work.repository, work.base.as_ref()?, work.path.as_deref()?))
}

fn merge_state(draft: &mut Draft, work: &mut PullRequestWork, seen: &PullRequestSeen) {
    let Some(facts) = &mut work.pull_request else { return };
    let is_late = seen.is_of_an_open_one && facts.state == PullRequestState::Closed;
    if facts.state == PullRequestState::Merged || is_late {
        return;
    }
    if seen.state != PullRequestState::Merged && facts.head_sha != seen.head_sha {
        facts.head_sha = seen.head_sha.clone();
        facts.left_to_people = false;
        forget_plan(work);
        draft.link(Link::commit(&work.repository, &seen.head_sha));
        let Some(facts) = &work.pull_request else { return };
        if facts.head_sha != facts.own_sha {
            draft.say(Event::progress(format!(
                "Somebody pushed to the branch of pull request #{}: it is now at {}.",
                seen.number,
                seen.head_sha.short()
            )));
        }
    }
    let Some(before) = work.pull_request.as_ref().map(|facts| facts.state) else { return };
    if seen.conflicts == Some(true) {
        again::conflicts(draft, work);
    }
    let Some(facts) = &mut work.pull_request else { return };
    // What leaves the merge queue may be shown as merged before the commit is known, without which
    // no apply is found: the next observation has it.
    let is_unfinished = seen.state == PullRequestState::Merged && seen.merge_commit.is_none();
    if before == seen.state || is_unfinished {
        return;
    }
    facts.state = seen.state;
    let by = seen.ended_by.as_deref().map(|login| format!(" by {login}")).unwrap_or_default();
    let number = seen.number;
    match seen.state {
        PullRequestState::Merged => merged(draft, work, seen, &by),
        PullRequestState::Closed if work.cancelled_by.is_some() => {
            cancel::closed(draft, work, seen);
        }
        PullRequestState::Closed => {
            draft.say(Event::failure(format!(
                "Pull request #{number} was closed without a merge{by}. Nothing was changed. \
                 Ask the reviewers, and run the action again."
            )));
            let summary = format!("[Pull request #{number}]({}) was closed.", seen.html_url);
            draft.end(Stage::Declined, "Declined", Some(summary));
        }
        PullRequestState::Queued => {
            draft.stage(Stage::Proposed, "In the merge queue");
            draft.say(Event::progress(format!("Pull request #{number} is in the merge queue.")));
        }
        PullRequestState::Open if before == PullRequestState::Queued => {
            draft.stage(Stage::Proposed, "Waiting for review");
            draft.say(Event::warning(format!("Pull request #{number} left the merge queue.")));
        }
        PullRequestState::Open => draft.say(Event::warning(format!(
            "Pull request #{number} was opened again. This run has ended; \
             the catalog will still be told if the change is applied."
        ))),
    }
}

fn merged(draft: &mut Draft, work: &mut PullRequestWork, seen: &PullRequestSeen, by: &str) {
    let Some(facts) = &mut work.pull_request else { return };
    facts.merge_commit.clone_from(&seen.merge_commit);
    let at = seen.merge_commit.as_ref().map(|sha| format!(" as {}", sha.short()));
    draft.say(Event::progress(format!(
        "Pull request #{} was merged{by}{}.",
        seen.number,
        at.unwrap_or_default()
    )));
    cancel::too_late(draft, work);
    draft.stage(Stage::Merged, "Applying");
    if let Some(link) = folder_link(work) {
        draft.unlink(link);
    }
    if let Some(sha) = &seen.merge_commit {
        draft.link(Link::commit(&work.repository, sha));
    }
    apply::begin(draft, work);
}
