//! The form of an action: what a person is asked, in which order, and what stands there first. The
//! portal's form and this program's own are made of it.

use serde_json::Value;

use super::spec::{ActionKind, ActionSpec, Template};
use crate::domain::{BlueprintId, Operation};

/// What a person is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Form<'a> {
    /// Whether the action runs on something that stands.
    pub runs_on_entity: bool,
    /// Whose entities it runs on, where the template says it; of an action that runs on nothing,
    /// which it makes.
    pub blueprint: Option<BlueprintId>,
    /// In the order of the schema.
    pub fields: Vec<Field<'a>>,
}

/// One question.
#[derive(Debug, Clone, PartialEq)]
pub struct Field<'a> {
    /// The input's name.
    pub name: &'a str,
    /// Its JSON Schema.
    pub schema: &'a Value,
    /// What stands there first.
    pub first: First,
    /// Whether it must be filled in.
    pub is_required: bool,
}

/// What stands in a field of a form before anybody has typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum First {
    /// The schema's default.
    Default,
    /// What the entity has in this property.
    Property(String),
    /// Nothing: a default would set back what somebody has chosen.
    Nothing,
}

/// The form of an action of a template. A create whose template uses `entity` runs on that: on one
/// of the blueprint that `on` names, or of the relation that leads to it.
pub fn form<'a>(template: &'a Template, action: &'a ActionSpec) -> Form<'a> {
    let is_create = action.operation == Operation::Create;
    let runs_on_entity = !is_create || action.on.is_some() || template.uses_entity();
    let blueprint = match (&action.on, is_create && runs_on_entity) {
        (Some(on), _) => Some(on.clone()),
        (None, true) => related(template),
        (None, false) => blueprint_of(template),
    };
    Form { runs_on_entity, blueprint, fields: fields(template, action) }
}

/// The blueprint of the entity that a template stands for.
pub fn blueprint_of(template: &Template) -> Option<BlueprintId> {
    BlueprintId::new(template.entity.as_ref()?["blueprint"].as_str()?).ok()
}

/// The input that a value is, where it is nothing else: `{{ inputs.size }}`.
pub fn whole_input(value: &Value) -> Option<&str> {
    let inner = value.as_str()?.trim().strip_prefix("{{")?.strip_suffix("}}")?.trim();
    let name = inner.strip_prefix("inputs.")?;
    name.chars().all(|c| c == '_' || c.is_ascii_alphanumeric()).then_some(name)
}

fn related(template: &Template) -> Option<BlueprintId> {
    let relations = template.entity.as_ref()?["relations"].as_object()?;
    let leads_to_it = |value: &Value| {
        let text = value.as_str().unwrap_or_default();
        text.replace(' ', "") == "{{entity.identifier}}"
    };
    let (name, _) = relations.iter().find(|(_, value)| leads_to_it(value))?;
    BlueprintId::new(name.as_str()).ok()
}

fn fields<'a>(template: &'a Template, action: &'a ActionSpec) -> Vec<Field<'a>> {
    let properties = template.inputs["properties"].as_object().into_iter().flatten();
    let is_taken = |name: &str| match &action.inputs {
        Some(listed) => listed.iter().any(|it| it == name),
        None => action.operation != Operation::Delete,
    };
    let asks_for_all = action.operation == Operation::Create || action.inputs.is_none();
    let required = template.inputs["required"].as_array().map_or(&[][..], Vec::as_slice);
    let is_required = |name: &str| asks_for_all && required.iter().any(|it| it == name);
    let field = |(name, schema): (&'a String, &'a Value)| Field {
        name,
        schema,
        first: first(template, action, name),
        is_required: is_required(name),
    };
    properties.filter(|(name, _)| is_taken(name)).map(field).collect()
}

/// A change begins with what the entity has now.
fn first(template: &Template, action: &ActionSpec, name: &str) -> First {
    if action.operation != Operation::Day2 || action.kind != ActionKind::Files {
        return First::Default;
    }
    let shown = template.entity.as_ref().and_then(|entity| entity["properties"].as_object());
    let mut shown = shown.into_iter().flatten();
    let property = shown.find(|(_, value)| whole_input(value) == Some(name));
    property.map_or(First::Nothing, |(property, _)| First::Property(property.clone()))
}
