//! The change that a run proposes: what is made of the request and of what stands.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use crate::domain::Operation;
use crate::domain::check::OwnCheck;
use crate::domain::ids::InvalidId;
use crate::domain::run::{EntityPlan, Event, PullRequestWork, Run, Stage, Work};
use crate::domain::standing::{Proposal, Standing};
use crate::template::change::{self, Change};
use crate::template::manifest::{CatalogEntity, Manifest};
use crate::template::{self, ActionOf, Template, context, inputs, render};

use super::ask::{target_of, work_of};
use super::begin::{Refusal, faults};
use super::body::{self, Body, InputRow};
use super::decision::Decision;
use super::draft::Draft;
use super::own_check::Proved;
use super::parts::Beside;
use super::pull_request::rendered_on;
use super::words::inert;

/// What comes of the request and of what stands.
#[derive(Debug)]
pub enum Proposing {
    /// The texts of these blobs are wanted first, to merge what people edited.
    Texts(Vec<String>),
    /// Everything stands already as it should.
    Nothing,
    /// A change.
    Ready(Box<Ready>),
}

/// A change that is ready to be proposed.
#[derive(Debug)]
pub struct Ready {
    /// The run, which knows its path and its values now.
    pub run: Run,
    /// Commit and pull request.
    pub proposal: Proposal,
    /// What the run's log says of the files.
    pub notes: Vec<String>,
}

/// What a change is made from.
#[derive(Debug, Clone, Copy)]
pub struct Ground<'a> {
    /// What stands in the repository.
    pub standing: &'a Standing,
    /// The target folder.
    pub path: &'a str,
    /// The texts that [`Proposing::Texts`] wanted, by blob id.
    pub texts: Option<&'a HashMap<String, String>>,
    /// Where people see the run.
    pub run_page: &'a str,
    /// The other parts of the same action.
    pub beside: &'a [Beside],
}

/// Makes a change of what was asked for and what stands.
pub fn propose(run: &Run, action: &ActionOf, ground: Ground<'_>) -> Result<Proposing, Refusal> {
    let Ground { standing, path, .. } = ground;
    let before = match change::manifest_of(path, &standing.files) {
        Some(Ok(manifest)) => Some(manifest),
        Some(Err(diagnostic)) => return Err(Refusal::because(diagnostic.to_string())),
        None => None,
    };
    let none = HashMap::new();
    let planned = match (action.action.operation, &before) {
        (Operation::Create, _) => create(run, action, ground)?,
        (_, None) => {
            return Err(Refusal::because(format!(
                "`{path}` has no `.towpath.yml` on {}: it was not made by an action, or its pull \
                 request is not merged yet. Wait for the merge, or change it by hand.",
                standing.base
            )));
        }
        (Operation::Day2, Some(before)) => {
            let needed = change::texts_needed(path, before, &standing.files);
            if ground.texts.is_none() && !needed.is_empty() {
                return Ok(Proposing::Texts(needed));
            }
            update(run, action, ground, before, ground.texts.unwrap_or(&none))?
        }
        (Operation::Delete, Some(before)) => delete(run, action, ground, before)?,
    };
    if planned.change.changes.is_empty() {
        return Ok(Proposing::Nothing);
    }
    planned.ready(run, action, ground, before.as_ref()).map(Box::new).map(Proposing::Ready)
}

/// A change and the values that it was made with.
struct Planned {
    change: Change,
    inputs: Map<String, Value>,
    context: Value,
    entity: Option<EntityPlan>,
}

fn create(run: &Run, action: &ActionOf, ground: Ground<'_>) -> Result<Planned, Refusal> {
    let work = work_of(run)?;
    let template = &action.template;
    let inputs = work.context["inputs"].as_object().cloned().unwrap_or_default();
    let rendered = render::files(target_of(work, template)?, &work.context, ground.path)
        .map_err(|error| unrendered(&error))?;
    let manifest = Manifest {
        template: template.name.clone(),
        digest: template.digest.clone(),
        run: run.id.clone(),
        inputs: inputs.clone(),
        entity: work.context.get("entity").cloned(),
        catalog: catalog_of(template, &work.context)?,
        target: work.part.as_ref().map(|part| part.target.clone()),
        files: BTreeMap::new(),
    };
    // What GitHub begins a new repository with is nobody's work.
    let is_new = work.new_repository.is_some();
    let standing = if is_new { &[][..] } else { &ground.standing.files };
    let change = change::create(ground.path, &rendered, manifest, standing);
    Ok(Planned {
        change: change.map_err(refused)?,
        inputs,
        context: work.context.clone(),
        entity: work.entity.clone(),
    })
}

fn update(
    run: &Run,
    action: &ActionOf,
    ground: Ground<'_>,
    before: &Manifest,
    texts: &HashMap<String, String>,
) -> Result<Planned, Refusal> {
    let (work, template) = (work_of(run)?, &action.template);
    let inputs = inputs::check(template, &action.action, &run.request.inputs, Some(&before.inputs));
    let context = context_at(run, action, &inputs.map_err(faults)?, before, ground.run_page);
    let inputs = context["inputs"].as_object().cloned().unwrap_or_default();
    let rendered = render::files(target_of(work, template)?, &context, ground.path)
        .map_err(|error| unrendered(&error))?;
    let manifest = Manifest {
        digest: template.digest.clone(),
        run: run.id.clone(),
        inputs: inputs.clone(),
        catalog: catalog_of(template, &context)?,
        target: work.part.as_ref().map(|part| part.target.clone()),
        files: BTreeMap::new(),
        ..before.clone()
    };
    let standing = &ground.standing.files;
    let text = |blob: &str| texts.get(blob).cloned();
    let change = change::update(ground.path, &rendered, before, manifest, standing, text);
    let entity = work.entity.clone();
    Ok(Planned { change: change.map_err(refused)?, inputs, context, entity })
}

fn delete(
    run: &Run,
    action: &ActionOf,
    ground: Ground<'_>,
    before: &Manifest,
) -> Result<Planned, Refusal> {
    let context = context_at(run, action, &before.inputs, before, ground.run_page);
    let change = change::delete(ground.path, before, &ground.standing.files).map_err(refused)?;
    let entity = work_of(run)?.entity.clone();
    Ok(Planned { change, inputs: before.inputs.clone(), context, entity })
}

/// The names and values of a change to what stands: the entity is the one of the create.
pub(super) fn context_at(
    run: &Run,
    action: &ActionOf,
    inputs: &Map<String, Value>,
    before: &Manifest,
    run_page: &str,
) -> Value {
    context::context(
        &run.request,
        action.action.operation,
        &title_of(run, action),
        inputs,
        &action.template.secret_inputs(),
        before.entity.as_ref(),
        Some(run_page),
    )
}

impl Planned {
    fn ready(
        self,
        run: &Run,
        action: &ActionOf,
        ground: Ground<'_>,
        before: Option<&Manifest>,
    ) -> Result<Ready, Refusal> {
        let mut run = run.clone();
        let mut work = work_of(&run)?.clone();
        work.path = Some(ground.path.to_owned());
        work.base = Some(ground.standing.base.clone());
        work.context = self.context;
        work.entity = self.entity;
        work.rendered_on = Some(rendered_on(&self.change.changes, ground.standing));
        let target = target_of(&work, &action.template)?;
        let title = title(&work, target, ground.path)?;
        let introduction = target.pull_request.body.as_deref();
        let introduction = introduction.map(|body| render::markdown(body, &work.context));
        let introduction = introduction
            .transpose()
            .map_err(|error| Refusal::because(format!("The pull request's body: {error}.")))?;
        let body = Body {
            run: &run,
            introduction,
            path: ground.path,
            inputs: rows(&action.template, &self.inputs, before, action.action.operation),
            secrets: secrets(&run, &action.template),
            notes: &self.change.notes,
            run_page: ground.run_page,
            beside: ground.beside,
        };
        let proved = Proved {
            template: &action.template.name,
            inputs: self.inputs.len(),
            changes: &self.change.changes,
            path: ground.path,
        };
        let known = work.own_check.take().unwrap_or_default();
        work.own_check = Some(OwnCheck { request: proved.of_request(&body.request()), ..known });
        let body = body.markdown();
        let (headline, message) = body::commit_message(&title, &run, ground.run_page);
        run.work = Some(Work::PullRequest(Box::new(work.clone())));
        let labels = &target.pull_request.labels;
        let standing = ground.standing;
        let is_there = |label: &&String| {
            standing.labels.iter().any(|(name, _)| name.eq_ignore_ascii_case(label))
        };
        let proposal = Proposal {
            repository: standing.repository.clone(),
            repository_node_id: standing.repository_node_id.clone(),
            base: standing.base.clone(),
            base_sha: standing.base_sha.clone(),
            branch: work.branch.clone(),
            headline,
            message,
            changes: self.change.changes,
            title,
            body,
            draft: target.pull_request.draft,
            new_labels: labels.iter().filter(|label| !is_there(label)).cloned().collect(),
        };
        Ok(Ready { run, proposal, notes: self.change.notes })
    }
}

fn title(work: &PullRequestWork, target: &template::Target, path: &str) -> Result<String, Refusal> {
    let values = inert(&work.context);
    if let Some(expression) = &target.pull_request.title {
        render::line(expression, &values)
            .map(|title| body::title(&title))
            .map_err(|error| Refusal::because(format!("The pull request's title: {error}.")))
    } else {
        let action = values["action"]["title"].as_str().unwrap_or_default().to_owned();
        let what = if path.is_empty() { work.repository.to_string() } else { path.to_owned() };
        Ok(body::title(&format!("{action}: {what}")))
    }
}

/// The inputs in the order of the form; of a day-2 change those that it changes.
fn rows(
    template: &Template,
    inputs: &Map<String, Value>,
    before: Option<&Manifest>,
    operation: Operation,
) -> Vec<InputRow> {
    let properties = template.inputs.get("properties").and_then(Value::as_object);
    let mut rows = Vec::new();
    for (name, schema) in properties.into_iter().flatten() {
        let Some(now) = inputs.get(name) else { continue };
        let was = before.and_then(|before| before.inputs.get(name));
        if operation == Operation::Day2 && was == Some(now) {
            continue;
        }
        let title = schema.get("title").and_then(Value::as_str).unwrap_or(name).to_owned();
        let before = match operation {
            Operation::Day2 => Some(was.cloned().unwrap_or(Value::Null)),
            _ => None,
        };
        rows.push(InputRow { title, before, now: now.clone() });
    }
    rows
}

/// The secret inputs that were given, by title.
fn secrets(run: &Run, template: &Template) -> Vec<String> {
    let given = template.secret_inputs().into_iter();
    given.filter(|name| run.request.inputs.contains_key(*name)).map(str::to_owned).collect()
}

/// The title of the action: the message's, the template's, or the identifier's.
pub(crate) fn title_of(run: &Run, action: &ActionOf) -> String {
    let own = run.request.action_title.clone().or_else(|| action.action.title.clone());
    own.unwrap_or_else(|| run.request.title())
}

/// The entity that a template stands for, rendered without outputs: those do not exist yet.
fn catalog_of(template: &Template, context: &Value) -> Result<Option<CatalogEntity>, Refusal> {
    let Some(mapping) = &template.entity else { return Ok(None) };
    let rendered = |key: &str| {
        let expression = mapping.get(key).and_then(Value::as_str).unwrap_or_default();
        render::text(expression, context)
            .map_err(|error| Refusal::because(format!("The entity's {key}: {error}.")))
    };
    let unusable = |error: InvalidId| Refusal::because(format!("{error}."));
    Ok(Some(CatalogEntity {
        blueprint: rendered("blueprint")?.parse().map_err(unusable)?,
        identifier: rendered("identifier")?.parse().map_err(unusable)?,
    }))
}

fn unrendered(error: &render::RenderError) -> Refusal {
    Refusal::because(format!("The files cannot be rendered: {error}."))
}

fn refused(refusal: change::Refusal) -> Refusal {
    Refusal(refusal.0)
}

/// Ends a run that has nothing to change.
pub fn nothing_to_change(run: Run, path: &str, now: DateTime<Utc>) -> Decision {
    let mut draft = Draft::of(run);
    draft.say(Event::progress(format!(
        "`{path}` stands already as it was asked for: there is nothing to change, and no pull request."
    )));
    draft.end(Stage::Done, "Nothing to change", None);
    draft.finish(now)
}
