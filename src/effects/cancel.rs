//! Cancelling on GitHub: a workflow run is asked to stop, a pull request is closed. What became of it
//! is looked at, and decided like everything that is seen.

use crate::domain::Run;
use crate::domain::observation::{Observation, PullRequestSeen, PullRequestState, RunPhase};
use crate::github;
use crate::plan::step::{ClosePullRequest, StopWorkflow};
use crate::plan::{self, Decision, Step};
use crate::store::ClaimedStep;

use super::{Done, Effects, Result, StepError};

impl Effects {
    /// Whether a step that begins something is not to begin it any more: its run has ended, or
    /// somebody wants it cancelled, and no attempt of the step may have been sent.
    pub(super) async fn is_not_wanted(&self, claimed: &ClaimedStep) -> Result<bool> {
        if !claimed.step.begins_something() {
            return Ok(false);
        }
        // Of the others that are sent the store knows it.
        let may_be_sent = match claimed.step {
            Step::Deliver | Step::CreateRepository => claimed.interrupted,
            Step::FirstCommit => claimed.interrupted || claimed.attempt > 1,
            _ => false,
        };
        if claimed.run.status.is_end() {
            return Ok(true);
        }
        Ok(claimed.is_cancelled && !may_be_sent && !self.store.has_begun_to_create(claimed).await?)
    }

    /// Asks GitHub to stop a workflow run. May be repeated.
    pub(super) async fn stop_workflow(&self, run: Run, step: &StopWorkflow) -> Result<Done> {
        let asked = self.github.cancel_workflow_run(&step.repository, step.workflow_run).await;
        match asked {
            Ok(()) => Ok(Decision::unchanged(run).into()),
            // It has ended meanwhile, or has not come so far that it could be stopped.
            Err(error @ github::Error::Conflict { .. }) => {
                let seen = self.github.workflow_run(&step.repository, step.workflow_run).await?;
                if seen.status != RunPhase::Completed {
                    return Err(error.into());
                }
                let seen = Observation::WorkflowRun(seen);
                Ok(plan::outcome(run, &seen, self.clock.now()).into())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Closes a pull request with a word about it, and removes its branch where it is nobody else's.
    pub(super) async fn close_pull_request(
        &self,
        run: Run,
        step: &ClosePullRequest,
        claimed: &ClaimedStep,
    ) -> Result<Done> {
        let seen = self.github.pull_request(&step.repository, step.number).await?.pull_request;
        let is_open = matches!(seen.state, PullRequestState::Open | PullRequestState::Queued);
        if is_open {
            self.say_why(step, claimed).await?;
            self.github.close_pull_request(&step.repository, step.number).await?;
        }
        if seen.state != PullRequestState::Merged && seen.head_sha == step.own_sha {
            self.github.delete_branch(&step.repository, &step.branch).await?;
        }
        let state = if is_open { PullRequestState::Closed } else { seen.state };
        let seen = Observation::PullRequest(PullRequestSeen { state, ..seen });
        Ok(plan::outcome(run, &seen, self.clock.now()).into())
    }

    /// Says it once: an attempt whose answer was lost may have said it.
    async fn say_why(
        &self,
        step: &ClosePullRequest,
        claimed: &ClaimedStep,
    ) -> std::result::Result<(), StepError> {
        let (repository, number) = (&step.repository, step.number);
        let may_be_said = claimed.attempt > 1 || claimed.interrupted;
        if may_be_said && self.github.has_commented(repository, number, &step.comment).await? {
            return Ok(());
        }
        Ok(self.github.comment(repository, number, &step.comment).await?)
    }
}
