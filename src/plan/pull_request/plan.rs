//! The plan of an open pull request: what the change would do, or why that cannot be said.

use crate::domain::check::PlanEnd;
use crate::domain::observation::{Conclusion, Link, WorkflowRunSeen};
use crate::domain::run::{Attempt, Event, PullRequestWork, Stage, WorkflowRunFacts};
use crate::plan::draft::Draft;
use crate::plan::step::{After, Explain, Explanation, PlanSummary, ReadPlan, Step};
use crate::plan::{words, workflow};

/// A workflow run was seen: the plan, or not.
pub(super) fn run_seen(draft: &mut Draft, work: &mut PullRequestWork, seen: &WorkflowRunSeen) {
    if !is_plan(work, seen) {
        return;
    }
    let latest = Attempt::seen(seen.attempt, seen.status, seen.conclusion);
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

/// What the plan would change is known now.
pub(crate) fn plan_read(
    draft: &mut Draft,
    work: &mut PullRequestWork,
    summary: Option<&PlanSummary>,
) {
    work.plan_summary = summary.cloned();
    tell_check(work, PlanEnd::Passed);
    if let Some(kept) = &mut work.plan_summary {
        kept.resources.truncate(KEPT);
    }
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
}

/// Why the plan failed is known now.
pub(crate) fn explained(draft: &mut Draft, work: &mut PullRequestWork, explanation: &Explanation) {
    tell_check(work, PlanEnd::Failed);
    let file = work.plan.as_deref().unwrap_or("of the plan");
    let line = workflow::failure_line(file, Conclusion::Failure, explanation);
    draft.say(Event::warning(format!(
        "{line}\nThe pull request stays open: push a correction to its branch, or run the plan again."
    )));
    if draft.run.stage == Stage::Proposed {
        draft.stage(Stage::Proposed, "Plan failed");
    }
}

/// What was read may be of a commit that is not the head any more.
fn tell_check(work: &mut PullRequestWork, end: PlanEnd) {
    let is_of_head = work.planned.is_some();
    if let Some(check) = work.own_check.as_mut().filter(|_| is_of_head) {
        check.plan = Some(end);
    }
}

fn is_plan(work: &PullRequestWork, seen: &WorkflowRunSeen) -> bool {
    let on_head = work.pull_request.as_ref().is_some_and(|facts| facts.head_sha == seen.head_sha);
    on_head && work.plan.as_deref() == Some(seen.file.as_str())
}

/// As many resources as are kept with the run, to be shown on its page.
const KEPT: usize = 100;

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
