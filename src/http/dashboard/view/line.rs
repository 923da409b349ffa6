//! The line of a run: the stops between received and applied, which are passed, and when.
//!
//! What is passed follows from the run; when, from the steps: a step is settled when its work was
//! done, and an observation is written down when it was seen.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::{Moment, duration};
use crate::domain::observation::{Conclusion, PullRequestState, RunPhase, Verdict};
use crate::domain::parts::{PartFacts, PartState, PartsWork};
use crate::domain::run::{PullRequestWork, Work, WorkflowWork};
use crate::domain::{Observation, Run, Stage, Status};
use crate::plan::Step;
use crate::store::{RecordedStep, StepState};

/// A stop on the line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(in super::super) struct Stop {
    name: &'static str,
    passed: Passed,
    at: Option<Moment>,
    /// Since the stop before.
    after: Option<String>,
}

/// How the run stands to a stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Passed {
    /// Behind it.
    Yes,
    /// It is on its way there.
    Next,
    /// Not yet.
    No,
    /// It went on without.
    Skipped,
    /// It went wrong there.
    Failed,
}

/// A stop as it is planned: whether it is behind, and since when.
struct Planned {
    name: &'static str,
    failed_name: &'static str,
    is_passed: bool,
    at: Option<DateTime<Utc>>,
}

impl Planned {
    fn new(
        name: &'static str,
        failed_name: &'static str,
        is_passed: bool,
        at: Option<DateTime<Utc>>,
    ) -> Self {
        Self { name, failed_name, is_passed, at }
    }
}

/// The line of a run.
pub(super) fn line(run: &Run, steps: &[RecordedStep]) -> Vec<Stop> {
    let mut planned = vec![Planned::new("Received", "", true, Some(run.created_at))];
    match &run.work {
        Some(Work::PullRequest(work)) => planned.extend(change(run, work, steps)),
        Some(Work::Workflow(work)) => planned.extend(workflow(run, work, steps)),
        Some(Work::Parts(work)) => planned.extend(parts(run, work, steps)),
        Some(Work::Delivery(_)) | None => {
            let is_done = run.stage == Stage::Done;
            planned.push(Planned::new("Done", "Failed", is_done, run.ended_at));
        }
    }
    stops(run, planned)
}

fn change(run: &Run, work: &PullRequestWork, steps: &[RecordedStep]) -> Vec<Planned> {
    let pull_request = work.pull_request.as_ref();
    let is_merged = pull_request.is_some_and(|pull| pull.state == PullRequestState::Merged);
    let is_approved = pull_request
        .is_some_and(|pull| pull.reviews.iter().any(|(_, said)| *said == Verdict::Approved));
    let is_planned = work
        .planned
        .as_ref()
        .is_some_and(|plan| plan.latest.conclusion == Some(Conclusion::Success));

    let mut planned = vec![Planned::new(
        "Proposed",
        "Not proposed",
        pull_request.is_some(),
        done(steps, |step| matches!(step, Step::Propose)),
    )];
    if work.plan.is_some() {
        let at = done(steps, |step| matches!(step, Step::ReadPlan(_)));
        planned.push(Planned::new("Planned", "Plan failed", is_planned, at));
    }
    let approved = seen(
        steps,
        |seen| matches!(seen, Observation::Review(review) if review.verdict == Verdict::Approved),
    );
    let merged = seen(
        steps,
        |seen| matches!(seen, Observation::PullRequest(pull) if pull.state == PullRequestState::Merged),
    );
    let is_applied = run.stage == Stage::Done;
    planned.extend([
        Planned::new("Reviewed", "", is_approved, approved),
        Planned::new("Merged", "", is_merged, merged),
        Planned::new("Applied", "Apply failed", is_applied, run.ended_at),
    ]);
    planned
}

/// Of several parts, each stop is passed when all have passed it.
fn parts(run: &Run, work: &PartsWork, steps: &[RecordedStep]) -> [Planned; 3] {
    let all = |has_passed: fn(&PartState) -> bool| {
        work.parts.iter().all(|part| has_passed(&part.state) || part.state.outcome.is_some())
    };
    let is_proposed = |state: &PartState| state.pull_request.is_some() || state.has_landed;
    let is_merged = |state: &PartState| state.has_landed;
    // When the last of them did.
    let at = |has_passed: fn(&PartState) -> bool| {
        let first = |part: &PartFacts| {
            heard(steps, part).find(|(_, state)| has_passed(state)).map(|(at, _)| at)
        };
        work.parts.iter().filter_map(first).max()
    };
    let is_applied = run.stage == Stage::Done;
    [
        Planned::new("Proposed", "Not proposed", all(is_proposed), at(is_proposed)),
        Planned::new("Merged", "Not merged", all(is_merged), at(is_merged)),
        Planned::new("Applied", "Apply failed", is_applied, run.ended_at),
    ]
}

/// What a part has told, in its order, and when.
fn heard<'a>(
    steps: &'a [RecordedStep],
    part: &'a PartFacts,
) -> impl Iterator<Item = (DateTime<Utc>, &'a PartState)> {
    steps.iter().filter_map(|recorded| match &recorded.step {
        Step::Hear(report) if report.run == part.run => Some((recorded.created_at, &report.state)),
        _ => None,
    })
}

fn workflow(run: &Run, work: &WorkflowWork, steps: &[RecordedStep]) -> Vec<Planned> {
    let phase = work.workflow_run.as_ref().map(|known| known.latest.phase);
    let is_running = phase.is_some_and(|phase| phase >= RunPhase::InProgress)
        || matches!(run.stage, Stage::Running | Stage::Done);
    let running = seen(steps, |seen| match seen {
        Observation::WorkflowRun(run) => run.status >= RunPhase::InProgress,
        Observation::WorkflowJob(job) => job.status >= RunPhase::InProgress,
        _ => false,
    });
    let dispatched = done(steps, |step| matches!(step, Step::Dispatch));
    let is_dispatched = work.workflow_run.is_some() || is_running || dispatched.is_some();
    vec![
        Planned::new("Dispatched", "Not dispatched", is_dispatched, dispatched),
        Planned::new("Running", "Did not start", is_running, running),
        Planned::new("Done", "Failed", run.stage == Stage::Done, run.ended_at),
    ]
}

/// From what is passed to how it is shown: what lies before something passed was passed or left
/// out, the first after it is next, and where the run has ended ill, that is where.
fn stops(run: &Run, mut planned: Vec<Planned>) -> Vec<Stop> {
    let last_passed = planned.iter().rposition(|stop| stop.is_passed).unwrap_or(0);
    let ended_ill = run.status.is_end() && run.status != Status::Success;
    if ended_ill {
        end_at(run, &mut planned, last_passed);
    }

    let mut stops = Vec::with_capacity(planned.len());
    let mut before = None;
    for (position, stop) in planned.into_iter().enumerate() {
        let passed = match position {
            _ if stop.is_passed => Passed::Yes,
            position if position < last_passed => Passed::Skipped,
            _ if ended_ill => Passed::Failed,
            position if position == last_passed + 1 => Passed::Next,
            _ => Passed::No,
        };
        let at = stop.at.filter(|_| matches!(passed, Passed::Yes | Passed::Failed));
        let after = at.zip(before).map(|(at, before): (_, DateTime<Utc>)| at - before);
        stops.push(Stop {
            name: if passed == Passed::Failed { stop.failed_name } else { stop.name },
            passed,
            at: at.map(Moment::from),
            after: after.filter(|after| *after > TimeDelta::zero()).map(duration),
        });
        before = at.or(before);
    }
    stops
}

/// Ends the line where the run has ended.
fn end_at(run: &Run, planned: &mut Vec<Planned>, last_passed: usize) {
    let name = match run.stage {
        Stage::Refused => "Refused",
        Stage::Declined => "Declined",
        _ if run.status == Status::Declined => "Declined",
        _ if run.was_cancelled() => Run::CANCELLED,
        _ => planned
            .get(last_passed + 1)
            .map(|stop| stop.failed_name)
            .filter(|name| !name.is_empty())
            .unwrap_or("Failed"),
    };
    planned.truncate(last_passed + 1);
    planned.push(Planned::new(name, name, false, run.ended_at));
}

/// When the last such step was done.
fn done(steps: &[RecordedStep], is_it: impl Fn(&Step) -> bool) -> Option<DateTime<Utc>> {
    let mut steps = steps.iter().rev().filter(|recorded| recorded.state == StepState::Done);
    steps.find(|recorded| is_it(&recorded.step))?.settled_at
}

/// When such a thing was first seen.
fn seen(steps: &[RecordedStep], is_it: impl Fn(&Observation) -> bool) -> Option<DateTime<Utc>> {
    let first = steps.iter().find(|recorded| match &recorded.step {
        Step::Observe(observation) => is_it(observation),
        _ => false,
    });
    first.map(|recorded| recorded.created_at)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::ActionRun;

    const SHA: &str = "9f2c1ab4e7d05c3386fa1b7be2c94d50a1c7e3f8";

    fn run(stage: &str, status: &str, work: Value) -> Run {
        let request: ActionRun = serde_json::from_value(json!({
            "id": "r_1", "kind": "action", "action": "a", "inputs": {}, "user": {},
            "encrypted": [], "invocation": "template",
        }))
        .unwrap();
        let mut run = Run::received(request, DateTime::UNIX_EPOCH);
        run.stage = serde_json::from_value(json!(stage)).unwrap();
        run.status = serde_json::from_value(json!(status)).unwrap();
        run.work = serde_json::from_value(work).unwrap();
        run.ended_at = run.status.is_end().then(|| at(900));
        run
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    fn change(pull_request: &Value) -> Value {
        json!({
            "kind": "pull_request", "template": "t", "repository": "a/b", "branch": "towpath/a/r_1",
            "context": {}, "plan": "plan.yml", "apply": "merge", "pull_request": pull_request,
        })
    }

    fn pull_request(state: &str) -> Value {
        json!({
            "number": 1, "html_url": "https://x", "state": state, "own_sha": SHA, "head_sha": SHA,
        })
    }

    fn workflow(phase: &str) -> Value {
        json!({
            "kind": "workflow", "repository": "a/b", "workflow": "w.yml", "inputs": {},
            "report_status": true, "context": {},
            "workflow_run": {"id": 1, "html_url": "https://x", "attempt": 1, "phase": phase},
        })
    }

    fn done_step(step: Step, seconds: i64) -> RecordedStep {
        RecordedStep {
            id: crate::store::StepId(1),
            step,
            state: StepState::Done,
            attempt: 1,
            due_at: at(0),
            last_error: None,
            created_at: at(0),
            settled_at: Some(at(seconds)),
        }
    }

    fn told(run: &Run, steps: &[RecordedStep]) -> String {
        let words = line(run, steps).into_iter().map(|stop| match stop.passed {
            Passed::Yes => stop.name.to_owned(),
            Passed::Next => format!("({})", stop.name),
            Passed::No => "…".to_owned(),
            Passed::Skipped => format!("-{}-", stop.name),
            Passed::Failed => format!("!{}", stop.name),
        });
        words.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_change_goes_from_received_to_applied() {
        let told = |stage, status, pull| told(&run(stage, status, change(pull)), &[]);
        let none = &Value::Null;
        let (open, merged) = (&pull_request("open"), &pull_request("merged"));
        assert_eq!(told("received", "IN_PROGRESS", none), "Received (Proposed) … … … …");
        assert_eq!(told("proposed", "IN_PROGRESS", open), "Received Proposed (Planned) … … …");
        assert_eq!(
            told("merged", "IN_PROGRESS", merged),
            "Received Proposed -Planned- -Reviewed- Merged (Applied)"
        );
        assert_eq!(
            told("failed", "FAILURE", merged),
            "Received Proposed -Planned- -Reviewed- Merged !Apply failed"
        );
        assert_eq!(told("declined", "FAILURE", open), "Received Proposed !Declined");
        assert_eq!(told("refused", "FAILURE", none), "Received !Refused");
    }

    #[test]
    fn a_workflow_goes_from_received_to_done() {
        let told = |stage, status, phase| told(&run(stage, status, workflow(phase)), &[]);
        assert_eq!(told("dispatched", "IN_PROGRESS", "queued"), "Received Dispatched (Running) …");
        assert_eq!(
            told("running", "IN_PROGRESS", "in_progress"),
            "Received Dispatched Running (Done)"
        );
        assert_eq!(told("done", "SUCCESS", "completed"), "Received Dispatched Running Done");
        assert_eq!(told("failed", "FAILURE", "completed"), "Received Dispatched Running !Failed");
    }

    #[test]
    fn a_run_without_work_is_done_or_refused() {
        assert_eq!(told(&run("done", "SUCCESS", Value::Null), &[]), "Received Done");
        assert_eq!(told(&run("refused", "FAILURE", Value::Null), &[]), "Received !Refused");
    }

    #[test]
    fn a_stop_tells_when_it_was_passed_and_how_long_it_took() {
        let run = run("proposed", "IN_PROGRESS", change(&pull_request("open")));
        let stops = line(&run, &[done_step(Step::Begin, 2), done_step(Step::Propose, 75)]);
        assert_eq!(stops[1].at, Some(Moment::from(at(75))));
        assert_eq!(stops[1].after.as_deref(), Some("1 min 15 s"));
        assert_eq!(stops[2].at, None);
    }
}
