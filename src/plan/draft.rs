//! A decision in the making. What the portal is told, and what the check on the pull request says,
//! follows from how the run changed, so that no decision can forget to tell it.

use chrono::{DateTime, Utc};

use crate::domain::RunId;
use crate::domain::observation::Link;
use crate::domain::parts::{PartFacts, PartsWork};
use crate::domain::run::{Event, PullRequestWork, Run, Stage, Status, Work, WorkflowWork};

use super::decision::Decision;
use super::step::{End, Progress, Response, Step};
use super::{own_check, parts, pull_request, workflow};

/// A decision that is being made on a run.
pub(crate) struct Draft {
    before: Run,
    /// The run as it will be.
    pub(crate) run: Run,
    events: Vec<Event>,
    links: Vec<Link>,
    unlinks: Vec<Link>,
    work: Vec<Step>,
    others: Vec<(RunId, Step)>,
    summary: Option<String>,
    response: Option<Response>,
}

impl Draft {
    /// Begins from the run as it is.
    pub(crate) fn of(run: Run) -> Self {
        Self {
            before: run.clone(),
            run,
            events: Vec::new(),
            links: Vec::new(),
            unlinks: Vec::new(),
            work: Vec::new(),
            others: Vec::new(),
            summary: None,
            response: None,
        }
    }

    /// Goes on with the pull request of the run, if that is its work.
    pub(crate) fn on_pull_request(
        mut self,
        go_on: impl FnOnce(&mut Self, &mut PullRequestWork),
    ) -> Self {
        // Taken out and put back, so that both can be changed at once.
        match self.run.work.take() {
            Some(Work::PullRequest(mut work)) => {
                go_on(&mut self, &mut work);
                self.run.work = Some(Work::PullRequest(work));
            }
            other => self.run.work = other,
        }
        self
    }

    /// Goes on with the workflow of the run, if that is its work.
    pub(crate) fn on_workflow(mut self, go_on: impl FnOnce(&mut Self, &mut WorkflowWork)) -> Self {
        match self.run.work.take() {
            Some(Work::Workflow(mut work)) => {
                go_on(&mut self, &mut work);
                self.run.work = Some(Work::Workflow(work));
            }
            other => self.run.work = other,
        }
        self
    }

    /// Goes on with the parts of the run, if it has some.
    pub(crate) fn on_parts(mut self, go_on: impl FnOnce(&mut Self, &mut PartsWork)) -> Self {
        match self.run.work.take() {
            Some(Work::Parts(mut work)) => {
                go_on(&mut self, &mut work);
                self.run.work = Some(Work::Parts(work));
            }
            other => self.run.work = other,
        }
        self
    }

    /// Adds a line to the run's history and to the portal's log.
    pub(crate) fn say(&mut self, event: Event) {
        self.events.push(event);
    }

    /// The run can be found by this from now on.
    pub(crate) fn link(&mut self, link: Link) {
        self.links.push(link);
    }

    /// The same for any number of links.
    pub(crate) fn links_all(&mut self, links: impl IntoIterator<Item = Link>) {
        self.links.extend(links);
    }

    /// The run is no longer looked for by this.
    pub(crate) fn unlink(&mut self, link: Link) {
        self.unlinks.push(link);
    }

    /// Something is to be done.
    pub(crate) fn then(&mut self, step: Step) {
        self.work.push(step);
    }

    /// Another run has something to do: the whole of a part, or a part of the whole.
    pub(crate) fn tell(&mut self, other: RunId, step: Step) {
        self.others.push((other, step));
    }

    /// The run is at another point of its life. A run that has ended keeps its end.
    pub(crate) fn stage(&mut self, stage: Stage, label: &str) {
        if self.run.status.is_end() {
            return;
        }
        self.run.stage = stage;
        label.clone_into(&mut self.run.label);
    }

    /// The run has ended. The first end stands.
    pub(crate) fn end(&mut self, stage: Stage, label: &str, summary: Option<String>) {
        if self.run.status.is_end() {
            return;
        }
        self.stage(stage, label);
        self.run.status = if stage == Stage::Done { Status::Success } else { Status::Failure };
        self.summary = summary.or(self.summary.take());
    }

    /// The portal shows this with the run.
    pub(crate) fn respond(&mut self, response: Option<Response>) {
        self.response = response;
    }

    /// The portal shows this text beside the status.
    pub(crate) fn summarise(&mut self, summary: Option<String>) {
        self.summary = summary;
    }

    /// Whether the run had ended before this decision.
    pub(crate) fn was_over(&self) -> bool {
        self.before.status.is_end()
    }

    /// The decision, with what the portal is to be told.
    pub(crate) fn finish(mut self, now: DateTime<Utc>) -> Decision {
        let ends = self.run.status.is_end() && !self.was_over();
        if ends {
            self.run.ended_at = Some(now);
            // Else every later run of its workflow would be kept for it.
            self.unlinks.extend(awaited_links(&self.run));
            self.withdraw_parts();
        }
        if self.run.stage != self.before.stage {
            (self.run.stage_since, self.run.is_late) = (now, false);
        }
        let mut steps = std::mem::take(&mut self.work);
        let check = own_check::changed(&mut self.run);
        steps.extend(check.map(|check| Step::Check(Box::new(check))));
        match self.run.part_of().map(|part| part.whole.clone()) {
            Some(whole) => {
                let report = parts::report(&self.before, &mut self.run, &self.events);
                self.others.extend(report.map(|report| (whole, Step::Hear(Box::new(report)))));
            }
            None => steps.extend(self.report(ends)),
        }
        if self.run != self.before || !self.events.is_empty() {
            self.run.updated_at = now;
        }
        let Self { run, events, links, unlinks, others, .. } = self;
        Decision { run, events, links, unlinks, steps, others, parts: Vec::new() }
    }

    /// What a run that ends has not begun yet is not begun any more.
    fn withdraw_parts(&mut self) {
        if let Some(Work::Parts(work)) = &self.run.work {
            let idle = work.parts.iter().filter(|part| part.may_be_withdrawn());
            let tell = |part: &PartFacts| (part.run.clone(), Step::Withdraw);
            self.others.extend(idle.map(tell));
        }
    }

    fn report(&self, ends: bool) -> Option<Step> {
        if self.was_over() {
            return None;
        }
        let links = (self.run.links != self.before.links).then(|| self.run.links.clone());
        let log: Vec<String> = self.events.iter().map(|event| event.message.clone()).collect();
        let external = external_id(&self.run).filter(|_| external_id(&self.before).is_none());
        if ends && reports_its_end(&self.run) {
            return Some(Step::End(End {
                status: self.run.status,
                label: self.run.label.clone(),
                log,
                summary: self.summary.clone(),
                links,
                response: self.response.clone(),
                external_run_id: external,
            }));
        }
        let progress = Progress {
            log,
            label: (self.run.label != self.before.label || is_new(&self.before))
                .then(|| self.run.label.clone()),
            links,
            summary: self.summary.clone(),
            response: self.response.clone(),
            external_run_id: external,
        };
        (progress != Progress::default()).then_some(Step::Progress(progress))
    }
}

fn is_new(before: &Run) -> bool {
    before.stage == Stage::Received && before.work.is_none()
}

/// A workflow whose run was dispatched with `reportWorkflowStatus: false` tells its end itself, and
/// so does who got a message that is not synchronous.
fn reports_its_end(run: &Run) -> bool {
    match &run.work {
        Some(Work::Workflow(work)) => work.report_status || work.workflow_run.is_none(),
        Some(Work::Delivery(work)) => !work.is_left_to_receiver,
        _ => true,
    }
}

/// By what a run waits for something that cannot yet know of it. By what it has, it is found on: a
/// re-run may come.
fn awaited_links(run: &Run) -> Vec<Link> {
    match &run.work {
        Some(Work::Workflow(work)) => workflow::awaited(work),
        Some(Work::PullRequest(work)) => {
            let awaited = pull_request::awaited(work);
            let link =
                |(on, name): (String, String)| Link::awaited_apply(&work.repository, &on, &name);
            awaited.map(link).into_iter().chain(pull_request::folder_link(work)).collect()
        }
        Some(Work::Delivery(_) | Work::Parts(_)) | None => Vec::new(),
    }
}

/// What the portal keeps as the outside's name of the work.
fn external_id(run: &Run) -> Option<String> {
    match run.work.as_ref()? {
        Work::Workflow(work) => {
            let facts = work.workflow_run.as_ref()?;
            Some(format!("{}/actions/runs/{}", work.repository, facts.id))
        }
        Work::PullRequest(work) => {
            let facts = work.pull_request.as_ref()?;
            Some(format!("{}#{}", work.repository, facts.number))
        }
        Work::Delivery(work) => work.external_run_id.clone(),
        Work::Parts(_) => None,
    }
}
