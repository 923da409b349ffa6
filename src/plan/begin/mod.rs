//! The first decision of a run: what the request means, or why it is refused.

mod change;
mod dispatch;

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::domain::observation::Link;
use crate::domain::run::{DeliveryWork, EntityPlan, Event, Run, Stage, Work};
use crate::domain::{ActionRun, Invocation, Operation, RepositoryName};
use crate::template::{ActionKind, ActionOf, Templates, context, inputs, render};

use super::ask::catalog_entity;
use super::decision::Decision;
use super::draft::Draft;
use super::proposal::title_of;
use super::step::{Step, StoreSecret};
use super::words;

pub(super) use change::change_to;
use change::proposing;
use dispatch::{named_workflow, template_workflow};

/// Why a run is not done: sentences for the person who pressed the button, one for each fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal(pub Vec<String>);

impl Refusal {
    /// One sentence.
    pub fn because(reason: impl Into<String>) -> Self {
        Self(vec![reason.into()])
    }
}

/// Decides what a request means. `run_page` is where people see the run.
pub fn begin(run: Run, templates: &Templates, run_page: &str, now: DateTime<Utc>) -> Decision {
    let decided = match &run.request.invocation {
        Invocation::Unsupported(reason) => Err(Refusal::because(reason.clone())),
        Invocation::Workflow(invocation) => named_workflow(invocation),
        // A template says more than an address.
        Invocation::Delivery(_) if templates.action(&run.request.action).is_none() => {
            Ok(delivering(&run))
        }
        Invocation::Template | Invocation::Delivery(_) => by_template(&run, templates, run_page),
    };
    match decided {
        Ok(begun) => go(run, begun, now),
        Err(refusal) => refuse(run, &refusal, now),
    }
}

/// Ends a run that is not done. Nothing was written to GitHub for it.
pub fn refuse(run: Run, refusal: &Refusal, now: DateTime<Utc>) -> Decision {
    let mut draft = Draft::of(run);
    for reason in &refusal.0 {
        draft.say(Event::failure(reason.clone()));
    }
    draft.end(Stage::Refused, "Refused", None);
    draft.finish(now)
}

/// What a request means.
struct Begun {
    /// The action's title, where the template has one.
    title: Option<String>,
    operation: Option<Operation>,
    work: Option<Work>,
    first: Step,
    links: Vec<Link>,
    line: String,
    /// The runs that it has done, where it has several targets.
    parts: Vec<Decision>,
}

fn go(run: Run, begun: Begun, now: DateTime<Utc>) -> Decision {
    let mut draft = Draft::of(run);
    draft.run.operation = begun.operation.or(draft.run.operation);
    draft.run.request.action_title = begun.title.or(draft.run.request.action_title.take());
    draft.run.work = begun.work;
    draft.links_all(begun.links);
    let who = words::one_line(draft.run.request.user.shown(), 80);
    let what = words::one_line(&draft.run.request.title(), 120);
    draft.say(Event::progress(format!("Received \"{what}\" from {who}. {}", begun.line)));
    draft.then(begun.first);
    Decision { parts: begun.parts, ..draft.finish(now) }
}

fn by_template(run: &Run, templates: &Templates, page: &str) -> Result<Begun, Refusal> {
    let request = &run.request;
    let Some(action) = templates.action(&request.action) else {
        return Err(unknown_action(request, templates));
    };
    let run = Run { operation: Some(action.action.operation), ..run.clone() };
    let template = &action.template;
    let secrets = template.secret_inputs();
    if let Some(name) = request.encrypted.iter().find(|name| !secrets.contains(&name.as_str())) {
        return Err(Refusal::because(format!(
            "The portal encrypts the input {name}, which is no secret in the template {}. Set \
             `secret: true` there, or take the encryption off in the portal.",
            template.name
        )));
    }
    let inputs = match inputs::check(template, &action.action, &request.inputs, None) {
        Ok(inputs) => inputs,
        Err(found) => return Err(faults(found)),
    };
    let context = context::context(
        request,
        action.action.operation,
        &title_of(&run, action),
        &inputs,
        &secrets,
        None,
        Some(page),
    );
    match &action.action.kind {
        ActionKind::Files => proposing(&run, action, &context),
        ActionKind::Workflow { .. } => template_workflow(&run, action, &context),
        ActionKind::Secret { .. } => storing(action, &context),
    }
}

fn unknown_action(request: &ActionRun, templates: &Templates) -> Refusal {
    let actions = templates.iter().flat_map(|template| &template.actions);
    let mut known: Vec<&str> = actions.map(|action| action.id.as_str()).collect();
    known.sort_unstable();
    let known = match known.as_slice() {
        [] => "No template defines any action".to_owned(),
        some => format!("The templates define {}", some.join(", ")),
    };
    Refusal::because(format!(
        "No template defines the action {}. {known}. Add it under `actions` in a template, or \
         correct the action in the portal.",
        request.action
    ))
}

/// One sentence for each fault, by field.
pub(crate) fn faults(faults: Vec<inputs::InputFault>) -> Refusal {
    Refusal(faults.into_iter().map(|fault| format!("{fault}.")).collect())
}

/// What becomes of the catalog when the work has gone well.
fn entity_plan(run: &Run, action: &ActionOf) -> Result<Option<EntityPlan>, Refusal> {
    let Some(mapping) = &action.template.entity else { return Ok(None) };
    Ok(match (action.action.operation, catalog_entity(run, &action.template)?) {
        (Operation::Delete, Some(entity)) => Some(EntityPlan::Delete { entity }),
        _ => Some(EntityPlan::Upsert { mapping: mapping.clone() }),
    })
}

fn storing(action: &ActionOf, context: &Value) -> Result<Begun, Refusal> {
    let ActionKind::Secret { repository, environment, name, value } = &action.action.kind else {
        return Err(Refusal::because("The action stores no secret."));
    };
    let rendered = |what: &str, text: &str| {
        render::text(text, context)
            .map_err(|error| Refusal::because(format!("The secret's {what}: {error}.")))
    };
    let repository = parse_repository(&rendered("repository", repository)?)?;
    let name = rendered("name", name)?;
    let environment = environment.as_deref();
    let environment = environment.map(|text| rendered("environment", text)).transpose()?;
    let line = format!("The secret {name} is being stored in {repository}.");
    let first =
        Step::StoreSecret(StoreSecret { repository, environment, name, value: value.clone() });
    let operation = Some(action.action.operation);
    Ok(Begun {
        title: action.action.title.clone(),
        operation,
        work: None,
        first,
        links: Vec::new(),
        line,
        parts: Vec::new(),
    })
}

fn delivering(run: &Run) -> Begun {
    Begun {
        title: None,
        operation: run.operation,
        work: Some(Work::Delivery(DeliveryWork::default())),
        first: Step::Deliver,
        links: Vec::new(),
        line: "It is being delivered to its address.".to_owned(),
        parts: Vec::new(),
    }
}

fn parse_repository(name: &str) -> Result<RepositoryName, Refusal> {
    name.parse().map_err(|error| Refusal::because(format!("{error}.")))
}
