//! A run that proposes a change to files: to one target, or in parts to several.

use serde_json::Value;

use super::{Begun, Refusal, entity_plan, parse_repository};
use crate::domain::BranchName;
use crate::domain::observation::Link;
use crate::domain::run::{NewRepository, PullRequestWork, Run, Work};
use crate::plan::ask::no_target;
use crate::plan::proposal::title_of;
use crate::plan::step::Step;
use crate::plan::{parts, words};
use crate::template::{self, ActionOf, Target, render};

/// Longest description of a repository that GitHub takes, in characters.
const DESCRIPTION_LIMIT: usize = 350;

pub(super) fn proposing(run: &Run, action: &ActionOf, context: &Value) -> Result<Begun, Refusal> {
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
pub(in crate::plan) fn change_to(
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
