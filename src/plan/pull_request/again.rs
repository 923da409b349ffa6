//! Rendering an open pull request again: because the base moved under it, or because somebody asks.
//!
//! The branch is this program's as long as nobody else has pushed to it. After that, it is theirs.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::domain::CommitSha;
use crate::domain::observation::{
    Link, PullRequestSeen, PullRequestState, PushSeen, RenderAgainAsked,
};
use crate::domain::run::{Event, PullRequestFacts, PullRequestWork, RenderedOn, Run, Stage, Work};
use crate::domain::standing::{FileChanges, Standing};
use crate::plan::Decision;
use crate::plan::Ready;
use crate::plan::draft::Draft;
use crate::plan::step::{MoveBranch, RenderAgain, Step};
use crate::plan::words;

/// Somebody pushed: it matters where it is to the base, and below the folder.
pub(crate) fn pushed(draft: &mut Draft, work: &PullRequestWork, seen: &PushSeen) {
    let on_base = work.base.as_ref() == Some(&seen.branch) && work.repository == seen.repository;
    let below = work.path.as_ref().is_some_and(|path| seen.folders.contains(path));
    if on_base && below && open(work).is_some() {
        draft.then(Step::RenderAgain(RenderAgain { asked_by: None }));
    }
}

/// Somebody asks for it.
pub(crate) fn asked_for(draft: &mut Draft, work: &mut PullRequestWork, seen: &RenderAgainAsked) {
    let by = words::one_line(&seen.by, 80);
    let is_open = open(work).is_some_and(|facts| facts.number == seen.number);
    match work.pull_request.as_mut().filter(|_| is_open) {
        Some(facts) => {
            // Whoever asks is answered, whatever was said before.
            facts.left_to_people = false;
            if let Some(check) = &mut work.own_check {
                check.left = None;
            }
            draft.then(Step::RenderAgain(RenderAgain { asked_by: Some(by) }));
        }
        None => draft.say(Event::warning(format!(
            "{by} asked that pull request #{} be rendered again, but it is not open.",
            seen.number
        ))),
    }
}

/// GitHub says that it cannot be merged. Where people have pushed, they were told.
pub(super) fn conflicts(draft: &mut Draft, work: &PullRequestWork) {
    if open(work).is_some_and(|facts| !facts.left_to_people) {
        draft.then(Step::RenderAgain(RenderAgain { asked_by: None }));
    }
}

/// What stands on the base where a change writes or removes files.
pub(crate) fn rendered_on(changes: &FileChanges, standing: &Standing) -> RenderedOn {
    let written = changes.additions.iter().map(|file| &file.path);
    let paths = written.chain(&changes.deletions);
    let files = paths.map(|path| (path.clone(), blob_at(standing, path))).collect();
    RenderedOn { base_sha: standing.base_sha.clone(), files }
}

fn blob_at(standing: &Standing, path: &str) -> Option<String> {
    standing.files.iter().find(|file| file.path == path).map(|file| file.blob.clone())
}

/// Why an open pull request has to be rendered again, as the end of a sentence; `None` if it need
/// not be.
pub fn reason_to_render_again(run: &Run, standing: &Standing, ask: &RenderAgain) -> Option<String> {
    let Some(Work::PullRequest(work)) = &run.work else { return None };
    if let Some(by) = &ask.asked_by {
        return Some(format!("{by} asked for it"));
    }
    let conflicts = standing.own_pull_request.as_ref().and_then(|pull| pull.conflicts);
    if conflicts == Some(true) {
        return Some(format!("it conflicted with {}", standing.base));
    }
    let none = BTreeMap::new();
    let then = work.rendered_on.as_ref().map_or(&none, |on| &on.files);
    let changed = then.iter().find(|(path, blob)| blob_at(standing, path) != **blob);
    changed.map(|(path, _)| format!("`{path}` was changed on {}", standing.base))
}

/// Somebody has pushed to the branch: what they did is kept, and they are told what to do.
pub fn leave_to_people(
    run: Run,
    seen: &PullRequestSeen,
    reason: &str,
    now: DateTime<Utc>,
) -> Decision {
    let line = format!(
        "Pull request #{} would be rendered again, because {reason}; but somebody has pushed to its \
         branch, and their commits are kept. Merge {} into {} and put right what does not fit, or \
         close the pull request and run the action again.",
        seen.number, seen.base, seen.head
    );
    let tell = |draft: &mut Draft, work: &mut PullRequestWork| {
        // That it conflicts is why this was looked at.
        let seen = PullRequestSeen { conflicts: None, ..seen.clone() };
        super::merge_state(draft, work, &seen);
        tell_once(draft, work, line);
    };
    Draft::of(run).on_pull_request(tell).finish(now)
}

/// For each commit that the branch is at, people are told once that it is theirs to put right.
fn tell_once(draft: &mut Draft, work: &mut PullRequestWork, line: String) {
    let Some(facts) = &mut work.pull_request else { return };
    if !std::mem::replace(&mut facts.left_to_people, true) {
        if let Some(check) = &mut work.own_check {
            check.left = Some(line.clone());
        }
        draft.say(Event::warning(line));
    }
}

/// It was rendered again, as this commit: the branch is to be moved there.
pub fn move_to(
    ready: Ready,
    seen: &PullRequestSeen,
    commit: CommitSha,
    reason: String,
    now: DateTime<Utc>,
) -> Decision {
    let Ready { run, proposal, .. } = ready;
    let rendered_on = match &run.work {
        Some(Work::PullRequest(work)) => work.rendered_on.clone(),
        _ => None,
    };
    let mut draft = Draft::of(run);
    draft.then(Step::MoveBranch(Box::new(MoveBranch {
        repository: proposal.repository,
        repository_node_id: proposal.repository_node_id,
        number: seen.number,
        branch: proposal.branch,
        from: seen.head_sha.clone(),
        to: commit,
        rendered_on,
        title: proposal.title,
        body: proposal.body,
        reason,
    })));
    draft.finish(now)
}

/// The branch is at the new commit.
pub fn moved(run: Run, step: &MoveBranch, now: DateTime<Utc>) -> Decision {
    let go_on = |draft: &mut Draft, work: &mut PullRequestWork| {
        let Some(facts) = &mut work.pull_request else { return };
        facts.own_sha = step.to.clone();
        facts.head_sha = step.to.clone();
        facts.left_to_people = false;
        work.rendered_on.clone_from(&step.rendered_on);
        super::forget_plan(work);
        draft.link(Link::commit(&work.repository, &step.to));
        draft.say(Event::progress(format!(
            "Pull request #{} was rendered again on {}, because {}. Its branch is at {} now.",
            step.number,
            work.base.as_ref().map(ToString::to_string).unwrap_or_default(),
            step.reason,
            step.to.short()
        )));
        if draft.run.stage == Stage::Proposed {
            draft.stage(Stage::Proposed, "Waiting for review");
        }
    };
    Draft::of(run).on_pull_request(go_on).finish(now)
}

/// It cannot be rendered again, for these reasons: the pull request stays as it is.
pub fn not_rendered_again(run: Run, reasons: &[String], now: DateTime<Utc>) -> Decision {
    let number = run.pull_request().map(|facts| facts.number.to_string());
    let line = format!(
        "Pull request #{} cannot be rendered again: {} It stays as it is: put it right by hand, or \
         close it.",
        number.unwrap_or_default(),
        reasons.join(" ")
    );
    Draft::of(run).on_pull_request(|draft, work| tell_once(draft, work, line)).finish(now)
}

fn open(work: &PullRequestWork) -> Option<&PullRequestFacts> {
    // In the merge queue, a branch that moves would lose its place.
    work.pull_request.as_ref().filter(|facts| facts.state == PullRequestState::Open)
}
