//! A run that proposes a change: from the pull request over plan, review and merge to the apply.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value};

use crate::domain::observation::{
    Conclusion, Link, PullRequestSeen, PullRequestState, ReviewSeen, RunPhase, SignalKind,
    SignalSeen, Verdict as ReviewVerdict, WorkflowJobSeen, WorkflowRunSeen,
};
use crate::domain::run::{
    ApplyFacts, ApplySignal, Attempt, Event, PullRequestFacts, PullRequestWork, Run, Stage, Work,
    WorkflowRunFacts,
};
use crate::domain::{CommitSha, WorkflowRunId};

use super::apply::{Verdict, verdict};
use super::conclude::{Success, catalog_refused, catalog_told, succeed};
use super::draft::Draft;
use super::step::{
    After, Compare, Decision, Decorate, Explain, Explanation, PlanSummary, ReadPlan, Step,
};
use super::{words, workflow};

/// The pull request is open, whether it was just made or found.
pub fn proposed(
    run: Run,
    seen: &PullRequestSeen,
    own_sha: &CommitSha,
    decorate: Option<Decorate>,
    notes: &[String],
    now: DateTime<Utc>,
) -> Decision {
    let mut draft = Draft::of(run);
    let Some(mut work) = take(&mut draft) else { return draft.finish(now) };
    if work.pull_request.is_none() {
        begin_following(&mut draft, &mut work, seen, own_sha);
        for note in notes {
            draft.say(Event::progress(note.clone()));
        }
        if let Some(decorate) = decorate {
            draft.then(Step::Decorate(decorate));
        }
    }
    merge_state(&mut draft, &mut work, seen);
    draft.run.work = Some(Work::PullRequest(work));
    draft.finish(now)
}

/// A pull request was seen.
pub(crate) fn pull_request_seen(
    mut draft: Draft,
    seen: &PullRequestSeen,
    now: DateTime<Utc>,
) -> Decision {
    let Some(mut work) = take(&mut draft) else { return draft.finish(now) };
    // Before the step that proposes has answered, there is nothing to merge this into: that step
    // finds the pull request by its branch.
    if work.pull_request.as_ref().is_some_and(|facts| facts.number == seen.number) {
        merge_state(&mut draft, &mut work, seen);
    }
    draft.run.work = Some(Work::PullRequest(work));
    draft.finish(now)
}

/// A review was seen.
pub(crate) fn review_seen(mut draft: Draft, seen: &ReviewSeen, now: DateTime<Utc>) -> Decision {
    let Some(mut work) = take(&mut draft) else { return draft.finish(now) };
    if let Some(facts) = work.pull_request.as_mut().filter(|facts| facts.number == seen.number) {
        take_review(&mut draft, facts, seen);
    }
    draft.run.work = Some(Work::PullRequest(work));
    draft.finish(now)
}

/// A workflow run was seen: the plan, or a candidate for the apply, or neither.
pub(crate) fn run_seen(mut draft: Draft, seen: &WorkflowRunSeen, now: DateTime<Utc>) -> Decision {
    let Some(mut work) = take(&mut draft) else { return draft.finish(now) };
    let latest = Attempt::seen(seen.attempt, seen.status, seen.conclusion);
    if is_plan(&work, seen) {
        planned(&mut draft, &mut work, seen, latest);
    }
    if is_apply_workflow(&work, seen) && is_young_enough(&draft.run, seen) {
        let candidate = ApplyFacts {
            id: seen.id.0,
            sha: seen.head_sha.clone(),
            url: Some(seen.html_url.clone()),
            latest,
            contains: None,
        };
        draft.link(Link::workflow_run(&work.repository, seen.id));
        candidate_seen(&mut draft, &mut work, candidate);
    }
    draft.run.work = Some(Work::PullRequest(work));
    draft.finish(now)
}

/// A job of the apply was seen: it may wait for an approval.
pub(crate) fn job_seen(mut draft: Draft, seen: &WorkflowJobSeen, now: DateTime<Utc>) -> Decision {
    let Some(Work::PullRequest(work)) = &draft.run.work else { return draft.finish(now) };
    let applies = work.applies.iter().any(|candidate| {
        candidate.id == seen.workflow_run.0
            && candidate.contains == Some(true)
            && candidate.latest.phase != RunPhase::Completed
    });
    if applies && draft.run.stage == Stage::Merged {
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
    draft.finish(now)
}

/// A commit status, check or deployment was seen.
pub(crate) fn signal_seen(mut draft: Draft, seen: &SignalSeen, now: DateTime<Utc>) -> Decision {
    let Some(mut work) = take(&mut draft) else { return draft.finish(now) };
    let awaited = match &work.apply {
        ApplySignal::Status(name) => (SignalKind::Status, name),
        ApplySignal::Check(name) => (SignalKind::Check, name),
        ApplySignal::Deployment(name) => (SignalKind::Deployment, name),
        ApplySignal::Workflow(_) | ApplySignal::Merge => {
            draft.run.work = Some(Work::PullRequest(work));
            return draft.finish(now);
        }
    };
    if awaited == (seen.kind, &seen.name) {
        let phase =
            if seen.conclusion.is_some() { RunPhase::Completed } else { RunPhase::InProgress };
        let candidate = ApplyFacts {
            id: seen.id,
            sha: seen.sha.clone(),
            url: seen.url.clone(),
            latest: Attempt::seen(1, phase, seen.conclusion),
            contains: None,
        };
        candidate_seen(&mut draft, &mut work, candidate);
    }
    draft.run.work = Some(Work::PullRequest(work));
    draft.finish(now)
}

/// Whether a candidate's commit contains the change is known now.
pub(crate) fn compared(
    mut draft: Draft,
    head: &CommitSha,
    contains: bool,
    now: DateTime<Utc>,
) -> Decision {
    let Some(mut work) = take(&mut draft) else { return draft.finish(now) };
    let before = verdict(&work.applies);
    for candidate in work.applies.iter_mut().filter(|candidate| candidate.sha == *head) {
        candidate.contains = Some(contains);
    }
    follow_apply(&mut draft, &work, &before);
    draft.run.work = Some(Work::PullRequest(work));
    draft.finish(now)
}

/// What the plan would change is known now.
pub(crate) fn plan_read(
    mut draft: Draft,
    summary: Option<&PlanSummary>,
    now: DateTime<Utc>,
) -> Decision {
    let label = if let Some(summary) = summary {
        draft.say(Event::progress(plan_line(summary)));
        format!("Planned {}", words::counts(summary))
    } else {
        draft.say(Event::progress("The plan passed. It does not say what it would change."));
        "Planned".to_owned()
    };
    if draft.run.stage == Stage::Proposed {
        draft.stage(Stage::Proposed, &label);
    }
    draft.finish(now)
}

/// Why a plan or an apply failed is known now.
pub(crate) fn explained(
    mut draft: Draft,
    explanation: &Explanation,
    then: After,
    now: DateTime<Utc>,
) -> Decision {
    let Some(work) = take(&mut draft) else { return draft.finish(now) };
    match then {
        After::Planned => {
            let file = work.plan.as_deref().unwrap_or("of the plan");
            let line = workflow::failure_line(file, Conclusion::Failure, explanation);
            draft.say(Event::warning(format!(
                "{line}\nThe pull request stays open: push a correction to its branch, or run the plan again."
            )));
            if draft.run.stage == Stage::Proposed {
                draft.stage(Stage::Proposed, "Plan failed");
            }
        }
        After::EndApply(conclusion) => {
            // A newer apply may have begun, or a re-run succeeded, while the log was read.
            if matches!(verdict(&work.applies), Verdict::Failed(..)) {
                apply_failed(&mut draft, &work, conclusion, explanation);
            }
        }
        After::EndWorkflow(_) => {}
    }
    draft.run.work = Some(Work::PullRequest(work));
    draft.finish(now)
}

/// The outputs that the entity wants are known now.
pub(crate) fn outputs_read(
    mut draft: Draft,
    outputs: &Map<String, Value>,
    now: DateTime<Utc>,
) -> Decision {
    let Some(work) = take(&mut draft) else { return draft.finish(now) };
    let applied_by = match verdict(&work.applies) {
        Verdict::Applied(candidate) => Some(candidate),
        _ => None,
    };
    applied(&mut draft, &work, applied_by.as_ref(), Some(outputs));
    draft.run.work = Some(Work::PullRequest(work));
    draft.finish(now)
}

/// The catalog was told that the change is applied, or refuses it.
pub(crate) fn catalog_answered(
    mut draft: Draft,
    told: &Result<(), String>,
    now: DateTime<Utc>,
) -> Decision {
    let Some(work) = take(&mut draft) else { return draft.finish(now) };
    match told {
        Ok(()) => catalog_told(&mut draft, work.entity.as_ref(), "Applied"),
        Err(reason) => catalog_refused(&mut draft, reason),
    }
    draft.run.work = Some(Work::PullRequest(work));
    draft.finish(now)
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
        merge_commit: None,
        reviews: Vec::new(),
    });
    draft.run.add_link(&seen.html_url);
    draft.link(Link::pull_request(&work.repository, seen.number));
    draft.link(Link::commit(&work.repository, own_sha));
    if let Some((on, name)) = awaited(work) {
        draft.link(Link::awaited_apply(&work.repository, &on, &name));
    }
    draft.stage(Stage::Proposed, "Waiting for review");
    draft.say(Event::progress(format!(
        "Pull request #{} is open: {}. It waits for review and merge.",
        seen.number, seen.html_url
    )));
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

fn merge_state(draft: &mut Draft, work: &mut PullRequestWork, seen: &PullRequestSeen) {
    let Some(facts) = &mut work.pull_request else { return };
    if facts.state == PullRequestState::Merged {
        return;
    }
    if seen.state != PullRequestState::Merged && facts.head_sha != seen.head_sha {
        facts.head_sha = seen.head_sha.clone();
        work.planned = None;
        draft.link(Link::commit(&work.repository, &seen.head_sha));
        if facts.head_sha != facts.own_sha {
            draft.say(Event::progress(format!(
                "Somebody pushed to the branch of pull request #{}: it is now at {}.",
                seen.number,
                seen.head_sha.short()
            )));
        }
    }
    let before = facts.state;
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
    draft.stage(Stage::Merged, "Applying");
    if let Some(sha) = &seen.merge_commit {
        draft.link(Link::commit(&work.repository, sha));
    }
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

fn take_review(draft: &mut Draft, facts: &mut PullRequestFacts, seen: &ReviewSeen) {
    let known = facts.reviews.iter_mut().find(|(login, _)| *login == seen.reviewer);
    // A comment takes no verdict back.
    if seen.verdict == ReviewVerdict::Commented {
        return;
    }
    match known {
        Some((_, verdict)) if *verdict == seen.verdict => return,
        Some((_, verdict)) => *verdict = seen.verdict,
        None => facts.reviews.push((seen.reviewer.clone(), seen.verdict)),
    }
    let (label, line) = match seen.verdict {
        ReviewVerdict::Approved => ("Approved", format!("{} approved the change.", seen.reviewer)),
        ReviewVerdict::ChangesRequested => {
            ("Changes requested", format!("{} asks for changes: {}", seen.reviewer, seen.html_url))
        }
        _ => ("Waiting for review", format!("The review of {} was dismissed.", seen.reviewer)),
    };
    draft.say(Event::progress(line));
    if draft.run.stage == Stage::Proposed {
        draft.stage(Stage::Proposed, label);
    }
}

fn is_plan(work: &PullRequestWork, seen: &WorkflowRunSeen) -> bool {
    let on_head = work.pull_request.as_ref().is_some_and(|facts| facts.head_sha == seen.head_sha);
    on_head && work.plan.as_deref() == Some(seen.file.as_str())
}

fn planned(draft: &mut Draft, work: &mut PullRequestWork, seen: &WorkflowRunSeen, latest: Attempt) {
    let moved = match &mut work.planned {
        Some(facts) if facts.id == seen.id => facts.latest.merge(latest),
        Some(facts) if facts.id > seen.id => false,
        _ => {
            let html_url = seen.html_url.clone();
            draft.run.add_link(&html_url);
            draft.link(Link::workflow_run(&work.repository, seen.id));
            work.planned = Some(WorkflowRunFacts { id: seen.id, html_url, latest });
            true
        }
    };
    if !moved {
        return;
    }
    let repository = work.repository.clone();
    match latest.conclusion {
        Some(conclusion) if words::is_good(conclusion) => draft.then(Step::ReadPlan(ReadPlan {
            repository,
            workflow_run: seen.id,
            attempt: seen.attempt,
        })),
        Some(_) => draft.then(Step::Explain(Explain {
            repository,
            workflow_run: seen.id,
            attempt: seen.attempt,
            then: After::Planned,
        })),
        None => {}
    }
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
    let facts = work.pull_request.as_ref()?;
    let merged = facts.merge_commit.as_ref() == Some(sha);
    // Where the applier applies before the merge, it marks the head.
    let before_merge = facts.head_sha == *sha && !matches!(work.apply, ApplySignal::Workflow(_));
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
    let Some(merge) = work.pull_request.as_ref().and_then(|facts| facts.merge_commit.clone())
    else {
        return;
    };
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
    let Some(facts) = &work.pull_request else { return };
    if let Some(url) = by.and_then(|candidate| candidate.url.as_deref()) {
        draft.run.add_link(url);
    }
    if let Some((on, name)) = awaited(work) {
        draft.unlink(Link::apply(&work.repository, &on, &name));
    }
    let is_workflow = matches!(work.apply, ApplySignal::Workflow(_));
    let line = match (&work.apply, by) {
        (ApplySignal::Merge, _) => "The change is merged; nothing else has to apply it.".to_owned(),
        (_, Some(candidate)) if facts.merge_commit.as_ref() != Some(&candidate.sha) => {
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
    draft.say(Event::failure(format!(
        "{line}\nThe change is merged, but it was not applied. Mend the cause and run the apply \
         again: when it succeeds, the catalog is still told."
    )));
    if let Some(url) = &explanation.url {
        draft.run.add_link(url);
    }
    let label =
        if conclusion == Conclusion::Cancelled { "Apply cancelled" } else { "Apply failed" };
    let number = work.pull_request.as_ref().map(|facts| facts.number.to_string());
    let summary =
        format!("Pull request #{} was merged, but not applied.", number.unwrap_or_default());
    draft.end(Stage::Failed, label, Some(summary));
}

/// As many resources as a person reads in a log line.
const SHOWN: usize = 20;

fn plan_line(summary: &PlanSummary) -> String {
    let mut line = format!(
        "The plan would add {}, change {} and destroy {}.",
        summary.add, summary.change, summary.destroy
    );
    for (resource, action) in summary.resources.iter().take(SHOWN) {
        line.push_str(&format!("\n  {action} {resource}"));
    }
    if summary.resources.len() > SHOWN {
        line.push_str(&format!("\n  … and {} more", summary.resources.len() - SHOWN));
    }
    line
}

fn take(draft: &mut Draft) -> Option<Box<PullRequestWork>> {
    match draft.run.work.take() {
        Some(Work::PullRequest(work)) => Some(work),
        other => {
            draft.run.work = other;
            None
        }
    }
}
