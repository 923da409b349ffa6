//! A run that dispatches a workflow: named by the portal, or by a template.

use serde_json::{Map, Value};

use super::{Begun, Refusal, entity_plan, parse_repository};
use crate::domain::observation::Conclusion;
use crate::domain::run::{Run, Work, WorkflowWork};
use crate::domain::{Operation, WorkflowInvocation};
use crate::plan::proposal::title_of;
use crate::plan::step::Step;
use crate::plan::{words, workflow};
use crate::template::{ActionKind, ActionOf, render};

/// Most inputs that a workflow takes (GitHub, since 2025-12-04).
const WORKFLOW_INPUTS_LIMIT: usize = 25;
/// Longest `inputs` of a dispatch as compact JSON, in characters (GitHub's documentation of
/// `workflow_dispatch`).
const WORKFLOW_INPUTS_LENGTH_LIMIT: usize = 65_535;

pub(super) fn named_workflow(invocation: &WorkflowInvocation) -> Result<Begun, Refusal> {
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

pub(super) fn template_workflow(
    run: &Run,
    action: &ActionOf,
    context: &Value,
) -> Result<Begun, Refusal> {
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
