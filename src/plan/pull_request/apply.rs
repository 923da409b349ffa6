//! The apply of a merged change: which run or mark says that it is applied, and what follows.

use chrono::TimeDelta;
use serde_json::{Map, Value};

use super::verdict::{Verdict, verdict};
use crate::domain::observation::{
    Conclusion, Link, RunPhase, SignalKind, SignalSeen, WorkflowJobSeen, WorkflowRunSeen,
};
use crate::domain::parts::PartOutcome;
use crate::domain::run::{ApplyFacts, ApplySignal, Attempt, Event, PullRequestWork, Run, Stage};
use crate::domain::{CommitSha, WorkflowRunId};
use crate::plan::conclude::{Success, succeed};
use crate::plan::draft::Draft;
use crate::plan::step::{After, Compare, Explain, Explanation, Step};
use crate::plan::workflow;

/// A workflow run was seen: a candidate for the apply, or not.
pub(super) fn run_seen(draft: &mut Draft, work: &mut PullRequestWork, seen: &WorkflowRunSeen) {
    if !is_apply_workflow(work, seen) || !is_young_enough(&draft.run, seen) {
        return;
    }
    let candidate = ApplyFacts {
        id: seen.id.0,
        sha: seen.head_sha.clone(),
        url: Some(seen.html_url.clone()),
        latest: Attempt::seen(seen.attempt, seen.status, seen.conclusion),
        contains: None,
    };
    draft.link(Link::workflow_run(&work.repository, seen.id));
    candidate_seen(draft, work, candidate);
}

/// A job of the apply was seen: it may wait for an approval.
pub(crate) fn job_seen(draft: &mut Draft, work: &mut PullRequestWork, seen: &WorkflowJobSeen) {
    let applies = work.applies.iter().any(|candidate| {
        candidate.id == seen.workflow_run.0
            && candidate.contains == Some(true)
            && candidate.latest.phase != RunPhase::Completed
    });
    if !applies || draft.run.stage != Stage::Merged {
        return;
    }
    match seen.status {
        RunPhase::Waiting => {
            let of = seen.environment.as_deref().map(|name| format!(" of {name}"));
            let label = format!("Waiting for approval{}", of.unwrap_or_default());
            draft.stage(Stage::Merged, &label);
        }
        RunPhase::InProgress => draft.stage(Stage::Merged, "Applying"),
        RunPhase::Queued | RunPhase::Completed => {}
    }
}

/// A commit status, check or deployment was seen.
pub(crate) fn signal_seen(draft: &mut Draft, work: &mut PullRequestWork, seen: &SignalSeen) {
    let awaited = match &work.apply {
        ApplySignal::Status(name) => (SignalKind::Status, name),
        ApplySignal::Check(name) => (SignalKind::Check, name),
        ApplySignal::Deployment(name) => (SignalKind::Deployment, name),
        ApplySignal::Workflow(_) | ApplySignal::Merge => return,
    };
    if awaited != (seen.kind, &seen.name) {
        return;
    }
    let phase = if seen.conclusion.is_some() { RunPhase::Completed } else { RunPhase::InProgress };
    let candidate = ApplyFacts {
        id: seen.id,
        sha: seen.sha.clone(),
        url: seen.url.clone(),
        latest: Attempt::seen(1, phase, seen.conclusion),
        contains: None,
    };
    candidate_seen(draft, work, candidate);
}

/// Whether a candidate's commit contains the change is known now.
pub(crate) fn compared(
    draft: &mut Draft,
    work: &mut PullRequestWork,
    head: &CommitSha,
    contains: bool,
) {
    let before = verdict(&work.applies);
    for candidate in work.applies.iter_mut().filter(|candidate| candidate.sha == *head) {
        candidate.contains = Some(contains);
    }
    follow_apply(draft, work, &before);
}

/// Why the apply failed is known now.
pub(crate) fn explained(
    draft: &mut Draft,
    work: &PullRequestWork,
    conclusion: Conclusion,
    explanation: &Explanation,
) {
    // A newer apply may have begun, or a re-run succeeded, while the log was read.
    if matches!(verdict(&work.applies), Verdict::Failed(..)) {
        apply_failed(draft, work, conclusion, explanation);
    }
}

/// The outputs that the entity wants are known now.
pub(crate) fn outputs_read(
    draft: &mut Draft,
    work: &PullRequestWork,
    outputs: &Map<String, Value>,
) {
    let applied_by = match verdict(&work.applies) {
        Verdict::Applied(candidate) => Some(candidate),
        _ => None,
    };
    applied(draft, work, applied_by.as_ref(), Some(outputs));
}

/// Whether the change is applied, as a part of several tells it.
pub(crate) fn outcome(work: &PullRequestWork) -> Option<PartOutcome> {
    work.landed()?;
    let by = match (&work.apply, verdict(&work.applies)) {
        (ApplySignal::Workflow(_), Verdict::Applied(by)) => Some(WorkflowRunId(by.id)),
        (ApplySignal::Merge, _) | (_, Verdict::Applied(_)) => None,
        _ => return None,
    };
    Some(PartOutcome::Applied(by))
}

/// On which branch (`*`: any commit) and by which name the apply is awaited.
pub(crate) fn awaited(work: &PullRequestWork) -> Option<(String, String)> {
    match &work.apply {
        ApplySignal::Workflow(file) => Some((work.base.as_ref()?.to_string(), file.clone())),
        ApplySignal::Status(name) | ApplySignal::Check(name) | ApplySignal::Deployment(name) => {
            Some(("*".to_owned(), name.clone()))
        }
        ApplySignal::Merge => None,
    }
}

/// The change is on its base: what was seen of the apply before counts from now on.
pub(crate) fn begin(draft: &mut Draft, work: &mut PullRequestWork) {
    if let Some((on, name)) = awaited(work) {
        draft.link(Link::apply(&work.repository, &on, &name));
        draft.unlink(Link::awaited_apply(&work.repository, &on, &name));
    }
    if work.apply == ApplySignal::Merge {
        return applied(draft, work, None, None);
    }
    for index in 0..work.applies.len() {
        let contains = known_to_contain(work, &work.applies[index].sha);
        work.applies[index].contains = contains.or(work.applies[index].contains);
    }
    follow_apply(draft, work, &Verdict::Pending);
}

fn is_apply_workflow(work: &PullRequestWork, seen: &WorkflowRunSeen) -> bool {
    let on_base = work.base.as_ref().map(ToString::to_string) == seen.branch;
    // A plan that shares its file with the apply runs for the pull request, not for the base.
    let for_base = seen.event != "pull_request" && seen.event != "pull_request_target";
    on_base && for_base && work.apply == ApplySignal::Workflow(seen.file.clone())
}

/// What ran before the change was asked for applied something else. GitHub's clock may be off ours.
fn is_young_enough(run: &Run, seen: &WorkflowRunSeen) -> bool {
    /// Far more than two clocks differ that both are kept.
    const CLOCKS_DIFFER: TimeDelta = TimeDelta::minutes(10);
    seen.created_at.is_none_or(|at| at + CLOCKS_DIFFER >= run.created_at)
}

/// Whether a commit is known to contain the change without looking it up.
fn known_to_contain(work: &PullRequestWork, sha: &CommitSha) -> Option<bool> {
    let merged = work.landed() == Some(sha);
    // Where the applier applies before the merge, it marks the head.
    let is_head = work.pull_request.as_ref().is_some_and(|facts| facts.head_sha == *sha);
    let before_merge = is_head && !matches!(work.apply, ApplySignal::Workflow(_));
    (merged || before_merge).then_some(true)
}

fn candidate_seen(draft: &mut Draft, work: &mut PullRequestWork, mut candidate: ApplyFacts) {
    let before = verdict(&work.applies);
    candidate.contains = known_to_contain(work, &candidate.sha);
    let is_workflow = matches!(work.apply, ApplySignal::Workflow(_));
    let known = work
        .applies
        .iter_mut()
        .find(|known| known.id == candidate.id || (!is_workflow && known.sha == candidate.sha));
    match known {
        Some(known) if known.id == candidate.id => {
            if !known.latest.merge(candidate.latest) {
                return;
            }
        }
        // A newer mark of the same name on the same commit takes the place of the older one.
        Some(known) if known.id < candidate.id => *known = candidate,
        Some(_) => return,
        None => work.applies.push(candidate),
    }
    follow_apply(draft, work, &before);
}

/// Goes on from what the candidates say, if it is something else than before.
fn follow_apply(draft: &mut Draft, work: &PullRequestWork, before: &Verdict) {
    let Some(merge) = work.landed().cloned() else { return };
    let now = verdict(&work.applies);
    if now == *before {
        return;
    }
    let repository = work.repository.clone();
    match now {
        Verdict::Pending if draft.run.stage == Stage::Merged => {
            draft.stage(Stage::Merged, "Applying");
        }
        Verdict::Pending => {}
        Verdict::Compare(head) => draft.then(Step::Compare(Compare { repository, merge, head })),
        Verdict::Applied(candidate) => applied(draft, work, Some(&candidate), None),
        Verdict::Failed(candidate, conclusion)
            if matches!(work.apply, ApplySignal::Workflow(_)) =>
        {
            // The newer apply for which this one was cancelled may not have been heard of yet.
            if conclusion == Conclusion::Cancelled {
                draft.then(Step::Look);
            }
            draft.then(Step::Explain(Explain {
                repository,
                workflow_run: WorkflowRunId(candidate.id),
                attempt: candidate.latest.attempt,
                then: After::EndApply(conclusion),
            }));
        }
        Verdict::Failed(candidate, conclusion) => {
            let explanation = Explanation { url: candidate.url, ..Explanation::default() };
            apply_failed(draft, work, conclusion, &explanation);
        }
    }
}

fn applied(
    draft: &mut Draft,
    work: &PullRequestWork,
    by: Option<&ApplyFacts>,
    outputs: Option<&Map<String, Value>>,
) {
    let Some(landed) = work.landed() else { return };
    if let Some(url) = by.and_then(|candidate| candidate.url.as_deref()) {
        draft.run.add_link(url);
    }
    if let Some((on, name)) = awaited(work) {
        draft.unlink(Link::apply(&work.repository, &on, &name));
    }
    let is_workflow = matches!(work.apply, ApplySignal::Workflow(_));
    let line = match (&work.apply, by) {
        (ApplySignal::Merge, _) if work.new_repository.is_some() => {
            "Nothing else has to apply it.".to_owned()
        }
        (ApplySignal::Merge, _) => "The change is merged; nothing else has to apply it.".to_owned(),
        (_, Some(candidate)) if *landed != candidate.sha => {
            format!("The change was applied with commit {}.", candidate.sha.short())
        }
        _ => "The change was applied.".to_owned(),
    };
    let success = Success {
        entity: work.entity.as_ref(),
        context: &work.context,
        repository: &work.repository,
        workflow_run: by.filter(|_| is_workflow).map(|candidate| WorkflowRunId(candidate.id)),
        label: "Applied",
        line,
    };
    succeed(draft, success, outputs);
}

fn apply_failed(
    draft: &mut Draft,
    work: &PullRequestWork,
    conclusion: Conclusion,
    explanation: &Explanation,
) {
    let line = match &work.apply {
        ApplySignal::Workflow(file) => workflow::failure_line(file, conclusion, explanation),
        ApplySignal::Status(name) | ApplySignal::Check(name) | ApplySignal::Deployment(name) => {
            let url = explanation.url.as_deref().unwrap_or_default();
            format!("{name} says that the apply ended with {}. {url}", conclusion.as_str())
        }
        ApplySignal::Merge => return,
    };
    let what = match work.pull_request.as_ref().map(|facts| facts.number) {
        Some(number) => format!("Pull request #{number} was merged, but not applied."),
        None => format!("{} was made, but not applied.", work.repository),
    };
    draft.say(Event::failure(format!(
        "{line}\n{what} Mend the cause and run the apply \
         again: when it succeeds, the catalog is still told."
    )));
    if let Some(url) = &explanation.url {
        draft.run.add_link(url);
    }
    let label =
        if conclusion == Conclusion::Cancelled { "Apply cancelled" } else { "Apply failed" };
    draft.end(Stage::Failed, label, Some(what));
}
