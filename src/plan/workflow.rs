//! A run that dispatches a workflow: from the dispatch to its conclusion.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use crate::domain::WorkflowRunId;
use crate::domain::observation::{Conclusion, Link, RunPhase, WorkflowJobSeen, WorkflowRunSeen};
use crate::domain::run::{Attempt, Event, Run, Stage, WorkflowRunFacts, WorkflowWork};

use super::conclude::{Success, catalog_refused, catalog_told, succeed};
use super::decision::Decision;
use super::draft::Draft;
use super::step::{After, Explain, Explanation, Step};
use super::words;

/// GitHub has taken the dispatch, and this is the workflow run that came of it.
pub fn dispatched(run: Run, id: WorkflowRunId, html_url: &str, now: DateTime<Utc>) -> Decision {
    let follow = |draft: &mut Draft, work: &mut WorkflowWork| {
        if work.workflow_run.as_ref().is_some_and(|facts| facts.id == id) {
            return;
        }
        work.workflow_run =
            Some(WorkflowRunFacts { id, html_url: html_url.to_owned(), latest: Attempt::first() });
        draft.run.add_link(html_url);
        draft.link(Link::workflow_run(&work.repository, id));
        for link in awaited(work) {
            draft.unlink(link);
        }
        draft.stage(Stage::Dispatched, "Queued");
    };
    Draft::of(run).on_workflow(follow).finish(now)
}

/// By what a run of a workflow that was dispatched is kept for the run, before its id is known.
pub(crate) fn awaited(work: &WorkflowWork) -> Vec<Link> {
    vec![
        Link::awaited_dispatch(&work.repository, &work.workflow),
        Link::awaited_jobs(&work.repository),
    ]
}

/// A workflow run was seen.
pub(crate) fn run_seen(draft: &mut Draft, work: &mut WorkflowWork, seen: &WorkflowRunSeen) {
    let moved = match &mut work.workflow_run {
        Some(facts) if facts.id == seen.id => {
            facts.latest.merge(Attempt::seen(seen.attempt, seen.status, seen.conclusion))
        }
        _ => false,
    };
    if moved {
        follow(draft, work);
    }
}

/// A job was seen: it tells more of where the run is, and nothing of how it ends.
pub(crate) fn job_seen(draft: &mut Draft, work: &WorkflowWork, seen: &WorkflowJobSeen) {
    let Some(facts) = &work.workflow_run else { return };
    let current = facts.id == seen.workflow_run
        && facts.latest.attempt <= seen.attempt
        && facts.latest.phase != RunPhase::Completed;
    if !current {
        return;
    }
    match seen.status {
        RunPhase::InProgress => {
            draft.stage(Stage::Running, &format!("Running: {}", words::one_line(&seen.name, 60)));
        }
        RunPhase::Waiting => waiting(draft, seen.environment.as_deref()),
        RunPhase::Queued | RunPhase::Completed => {}
    }
}

/// Why it failed is known now.
pub(crate) fn explained(
    draft: &mut Draft,
    work: &WorkflowWork,
    explanation: &Explanation,
    conclusion: Conclusion,
) {
    // A re-run may have begun while the log was read: then this is no end any more.
    let ended = work.workflow_run.as_ref().and_then(|facts| facts.latest.conclusion);
    if ended != Some(conclusion) {
        return;
    }
    draft.say(Event::failure(failure_line(&work.workflow, conclusion, explanation)));
    let summary = explanation.url.as_deref().map(|url| {
        let job = words::one_line(explanation.job.as_deref().unwrap_or("The failed job"), 80);
        format!(
            "[{}]({url}): {}",
            job.replace(['[', ']'], " "),
            words::ended(conclusion).to_lowercase()
        )
    });
    draft.end(Stage::Failed, words::ended(conclusion), summary);
}

/// The outputs that the entity wants are known now.
pub(crate) fn outputs_read(draft: &mut Draft, work: &WorkflowWork, outputs: &Map<String, Value>) {
    if let Some(conclusion) = work.workflow_run.as_ref().and_then(|facts| facts.latest.conclusion) {
        ended_well(draft, work, conclusion, Some(outputs));
    }
}

/// The catalog was told of the success, or refuses it.
pub(crate) fn catalog_answered(draft: &mut Draft, work: &WorkflowWork, told: &Result<(), String>) {
    let conclusion = work.workflow_run.as_ref().and_then(|facts| facts.latest.conclusion);
    let conclusion = conclusion.unwrap_or(Conclusion::Success);
    match told {
        Ok(()) => catalog_told(draft, work.entity.as_ref(), words::ended(conclusion)),
        Err(reason) => catalog_refused(draft, reason),
    }
}

fn follow(draft: &mut Draft, work: &WorkflowWork) {
    let Some(facts) = &work.workflow_run else { return };
    let attempt = facts.latest.attempt;
    match (facts.latest.phase, facts.latest.conclusion) {
        (RunPhase::Completed, Some(conclusion)) if is_good(work, conclusion) => {
            ended_well(draft, work, conclusion, None);
        }
        (RunPhase::Completed, Some(conclusion)) => draft.then(Step::Explain(Explain {
            repository: work.repository.clone(),
            workflow_run: facts.id,
            attempt,
            then: After::EndWorkflow(conclusion),
        })),
        (RunPhase::Waiting, _) => waiting(draft, None),
        (RunPhase::InProgress, _) if draft.run.stage == Stage::Running => {}
        (RunPhase::InProgress, _) => draft.stage(Stage::Running, "Running"),
        _ if attempt > 1 => draft.stage(Stage::Dispatched, &format!("Queued, attempt {attempt}")),
        _ => draft.stage(Stage::Dispatched, "Queued"),
    }
}

fn waiting(draft: &mut Draft, environment: Option<&str>) {
    let of = environment.map(|name| format!(" of {}", words::one_line(name, 60)));
    draft.stage(Stage::Waiting, &format!("Waiting for approval{}", of.unwrap_or_default()));
}

fn ended_well(
    draft: &mut Draft,
    work: &WorkflowWork,
    conclusion: Conclusion,
    outputs: Option<&Map<String, Value>>,
) {
    let success = Success {
        entity: work.entity.as_ref(),
        context: &work.context,
        repository: &work.repository,
        workflow_run: work.workflow_run.as_ref().map(|facts| facts.id),
        label: words::ended(conclusion),
        line: format!("Workflow {} {}.", work.workflow, verb(conclusion)),
    };
    succeed(draft, success, outputs);
}

fn verb(conclusion: Conclusion) -> &'static str {
    match conclusion {
        Conclusion::Success => "succeeded",
        Conclusion::Skipped => "was skipped",
        _ => "ended neutral",
    }
}

/// Whether the run has gone well: the template's word, else the ordinary meaning.
fn is_good(work: &WorkflowWork, conclusion: Conclusion) -> bool {
    let own = work.conclusions.iter().find(|(word, _)| *word == conclusion);
    own.map_or_else(|| words::is_good(conclusion), |(_, good)| *good)
}

/// `Workflow deploy.yml failed in job "deploy", step "terraform apply".` and the tail of the log.
pub(crate) fn failure_line(
    what: &str,
    conclusion: Conclusion,
    explanation: &Explanation,
) -> String {
    let mut line = match conclusion {
        Conclusion::Cancelled => format!("Workflow {what} was cancelled"),
        Conclusion::TimedOut => format!("Workflow {what} took too long and was ended by GitHub"),
        Conclusion::StartupFailure => {
            format!("Workflow {what} could not start: GitHub found a fault in the workflow file")
        }
        Conclusion::Stale => format!("Workflow {what} was given up by GitHub"),
        Conclusion::Skipped => format!("Workflow {what} was skipped"),
        _ => format!("Workflow {what} failed"),
    };
    if let Some(job) = &explanation.job {
        line.push_str(&format!(" in job \"{}\"", words::one_line(job, 80)));
    }
    if let Some(step) = &explanation.step {
        line.push_str(&format!(", step \"{}\"", words::one_line(step, 80)));
    }
    line.push('.');
    if let Some(url) = &explanation.url {
        line.push_str(&format!(" {url}"));
    }
    for tail in &explanation.log_tail {
        line.push_str("\n  ");
        line.push_str(tail);
    }
    line
}
