//! Blueprints and actions out of templates.

use std::collections::BTreeMap;

use anyhow::bail;
use serde_json::{Map, Value, json};

use crate::domain::{BlueprintId, Operation};
use crate::portal::definition::{self, ActionDefinition, Definition, First};
use crate::template::form::{self, blueprint_of, whole_input};
use crate::template::{ActionSpec, Approval, Template, Templates};

/// A definition in Port's form.
pub(crate) struct Defined {
    pub(crate) what: Definition,
    pub(crate) id: String,
    pub(crate) body: Value,
}

/// Everything that the templates define: blueprints first, because actions name them, and those
/// that others relate to before the others.
pub(crate) fn define(templates: &Templates, url: &str) -> anyhow::Result<Vec<Defined>> {
    let mut blueprints: BTreeMap<String, Value> = BTreeMap::new();
    for template in templates.iter() {
        let Some((id, body)) = blueprint(template) else { continue };
        // Two templates may make things of one kind: it has the properties of both.
        match blueprints.get_mut(id.as_str()) {
            Some(known) => {
                agree(&id, known, &body)?;
                *known = definition::merged(Definition::Blueprint, &body, known);
            }
            None => drop(blueprints.insert(id.to_string(), body)),
        }
    }
    let mut defined: Vec<Defined> = Vec::new();
    while let Some(id) = next(&blueprints) {
        if let Some(body) = blueprints.remove(&id) {
            defined.push(Defined { what: Definition::Blueprint, id, body });
        }
    }
    for template in templates.iter() {
        for action in &template.actions {
            let body = self::action(templates, template, action, url);
            defined.push(Defined { what: Definition::Action, id: action.id.to_string(), body });
        }
    }
    Ok(defined)
}

/// A property has one type, which Port never changes again.
fn agree(id: &BlueprintId, one: &Value, other: &Value) -> anyhow::Result<()> {
    let known = &one["schema"]["properties"];
    for (name, property) in other["schema"]["properties"].as_object().into_iter().flatten() {
        let (a, b) = (&known[name]["type"], &property["type"]);
        if a != b && !a.is_null() {
            bail!(
                "the blueprint {id} has the property `{name}` as {a} in one template and as {b} in \
                 another; rename one of them"
            );
        }
    }
    Ok(())
}

/// One that relates to none of the others, or the first where they go round in a circle.
fn next(waiting: &BTreeMap<String, Value>) -> Option<String> {
    let relates = |body: &Value, own: &String| {
        let relations = body["relations"].as_object().into_iter().flatten();
        let mut targets = relations.filter_map(|(_, relation)| relation["target"].as_str());
        targets.any(|target| target != own && waiting.contains_key(target))
    };
    let free = waiting.iter().find(|(id, body)| !relates(body, id));
    free.or_else(|| waiting.iter().next()).map(|(id, _)| id.clone())
}

fn blueprint(template: &Template) -> Option<(BlueprintId, Value)> {
    let entity = template.entity.as_ref()?;
    let id = blueprint_of(template)?;
    let mut properties = Map::new();
    for (name, value) in entity["properties"].as_object().into_iter().flatten() {
        let schema = whole_input(value).map(|input| &template.inputs["properties"][input]);
        let kind = schema.map_or_else(|| definition::kind_of(value), definition::kind);
        let title = schema.and_then(|schema| schema["title"].as_str()).map(str::to_owned);
        let title = title.unwrap_or_else(|| title_of(name));
        let mut property = json!({"type": kind, "title": title});
        let format = match value.as_str() {
            Some(text) if text.starts_with("https://") => Some("url"),
            _ => schema.and_then(definition::format),
        };
        if let Some(format) = format.filter(|it| definition::OF_PROPERTIES.contains(it)) {
            property["format"] = format.into();
        }
        properties.insert(name.clone(), property);
    }
    let mut relations = Map::new();
    for (name, value) in entity["relations"].as_object().into_iter().flatten() {
        // The target is the blueprint of the relation's own name: the template has no other word.
        let relation = json!({"title": title_of(name), "target": name, "required": false, "many": value.is_array()});
        relations.insert(name.clone(), relation);
    }
    // A template is for one way to make a thing; the blueprint is called after the thing.
    let title = title_of(id.as_str());
    let body = definition::blueprint(&id, &title, None, &properties, &relations);
    Some((id, body))
}

/// `bucket_arn` becomes `Bucket ARN`.
fn title_of(name: &str) -> String {
    const ABBREVIATIONS: [&str; 6] = ["arn", "cpu", "dns", "id", "ip", "url"];
    let words = name.split(['_', '-']).map(|word| match word {
        word if ABBREVIATIONS.contains(&word) => word.to_uppercase(),
        word => word.to_owned(),
    });
    let words = words.collect::<Vec<_>>().join(" ");
    let mut letters = words.chars();
    let first = letters.next().map(|c| c.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}

/// What tells a template's things from those of others that have the same blueprint: the
/// properties that are the same for all of them. A cluster is not resized as a bucket is.
fn told_apart<'a>(
    templates: &Templates,
    template: &'a Template,
    action: &ActionSpec,
) -> Vec<(&'a str, &'a Value)> {
    let blueprint = blueprint_of(template);
    let mut others = templates.iter().filter(|other| other.name != template.name);
    let is_shared = others.any(|other| blueprint_of(other) == blueprint);
    let is_of_its_own = action.operation != Operation::Create && action.on.is_none();
    if !is_shared || !is_of_its_own {
        return Vec::new();
    }
    let properties = template.entity.as_ref().and_then(|entity| entity["properties"].as_object());
    let is_fixed = |value: &Value| value.as_str().is_some_and(|text| !text.contains('{'));
    let fixed = properties.into_iter().flatten().filter(|(_, value)| is_fixed(value));
    fixed.map(|(name, value)| (name.as_str(), value)).collect()
}

fn action(templates: &Templates, template: &Template, action: &ActionSpec, url: &str) -> Value {
    let form = form::form(template, action);
    let required = form.fields.iter().filter(|field| field.is_required);
    definition::action(&ActionDefinition {
        id: &action.id,
        title: action.title.clone().unwrap_or_else(|| title_of(action.id.as_str())),
        description: template.description.as_deref(),
        // What runs on something is in Port a change of that.
        operation: match action.operation {
            Operation::Create if form.runs_on_entity => Operation::Day2,
            other => other,
        },
        required: required.map(|field| field.name).collect(),
        inputs: form.fields.iter().map(|it| (it.name, it.schema, first(&it.first))).collect(),
        blueprint: form.blueprint,
        only_where: told_apart(templates, template, action),
        approval: match action.approval {
            Approval::None => json!(false),
            Approval::Needed => json!(true),
            Approval::Any => json!({"type": "ANY"}),
            Approval::All => json!({"type": "ALL"}),
        },
        url,
    })
}

fn first(first: &form::First) -> First {
    match first {
        form::First::Default => First::Default,
        form::First::Property(name) => First::Property(name.clone()),
        form::First::Nothing => First::Nothing,
    }
}
