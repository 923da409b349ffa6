//! Dispatching a workflow, and finding its run where the answer does not tell it.

use chrono::TimeDelta;

use crate::domain::observation::{Link, WorkflowRunSeen};
use crate::domain::run::{Event, Work, WorkflowWork};
use crate::domain::{Invocation, Run, RunId};
use crate::github;
use crate::plan;
use crate::plan::Decision;
use crate::plan::step::{Find, Step};
use crate::store::ClaimedStep;

use super::{Done, Effects, Result, StepError};

/// How many looks have to be empty before a dispatch whose answer was lost is sent again.
const EMPTY_LOOKS: u32 = 3;
/// And how long after it the last of them has to be: GitHub lists a new run within a few seconds.
const LISTED_WITHIN: TimeDelta = TimeDelta::seconds(10);
/// How many looks a run is given that GitHub has promised.
const LOOKS_FOR_PROMISED: u32 = 20;
/// How far a clock of GitHub's may be behind ours.
const CLOCK_DIFFERENCE: TimeDelta = TimeDelta::seconds(30);

impl Effects {
    /// `may_have_begun`: an earlier attempt may have been sent, and is looked for first.
    pub(super) async fn dispatch(&self, run: Run, may_have_begun: bool) -> Result<Done> {
        let work = workflow_of(&run)?;
        if work.workflow_run.is_some() {
            return Ok(plan::note(run, Vec::new(), self.clock.now()).into());
        }
        if may_have_begun {
            return Ok(self.then(run, Step::Find(Find { taken: false })).into());
        }
        let reference = match &work.reference {
            Some(name) => name.clone(),
            None => self.github.default_branch(&work.repository).await?.to_string(),
        };
        // What a message itself says is passed on as it says it: its workflow opens it.
        let inputs = match &run.request.invocation {
            Invocation::Workflow(_) => work.inputs.clone(),
            _ => self.with_secrets(&run, &work.inputs)?,
        };
        let sent =
            self.github.dispatch_workflow(&work.repository, &work.workflow, &reference, &inputs);
        match sent.await {
            Ok(github::Dispatched { workflow_run: Some((id, page)) }) => {
                Ok(plan::dispatched(run, id, &page, self.clock.now()).into())
            }
            Ok(github::Dispatched { workflow_run: None }) => {
                Ok(self.then(run, Step::Find(Find { taken: true })).into())
            }
            Err(github::Error::Unclear { .. }) => {
                Ok(self.then(run, Step::Find(Find { taken: false })).into())
            }
            Err(error @ github::Error::Invalid { .. }) if work.reference.is_none() => {
                // The default branch may have been renamed since it was looked up.
                self.github.forget_default_branch(&work.repository);
                Err(error.into())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Looks for the workflow run of a dispatch that was, or may have been, taken.
    pub(super) async fn find(&self, run: Run, find: &Find, claimed: &ClaimedStep) -> Result<Done> {
        let (work, look) = (workflow_of(&run)?, claimed.attempt);
        let age = self.clock.now() - claimed.created_at;
        let since = run.created_at - CLOCK_DIFFERENCE;
        // A tag is no branch: the filter would find nothing.
        let runs = self.github.dispatched_runs_since(&work.repository, &work.workflow, None, since);
        let candidates = self.unclaimed(&run.id, runs.await?).await?;
        match candidates.as_slice() {
            [one] => {
                let mut found = plan::dispatched(run, one.id, &one.html_url, self.clock.now());
                // It may be far by now, and its first webhooks long gone.
                found.steps.push(Step::Look);
                Ok(found.into())
            }
            [] if !find.taken && look >= EMPTY_LOOKS && age >= LISTED_WITHIN => {
                Ok(self.then(run, Step::Dispatch).into())
            }
            [] if look < LOOKS_FOR_PROMISED => Err(StepError::Retry {
                reason: format!("no run of {} is to be seen yet", work.workflow),
                until: None,
            }),
            [] => Err(StepError::Fail(format!(
                "GitHub took the dispatch of {} in {}, but no run of it is to be seen. Look at the \
                 workflow's page on GitHub before you run the action again.",
                work.workflow, work.repository
            ))),
            several => Err(StepError::Fail(format!(
                "GitHub's answer to the dispatch of {} in {} was lost, and {} runs may be the one: \
                 {}. Look at them before you run the action again. To have runs told apart, give \
                 the workflow an input for the run's id and name it in `run-name`.",
                work.workflow,
                work.repository,
                several.len(),
                several.iter().map(|run| run.html_url.as_str()).collect::<Vec<_>>().join(", ")
            ))),
        }
    }

    /// The runs that may be ours: the one that names our run, else those that no other run has.
    async fn unclaimed(
        &self,
        run: &RunId,
        seen: Vec<WorkflowRunSeen>,
    ) -> Result<Vec<WorkflowRunSeen>> {
        let names_us = |seen: &&WorkflowRunSeen| {
            seen.title.as_deref().is_some_and(|title| title.contains(run.as_str()))
        };
        if let Some(ours) = seen.iter().find(names_us) {
            return Ok(vec![ours.clone()]);
        }
        let mut unclaimed = Vec::new();
        for seen in seen {
            let link = Link::workflow_run(&seen.repository, seen.id);
            if self.store.runs_by_link(&link).await?.is_empty() {
                unclaimed.push(seen);
            }
        }
        Ok(unclaimed)
    }

    /// Nothing has changed; this is next.
    fn then(&self, run: Run, step: Step) -> Decision {
        let mut decision = plan::note(run, Vec::<Event>::new(), self.clock.now());
        decision.steps.push(step);
        decision
    }
}

fn workflow_of(run: &Run) -> Result<Box<WorkflowWork>> {
    match &run.work {
        Some(Work::Workflow(work)) => Ok(work.clone()),
        _ => Err(StepError::Fail("The run has no workflow to dispatch.".to_owned())),
    }
}
