//! One run.

mod change;
mod workflow;

use serde::Serialize;

use super::actions::{action_href, template_href};
use super::jobs::workflow_runs;
use super::line::{Stop, line};
use super::runs::{person, ran_on};
use super::text::{Pair, Part, parts};
use super::told::{ToldView, told};
use super::{Badge, GitHub, Moment, Named, Tone, duration, encoded, without_scheme};
use crate::domain::run::Work;
use crate::domain::{ActionId, ActionRun, EntityRef, EventKind, Run, TemplateName};
use crate::plan::step::Lane;
use crate::store::{RecordedEvent, RecordedStep, StepState};
use crate::template::Templates;

use change::{ChangeView, change};
pub(super) use workflow::progress;
use workflow::{WorkflowView, workflow};

/// How many events are shown: the latest. A run has some tens.
const MOST_EVENTS: usize = 300;

/// A run, its history and its steps.
#[derive(Debug, Serialize)]
pub(in super::super) struct RunView {
    id: String,
    title: String,
    badge: Badge,
    label: Option<String>,
    action: Named,
    operation: Option<&'static str>,
    who: Named,
    email: Option<String>,
    entity: Option<Named>,
    received: Moment,
    updated: Moment,
    took: Option<String>,
    is_over: bool,
    line: Vec<Stop>,
    events: Vec<EventRow>,
    events_left_out: usize,
    links: Vec<Named>,
    /// What it proposes; more than one, where it writes to several repositories.
    changes: Vec<ChangeView>,
    workflow: Option<WorkflowView>,
    has_jobs: bool,
    inputs: Vec<Pair>,
    /// What the portal and its catalog were told.
    told: ToldView,
    steps: Vec<StepRow>,
    steps_parked: usize,
    steps_waiting: usize,
    /// What it would mean to cancel it.
    cancelling: &'static str,
    /// What the visitor may do with it.
    pub(in super::super) may: May,
}

/// What a visitor may do with a run.
#[derive(Debug, Default, Serialize)]
pub(in super::super) struct May {
    /// Have parked steps done again.
    pub(in super::super) replay: bool,
    /// Cancel it; it can be.
    pub(in super::super) cancel: bool,
}

#[derive(Debug, Serialize)]
struct EventRow {
    seq: u64,
    at: Moment,
    tone: Tone,
    kind: &'static str,
    message: Vec<Part>,
}

#[derive(Debug, Serialize)]
struct StepRow {
    id: String,
    is_parked: bool,
    kind: String,
    lane: &'static str,
    /// Where it writes, if it is a step of one of several parts.
    part: Option<Named>,
    badge: Badge,
    attempt: u32,
    decided: Moment,
    due: Option<Moment>,
    settled: Option<Moment>,
    error: Option<String>,
}

/// A run with what is recorded of it.
pub(in super::super) struct Recorded {
    pub(in super::super) run: Run,
    pub(in super::super) steps: Vec<RecordedStep>,
    /// The change as it was proposed last.
    pub(in super::super) patches: Vec<String>,
}

/// What names of a run lead to, as far as it is there.
pub(in super::super) struct Known<'a> {
    pub(in super::super) entities: &'a [EntityRef],
    pub(in super::super) templates: &'a Templates,
}

impl Known<'_> {
    /// Its page; of one that is gone, its runs.
    fn action(&self, id: &ActionId) -> Named {
        match self.templates.action(id) {
            Some(_) => Named::new(id.as_str(), action_href(id, None)),
            None => Named::new(id.as_str(), format!("/?action={}", encoded(id.as_str()))),
        }
    }

    fn template(&self, name: &TemplateName) -> Named {
        match self.templates.template(name) {
            Some(_) => Named::new(name.as_str(), template_href(name)),
            None => Named::plain(name.as_str()),
        }
    }
}

/// The run as it is shown, with its parts.
pub(in super::super) fn view(
    recorded: &Recorded,
    parts: &[Recorded],
    events: &[RecordedEvent],
    known: &Known<'_>,
    github: GitHub<'_>,
) -> RunView {
    let run = &recorded.run;
    let all = || std::iter::once(recorded).chain(parts);
    let workflow = match &run.work {
        Some(Work::Workflow(work)) => Some(workflow(work, github)),
        _ => None,
    };
    let steps: Vec<_> = all().flat_map(|of| of.steps.iter().map(|step| (&of.run, step))).collect();
    let user = &run.request.user;
    let events_left_out = events.len().saturating_sub(MOST_EVENTS);
    let count =
        |is_it: fn(StepState) -> bool| steps.iter().filter(|(_, step)| is_it(step.state)).count();
    RunView {
        id: run.id.to_string(),
        title: run.request.title(),
        label: label(run),
        badge: Badge::of(run),
        action: known.action(&run.request.action),
        operation: run.operation.map(crate::domain::Operation::as_str),
        who: person(user),
        email: user.email.clone().filter(|email| email != user.shown()),
        entity: ran_on(&run.request, known.entities),
        received: run.created_at.into(),
        updated: run.updated_at.into(),
        took: run.ended_at.map(|ended| duration(ended - run.created_at)),
        is_over: run.status.is_end(),
        line: line(run, &recorded.steps),
        events: events[events_left_out..].iter().map(event).collect(),
        events_left_out,
        links: run.links.iter().map(|link| Named::outside(without_scheme(link), link)).collect(),
        changes: all().filter_map(|recorded| change(recorded, known, github)).collect(),
        workflow,
        has_jobs: all().any(|recorded| !workflow_runs(&recorded.run).is_empty()),
        inputs: inputs(&run.request),
        told: told(run, &recorded.steps, known.entities),
        steps: steps.iter().map(|(run, recorded)| step(run, recorded, github)).collect(),
        steps_parked: count(|state| state == StepState::Parked),
        steps_waiting: count(|state| matches!(state, StepState::Ready | StepState::Claimed)),
        cancelling: cancelling(run),
        may: May::default(),
    }
}

/// The label, where it says more than the badge.
fn label(run: &Run) -> Option<String> {
    let says_more = !run.label.eq_ignore_ascii_case(Badge::of(run).word);
    says_more.then(|| run.label.clone())
}

/// What it would mean to cancel a run, in sentences.
fn cancelling(run: &Run) -> &'static str {
    match &run.work {
        Some(Work::PullRequest(work)) if work.pull_request.is_some() => {
            "Its pull request is closed with a comment, and its branch is removed if nobody else has \
             pushed to it."
        }
        Some(Work::Workflow(work)) if work.workflow_run.is_some() => {
            "GitHub is asked to stop its workflow run; the run ends as GitHub says."
        }
        Some(Work::Parts(work)) if work.parts.iter().any(|part| part.has_begun) => {
            "In each repository its pull request is closed with a comment, and its branch is removed \
             if nobody else has pushed to it. What is merged stays."
        }
        _ => "What has not begun is not begun any more.",
    }
}

/// The inputs, without what the portal sent encrypted.
fn inputs(request: &ActionRun) -> Vec<Pair> {
    let pairs = request.inputs.iter().map(|(name, value)| {
        if request.encrypted.contains(name) { Pair::secret(name) } else { Pair::of(name, value) }
    });
    pairs.collect()
}

fn event(event: &RecordedEvent) -> EventRow {
    let (tone, kind) = match event.kind {
        EventKind::Progress => (Tone::Quiet, "Progress"),
        EventKind::Warning => (Tone::Waits, "Warning"),
        EventKind::Failure => (Tone::Bad, "Failure"),
    };
    EventRow { seq: event.seq, at: event.at.into(), tone, kind, message: parts(&event.message) }
}

fn step(run: &Run, recorded: &RecordedStep, github: GitHub<'_>) -> StepRow {
    let is_waiting = matches!(recorded.state, StepState::Ready | StepState::Claimed);
    StepRow {
        id: recorded.id.to_string(),
        is_parked: recorded.state == StepState::Parked,
        kind: recorded.step.kind().replace('_', " "),
        lane: match recorded.step.lane() {
            Lane::Work => "work",
            Lane::Report => "report",
        },
        part: run.part_of().and(run.repository()).map(|name| github.repository(name)),
        badge: match recorded.state {
            StepState::Ready if recorded.last_error.is_some() => {
                Badge::new(Tone::Waits, "will be tried again")
            }
            StepState::Ready => Badge::new(Tone::Goes, "waiting"),
            StepState::Claimed => Badge::new(Tone::Goes, "under way"),
            StepState::Done => Badge::new(Tone::Good, "done"),
            StepState::Parked => Badge::new(Tone::Bad, "parked"),
        },
        attempt: recorded.attempt,
        decided: recorded.created_at.into(),
        due: is_waiting.then(|| recorded.due_at.into()),
        settled: recorded.settled_at.map(Moment::from),
        error: recorded.last_error.clone(),
    }
}
