//! Steps that only ask GitHub, and what follows from the answer.

use serde_json::Map;

use crate::domain::deadline::Deadlines;
use crate::domain::observation::{
    Observation, PullRequestState, RunPhase, SignalKind, WorkflowJobSeen,
};
use crate::domain::run::{ApplySignal, Event, PullRequestWork, Stage, Work, WorkflowWork};
use crate::domain::{CommitSha, Run};
use crate::github::RunsOf;
use crate::plan::step::{Compare, Decorate, Explain, ReadOutputs, ReadPlan};
use crate::plan::{self, Answer, Decision};

use super::{Done, Effects, Result};

impl Effects {
    pub(super) async fn compare(&self, run: Run, ask: &Compare) -> Result<Done> {
        let contains = self.github.compare(&ask.repository, &ask.merge, &ask.head).await?;
        let answer = Answer::Contains { head: ask.head.clone(), contains };
        Ok(plan::answered(run, &answer, self.clock.now()).into())
    }

    pub(super) async fn explain(&self, run: Run, ask: &Explain) -> Result<Done> {
        let asked = self.github.explain_failure(&ask.repository, ask.workflow_run, ask.attempt);
        let mut explanation = asked.await?;
        let secrets = self.secrets_of(&run);
        for line in &mut explanation.log_tail {
            *line = secrets.clean(line);
        }
        let answer = Answer::Explained { explanation, then: ask.then };
        Ok(plan::answered(run, &answer, self.clock.now()).into())
    }

    pub(super) async fn read_plan(&self, run: Run, ask: &ReadPlan) -> Result<Done> {
        let plan = self.github.read_plan(&ask.repository, ask.workflow_run, ask.attempt).await?;
        Ok(plan::answered(run, &Answer::Planned(plan), self.clock.now()).into())
    }

    pub(super) async fn read_outputs(&self, run: Run, ask: &ReadOutputs) -> Result<Done> {
        let outputs = match ask.workflow_run {
            Some(id) => self.github.read_outputs(&ask.repository, id).await?,
            None => Map::new(),
        };
        let secrets = self.secrets_of(&run);
        let outputs =
            outputs.into_iter().map(|(name, value)| (name, secrets.clean_value(value))).collect();
        Ok(plan::answered(run, &Answer::Outputs(outputs), self.clock.now()).into())
    }

    pub(super) async fn decorate(&self, run: Run, ask: &Decorate) -> Result<Done> {
        let refused = self.github.decorate(
            &ask.repository,
            &ask.pull_request_node_id,
            &ask.labels,
            &ask.reviewers,
        );
        let events = refused.await?.into_iter().map(Event::warning).collect();
        Ok(plan::note(run, events, self.clock.now()).into())
    }

    /// Asks how the run's work stands, whatever was heard of it.
    pub(super) async fn look(&self, run: Run) -> Result<Done> {
        let deadlines = self.deadlines_of(&run);
        let in_time = |decision| plan::in_time(decision, &deadlines, self.clock.now());
        if run.stage == Stage::Behind {
            let decision = in_time(Decision::unchanged(run));
            return Ok(plan::ask_again(decision).into());
        }
        let seen = match &run.work {
            Some(Work::Workflow(work)) => self.look_at_workflow(work).await?,
            Some(Work::PullRequest(work)) => self.look_at_change(work).await?,
            Some(Work::Delivery(_) | Work::Parts(_)) | None => Vec::new(),
        };
        Ok(in_time(plan::outcomes(run, &seen, self.clock.now())).into())
    }

    /// How long a run may wait: by its template as it is now, so that a correction there counts for
    /// runs that are open.
    pub(super) fn deadlines_of(&self, run: &Run) -> Deadlines {
        let templates = self.templates.now();
        let of = templates.action(&run.request.action);
        of.map(|of| of.template.deadlines.clone()).unwrap_or_default()
    }

    async fn look_at_workflow(&self, work: &WorkflowWork) -> Result<Vec<Observation>> {
        let Some(facts) = &work.workflow_run else { return Ok(Vec::new()) };
        let seen = self.github.workflow_run(&work.repository, facts.id).await?;
        let (attempt, status) = (seen.attempt, seen.status);
        let mut all = vec![Observation::WorkflowRun(seen)];
        if status == RunPhase::Waiting {
            let waits = self.github.pending_deployments(&work.repository, facts.id).await?;
            all.extend(waits.into_iter().next().map(|environment| {
                Observation::WorkflowJob(WorkflowJobSeen {
                    repository: work.repository.clone(),
                    workflow_run: facts.id,
                    attempt,
                    job: 0,
                    name: String::new(),
                    status: RunPhase::Waiting,
                    conclusion: None,
                    environment: Some(environment),
                })
            }));
        }
        Ok(all)
    }

    async fn look_at_change(&self, work: &PullRequestWork) -> Result<Vec<Observation>> {
        if work.new_repository.is_some() {
            return self.look_at_apply(work, None, work.landed()).await;
        }
        let Some(facts) = &work.pull_request else { return Ok(Vec::new()) };
        let look = self.github.pull_request(&work.repository, facts.number).await?;
        let merge_commit = look.pull_request.merge_commit.clone();
        let is_open =
            matches!(look.pull_request.state, PullRequestState::Open | PullRequestState::Queued);
        let head = look.pull_request.head_sha.clone();
        let mut seen = vec![Observation::PullRequest(look.pull_request)];
        seen.extend(look.reviews.into_iter().map(Observation::Review));
        if let Some(file) = work.plan.as_deref().filter(|_| is_open && !plan_ended(work)) {
            let runs = self.github.workflow_runs_for(&work.repository, file, RunsOf::Commit(&head));
            seen.extend(runs.await?.into_iter().map(Observation::WorkflowRun));
        }
        seen.extend(self.look_at_apply(work, Some(&head), merge_commit.as_ref()).await?);
        Ok(seen)
    }

    /// What says on the head of the pull request, or on what brought the change to its base, that it
    /// is applied.
    async fn look_at_apply(
        &self,
        work: &PullRequestWork,
        head: Option<&CommitSha>,
        landed: Option<&CommitSha>,
    ) -> Result<Vec<Observation>> {
        let mut seen = Vec::new();
        let marks = match &work.apply {
            ApplySignal::Status(_) => SignalKind::Status,
            ApplySignal::Check(_) => SignalKind::Check,
            ApplySignal::Deployment(_) => SignalKind::Deployment,
            ApplySignal::Merge => return Ok(seen),
            ApplySignal::Workflow(file) => {
                if let (Some(_), Some(base)) = (landed, &work.base) {
                    let of = RunsOf::Branch(base);
                    let runs = self.github.workflow_runs_for(&work.repository, file, of).await?;
                    // The list is the newest first; what was seen first is taken in first.
                    seen.extend(runs.into_iter().rev().map(Observation::WorkflowRun));
                }
                return Ok(seen);
            }
        };
        for sha in [head, landed].into_iter().flatten() {
            let signals = self.github.signals_on(&work.repository, sha, marks).await?;
            seen.extend(signals.into_iter().map(Observation::Signal));
        }
        Ok(seen)
    }
}

pub(super) fn plan_ended(work: &PullRequestWork) -> bool {
    work.planned.as_ref().is_some_and(|facts| facts.latest.phase == RunPhase::Completed)
}
