//! One run.

use serde::Serialize;

use super::actions::{action_href, template_href};
use super::diff::{PatchView, patches};
use super::jobs::workflow_runs;
use super::line::{Stop, line};
use super::runs::{person, ran_on};
use super::text::{Pair, Part, parts};
use super::told::{ToldView, told};
use super::{Badge, GitHub, Moment, Named, Tone, duration, encoded, without_scheme};
use crate::domain::observation::{Conclusion, PullRequestState, RunPhase, Verdict};
use crate::domain::run::{
    ApplyFacts, ApplySignal, Attempt, PullRequestFacts, PullRequestWork, Work, WorkflowWork,
};
use crate::domain::{
    ActionId, ActionRun, BranchName, EntityRef, EventKind, RepositoryName, Run, TemplateName,
};
use crate::plan::Step;
use crate::plan::step::Lane;
use crate::store::{RecordedEvent, RecordedStep, StepState};
use crate::template::Templates;

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
struct ChangeView {
    /// What tells it from the others, where there are several.
    name: Option<String>,
    /// The same in what names its place on the page: `-gitops`.
    suffix: String,
    /// Where it is one of several: how it stands.
    badge: Option<Badge>,
    label: String,
    is_over: bool,
    plan: Option<PlanView>,
    /// The change as it was proposed last.
    patches: Vec<PatchView>,
    repository: Named,
    filter_href: String,
    branch: Named,
    base: Option<Named>,
    folder: Option<Named>,
    template: Named,
    applied_by: AppliedBy,
    pull_request: Option<PullRequestView>,
    plan_run: Option<AttemptView>,
    applies: Vec<ApplyView>,
}

/// What says that the change is applied.
#[derive(Debug, Serialize)]
struct AppliedBy {
    what: &'static str,
    name: Option<Named>,
}

#[derive(Debug, Serialize)]
struct PullRequestView {
    number: Named,
    state: Badge,
    head: Named,
    /// Whether somebody pushed to the branch after this program did.
    is_edited: bool,
    merge_commit: Option<Named>,
    reviews: Vec<ReviewView>,
    /// Who was asked for one.
    asked: Vec<Named>,
    /// The check that says on its head what was asked for and proved.
    check: Option<Named>,
}

#[derive(Debug, Serialize)]
struct ReviewView {
    reviewer: Named,
    verdict: Badge,
}

#[derive(Debug, Serialize)]
struct ApplyView {
    attempt: AttemptView,
    commit: Named,
    note: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct AttemptView {
    page: Named,
    attempt: u32,
    badge: Badge,
}

#[derive(Debug, Serialize)]
struct WorkflowView {
    repository: Named,
    filter_href: String,
    workflow: Named,
    reference: Option<Named>,
    run: Option<AttemptView>,
    reports_itself: bool,
}

/// What a plan would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct PlanView {
    add: u64,
    change: u64,
    destroy: u64,
    resources: Vec<ResourceView>,
    /// How many resources are not named.
    left_out: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct ResourceView {
    name: String,
    action: String,
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
    let badge = Badge::of(run);
    let user = &run.request.user;
    let events_left_out = events.len().saturating_sub(MOST_EVENTS);
    let count =
        |is_it: fn(StepState) -> bool| steps.iter().filter(|(_, step)| is_it(step.state)).count();
    RunView {
        id: run.id.to_string(),
        title: run.request.title(),
        label: (!run.label.eq_ignore_ascii_case(badge.word)).then(|| run.label.clone()),
        badge,
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

fn change(recorded: &Recorded, known: &Known<'_>, github: GitHub<'_>) -> Option<ChangeView> {
    let run = &recorded.run;
    let Some(Work::PullRequest(work)) = &run.work else { return None };
    let part = work.part.as_ref();
    let repository = &work.repository;
    let base = work.base.as_ref().map(BranchName::as_str);
    let is_merged =
        work.pull_request.as_ref().is_some_and(|facts| facts.state == PullRequestState::Merged);
    // Before the merge, the folder is as proposed on the run's own branch only.
    let folder_at = if is_merged { base } else { Some(work.branch.as_str()) };
    Some(ChangeView {
        name: part.map(|part| part.target.to_string()),
        suffix: part.map(|part| format!("-{}", part.target)).unwrap_or_default(),
        badge: part.map(|_| Badge::of(run)),
        label: run.label.clone(),
        is_over: run.status.is_end(),
        plan: plan_view(work),
        patches: patches(recorded.patches.iter().map(String::as_str)),
        repository: github.repository(repository),
        filter_href: filter_href(repository),
        branch: branch(repository, work.branch.as_str(), github),
        base: base.map(|base| branch(repository, base, github)),
        folder: work.path.as_deref().map(|path| github.tree(repository, folder_at, path)),
        template: known.template(&work.template),
        applied_by: applied_by(work, github),
        pull_request: work
            .pull_request
            .as_ref()
            .map(|facts| pull_request(work, facts, &recorded.steps, github)),
        plan_run: work.planned.as_ref().map(|plan| {
            attempt(&format!("run {}", plan.id), Some(plan.html_url.as_str()), plan.latest)
        }),
        applies: work
            .applies
            .iter()
            .filter(|facts| facts.contains != Some(false))
            .map(|facts| apply(repository, facts, github))
            .collect(),
    })
}

fn applied_by(work: &PullRequestWork, github: GitHub<'_>) -> AppliedBy {
    let base = work.base.as_ref().map(BranchName::as_str);
    let (what, name) = match &work.apply {
        ApplySignal::Workflow(file) => {
            ("the workflow", Some(github.workflow(&work.repository, base, file)))
        }
        ApplySignal::Status(context) => ("the status", Some(Named::plain(context))),
        ApplySignal::Check(name) => ("the check", Some(Named::plain(name))),
        ApplySignal::Deployment(environment) => {
            ("a deployment to", Some(Named::plain(environment)))
        }
        ApplySignal::Merge => ("the merge itself", None),
    };
    AppliedBy { what, name }
}

fn filter_href(repository: &RepositoryName) -> String {
    format!("/?repository={}", encoded(&repository.to_string()))
}

fn branch(repository: &RepositoryName, name: &str, github: GitHub<'_>) -> Named {
    Named { name: name.to_owned(), ..github.tree(repository, Some(name), "") }
}

fn pull_request(
    work: &PullRequestWork,
    facts: &PullRequestFacts,
    steps: &[RecordedStep],
    github: GitHub<'_>,
) -> PullRequestView {
    let repository = &work.repository;
    let check = work.own_check.as_ref().and_then(|check| check.written.as_ref());
    let reviews = facts.reviews.iter().map(|(login, verdict)| ReviewView {
        reviewer: github.person(login),
        verdict: match verdict {
            Verdict::Approved => Badge::new(Tone::Good, "approved"),
            Verdict::ChangesRequested => Badge::new(Tone::Bad, "asks for changes"),
            Verdict::Commented => Badge::new(Tone::Quiet, "commented"),
            Verdict::Dismissed => Badge::new(Tone::Quiet, "was dismissed"),
        },
    });
    PullRequestView {
        number: Named::outside(format!("#{}", facts.number), &facts.html_url),
        state: match facts.state {
            PullRequestState::Open => Badge::new(Tone::Waits, "Open"),
            PullRequestState::Queued => Badge::new(Tone::Goes, "In the merge queue"),
            PullRequestState::Closed => Badge::new(Tone::Quiet, "Closed"),
            PullRequestState::Merged => Badge::new(Tone::Good, "Merged"),
        },
        head: github.commit(repository, &facts.head_sha),
        is_edited: facts.head_sha != facts.own_sha,
        merge_commit: facts.merge_commit.as_ref().map(|sha| github.commit(repository, sha)),
        reviews: reviews.collect(),
        asked: asked(steps).map(|name| reviewer(name, github)).collect(),
        check: check.map(|(_, id)| github.check_run(repository, *id)),
    }
}

/// Who was asked for a review: `octocat`, `@acme/devops`.
fn asked(steps: &[RecordedStep]) -> impl Iterator<Item = &str> {
    let decorated = steps.iter().rev().find_map(|recorded| match &recorded.step {
        Step::Decorate(decorate) => Some(&decorate.reviewers),
        _ => None,
    });
    decorated.into_iter().flatten().map(|(name, _)| name.as_str())
}

fn reviewer(name: &str, github: GitHub<'_>) -> Named {
    match name.trim_start_matches('@').split_once('/') {
        Some((organization, team)) => github.team(name, organization, team),
        None => github.person(name.trim_start_matches('@')),
    }
}

fn apply(repository: &RepositoryName, facts: &ApplyFacts, github: GitHub<'_>) -> ApplyView {
    ApplyView {
        attempt: attempt(&facts.id.to_string(), facts.url.as_deref(), facts.latest),
        commit: github.commit(repository, &facts.sha),
        note: match facts.contains {
            Some(_) => None,
            None => Some("not yet known whether it contains this change"),
        },
    }
}

fn attempt(name: &str, page: Option<&str>, latest: Attempt) -> AttemptView {
    let page = page.map_or_else(|| Named::plain(name), |page| Named::outside(name, page));
    AttemptView { page, attempt: latest.attempt, badge: progress(latest) }
}

/// How something stands that GitHub runs.
pub(super) fn progress(latest: Attempt) -> Badge {
    match (latest.conclusion, latest.phase) {
        (Some(Conclusion::Success), _) => Badge::new(Tone::Good, "succeeded"),
        (Some(Conclusion::Neutral), _) => Badge::new(Tone::Good, "ended neutral"),
        (Some(Conclusion::Skipped), _) => Badge::new(Tone::Quiet, "skipped"),
        (Some(Conclusion::Failure), _) => Badge::new(Tone::Bad, "failed"),
        (Some(Conclusion::Cancelled), _) => Badge::new(Tone::Bad, "cancelled"),
        (Some(Conclusion::TimedOut), _) => Badge::new(Tone::Bad, "timed out"),
        (Some(Conclusion::ActionRequired), _) => Badge::new(Tone::Waits, "needs somebody"),
        (Some(Conclusion::Stale), _) => Badge::new(Tone::Bad, "given up by GitHub"),
        (Some(Conclusion::StartupFailure), _) => Badge::new(Tone::Bad, "could not start"),
        (None, RunPhase::Queued) => Badge::new(Tone::Goes, "queued"),
        (None, RunPhase::Waiting) => Badge::new(Tone::Waits, "waiting"),
        (None, RunPhase::InProgress | RunPhase::Completed) => Badge::new(Tone::Goes, "running"),
    }
}

fn workflow(work: &WorkflowWork, github: GitHub<'_>) -> WorkflowView {
    let reference = work.reference.as_deref();
    WorkflowView {
        repository: github.repository(&work.repository),
        filter_href: filter_href(&work.repository),
        workflow: github.workflow(&work.repository, reference, &work.workflow),
        reference: reference.map(|name| branch(&work.repository, name, github)),
        run: work.workflow_run.as_ref().map(|known| {
            attempt(&format!("run {}", known.id), Some(known.html_url.as_str()), known.latest)
        }),
        reports_itself: !work.report_status,
    }
}

/// What the last plan would change.
fn plan_view(work: &PullRequestWork) -> Option<PlanView> {
    let summary = work.plan_summary.as_ref()?;
    let told = u64::try_from(summary.resources.len()).unwrap_or(u64::MAX);
    Some(PlanView {
        add: summary.add,
        change: summary.change,
        destroy: summary.destroy,
        resources: summary
            .resources
            .iter()
            .map(|(name, action)| ResourceView { name: name.clone(), action: action.clone() })
            .collect(),
        left_out: (summary.add + summary.change + summary.destroy).saturating_sub(told)
            * u64::from(told > 0),
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_re_run_is_told_by_its_latest_attempt() {
        let badge = |phase, conclusion| progress(Attempt::seen(2, phase, conclusion)).word;
        assert_eq!(badge(RunPhase::Queued, None), "queued");
        assert_eq!(badge(RunPhase::Completed, Some(Conclusion::TimedOut)), "timed out");
        assert_eq!(badge(RunPhase::Completed, Some(Conclusion::ActionRequired)), "waiting");
    }
}
