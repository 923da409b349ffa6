//! Forms made from the JSON Schema of an action's inputs: which control each question gets, what was
//! typed into it as JSON, and what is shown again. Pure.

mod control;
mod read;
mod show;

use serde_json::Value;

use self::control::Control;
use crate::template::form::{Field, First, Form};

pub(super) use read::{Filled, Typed};
pub(super) use show::{FormView, Shown};

/// The field that tells what the action runs on.
pub(super) const ENTITY: &str = "entity";

/// One question of a form.
#[derive(Debug)]
struct Question<'a> {
    /// Names from the input down to the value: one, or two within a group.
    path: Vec<&'a str>,
    schema: &'a Value,
    first: &'a First,
    is_required: bool,
    control: Control,
}

/// Questions that belong together: the members of a map, or a single one.
struct Group<'a> {
    /// The map that they are members of.
    of: Option<&'a Field<'a>>,
    questions: Vec<Question<'a>>,
}

impl Question<'_> {
    /// As a fault names it: `tags.owner`.
    fn field(&self) -> String {
        self.path.join(".")
    }

    /// What its control is called in the browser.
    fn input_name(&self) -> String {
        format!("in.{}", self.field())
    }

    /// The same for a secret that was typed before.
    fn sealed_name(&self) -> String {
        format!("sealed.{}", self.field())
    }
}

/// The questions in the order of the form.
fn groups<'a>(form: &'a Form<'a>) -> Vec<Group<'a>> {
    form.fields.iter().map(group).collect()
}

fn group<'a>(field: &'a Field<'a>) -> Group<'a> {
    let members = field.schema.get("properties").and_then(Value::as_object);
    let Some(members) = members.filter(|members| !members.is_empty()) else {
        let question = Question {
            path: vec![field.name],
            schema: field.schema,
            first: &field.first,
            is_required: field.is_required,
            control: Control::of(field.schema, &field.first, field.is_required),
        };
        return Group { of: None, questions: vec![question] };
    };
    let required = field.schema["required"].as_array().map_or(&[][..], Vec::as_slice);
    let question = |(name, schema): (&'a String, &'a Value)| {
        let is_required = field.is_required && required.iter().any(|it| it == name.as_str());
        Question {
            path: vec![field.name, name],
            schema,
            first: &field.first,
            is_required,
            control: Control::of(schema, &field.first, is_required),
        }
    };
    Group { of: Some(field), questions: members.iter().map(question).collect() }
}

#[cfg(test)]
mod tests;
