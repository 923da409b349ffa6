//! A run that dispatches a workflow: from the dispatch to its conclusion.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use crate::domain::WorkflowRunId;
use crate::domain::observation::{Conclusion, Link, RunPhase, WorkflowJobSeen, WorkflowRunSeen};
use crate::domain::run::{Attempt, Event, Run, Stage, Work, WorkflowRunFacts, WorkflowWork};

use super::conclude::{Success, catalog_refused, catalog_told, succeed};
use super::draft::Draft;
use super::step::{After, Decision, Explain, Explanation, Step};
use super::words;

/// GitHub has taken the dispatch, and this is the workflow run that came of it.
pub fn dispatched(run: Run, id: WorkflowRunId, html_url: &str, now: DateTime<Utc>) -> Decision {
    let mut draft = Draft::of(run);
    let Some(mut work) = take(&mut draft) else { return draft.finish(now) };
    let known = work.workflow_run.as_ref().is_some_and(|facts| facts.id == id);
    if !known {
        work.workflow_run =
            Some(WorkflowRunFacts { id, html_url: html_url.to_owned(), latest: Attempt::first() });
        draft.run.add_link(html_url);
        draft.link(Link::workflow_run(&work.repository, id));
        for link in awaited(&work) {
            draft.unlink(link);
        }
        draft.stage(Stage::Dispatched, "Queued");
    }
    draft.run.work = Some(Work::Workflow(work));
    draft.finish(now)
}

/// By what a run of a workflow that was dispatched is kept for the run, before its id is known.
pub(crate) fn awaited(work: &WorkflowWork) -> Vec<Link> {
    vec![
        Link::awaited_dispatch(&work.repository, &work.workflow),
        Link::awaited_jobs(&work.repository),
    ]
}

/// A workflow run was seen.
pub(crate) fn run_seen(mut draft: Draft, seen: &WorkflowRunSeen, now: DateTime<Utc>) -> Decision {
    let Some(mut work) = take(&mut draft) else { return draft.finish(now) };
    let moved = match &mut work.workflow_run {
        Some(facts) if facts.id == seen.id => {
            facts.latest.merge(Attempt::seen(seen.attempt, seen.status, seen.conclusion))
        }
        _ => false,
    };
    if moved {
        follow(&mut draft, &work);
    }
    draft.run.work = Some(Work::Workflow(work));
    draft.finish(now)
}

/// A job was seen: it tells more of where the run is, and nothing of how it ends.
pub(crate) fn job_seen(mut draft: Draft, seen: &WorkflowJobSeen, now: DateTime<Utc>) -> Decision {
    let Some(Work::Workflow(work)) = &draft.run.work else { return draft.finish(now) };
    let Some(facts) = &work.workflow_run else { return draft.finish(now) };
    let current = facts.id == seen.workflow_run
        && facts.latest.attempt <= seen.attempt
        && facts.latest.phase != RunPhase::Completed;
    if !current {
        return draft.finish(now);
    }
    match seen.status {
        RunPhase::InProgress => {
            draft.stage(Stage::Running, &format!("Running: {}", words::one_line(&seen.name, 60)));
        }
        RunPhase::Waiting => waiting(&mut draft, seen.environment.as_deref()),
        RunPhase::Queued | RunPhase::Completed => {}
    }
    draft.finish(now)
}

/// Why it failed is known now.
pub(crate) fn explained(
    mut draft: Draft,
    explanation: &Explanation,
    conclusion: Conclusion,
    now: DateTime<Utc>,
) -> Decision {
    let Some(work) = take(&mut draft) else { return draft.finish(now) };
    // A re-run may have begun while the log was read: then this is no end any more.
    let ended = work.workflow_run.as_ref().and_then(|facts| facts.latest.conclusion);
    if ended == Some(conclusion) {
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
    draft.run.work = Some(Work::Workflow(work));
    draft.finish(now)
}

/// The outputs that the entity wants are known now.
pub(crate) fn outputs_read(
    mut draft: Draft,
    outputs: &Map<String, Value>,
    now: DateTime<Utc>,
) -> Decision {
    let Some(work) = take(&mut draft) else { return draft.finish(now) };
    if let Some(conclusion) = work.workflow_run.as_ref().and_then(|facts| facts.latest.conclusion) {
        ended_well(&mut draft, &work, conclusion, Some(outputs));
    }
    draft.run.work = Some(Work::Workflow(work));
    draft.finish(now)
}

/// The catalog was told of the success, or refuses it.
pub(crate) fn catalog_answered(
    mut draft: Draft,
    told: &Result<(), String>,
    now: DateTime<Utc>,
) -> Decision {
    let Some(work) = take(&mut draft) else { return draft.finish(now) };
    let conclusion = work.workflow_run.as_ref().and_then(|facts| facts.latest.conclusion);
    let conclusion = conclusion.unwrap_or(Conclusion::Success);
    match told {
        Ok(()) => catalog_told(&mut draft, work.entity.as_ref(), words::ended(conclusion)),
        Err(reason) => catalog_refused(&mut draft, reason),
    }
    draft.run.work = Some(Work::Workflow(work));
    draft.finish(now)
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

fn take(draft: &mut Draft) -> Option<Box<WorkflowWork>> {
    match draft.run.work.take() {
        Some(Work::Workflow(work)) => Some(work),
        other => {
            draft.run.work = other;
            None
        }
    }
}
