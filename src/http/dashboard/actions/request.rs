//! From a form that was sent to the request of a run.

use serde_json::{Value, json};

use super::super::DashboardState;
use super::super::form::{Filled, Typed};
use super::super::problem::Problem;
use super::super::visitor::Visitor;
use crate::domain::action_run::RunKind;
use crate::domain::{ActionRun, BlueprintId, EntityId, EntityRef, Invocation, RunId};
use crate::http::actions::own_run_id;
use crate::intake::Answer;
use crate::plan::preview_id;
use crate::store::EntityRecord;
use crate::template::form::form;
use crate::template::{ActionOf, InputFault, inputs};

/// The longest name of a request that is taken: such a name is made here.
const LONGEST_NAME: usize = 100;

/// What is asked for, and what is wrong with it.
pub(super) struct Asked {
    /// The run, its secrets sealed.
    pub(super) request: ActionRun,
    /// The identifier of what it runs on; empty where it runs on nothing.
    pub(super) entity: String,
    /// What the guardrails say of it.
    pub(super) faults: Vec<InputFault>,
}

impl Asked {
    pub(super) async fn new(
        state: &DashboardState,
        visitor: &Visitor,
        action: &ActionOf,
        typed: &Typed,
        filled: Filled,
    ) -> Result<Self, Problem> {
        let mut user = visitor.user();
        let email = typed.one("email");
        if visitor.person.is_none() && !email.is_empty() {
            user.email = Some(email.to_owned());
        }
        let mut faults = filled.faults;
        let entity = entity_value(state, action, &filled.entity).await?;
        let request = ActionRun {
            id: run_id(visitor, action, typed),
            kind: RunKind::Own,
            action: action.action.id.clone(),
            action_title: None,
            operation: None,
            inputs: filled.inputs,
            entity,
            user,
            organization: None,
            encrypted: Vec::new(),
            invocation: Invocation::Template,
        };
        let is_read = |fault: &InputFault| faults.iter().any(|known| known.field == fault.field);
        let found = inputs::check(&action.template, &action.action, &request.inputs, None);
        let found: Vec<InputFault> =
            found.err().into_iter().flatten().filter(|fault| !is_read(fault)).collect();
        faults.extend(found);
        let request = match state.intake.sealed(request) {
            Ok(request) => request,
            Err(Answer::NotUnderstood(reason)) => return Err(Problem::unusable(reason)),
            Err(_) => return Err(Problem::not_now()),
        };
        Ok(Self { request, entity: filled.entity, faults })
    }

    /// Its secrets, by input, as ciphertext.
    pub(super) fn sealed(&self) -> Vec<(String, String)> {
        let names = self.request.encrypted.iter();
        let sealed = names.filter_map(|name| {
            Some((name.clone(), self.request.inputs.get(name)?.as_str()?.to_owned()))
        });
        sealed.collect()
    }

    /// The same under a name that no run has.
    pub(super) fn for_preview(&self) -> ActionRun {
        ActionRun { id: preview_id(), ..self.request.clone() }
    }
}

/// A form that is sent twice is one run.
fn run_id(visitor: &Visitor, action: &ActionOf, typed: &Typed) -> RunId {
    let name: String = typed.one("request").chars().take(LONGEST_NAME).collect();
    own_run_id(&action.action.id, format!("{}\0{name}", visitor.session).as_bytes())
}

/// An entity of the catalog.
pub(super) async fn entity_of(
    state: &DashboardState,
    blueprint: Option<&BlueprintId>,
    identifier: &str,
) -> Result<Option<EntityRecord>, Problem> {
    let (Some(blueprint), Ok(identifier)) = (blueprint, EntityId::new(identifier)) else {
        return Ok(None);
    };
    let entity = EntityRef { blueprint: blueprint.clone(), identifier };
    Ok(state.store.entity(&entity).await?)
}

/// What a template sees as `entity`: all that the catalog knows of it. One that the catalog does not
/// know may stand in git all the same.
async fn entity_value(
    state: &DashboardState,
    action: &ActionOf,
    identifier: &str,
) -> Result<Option<Value>, Problem> {
    let form = form(&action.template, &action.action);
    if !form.runs_on_entity || identifier.is_empty() {
        return Ok(None);
    }
    let known = entity_of(state, form.blueprint.as_ref(), identifier).await?;
    Ok(Some(match (known, form.blueprint) {
        (Some(record), _) => json!(record.entity),
        (None, Some(blueprint)) => json!({"identifier": identifier, "blueprint": blueprint}),
        (None, None) => json!({ "identifier": identifier }),
    }))
}
