//! What would come of a request, before anybody sends it.

use chrono::{DateTime, Utc};

use crate::domain::run::{EventKind, Run, Work, WorkflowWork};
use crate::domain::standing::Proposal;
use crate::domain::{ActionRun, RepositoryName, RunId};
use crate::template::Templates;

use super::ask::{Asked, is_gone_already, nowhere};
use super::begin::{Refusal, begin};
use super::patch::Patch;

use super::step::{Step, StoreSecret};

/// The run of a preview, which is nobody's.
const RUN: &str = "r_preview";

/// What a request means, as far as it can be told without a look at the repository.
#[derive(Debug)]
pub enum Foreseen {
    /// Nothing is done, for these reasons.
    Refused(Refusal),
    /// A workflow is run.
    Workflow(Box<WorkflowWork>),
    /// A secret is stored.
    Secret(StoreSecret),
    /// A change is proposed, by such a run.
    Change(Box<Run>),
    /// Changes to several repositories are proposed, by such runs.
    Parts(Vec<Run>),
}

/// What would come of a request.
#[derive(Debug)]
pub enum Preview {
    /// Nothing is done, for these reasons.
    Refused(Refusal),
    /// A workflow is run.
    Workflow(Box<WorkflowWork>),
    /// A secret is stored.
    Secret(StoreSecret),
    /// The folder stands already as it was asked for.
    Nothing {
        /// Which folder.
        path: String,
    },
    /// A pull request is opened.
    Change {
        /// The commit and the pull request.
        proposal: Box<Proposal>,
        /// What happens to each file.
        patches: Vec<Patch>,
        /// What the run's log would say of the files.
        notes: Vec<String>,
    },
    /// The same of each target, where there are several.
    Parts(Vec<PartPreview>),
}

/// What would come of a request at one of several targets.
#[derive(Debug)]
pub struct PartPreview {
    /// Where.
    pub repository: RepositoryName,
    /// The repository is made.
    pub is_made: bool,
    /// What would be done there.
    pub preview: Preview,
}

/// What would come of a change where no folder belongs to the entity.
pub fn foresee_nowhere(run: &Run, asked: &Asked) -> Preview {
    if is_gone_already(run) {
        return Preview::Nothing { path: asked.repository.to_string() };
    }
    Preview::Refused(nowhere(asked))
}

/// The id under which a request is looked at before it is sent.
pub fn preview_id() -> RunId {
    RunId::new(RUN).expect("letters and an underscore are an id")
}

/// What stands in the place of a secret input: a preview is shown.
const SECRET: &str = "(secret)";

/// Decides as the first step of a run does.
pub fn foresee(
    mut request: ActionRun,
    templates: &Templates,
    run_page: &str,
    now: DateTime<Utc>,
) -> Foreseen {
    let action = templates.action(&request.action);
    for name in action.iter().flat_map(|action| action.template.secret_inputs()) {
        if let Some(value) = request.inputs.get_mut(name) {
            *value = SECRET.into();
        }
    }
    let begun = begin(Run::received(request, now), templates, run_page, now);
    let failures = begun.events.iter().filter(|event| event.kind == EventKind::Failure);
    let failures: Vec<String> = failures.map(|event| event.message.clone()).collect();
    if !failures.is_empty() {
        return Foreseen::Refused(Refusal(failures));
    }
    let secret = begun.steps.into_iter().find_map(|step| match step {
        Step::StoreSecret(secret) => Some(secret),
        _ => None,
    });
    match (secret, begun.run.work.clone()) {
        (Some(secret), _) => Foreseen::Secret(secret),
        (None, Some(Work::Workflow(work))) => Foreseen::Workflow(work),
        (None, Some(Work::Parts(_))) => {
            Foreseen::Parts(begun.parts.into_iter().map(|part| part.run).collect())
        }
        (None, _) => Foreseen::Change(Box::new(begun.run)),
    }
}
