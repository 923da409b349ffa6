//! Does what was decided, one file a kind of step. A step looks, acts, and says what is true now;
//! it may run twice.
//!
//! Does not know about: how messages come in, who claims steps and when.

mod cancel;
mod catalog;
mod deliver;
mod dispatch;
mod error;
mod events;
mod glance;
mod limits;
mod new_repository;
mod own_check;
mod pace;
mod parts;
mod preview;
mod propose;
mod read;
mod render_again;
mod report;
mod secret;

use std::sync::{Arc, PoisonError, RwLock};

use crate::agent::Agent;
use crate::clock::Clock;
use crate::domain::action_run::RunKind;
use crate::domain::{ActionRun, Event, Run};
use crate::github::GitHub;
use crate::listener::Listener;
use crate::plan::step::{Explanation, Lane};
use crate::plan::{self, Answer, Decision, Step};
use crate::portal::Port;
use crate::seal::SealingKey;
use crate::store::{ClaimedStep, EntityChange, StepId, Store};
use crate::template::Templates;

pub use error::StepError;
pub use parts::Looks;

/// Everything that effects work with.
#[derive(Clone)]
pub struct Effects {
    /// What is remembered.
    pub store: Store,
    /// GitHub, as the App.
    pub github: GitHub,
    /// The portal; without one, the store is the portal.
    pub portal: Option<Port>,
    /// Delivers actions inside the network.
    pub agent: Agent,
    /// Who else wants to hear of runs and entities.
    pub listener: Option<Listener>,
    /// The templates in force.
    pub templates: TemplatesInForce,
    /// Where people see a run.
    pub pages: RunPages,
    /// Opens secret inputs.
    pub sealing_key: SealingKey,
    /// The time.
    pub clock: Clock,
    /// What stood at the targets of parts that are about to begin.
    pub looks: Looks,
}

/// The templates in force, which may be replaced while the service runs.
#[derive(Clone)]
pub struct TemplatesInForce(Arc<RwLock<Templates>>);

impl TemplatesInForce {
    /// Begins with these.
    pub fn new(templates: Templates) -> Self {
        Self(Arc::new(RwLock::new(templates)))
    }

    /// The ones in force now.
    pub fn now(&self) -> Templates {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts others in force.
    pub fn replace(&self, templates: Templates) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = templates;
    }
}

/// Where people see a run: a page of the portal that knows it, or of this service.
#[derive(Clone, Debug)]
pub struct RunPages {
    /// The beginning of an address in the portal, where there is one.
    pub portal: Option<String>,
    /// The beginning of an address of this service.
    pub own: String,
}

impl RunPages {
    /// The page of one run.
    pub fn of(&self, run: &ActionRun) -> String {
        let portal = self.portal.as_ref().filter(|_| run.kind != RunKind::Own);
        format!("{}{}", portal.unwrap_or(&self.own), run.id)
    }
}

/// What is true after a step.
pub enum Done {
    /// The work has gone on.
    Decided {
        /// What the run is now, and what follows.
        decision: Box<Decision>,
        /// What became of an entity of the catalog.
        entity: Option<EntityChange>,
    },
    /// The portal knows. These steps behind the claimed one were told along with it.
    Reported(Vec<StepId>),
}

impl From<Decision> for Done {
    fn from(decision: Decision) -> Self {
        Self::Decided { decision: Box::new(decision), entity: None }
    }
}

type Result<T> = std::result::Result<T, StepError>;

impl Effects {
    /// The portal that knows a run; none for a run that was asked for here.
    fn portal_of(&self, run: &Run) -> Option<&Port> {
        self.portal.as_ref().filter(|_| run.request.kind != RunKind::Own)
    }

    /// What was decided, without reports that nobody would hear: of a run that was asked for here, where
    /// nobody else listens.
    pub fn heard(&self, mut decision: Decision) -> Decision {
        if self.portal_of(&decision.run).is_none() && self.listener.is_none() {
            decision.steps.retain(|step| step.lane() != Lane::Report);
        }
        decision
    }

    /// Does one step. What it says of a failure holds no secret input.
    pub async fn execute(&self, claimed: &ClaimedStep) -> Result<Done> {
        let done = self.carry_out(claimed).await;
        if claimed.run.request.encrypted.is_empty() {
            return done;
        }
        done.map_err(|error| error.cleaned(&self.secrets_of(&claimed.run)))
    }

    async fn carry_out(&self, claimed: &ClaimedStep) -> Result<Done> {
        let run = claimed.run.clone();
        let now = self.clock.now();
        if self.is_not_wanted(claimed).await? {
            return Ok(Decision::unchanged(run).into());
        }
        match &claimed.step {
            Step::Begin => {
                let page = self.pages.of(&run.request);
                Ok(plan::begin(run, &self.templates.now(), &page, now).into())
            }
            Step::Observe(seen) => Ok(plan::outcome(run, seen, now).into()),
            Step::Dispatch | Step::Propose | Step::StoreSecret(_) => self.create(claimed).await,
            Step::Find(find) => self.find(run, find, claimed).await,
            Step::Decorate(decorate) => self.decorate(run, decorate).await,
            Step::CheckParts => self.check_parts(run).await,
            Step::BeginPart => Ok(plan::begin_part(run, now).into()),
            Step::Hear(report) => Ok(plan::heard(run, report, now).into()),
            Step::Withdraw => Ok(plan::withdraw(run, now).into()),
            Step::CreateRepository => self.create_repository(run, claimed).await,
            Step::FirstCommit => self.first_commit(run, claimed).await,
            Step::RenderAgain(ask) => self.render_again(run, ask).await,
            Step::MoveBranch(step) => self.move_branch(run, step).await,
            Step::Check(check) => self.check(run, check, claimed).await,
            Step::Cancel(cancel) => Ok(plan::cancel(run, &cancel.by, now).into()),
            Step::StopWorkflow(step) => self.stop_workflow(run, step).await,
            Step::ClosePullRequest(step) => self.close_pull_request(run, step, claimed).await,
            Step::Compare(compare) => self.compare(run, compare).await,
            Step::Explain(explain) => self.explain(run, explain).await,
            Step::ReadPlan(read) => self.read_plan(run, read).await,
            Step::ReadOutputs(read) => self.read_outputs(run, read).await,
            Step::Look => self.look(run).await,
            Step::Deliver => self.deliver(run, claimed).await,
            Step::Upsert(upsert) => self.upsert(claimed, upsert).await,
            Step::Delete(delete) => self.delete(claimed, delete).await,
            Step::Progress(_) | Step::End(_) => self.report(claimed).await,
        }
    }

    /// Does a step that creates something on GitHub, when it is its turn.
    async fn create(&self, claimed: &ClaimedStep) -> Result<Done> {
        let may_have_begun = self.may_have_begun(claimed).await?;
        let run = claimed.run.clone();
        let done = match &claimed.step {
            Step::Dispatch => self.dispatch(run, may_have_begun).await,
            Step::StoreSecret(secret) => self.store_secret(run, secret).await,
            _ => self.propose(run, may_have_begun).await,
        };
        match done {
            Err(error) => Err(self.not_sent(claimed, error).await?),
            done => done,
        }
    }

    /// What follows when a step that is only good to have is given up.
    pub fn given_up(&self, run: Run, step: &Step) -> Decision {
        match step {
            Step::Check(_) => plan::check_given_up(run),
            _ => Decision::unchanged(run),
        }
    }

    /// What follows when a step of the work is refused for good. What was only good to know is done
    /// without; anything else ends the run, and the person is told.
    pub fn refused(&self, run: Run, step: &Step, reason: String) -> Decision {
        let now = self.clock.now();
        let answer = match step {
            Step::Upsert(_) | Step::Delete(_) => Answer::Catalog(Err(reason)),
            Step::ReadPlan(_) => Answer::Planned(None),
            Step::Explain(explain) => {
                Answer::Explained { explanation: Explanation::default(), then: explain.then }
            }
            // Only a commit that is gone cannot be compared: nothing is applied with it.
            Step::Compare(compare) => {
                Answer::Contains { head: compare.head.clone(), contains: false }
            }
            Step::RenderAgain(_) | Step::MoveBranch(_) => {
                return plan::not_rendered_again(run, &[reason], now);
            }
            Step::StopWorkflow(_) | Step::ClosePullRequest(_) => {
                return plan::not_cancelled(run, &reason, now);
            }
            Step::Decorate(_) | Step::Check(_) => {
                return plan::note(run, vec![Event::warning(reason)], now);
            }
            _ => return plan::fail(run, reason, now),
        };
        plan::answered(run, &answer, now)
    }
}
