//! What a run proposes: its pull request, its plan, and what applies it.

use serde::Serialize;

use super::super::diff::{PatchView, patches};
use super::super::{Badge, GitHub, Named, Tone};
use super::workflow::{AttemptView, attempt, filter_href};
use super::{Known, Recorded, label};
use crate::domain::observation::{PullRequestState, Verdict};
use crate::domain::run::{ApplyFacts, ApplySignal, PullRequestFacts, PullRequestWork, Work};
use crate::domain::{BranchName, RepositoryName};
use crate::plan::Step;
use crate::store::RecordedStep;

#[derive(Debug, Serialize)]
pub(super) struct ChangeView {
    /// What tells it from the others, where there are several.
    name: Option<String>,
    /// The same in what names its place on the page: `-gitops`.
    suffix: String,
    /// Where it is one of several: how it stands.
    badge: Option<Badge>,
    label: Option<String>,
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

pub(super) fn change(
    recorded: &Recorded,
    known: &Known<'_>,
    github: GitHub<'_>,
) -> Option<ChangeView> {
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
        label: label(run),
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

pub(super) fn branch(repository: &RepositoryName, name: &str, github: GitHub<'_>) -> Named {
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
