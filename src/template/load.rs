//! Reads template folders, and finds every mistake in them in one pass.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::Value;

use super::diagnostic::{Diagnostic, Place, did_you_mean};
use super::keys;
use super::lint::Lint;
use super::located::{Content, Located};
use super::shared::{self, Shared};
use super::spec::{ActionKind, ActionOf, ActionSpec, Approval, Template};
use crate::domain::observation::Conclusion;
use crate::domain::{ActionId, BlueprintId, Operation, TemplateName};

/// A file of the folder of all templates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// From that folder, with `/` (`documentdb/template.yml`).
    pub path: String,
    /// All of it.
    pub contents: Vec<u8>,
    /// Whether it can be run.
    pub executable: bool,
}

/// All templates. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Templates(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    templates: Vec<Arc<Template>>,
    actions: HashMap<ActionId, ActionOf>,
}

impl Templates {
    /// Reads them. A folder is a template if it holds a `template.yml`.
    pub fn load(files: &[SourceFile]) -> Result<Self, Vec<Diagnostic>> {
        let mut inner = Inner::default();
        let mut found = Vec::new();
        let mut places: HashMap<ActionId, String> = HashMap::new();
        let (shared, wrong) = Shared::load(files);
        found.extend(wrong);
        for file in files {
            let Some(folder) = file.path.strip_suffix("/template.yml") else {
                continue;
            };
            if folder.contains('/') || folder == shared::FOLDER {
                continue;
            }
            let mut reader = Reader::new(folder, file, files, &shared);
            let template = reader.template();
            found.append(&mut reader.found);
            let Some(template) = template.map(Arc::new) else {
                continue;
            };
            for action in &template.actions {
                if let Some(other) = places.insert(action.id.clone(), folder.to_owned()) {
                    let message =
                        format!("the action `{}` is in the template `{other}` too", action.id);
                    found.push(reader.at_key(action.id.as_str(), message));
                }
                let of = ActionOf { template: Arc::clone(&template), action: action.clone() };
                inner.actions.insert(action.id.clone(), of);
            }
            inner.templates.push(template);
        }
        if found.is_empty() {
            return Ok(Self(Arc::new(inner)));
        }
        found.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
        found.dedup();
        Err(found)
    }

    /// Several sets as one, each called by its name. The error is a sentence that names what two of
    /// them have.
    pub fn joined<'a>(sets: impl IntoIterator<Item = (&'a str, Self)>) -> Result<Self, String> {
        let mut inner = Inner::default();
        let mut homes: HashMap<String, &str> = HashMap::new();
        for (home, set) in sets {
            for template in set.iter() {
                let own = [format!("The template `{}`", template.name)];
                let actions = template.actions.iter().map(|it| format!("The action `{}`", it.id));
                for thing in own.into_iter().chain(actions) {
                    if let Some(other) = homes.insert(thing.clone(), home) {
                        return Err(format!(
                            "{thing} is in {other} and in {home}: rename one of them."
                        ));
                    }
                }
            }
            inner.templates.extend(set.iter().cloned());
            inner.actions.extend(set.0.actions.iter().map(|(id, of)| (id.clone(), of.clone())));
        }
        Ok(Self(Arc::new(inner)))
    }

    /// An action, and the template that it belongs to.
    pub fn action(&self, id: &ActionId) -> Option<&ActionOf> {
        self.0.actions.get(id)
    }

    /// A template, by its folder's name.
    pub fn template(&self, name: &TemplateName) -> Option<&Arc<Template>> {
        self.iter().find(|template| template.name == *name)
    }

    /// All of them, in the order of their folders.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Template>> {
        self.0.templates.iter()
    }
}

/// Reads one folder.
pub(super) struct Reader<'a> {
    pub(super) folder: &'a str,
    file: &'a SourceFile,
    text: String,
    pub(super) all: &'a [SourceFile],
    pub(super) shared: &'a Shared,
    pub(super) found: Vec<Diagnostic>,
}

impl<'a> Reader<'a> {
    fn new(
        folder: &'a str,
        file: &'a SourceFile,
        all: &'a [SourceFile],
        shared: &'a Shared,
    ) -> Self {
        let text = String::from_utf8_lossy(&file.contents).into_owned();
        Self { folder, file, text, all, shared, found: Vec::new() }
    }

    pub(super) fn at(&self, place: Place, message: impl Into<String>) -> Diagnostic {
        Diagnostic::at(&self.file.path, &self.text, place, message)
    }

    /// At the first line that has this key.
    pub(super) fn at_key(&self, key: &str, message: String) -> Diagnostic {
        let at = self.text.find(&format!("{key}:")).unwrap_or(0);
        self.at(Place::of(&self.text, at), message)
    }

    pub(super) fn say(&mut self, place: Place, message: impl Into<String>) {
        self.found.push(self.at(place, message));
    }

    fn template(&mut self) -> Option<Template> {
        let root =
            Located::parse(&self.file.path, &self.text).map_err(|e| self.found.push(e)).ok()?;
        self.known_keys(&root, "template.yml", &keys::TEMPLATE);
        let name = TemplateName::new(self.folder);
        if let Err(error) = &name {
            self.say(Place::START, error.to_string());
        }
        let title = self.required_text(&root, "title", "template.yml");
        let inputs = root
            .get("inputs")
            .map_or_else(|| serde_json::json!({"type": "object"}), Located::to_json);
        let schema = self.schema(&inputs, root.get("inputs"));
        let actions = self.actions(&root, &inputs);
        let targets = self.targets(&root, &actions);
        let deadlines = root.get("deadlines").map(|it| self.deadlines(it)).unwrap_or_default();
        let entity = root.get("entity").map(|entity| self.entity(entity));
        Lint { file: &self.file.path, text: &self.text, schema: &inputs }
            .template(&root, &mut self.found);
        let digest = self.digest(targets.iter().flat_map(|target| target.files.iter()));
        Some(Template {
            name: name.ok()?,
            title: title?,
            description: self.text_at(&root, "description"),
            inputs,
            actions,
            targets,
            deadlines,
            entity,
            digest,
            schema: Arc::new(schema?),
        })
    }

    pub(super) fn known_keys(&mut self, map: &Located, what: &str, known: &[&str]) {
        if !matches!(map.content, Content::Map(_)) {
            self.say(map.place, format!("`{what}` must be a map of {}", known.join(", ")));
        }
        for (key, place, _) in map.entries() {
            if !known.contains(&key.as_str()) {
                let unknown = self.at(*place, format!("unknown key `{key}` in `{what}`"));
                self.found.push(unknown.maybe_help(did_you_mean(key, known.iter().copied())));
            }
        }
    }

    pub(super) fn text_at(&mut self, map: &Located, key: &str) -> Option<String> {
        let value = map.get(key)?;
        if let Content::Scalar(Value::String(text)) = &value.content {
            return Some(text.clone());
        }
        self.say(value.place, format!("`{key}` must be a text"));
        None
    }

    pub(super) fn required_text(&mut self, map: &Located, key: &str, what: &str) -> Option<String> {
        if map.get(key).is_none() {
            self.say(map.place, format!("`{what}` needs `{key}`"));
        }
        self.text_at(map, key)
    }

    pub(super) fn texts_at(&mut self, map: &Located, key: &str) -> Vec<String> {
        let Some(value) = map.get(key) else {
            return Vec::new();
        };
        let Content::List(items) = &value.content else {
            self.say(value.place, format!("`{key}` must be a list of texts"));
            return Vec::new();
        };
        let mut texts = Vec::new();
        for item in items {
            match &item.content {
                Content::Scalar(Value::String(text)) => texts.push(text.clone()),
                _ => self.say(item.place, format!("`{key}` must be a list of texts")),
            }
        }
        texts
    }

    fn actions(&mut self, root: &Located, schema: &Value) -> Vec<ActionSpec> {
        let Some(actions) = root.get("actions") else {
            self.say(root.place, "`template.yml` needs `actions`");
            return Vec::new();
        };
        let actions: Vec<_> = actions.entries().to_vec();
        if actions.is_empty() {
            self.say(root.place, "`actions` needs at least one action");
        }
        actions
            .iter()
            .filter_map(|(id, place, spec)| self.action(id, *place, spec, schema))
            .collect()
    }

    fn action(
        &mut self,
        id: &str,
        place: Place,
        spec: &Located,
        schema: &Value,
    ) -> Option<ActionSpec> {
        self.known_keys(spec, id, &keys::ACTION);
        let checked = ActionId::new(id);
        if let Err(error) = &checked {
            self.say(place, error.to_string());
        }
        let operation = self.required_text(spec, "operation", id);
        let operation = operation.and_then(|operation| match operation.as_str() {
            "create" => Some(Operation::Create),
            "day-2" => Some(Operation::Day2),
            "delete" => Some(Operation::Delete),
            other => {
                let place = spec.get("operation").map_or(place, |at| at.place);
                let wrong = self.at(place, format!("unknown operation `{other}`"));
                self.found.push(wrong.maybe_help(did_you_mean(other, keys::OPERATIONS)));
                None
            }
        });
        let inputs = spec.get("inputs").map(|listed| {
            let names = self.texts_at(spec, "inputs");
            for name in &names {
                let known = schema.get("properties").and_then(Value::as_object);
                if !known.is_some_and(|known| known.contains_key(name)) {
                    let unknown = self.at(listed.place, format!("there is no input `{name}`"));
                    let known = known.into_iter().flatten().map(|(name, _)| name.as_str());
                    self.found.push(unknown.maybe_help(did_you_mean(name, known)));
                }
            }
            names
        });
        let kind = match (spec.get("workflow"), spec.get("secret")) {
            (None, None) => ActionKind::Files,
            (Some(workflow), None) => self.workflow(workflow)?,
            (None, Some(secret)) => self.secret(secret)?,
            (Some(_), Some(at)) => {
                self.say(at.place, "an action has either a `workflow` or a `secret`");
                return None;
            }
        };
        let conclusions = self.conclusions(spec);
        let (on, approval) = (self.runs_on(spec), self.approval(spec));
        Some(ActionSpec {
            id: checked.ok()?,
            title: self.text_at(spec, "title"),
            operation: operation?,
            on,
            inputs,
            approval,
            kind,
            conclusions,
        })
    }

    fn runs_on(&mut self, spec: &Located) -> Option<BlueprintId> {
        let blueprint = BlueprintId::new(self.text_at(spec, "on")?);
        let place = spec.get("on").map_or(spec.place, |at| at.place);
        blueprint.map_err(|error| self.say(place, error.to_string())).ok()
    }

    fn approval(&mut self, spec: &Located) -> Approval {
        let Some(located) = spec.get("approval") else { return Approval::None };
        match located.to_json() {
            Value::Bool(false) => Approval::None,
            Value::Bool(true) => Approval::Needed,
            Value::String(text) if text == "any" => Approval::Any,
            Value::String(text) if text == "all" => Approval::All,
            _ => {
                self.say(located.place, "`approval` must be true, false, any or all");
                Approval::None
            }
        }
    }

    fn workflow(&mut self, spec: &Located) -> Option<ActionKind> {
        self.known_keys(spec, "workflow", &keys::WORKFLOW);
        let repository = self.required_text(spec, "repository", "workflow");
        let file = self.required_text(spec, "file", "workflow");
        Some(ActionKind::Workflow {
            repository: repository?,
            file: file?,
            reference: self.text_at(spec, "ref"),
            inputs: spec.get("inputs").map_or_else(|| serde_json::json!({}), Located::to_json),
        })
    }

    fn secret(&mut self, spec: &Located) -> Option<ActionKind> {
        self.known_keys(spec, "secret", &keys::SECRET);
        let repository = self.required_text(spec, "repository", "secret");
        let name = self.required_text(spec, "name", "secret");
        let value = self.required_text(spec, "value", "secret");
        let environment = self.text_at(spec, "environment");
        Some(ActionKind::Secret {
            repository: repository?,
            environment,
            name: name?,
            value: value?,
        })
    }

    fn conclusions(&mut self, spec: &Located) -> BTreeMap<String, Conclusion> {
        let known = &keys::CONCLUSIONS;
        let mut conclusions = BTreeMap::new();
        for (from, place, to) in spec.get("conclusions").map_or(&[][..], Located::entries) {
            let to = to.to_json();
            match to.as_str().filter(|to| known.contains(to) && known.contains(&from.as_str())) {
                Some(to) => {
                    conclusions.insert(from.clone(), Conclusion::parse(to));
                }
                None => self.say(
                    *place,
                    format!("`conclusions` maps these to each other: {}", known.join(", ")),
                ),
            }
        }
        conclusions
    }

    fn entity(&mut self, spec: &Located) -> Value {
        self.known_keys(spec, "entity", &keys::ENTITY);
        self.required_text(spec, "blueprint", "entity");
        self.required_text(spec, "identifier", "entity");
        spec.to_json()
    }
}
