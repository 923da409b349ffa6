//! A form as a page shows it: with what was typed, what stands there first, and what is wrong.

use serde::Serialize;
use serde_json::Value;

use super::control::{Control, kind};
use super::read::{Typed, written};
use super::{ENTITY, Group, Question, groups};
use crate::domain::BlueprintId;
use crate::store::EntityRecord;
use crate::template::InputFault;
use crate::template::form::{First, Form};

/// A form.
#[derive(Debug, Serialize)]
pub(in super::super) struct FormView {
    groups: Vec<GroupView>,
    /// What is wrong with the form as a whole.
    general: Vec<String>,
    /// What is wrong, by the field to go to.
    faults: Vec<FaultView>,
}

#[derive(Debug, Serialize)]
struct FaultView {
    id: String,
    label: String,
    message: String,
}

#[derive(Debug, Serialize)]
struct GroupView {
    legend: Option<String>,
    hint: Option<String>,
    fields: Vec<FieldView>,
}

#[derive(Debug, Default, Serialize)]
struct FieldView {
    id: String,
    name: String,
    label: String,
    hint: Option<String>,
    error: Option<String>,
    is_required: bool,
    /// Which of the template's controls: `line`, `text`, `check`, `choice`, `choices`, `secret`.
    control: &'static str,
    /// HTML's word for a line: `text`, `number`, `date`.
    kind: &'static str,
    value: String,
    min: Option<String>,
    max: Option<String>,
    step: Option<String>,
    min_length: Option<u64>,
    max_length: Option<u64>,
    options: Vec<OptionView>,
    /// A secret that was typed before, as ciphertext, and where it goes.
    sealed: Option<(String, String)>,
}

#[derive(Debug, Serialize)]
struct OptionView {
    value: String,
    label: String,
    is_chosen: bool,
}

/// What a form is shown with.
#[derive(Debug, Default)]
pub(in super::super) struct Shown<'a> {
    /// What was sent before; nothing yet, where the form is new.
    pub(in super::super) typed: Option<&'a Typed>,
    /// The entity that the action runs on, where it is known.
    pub(in super::super) entity: Option<&'a EntityRecord>,
    /// Its identifier, as far as one is given.
    pub(in super::super) identifier: &'a str,
    /// What can be chosen, by blueprint.
    pub(in super::super) catalog: &'a [(BlueprintId, Vec<EntityRecord>)],
    /// What is wrong.
    pub(in super::super) faults: &'a [InputFault],
    /// Secrets that were typed, by input, as ciphertext.
    pub(in super::super) sealed: &'a [(String, String)],
}

impl FormView {
    /// The form as it is shown.
    pub(in super::super) fn new(form: &Form<'_>, shown: &Shown<'_>) -> Self {
        let entity = form.runs_on_entity.then(|| entity(form, shown));
        let groups = groups(form);
        let mut groups: Vec<GroupView> = groups.iter().map(|it| group(it, shown)).collect();
        if let Some(entity) = entity {
            groups.insert(0, GroupView { legend: None, hint: None, fields: vec![entity] });
        }
        let mut view = Self { groups, general: Vec::new(), faults: Vec::new() };
        for fault in shown.faults {
            view.place(fault);
        }
        let fields = view.groups.iter().flat_map(|group| &group.fields);
        let ids: Vec<String> = fields.map(|field| field.id.clone()).collect();
        view.faults.sort_by_key(|fault| ids.iter().position(|id| *id == fault.id));
        view
    }

    /// Puts a fault at its field, or at the nearest one above.
    fn place(&mut self, fault: &InputFault) {
        let fields = self.groups.iter_mut().flat_map(|group| &mut group.fields);
        let is_at = |name: &str| {
            let rest = fault.field.strip_prefix(name);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let found = fields.into_iter().find(|field| is_at(field.name.trim_start_matches("in.")));
        let Some(field) = found else {
            self.general.push(format!("{fault}."));
            return;
        };
        let message = sentence(&fault.message);
        self.faults.push(FaultView {
            id: field.id.clone(),
            label: field.label.clone(),
            message: message.clone(),
        });
        field.error.get_or_insert(message);
    }
}

fn sentence(message: &str) -> String {
    let mut letters = message.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string());
    let text = first.unwrap_or_default() + letters.as_str();
    if text.ends_with(['.', '!', '?']) { text } else { text + "." }
}

fn entity(form: &Form<'_>, shown: &Shown<'_>) -> FieldView {
    let kind = form.blueprint.as_ref().map_or("entity", BlueprintId::as_str);
    FieldView {
        id: "field-entity".to_owned(),
        name: ENTITY.to_owned(),
        label: format!("Which {}", kind.replace(['_', '-'], " ")),
        is_required: true,
        control: "line",
        kind: "text",
        value: shown.typed.map_or(shown.identifier, |typed| typed.one(ENTITY)).to_owned(),
        options: known(form.blueprint.as_ref(), shown),
        ..FieldView::default()
    }
}

/// The entities of a blueprint; of no blueprint in particular, all.
fn known(blueprint: Option<&BlueprintId>, shown: &Shown<'_>) -> Vec<OptionView> {
    let fits = |known: &BlueprintId| blueprint.is_none_or(|wanted| wanted == known);
    let shelves = shown.catalog.iter().filter(|(known, _)| fits(known));
    let option = |record: &EntityRecord| OptionView {
        value: record.entity.entity.identifier.to_string(),
        label: record.entity.title.clone().unwrap_or_default(),
        is_chosen: false,
    };
    shelves.flat_map(|(_, records)| records).map(option).collect()
}

fn group(group: &Group<'_>, shown: &Shown<'_>) -> GroupView {
    let fields = group.questions.iter().map(|question| field(question, shown)).collect();
    GroupView {
        legend: group.of.map(|of| title(of.schema, of.name)),
        hint: group.of.and_then(|of| Some(of.schema["description"].as_str()?.to_owned())),
        fields,
    }
}

fn title(schema: &Value, name: &str) -> String {
    schema["title"].as_str().map_or_else(|| name.replace(['_', '-'], " "), str::to_owned)
}

fn field(question: &Question<'_>, shown: &Shown<'_>) -> FieldView {
    let schema = question.schema;
    let first = first(question, shown);
    let texts = match shown.typed {
        Some(typed) => typed.all(&question.input_name()).to_vec(),
        None => first.as_ref().map(|value| texts(&question.control, value)).unwrap_or_default(),
    };
    let number = |keyword: &str| schema[keyword].is_number().then(|| schema[keyword].to_string());
    let mut field = FieldView {
        id: format!("field-{}", question.path.join("-")),
        name: question.input_name(),
        label: title(schema, question.path.last().copied().unwrap_or_default()),
        hint: hint(question, first.is_some()),
        is_required: question.is_required,
        control: "line",
        kind: "text",
        value: texts.first().cloned().unwrap_or_default(),
        min_length: schema["minLength"].as_u64(),
        max_length: schema["maxLength"].as_u64(),
        ..FieldView::default()
    };
    let options = |values: &[Value]| values.iter().map(|value| option(value, &texts)).collect();
    match &question.control {
        Control::Line(kind) => field.kind = kind,
        Control::Moment => field.kind = "datetime-local",
        Control::Entity(blueprint) => field.options = known(blueprint.as_ref(), shown),
        Control::Number => {
            field.kind = "number";
            (field.min, field.max) = (number("minimum"), number("maximum"));
            field.step = number("multipleOf")
                .or_else(|| (kind(schema) != "integer").then(|| "any".to_owned()));
        }
        Control::Check => field.control = "check",
        Control::Choice(values) => (field.control, field.options) = ("choice", options(values)),
        Control::Choices(values) => (field.control, field.options) = ("choices", options(values)),
        Control::Text | Control::List(_) | Control::Pairs(_) | Control::Json => {
            field.control = "text";
        }
        Control::Secret => {
            (field.control, field.value) = ("secret", String::new());
            let sealed = shown.sealed.iter().find(|(name, _)| *name == question.field());
            field.sealed = sealed.map(|(_, sealed)| (question.sealed_name(), sealed.clone()));
        }
    }
    field
}

fn option(value: &Value, chosen: &[String]) -> OptionView {
    let text = written(value);
    let label = match value {
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        _ => text.clone(),
    };
    OptionView { is_chosen: chosen.contains(&text), value: text, label }
}

/// What stands in the field before anybody has typed.
fn first(question: &Question<'_>, shown: &Shown<'_>) -> Option<Value> {
    match question.first {
        First::Nothing => None,
        First::Default => question.schema.get("default").cloned(),
        First::Property(name) => {
            let mut value = shown.entity?.entity.properties.get(name)?;
            for member in &question.path[1..] {
                value = value.get(*member)?;
            }
            Some(value.clone())
        }
    }
}

/// A value as a control holds it.
fn texts(control: &Control, value: &Value) -> Vec<String> {
    let lines = |lines: Vec<String>| vec![lines.join("\n")];
    match (control, value) {
        (Control::Choices(_), Value::Array(values)) => values.iter().map(written).collect(),
        (Control::List(_), Value::Array(values)) => lines(values.iter().map(written).collect()),
        (Control::Pairs(_), Value::Object(members)) => lines(
            members.iter().map(|(name, value)| format!("{name}={}", written(value))).collect(),
        ),
        (Control::Moment, Value::String(text)) => vec![text.chars().take(16).collect()],
        (Control::Json, Value::Object(members)) if members.is_empty() => Vec::new(),
        (Control::Json, value) => vec![format!("{value:#}")],
        (_, value) => vec![written(value)],
    }
}

/// What helps to answer: the schema's own words, and what the control does not show.
fn hint(question: &Question<'_>, has_value: bool) -> Option<String> {
    let schema = question.schema;
    let own = schema["description"].as_str().map(str::to_owned);
    let how = match &question.control {
        Control::List(_) => Some("One on each line."),
        Control::Pairs(_) => Some("One name=value on each line."),
        Control::Json => Some("As JSON."),
        Control::Moment => Some("In UTC."),
        _ => None,
    };
    let limits = match &question.control {
        Control::Number => limits(schema),
        _ => None,
    };
    let keeps = *question.first != First::Default && !has_value && !question.is_required;
    let keeps = keeps.then_some("Left empty, it stays as it is.");
    let said: Vec<String> = [own, how.map(str::to_owned), limits, keeps.map(str::to_owned)]
        .into_iter()
        .flatten()
        .collect();
    (!said.is_empty()).then(|| said.join(" "))
}

fn limits(schema: &Value) -> Option<String> {
    match (&schema["minimum"], &schema["maximum"]) {
        (Value::Number(least), Value::Number(most)) => Some(format!("{least} to {most}.")),
        (Value::Number(least), _) => Some(format!("At least {least}.")),
        (_, Value::Number(most)) => Some(format!("At most {most}.")),
        _ => None,
    }
}
