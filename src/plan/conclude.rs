//! The good end of a run: first the catalog, and then the last word.

use serde_json::{Map, Value};

use crate::domain::repository::RepositoryName;
use crate::domain::run::{EntityPlan, Event, Stage};
use crate::domain::{EntityUpsert, WorkflowRunId};
use crate::template::render;

use super::draft::Draft;
use super::step::{Delete, ReadOutputs, Step, Upsert};

/// A run whose work has gone well, as far as its end needs to know it.
pub(crate) struct Success<'a> {
    /// What becomes of the catalog.
    pub(crate) entity: Option<&'a EntityPlan>,
    /// The names and values in which the entity is rendered.
    pub(crate) context: &'a Value,
    /// Where the work was done.
    pub(crate) repository: &'a RepositoryName,
    /// The workflow run that did it, where one did.
    pub(crate) workflow_run: Option<WorkflowRunId>,
    /// The last label.
    pub(crate) label: &'a str,
    /// The last line of the log.
    pub(crate) line: String,
}

/// Goes on to the good end of a run: over the outputs, where the entity wants them, and the catalog.
pub(crate) fn succeed(
    draft: &mut Draft,
    success: Success<'_>,
    outputs: Option<&Map<String, Value>>,
) {
    let with_run = !draft.was_over();
    let catalog = match success.entity {
        None => None,
        Some(EntityPlan::Delete { entity }) => {
            Some(Step::Delete(Delete { entity: entity.clone(), with_run }))
        }
        Some(EntityPlan::Upsert { mapping }) if outputs.is_none() && mentions_outputs(mapping) => {
            return draft.then(Step::ReadOutputs(ReadOutputs {
                repository: success.repository.clone(),
                workflow_run: success.workflow_run,
            }));
        }
        Some(EntityPlan::Upsert { mapping }) => {
            match render_entity(mapping, success.context, outputs) {
                Ok(entity) => Some(Step::Upsert(Upsert { entity, with_run })),
                Err(reason) => {
                    draft.say(Event::progress(success.line));
                    return catalog_refused(draft, &reason);
                }
            }
        }
    };
    draft.say(Event::progress(success.line));
    match catalog {
        Some(step) => draft.then(step),
        None => draft.end(Stage::Done, success.label, None),
    }
}

/// The catalog has taken the entity: the last word.
pub(crate) fn catalog_told(draft: &mut Draft, entity: Option<&EntityPlan>, label: &str) {
    let how = match entity {
        Some(EntityPlan::Delete { .. }) => "The entity was taken out of the catalog.",
        _ => "The entity was written to the catalog.",
    };
    let late = if draft.was_over() {
        " The run had ended before; its end in the portal stays."
    } else {
        ""
    };
    draft.say(Event::progress(format!("{how}{late}")));
    draft.end(Stage::Done, label, None);
}

/// The catalog does not take the entity.
pub(crate) fn catalog_refused(draft: &mut Draft, reason: &str) {
    draft.say(Event::failure(format!(
        "The work is done, but the catalog was not told: {reason} Correct `entity` in the \
         template, and the entity in the catalog by hand."
    )));
    draft.end(Stage::Failed, "Catalog not updated", None);
}

/// Whether an entity wants to know what the apply has put out.
pub(crate) fn mentions_outputs(mapping: &Value) -> bool {
    match mapping {
        Value::String(text) => text.contains("{{") && text.contains("outputs"),
        Value::Array(items) => items.iter().any(mentions_outputs),
        Value::Object(map) => {
            map.iter().any(|(key, value)| key.contains("{{") || mentions_outputs(value))
        }
        _ => false,
    }
}

/// Renders a template's `entity`.
///
/// # Errors
/// A sentence that names what cannot be rendered.
pub fn render_entity(
    mapping: &Value,
    context: &Value,
    outputs: Option<&Map<String, Value>>,
) -> Result<EntityUpsert, String> {
    let mut context = context.clone();
    if let (Some(names), Some(outputs)) = (context.as_object_mut(), outputs) {
        names.insert("outputs".to_owned(), Value::Object(outputs.clone()));
    }
    let mut rendered = render::value(mapping, &context).map_err(|error| error.to_string())?;
    // Identifiers and titles are text, whatever they were rendered from.
    for key in ["identifier", "title"] {
        if let Some(value) = rendered.get_mut(key).filter(|v| v.is_number() || v.is_boolean()) {
            *value = Value::String(value.to_string());
        }
    }
    serde_json::from_value(rendered).map_err(|error| format!("{error}."))
}
