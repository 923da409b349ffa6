//! The workflow that a run dispatches, and how something stands that GitHub runs.

use serde::Serialize;

use super::super::{Badge, GitHub, Named, Tone, encoded};
use super::change::branch;
use crate::domain::RepositoryName;
use crate::domain::observation::{Conclusion, RunPhase};
use crate::domain::run::{Attempt, WorkflowWork};

#[derive(Debug, Serialize)]
pub(super) struct AttemptView {
    page: Named,
    attempt: u32,
    badge: Badge,
}

#[derive(Debug, Serialize)]
pub(super) struct WorkflowView {
    repository: Named,
    filter_href: String,
    workflow: Named,
    reference: Option<Named>,
    run: Option<AttemptView>,
    reports_itself: bool,
}

pub(super) fn filter_href(repository: &RepositoryName) -> String {
    format!("/?repository={}", encoded(&repository.to_string()))
}

pub(super) fn attempt(name: &str, page: Option<&str>, latest: Attempt) -> AttemptView {
    let page = page.map_or_else(|| Named::plain(name), |page| Named::outside(name, page));
    AttemptView { page, attempt: latest.attempt, badge: progress(latest) }
}

/// How something stands that GitHub runs.
pub(in super::super) fn progress(latest: Attempt) -> Badge {
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

pub(super) fn workflow(work: &WorkflowWork, github: GitHub<'_>) -> WorkflowView {
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
