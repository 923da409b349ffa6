//! The first decision of a run: what the request means, or why it is refused.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use crate::domain::observation::{Conclusion, Link};
use crate::domain::run::{
    DeliveryWork, EntityPlan, Event, NewRepository, PullRequestWork, Run, Stage, Work, WorkflowWork,
};
use crate::domain::{
    ActionRun, BranchName, Invocation, Operation, RepositoryName, WorkflowInvocation,
};
use crate::template::{self, ActionKind, ActionOf, Target, Templates, context, inputs, render};

use super::ask::{catalog_entity, no_target};
use super::draft::Draft;
use super::proposal::title_of;
use super::step::{Decision, Step, StoreSecret};
use super::{parts, words, workflow};

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
    let inputs = match inputs::check(template, &action.action, &given(request), None) {
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

/// What the person gave.
pub(crate) fn given(request: &ActionRun) -> Map<String, Value> {
    request.inputs.clone()
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

fn proposing(run: &Run, action: &ActionOf, context: &Value) -> Result<Begun, Refusal> {
    let operation = action.action.operation;
    let targets: Vec<&Target> = action.template.targets_of(operation).collect();
    let [target] = targets[..] else { return in_parts(run, action, &targets, context) };
    if target.name.is_some() {
        return in_parts(run, action, &targets, context);
    }
    let branch = BranchName::of_run(&run.request.action, &run.id);
    let work = PullRequestWork {
        entity: entity_plan(run, action)?,
        ..change_to(action, target, context, branch)?
    };
    let repository = &work.repository;
    let (first, line) = match work.new_repository {
        Some(_) => (Step::CreateRepository, format!("The repository {repository} is being made.")),
        None => (Step::Propose, format!("A change to {repository} is being prepared.")),
    };
    Ok(Begun {
        title: Some(title_of(run, action)),
        operation: Some(operation),
        line,
        links: vec![Link::branch(repository, &work.branch)],
        work: Some(Work::PullRequest(Box::new(work))),
        first,
        parts: Vec::new(),
    })
}

fn in_parts(
    run: &Run,
    action: &ActionOf,
    targets: &[&Target],
    context: &Value,
) -> Result<Begun, Refusal> {
    if targets.is_empty() {
        return Err(no_target(&action.template));
    }
    let title = title_of(run, action);
    let entity = entity_plan(run, action)?;
    let parts::Split { work, parts } = parts::split(run, action, targets, context, entity, &title)?;
    let where_to: Vec<String> = work.parts.iter().map(|it| it.repository.to_string()).collect();
    Ok(Begun {
        title: Some(title),
        operation: Some(action.action.operation),
        line: format!("Changes to {} are being prepared.", words::list(&where_to)),
        links: Vec::new(),
        work: Some(Work::Parts(Box::new(work))),
        first: Step::CheckParts,
        parts,
    })
}

/// The change to one target, of which nothing is known yet but where it goes.
pub(super) fn change_to(
    action: &ActionOf,
    target: &Target,
    context: &Value,
    branch: BranchName,
) -> Result<PullRequestWork, Refusal> {
    let repository = render::text(&target.repository, context)
        .map_err(|error| Refusal::because(format!("The target repository: {error}.")))?;
    Ok(PullRequestWork {
        template: action.template.name.clone(),
        repository: parse_repository(&repository)?,
        base: None,
        branch,
        path: None,
        part: None,
        behind: None,
        new_repository: new_repository(target.new.as_ref(), context)?,
        rendered_on: None,
        context: context.clone(),
        plan: target.plan.clone(),
        apply: target.apply.clone(),
        entity: None,
        pull_request: None,
        planned: None,
        plan_summary: None,
        applies: Vec::new(),
        own_check: None,
        cancelled_by: None,
    })
}

/// Longest description of a repository that GitHub takes, in characters.
const DESCRIPTION_LIMIT: usize = 350;

fn new_repository(
    spec: Option<&template::NewRepository>,
    context: &Value,
) -> Result<Option<NewRepository>, Refusal> {
    let Some(spec) = spec else { return Ok(None) };
    let rendered = |what: &str, text: &str| {
        render::text(text, context)
            .map_err(|error| Refusal::because(format!("The new repository's {what}: {error}.")))
    };
    let description = spec.description.as_deref().unwrap_or_default();
    let description = words::one_line(&rendered("description", description)?, DESCRIPTION_LIMIT);
    let from = spec.from.as_deref().map(|from| rendered("origin", from)).transpose()?;
    Ok(Some(NewRepository {
        description,
        visibility: spec.visibility,
        from: from.as_deref().map(parse_repository).transpose()?,
        first_commit: None,
    }))
}

/// What becomes of the catalog when the work has gone well.
fn entity_plan(run: &Run, action: &ActionOf) -> Result<Option<EntityPlan>, Refusal> {
    let Some(mapping) = &action.template.entity else { return Ok(None) };
    Ok(match (action.action.operation, catalog_entity(run, &action.template)?) {
        (Operation::Delete, Some(entity)) => Some(EntityPlan::Delete { entity }),
        _ => Some(EntityPlan::Upsert { mapping: mapping.clone() }),
    })
}

fn template_workflow(run: &Run, action: &ActionOf, context: &Value) -> Result<Begun, Refusal> {
    let ActionKind::Workflow { repository, file, reference, inputs } = &action.action.kind else {
        return Err(Refusal::because("The action runs no workflow."));
    };
    let rendered = |what: &str, text: &str| {
        render::text(text, context)
            .map_err(|error| Refusal::because(format!("The workflow's {what}: {error}.")))
    };
    // A secret stands there as ciphertext, and is opened where the workflow is dispatched.
    let mut sealed = context.clone();
    for name in action.template.secret_inputs() {
        if let Some(value) = run.request.inputs.get(name) {
            sealed["inputs"][name] = value.clone();
        }
    }
    let inputs = render::value(inputs, &sealed)
        .map_err(|error| Refusal::because(format!("The workflow's inputs: {error}.")))?;
    let inputs = inputs.as_object().cloned().unwrap_or_default();
    // Where other actions of the template write files, the entity stands for those, and a workflow
    // beside them (a restart, say) knows too little to write it.
    let has_files = action.template.actions.iter().any(|other| other.kind == ActionKind::Files);
    let means_good = |(word, meaning): (&String, &Conclusion)| {
        (Conclusion::parse(word), words::is_good(*meaning))
    };
    let work = WorkflowWork {
        repository: parse_repository(&rendered("repository", repository)?)?,
        workflow: rendered("file", file)?,
        reference: reference.as_deref().map(|text| rendered("ref", text)).transpose()?,
        inputs: workflow_inputs(&inputs)?,
        report_status: true,
        entity: if has_files { None } else { entity_plan(run, action)? },
        context: context.clone(),
        conclusions: action.action.conclusions.iter().map(means_good).collect(),
        workflow_run: None,
    };
    let title = Some(title_of(run, action));
    Ok(Begun { title, ..dispatching(work, Some(action.action.operation)) })
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

fn dispatching(work: WorkflowWork, operation: Option<Operation>) -> Begun {
    let on = work.reference.as_deref().map(|name| format!(" at {}", words::one_line(name, 80)));
    Begun {
        title: None,
        operation,
        line: format!(
            "Workflow {} in {} is being started{}.",
            words::one_line(&work.workflow, 80),
            work.repository,
            on.unwrap_or_default()
        ),
        links: workflow::awaited(&work),
        work: Some(Work::Workflow(Box::new(work))),
        first: Step::Dispatch,
        parts: Vec::new(),
    }
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
