//! What is asked of a repository before a change is made of it: where, which folder, and what follows
//! where that is not there.

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::domain::run::{Event, PullRequestWork, Run, Stage, Work};
use crate::domain::{BranchName, EntityRef, Operation, RepositoryName, TargetName};
use crate::template::manifest::{CatalogEntity, Manifest};
use crate::template::{self, ActionOf, Template, render};

use super::begin::{Refusal, refuse};
use super::decision::Decision;
use super::draft::Draft;

/// What is asked of a repository before a change is made of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// Where.
    pub repository: RepositoryName,
    /// Into which branch; the default branch, where none is named.
    pub base: Option<BranchName>,
    /// Which folder.
    pub target: Target,
    /// Which of the template's targets that is, where it has several.
    pub part: Option<TargetName>,
    /// The run's own branch.
    pub branch: BranchName,
    /// Labels for the pull request.
    pub labels: Vec<String>,
    /// Reviewers for it: `octocat`, `@acme/devops`.
    pub reviewers: Vec<String>,
}

/// Which folder a change is about.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// The one at this path.
    Path(String),
    /// The one that this entity stands for, by its `.towpath.yml`.
    Entity(EntityRef),
}

/// What is to be asked for a run.
pub fn ask(run: &Run, action: &ActionOf) -> Result<Asked, Refusal> {
    let work = work_of(run)?;
    let template = &action.template;
    let target = target_of(work, template)?;
    let rendered = |what: &str, expression: &str| {
        render::text(expression, &work.context)
            .map_err(|error| Refusal::because(format!("The target {what}: {error}.")))
    };
    let base = target.base.as_deref().map(|base| rendered("branch", base)).transpose()?;
    let base = base.map(BranchName::new).transpose();
    let folder = match (action.action.operation, catalog_entity(run, template)?) {
        _ if target.new.is_some() => Target::Path(String::new()),
        (Operation::Day2 | Operation::Delete, Some(entity)) => Target::Entity(entity),
        _ => Target::Path(
            render::path(&target.path, &work.context)
                .map_err(|error| Refusal::because(format!("The target path: {error}.")))?,
        ),
    };
    Ok(Asked {
        repository: work.repository.clone(),
        base: base.map_err(|error| Refusal::because(format!("{error}.")))?,
        target: folder,
        part: target.name.clone(),
        branch: work.branch.clone(),
        labels: target.pull_request.labels.clone(),
        reviewers: target.pull_request.reviewers.clone(),
    })
}

/// Whether a `.towpath.yml` is the one of the entity that is asked for.
pub fn is_folder_of(path: &str, manifest: &str, asked: &Asked, template: &Template) -> bool {
    Manifest::parse(path, manifest).is_ok_and(|manifest| belongs(&manifest, asked, template))
}

fn belongs(manifest: &Manifest, asked: &Asked, template: &Template) -> bool {
    let Target::Entity(entity) = &asked.target else { return false };
    let is_entity = |catalog: &CatalogEntity| {
        catalog.blueprint == entity.blueprint && catalog.identifier == entity.identifier
    };
    // What was made before the template had several targets names none.
    let part = asked.part.as_ref();
    let is_target = manifest.target.as_ref().is_none_or(|known| Some(known) == part);
    let is_entity = manifest.catalog.as_ref().is_some_and(is_entity);
    manifest.template == template.name && is_target && is_entity
}

/// Why nothing is done where no folder belongs to the entity.
pub fn nowhere(asked: &Asked) -> Refusal {
    let which = match &asked.target {
        Target::Entity(entity) => format!("{} {}", entity.blueprint, entity.identifier),
        Target::Path(path) => format!("`{path}`"),
    };
    Refusal::because(format!(
        "No folder in {} belongs to {which}: no `.towpath.yml` names it. It was not made by an \
         action, its pull request is not merged yet, or it is deleted already.",
        asked.repository
    ))
}

/// Where a change goes, of what its template names.
pub(super) fn target_of<'a>(
    work: &PullRequestWork,
    template: &'a Template,
) -> Result<&'a template::Target, Refusal> {
    let name = work.part.as_ref().map(|part| &part.target);
    let found = template.target(name);
    found.ok_or_else(|| match name {
        Some(name) => Refusal::because(format!(
            "The template {} has no target {name} any more. Run the action again.",
            template.name
        )),
        None => no_target(template),
    })
}

pub(super) fn no_target(template: &Template) -> Refusal {
    Refusal::because(format!(
        "The template {} has no `target`. Name the repository and the path in template.yml.",
        template.name
    ))
}

/// The entity that a day-2 change or a delete is about: the one that the action ran on.
pub(crate) fn catalog_entity(run: &Run, template: &Template) -> Result<Option<EntityRef>, Refusal> {
    let Some(mapping) = &template.entity else { return Ok(None) };
    let blueprint = mapping.get("blueprint").and_then(Value::as_str).unwrap_or_default();
    let blueprint = blueprint.parse().map_err(|error| Refusal::because(format!("{error}.")))?;
    if run.operation == Some(Operation::Create) {
        return Ok(None);
    }
    let Some(identifier) = run.request.entity_identifier() else {
        return Err(Refusal::because(format!(
            "The message does not say which {blueprint} is meant. Run {} on an entity, and send \
             `entity` in the action's body.",
            run.request.action
        )));
    };
    Ok(Some(EntityRef { blueprint, identifier }))
}

/// Whether that no folder belongs to the entity is as it should be: one part of several that deletes.
pub(super) fn is_gone_already(run: &Run) -> bool {
    run.part_of().is_some() && run.operation == Some(Operation::Delete)
}

/// Ends a run where no folder belongs to the entity. Where another part of the same action has one,
/// what is to be deleted is gone here already.
pub fn not_there(run: Run, asked: &Asked, now: DateTime<Utc>) -> Decision {
    if !is_gone_already(&run) {
        return refuse(run, &nowhere(asked), now);
    }
    let mut draft = Draft::of(run);
    draft.say(Event::progress("There is nothing to delete here, and no pull request."));
    draft.end(Stage::Done, "Nothing to change", None);
    draft.finish(now)
}

pub(super) fn work_of(run: &Run) -> Result<&PullRequestWork, Refusal> {
    match &run.work {
        Some(Work::PullRequest(work)) => Ok(work),
        _ => Err(Refusal::because("The run proposes no change.")),
    }
}
