//! A template folder as the program uses it: whole and valid.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value};

use super::engine::Compiled;
use crate::domain::deadline::Deadlines;
use crate::domain::observation::Conclusion;
use crate::domain::repository::Visibility;
use crate::domain::run::ApplySignal;
use crate::domain::{ActionId, BlueprintId, Operation, TargetName, TemplateName};

/// One kind of thing and its whole life.
#[derive(Clone)]
pub struct Template {
    /// The folder's name.
    pub name: TemplateName,
    /// What people read.
    pub title: String,
    /// What people read below it.
    pub description: Option<String>,
    /// The JSON Schema of its inputs, as it stands in `template.yml`.
    pub inputs: Value,
    /// What can be done with it.
    pub actions: Vec<ActionSpec>,
    /// Where its files go; none where no action writes any.
    pub targets: Vec<Target>,
    /// How long its runs may wait.
    pub deadlines: Deadlines,
    /// The catalog entity, with its expressions.
    pub entity: Option<Value>,
    /// `sha256:…` over everything that shapes what it writes.
    pub digest: String,
    pub(super) schema: Arc<jsonschema::Validator>,
}

impl Template {
    /// The names of the inputs that must never be seen.
    pub fn secret_inputs(&self) -> Vec<&str> {
        secret_inputs(&self.inputs)
    }

    /// The inputs without the secret ones: what `.towpath.yml` and a pull request may hold.
    pub fn visible_inputs(&self, inputs: &Map<String, Value>) -> Map<String, Value> {
        let secrets = self.secret_inputs();
        let visible = inputs.iter().filter(|(name, _)| !secrets.contains(&name.as_str()));
        visible.map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// Whether what it writes or names depends on the entity that its create ran on.
    pub fn uses_entity(&self) -> bool {
        let named = |compiled: &Compiled| compiled.names().any(|name| name.path[0] == "entity");
        let named_in = |text: &str| Compiled::new(text).is_ok_and(|compiled| named(&compiled));
        let texts = |it: &Target| {
            let title = it.pull_request.title.as_deref();
            [it.repository.as_str(), it.path.as_str()].into_iter().chain(title).any(named_in)
        };
        self.targets.iter().any(texts)
            || self.entity.as_ref().is_some_and(|entity| each_text(entity, &named_in))
            || self.files().any(|file| {
                let rendered = match &file.contents {
                    FileContents::Rendered(compiled) => named(compiled),
                    FileContents::Copied(_) => false,
                };
                rendered || named_in(&file.path)
            })
    }

    /// The targets that an action of this kind writes to. A repository that was made is not changed
    /// any more: beside it, the others are.
    pub fn targets_of(&self, operation: Operation) -> impl Iterator<Item = &Target> {
        self.targets.iter().filter(move |it| it.new.is_none() || operation == Operation::Create)
    }

    /// One of its targets; without a name, the only one.
    pub fn target(&self, name: Option<&TargetName>) -> Option<&Target> {
        self.targets.iter().find(|target| target.name.as_ref() == name)
    }

    fn files(&self) -> impl Iterator<Item = &TemplateFile> {
        self.targets.iter().flat_map(|target| target.files.iter())
    }

    /// The shared files that its own need, from the folder of all templates.
    pub fn shared_files(&self) -> BTreeSet<&str> {
        let rendered = self.files().filter_map(|file| match &file.contents {
            FileContents::Rendered(compiled) => Some(&compiled.needed),
            FileContents::Copied(_) => None,
        });
        rendered.flat_map(|needed| needed.iter()).map(|file| file.path.as_str()).collect()
    }

    /// One of its actions.
    pub fn action(&self, id: &ActionId) -> Option<&ActionSpec> {
        self.actions.iter().find(|action| action.id == *id)
    }
}

impl std::fmt::Debug for Template {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Template")
            .field("name", &self.name)
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

fn each_text(value: &Value, is: &impl Fn(&str) -> bool) -> bool {
    match value {
        Value::String(text) => is(text),
        Value::Array(items) => items.iter().any(|item| each_text(item, is)),
        Value::Object(entries) => entries.values().any(|inner| each_text(inner, is)),
        _ => false,
    }
}

/// The inputs of a schema that are marked `secret: true`.
pub(super) fn secret_inputs(schema: &Value) -> Vec<&str> {
    let properties = schema.get("properties").and_then(Value::as_object);
    let properties = properties.into_iter().flatten();
    let secret = properties.filter(|(_, schema)| schema.get("secret") == Some(&Value::Bool(true)));
    secret.map(|(name, _)| name.as_str()).collect()
}

/// A file of the folder.
#[derive(Clone)]
pub(super) struct TemplateFile {
    /// From the folder of all templates, for error messages.
    pub(super) source: String,
    /// Its name below the target, an expression, without `.tera`.
    pub(super) path: String,
    pub(super) contents: FileContents,
    pub(super) executable: bool,
}

/// What is done with a file.
#[derive(Clone)]
pub(super) enum FileContents {
    /// It is copied.
    Copied(Vec<u8>),
    /// It is rendered.
    Rendered(Compiled),
}

/// Where files go. Repository, base and path are expressions.
#[derive(Clone)]
pub struct Target {
    /// What it is called, where it is one of several.
    pub name: Option<TargetName>,
    /// `owner/name`.
    pub repository: String,
    /// The branch; the repository's default branch where there is none.
    pub base: Option<String>,
    /// The folder, from the repository's root; empty where a repository is made.
    pub path: String,
    /// How the repository is made, where it is.
    pub new: Option<NewRepository>,
    /// The pull request that brings the files.
    pub pull_request: PullRequestSpec,
    /// The workflow that shows the plan on the pull request.
    pub plan: Option<String>,
    /// What says that a merged change was applied.
    pub apply: ApplySignal,
    pub(super) files: Arc<Vec<TemplateFile>>,
}

impl Target {
    /// Whether a file of it goes below `.github/workflows`, which asks for a permission of its own.
    pub fn writes_workflows(&self) -> bool {
        let folder = &self.path;
        self.files
            .iter()
            .any(|file| format!("{folder}/{}", file.path).contains(".github/workflows"))
    }
}

/// How a repository is made. Description and origin are expressions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRepository {
    /// What it says of itself.
    pub description: Option<String>,
    /// Who may see it.
    pub visibility: Visibility,
    /// `owner/name` of the template repository that it is made from.
    pub from: Option<String>,
}

/// The pull request. Title and body are expressions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PullRequestSpec {
    /// Its title; `action: path` where there is none.
    pub title: Option<String>,
    /// What stands at the top of its body, Markdown.
    pub body: Option<String>,
    /// `octocat`, `@acme/devops`.
    pub reviewers: Vec<String>,
    /// Names of labels.
    pub labels: Vec<String>,
    /// Not yet for review.
    pub draft: bool,
}

/// Something that can be done with a template.
#[derive(Debug, Clone, PartialEq)]
pub struct ActionSpec {
    /// The portal's identifier.
    pub id: ActionId,
    /// What people read, where the template says it.
    pub title: Option<String>,
    /// What it does to the thing.
    pub operation: Operation,
    /// The blueprint whose entities it runs on in the portal, where that is not the one of the
    /// template's own `entity`.
    pub on: Option<BlueprintId>,
    /// The inputs that it takes; `None`: all of them.
    pub inputs: Option<Vec<String>>,
    /// Whether somebody must approve it in the portal before it starts.
    pub approval: Approval,
    /// How it is done.
    pub kind: ActionKind,
    /// Conclusions of a workflow that count as another than they are.
    pub conclusions: BTreeMap<String, Conclusion>,
}

/// Whether the portal asks for an approval before it starts an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Approval {
    /// Nobody has to approve.
    None,
    /// As the portal is set up.
    Needed,
    /// One approver is enough.
    Any,
    /// All approvers have to.
    All,
}

/// How an action is done.
#[derive(Debug, Clone, PartialEq)]
pub enum ActionKind {
    /// Files are written, changed or removed by a pull request.
    Files,
    /// A workflow is run. All texts are expressions.
    Workflow {
        /// `owner/name`.
        repository: String,
        /// The workflow's file name.
        file: String,
        /// Branch or tag; the default branch where there is none.
        reference: Option<String>,
        /// The workflow's inputs, by name.
        inputs: Value,
    },
    /// A secret is stored. All texts are expressions.
    Secret {
        /// `owner/name`.
        repository: String,
        /// An environment's secret, else the repository's.
        environment: Option<String>,
        /// The secret's name.
        name: String,
        /// What is stored: the one place where a secret input may be named.
        value: String,
    },
}

/// An action and the template that it belongs to.
#[derive(Debug, Clone)]
pub struct ActionOf {
    /// The template.
    pub template: Arc<Template>,
    /// The action.
    pub action: ActionSpec,
}
