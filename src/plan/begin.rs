//! The first decision of a run: what the request means, or why it is refused.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use crate::domain::observation::Link;
use crate::domain::run::{EntityPlan, Event, PullRequestWork, Run, Stage, Work, WorkflowWork};
use crate::domain::{
    ActionRun, BranchName, EntityRef, Invocation, Operation, RepositoryName, WorkflowInvocation,
};
use crate::template::{
    ActionKind, ActionOf, SecretSpec, Templates, WorkflowSpec, context, inputs, render,
};

use super::draft::Draft;
use super::step::{Decision, Step, StoreSecret};
use super::words;

/// Most inputs that a workflow takes (GitHub, since 2025-12-04).
const WORKFLOW_INPUTS_LIMIT: usize = 25;
/// Longest `inputs` of a dispatch as compact JSON, in characters (GitHub's documentation of
/// `workflow_dispatch`).
const WORKFLOW_INPUTS_LENGTH_LIMIT: usize = 65_535;

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
        Invocation::Template => by_template(&run.request, templates, run_page),
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
    operation: Option<Operation>,
    work: Option<Work>,
    first: Step,
    link: Option<Link>,
    line: String,
}

fn go(run: Run, begun: Begun, now: DateTime<Utc>) -> Decision {
    let mut draft = Draft::of(run);
    draft.run.operation = begun.operation.or(draft.run.operation);
    draft.run.work = begun.work;
    draft.links_all(begun.link);
    let who = words::one_line(draft.run.request.user.shown(), 80);
    let what = words::one_line(&draft.run.request.title(), 120);
    draft.say(Event::progress(format!("Received \"{what}\" from {who}. {}", begun.line)));
    draft.then(begun.first);
    draft.finish(now)
}

fn named_workflow(invocation: &WorkflowInvocation) -> Result<Begun, Refusal> {
    let work = WorkflowWork {
        repository: invocation.repository.clone(),
        workflow: invocation.workflow.clone(),
        reference: invocation.reference.clone(),
        inputs: workflow_inputs(&invocation.inputs)?,
        report_status: invocation.report_status,
        entity: None,
        context: Value::Null,
        conclusions: Vec::new(),
        workflow_run: None,
    };
    Ok(dispatching(work, None))
}

fn by_template(request: &ActionRun, templates: &Templates, page: &str) -> Result<Begun, Refusal> {
    let Some(action) = templates.action(&request.action) else {
        return Err(unknown_action(request, templates));
    };
    let given = known_inputs(request);
    let inputs = inputs::check(action.template, action.spec, &given, None).map_err(faults)?;
    let context = context::context(request, &action, &inputs, page);
    match &action.spec.kind {
        ActionKind::Files => proposing(request, &action, context),
        ActionKind::Workflow(spec) => template_workflow(&action, spec, context),
        ActionKind::Secret(spec) => storing(&action, spec, &context),
    }
}

/// Portals send `null` for a field that was left empty: that is no value.
fn known_inputs(request: &ActionRun) -> Map<String, Value> {
    let given = request.inputs.iter().filter(|(_, value)| !value.is_null());
    given.map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn unknown_action(request: &ActionRun, templates: &Templates) -> Refusal {
    let mut known: Vec<&str> = templates.action_ids().map(|id| id.as_str()).collect();
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

fn faults(faults: Vec<inputs::InputFault>) -> Refusal {
    Refusal(faults.into_iter().map(|fault| format!("{}: {}", fault.field, fault.message)).collect())
}

fn proposing(
    request: &ActionRun,
    action: &ActionOf<'_>,
    context: Value,
) -> Result<Begun, Refusal> {
    let template = action.template;
    let operation = action.spec.operation;
    let Some(target) = &template.target else {
        return Err(Refusal::because(format!(
            "The template {} has no `target`. Name the repository and the path in template.yml.",
            template.name
        )));
    };
    // A day-2 change or a delete learns the entity of the create from `.towpath.yml`; the
    // repository has to be known before.
    let repository = render::text(&target.repository, &context)
        .map_err(|error| Refusal::because(format!("The target repository: {error}")))?;
    let repository = parse_repository(&repository)?;
    let branch = BranchName::of_run(&request.action, &request.id);
    let entity = match (&template.entity, operation) {
        (None, _) => None,
        (Some(_), Operation::Delete) => Some(EntityPlan::Delete { entity: deleted(request, action)? }),
        (Some(mapping), _) => Some(EntityPlan::Upsert { mapping: mapping.clone() }),
    };
    let line = format!("A change to {repository} is being prepared.");
    let work = PullRequestWork {
        template: template.name.clone(),
        repository: repository.clone(),
        base: None,
        branch: branch.clone(),
        path: None,
        context,
        plan: template.plan.clone(),
        apply: template.apply.clone(),
        entity,
        pull_request: None,
        planned: None,
        applies: Vec::new(),
    };
    Ok(Begun {
        operation: Some(operation),
        work: Some(Work::PullRequest(Box::new(work))),
        first: Step::Propose,
        link: Some(Link::branch(&repository, &branch)),
        line,
    })
}

/// The entity that a delete is about: the one that the action ran on.
fn deleted(request: &ActionRun, action: &ActionOf<'_>) -> Result<EntityRef, Refusal> {
    let blueprint = action.template.entity.as_ref().and_then(|entity| entity.get("blueprint"));
    let blueprint = blueprint.and_then(Value::as_str).unwrap_or_default();
    let blueprint = blueprint.parse().map_err(|error| Refusal::because(format!("{error}.")))?;
    let Some(identifier) = request.entity_identifier() else {
        return Err(Refusal::because(format!(
            "The message does not say which {blueprint} is meant. Run {} on an entity, and send \
             `entity` in the action's body.",
            request.action
        )));
    };
    Ok(EntityRef { blueprint, identifier })
}

fn template_workflow(
    action: &ActionOf<'_>,
    spec: &WorkflowSpec,
    context: Value,
) -> Result<Begun, Refusal> {
    let rendered = |what: &str, text: &str| {
        render::text(text, &context)
            .map_err(|error| Refusal::because(format!("The workflow's {what}: {error}")))
    };
    let repository = parse_repository(&rendered("repository", &spec.repository)?)?;
    let file = rendered("file", &spec.file)?;
    let reference = spec.reference.as_deref().map(|text| rendered("ref", text)).transpose()?;
    let mut inputs = Map::new();
    for (name, value) in &spec.inputs {
        let value = render::value(value, &context)
            .map_err(|error| Refusal::because(format!("The workflow's input {name}: {error}")))?;
        inputs.insert(name.clone(), value);
    }
    let entity = match (&action.template.entity, action.spec.writes_entity) {
        (Some(mapping), true) => Some(EntityPlan::Upsert { mapping: mapping.clone() }),
        _ => None,
    };
    let work = WorkflowWork {
        repository,
        workflow: file,
        reference,
        inputs: workflow_inputs(&inputs)?,
        report_status: true,
        entity,
        context,
        conclusions: action.spec.conclusions.clone(),
        workflow_run: None,
    };
    Ok(dispatching(work, Some(action.spec.operation)))
}

fn storing(action: &ActionOf<'_>, spec: &SecretSpec, context: &Value) -> Result<Begun, Refusal> {
    let rendered = |what: &str, text: &str| {
        render::text(text, context)
            .map_err(|error| Refusal::because(format!("The secret's {what}: {error}")))
    };
    let repository = parse_repository(&rendered("repository", &spec.repository)?)?;
    let name = rendered("name", &spec.name)?;
    let environment =
        spec.environment.as_deref().map(|text| rendered("environment", text)).transpose()?;
    let line = format!("The secret {name} is being stored in {repository}.");
    let first = Step::StoreSecret(StoreSecret {
        repository,
        environment,
        name,
        value: spec.value.clone(),
    });
    Ok(Begun { operation: Some(action.spec.operation), work: None, first, link: None, line })
}

fn dispatching(work: WorkflowWork, operation: Option<Operation>) -> Begun {
    let on = work.reference.as_deref().map(|name| format!(" at {}", words::one_line(name, 80)));
    Begun {
        operation,
        line: format!(
            "Workflow {} in {} is being started{}.",
            words::one_line(&work.workflow, 80),
            work.repository,
            on.unwrap_or_default()
        ),
        link: Some(Link::awaited_dispatch(&work.repository, &work.workflow)),
        work: Some(Work::Workflow(work)),
        first: Step::Dispatch,
    }
}

fn parse_repository(name: &str) -> Result<RepositoryName, Refusal> {
    name.parse().map_err(|error| Refusal::because(format!("{error}.")))
}

/// The inputs as GitHub takes them: text, objects and lists as JSON. What GitHub would refuse is
/// refused here, before anything is asked of it.
fn workflow_inputs(inputs: &Map<String, Value>) -> Result<Map<String, Value>, Refusal> {
    if inputs.len() > WORKFLOW_INPUTS_LIMIT {
        return Err(Refusal::because(format!(
            "The workflow would get {} inputs; GitHub takes at most {WORKFLOW_INPUTS_LIMIT}. Put \
             several into one as JSON.",
            inputs.len()
        )));
    }
    let texts: Map<String, Value> = inputs
        .iter()
        .map(|(name, value)| (name.clone(), Value::String(words::plain(value))))
        .collect();
    let length = Value::Object(texts.clone()).to_string().chars().count();
    if length > WORKFLOW_INPUTS_LENGTH_LIMIT {
        return Err(Refusal::because(format!(
            "The workflow's inputs are {length} characters long; GitHub takes at most \
             {WORKFLOW_INPUTS_LENGTH_LIMIT}. Send less."
        )));
    }
    Ok(texts)
}
