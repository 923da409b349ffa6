//! Golden tests: what an author expects of a template, written beside it in `tests/*.yml`.
//!
//! ```yaml
//! action: resize_documentdb
//! inputs: {instances: 3}
//! entity: {identifier: orders-db}
//! before: {inputs: {name: orders}}  # what it was made from, for a day-2 action
//! files:                          # all files as they shall be; or `refused: "…"`; or `workflow: {…}`
//!   services/orders/main.tf: |
//!     …
//! ```

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::context::context;
use super::diagnostic::{Diagnostic, did_you_mean};
use super::inputs;
use super::load::Templates;
use super::located::Located;
use super::render::{self, RenderedFile};
use super::spec::{ActionKind, ActionSpec, Target, Template};
use crate::domain::action_run::RunKind;
use crate::domain::{ActionId, ActionRun, Invocation, Operation, RunId, User};

/// One golden test.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoldenTest {
    /// Which action is run.
    pub action: ActionId,
    /// What the person fills in.
    #[serde(default)]
    pub inputs: Map<String, Value>,
    /// What the action runs on.
    #[serde(default)]
    pub entity: Option<Value>,
    /// Who presses the button.
    #[serde(default)]
    pub user: User,
    /// What the thing was made from, for a day-2 action.
    #[serde(default)]
    pub before: Option<Before>,
    /// The files that are expected, all of them, by path from the repository's root; where the
    /// template has several targets, by `owner/name/path`.
    #[serde(default)]
    pub files: Option<BTreeMap<String, String>>,
    /// The workflow that is expected: `repository`, `file`, `ref`, `inputs`.
    #[serde(default)]
    pub workflow: Option<Value>,
    /// A part of the sentence with which the run is expected to be refused.
    #[serde(default)]
    pub refused: Option<String>,
}

/// What a thing was made from.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Before {
    /// Its inputs.
    #[serde(default)]
    pub inputs: Map<String, Value>,
    /// What the create ran on.
    #[serde(default)]
    pub entity: Option<Value>,
}

/// What came of an action.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Files, by path.
    Files(BTreeMap<String, String>),
    /// A workflow run.
    Workflow(Value),
    /// A secret is stored; what of it may be seen.
    Secret(Value),
    /// The run was refused, with these words.
    Refused(String),
}

/// What a golden test may have.
const KEYS: [&str; 8] =
    ["action", "inputs", "entity", "user", "before", "files", "workflow", "refused"];

/// Reads a golden test.
pub fn parse(path: &str, text: &str) -> Result<GoldenTest, Diagnostic> {
    let located = Located::parse(path, text)?;
    let unknown = located.entries().iter().find(|(key, ..)| !KEYS.contains(&key.as_str()));
    if let Some((key, place, _)) = unknown {
        let found = Diagnostic::at(path, text, *place, format!("unknown key `{key}` in a test"));
        return Err(found.maybe_help(did_you_mean(key, KEYS)));
    }
    serde_json::from_value(located.to_json())
        .map_err(|error| Diagnostic::at(path, text, located.place, error.to_string()))
}

/// Runs a golden test. `Err` is what differs, as a diff from what was expected to what came.
pub fn run(templates: &Templates, test: &GoldenTest) -> Result<(), String> {
    let outcome = outcome(templates, test);
    let (expected, actual) = match (&outcome, &test.files, &test.workflow, &test.refused) {
        (Outcome::Refused(words), _, _, Some(part)) if words.contains(part) => return Ok(()),
        (Outcome::Files(actual), Some(expected), _, _) => (joined(expected), joined(actual)),
        (Outcome::Workflow(actual), _, Some(expected), _) => (pretty(expected), pretty(actual)),
        (_, files, workflow, refused) => {
            let expected = match (files, workflow, refused) {
                (_, _, Some(part)) => format!("refused: {part}\n"),
                (Some(files), ..) => joined(files),
                (_, Some(workflow), _) => pretty(workflow),
                _ => "a test expects `files`, `workflow` or `refused`\n".to_owned(),
            };
            (expected, shown(&outcome))
        }
    };
    if expected == actual {
        return Ok(());
    }
    Err(diffy::create_patch(&expected, &actual).to_string())
}

/// What the action of a golden test comes to.
pub fn outcome(templates: &Templates, test: &GoldenTest) -> Outcome {
    let Some(of) = templates.action(&test.action) else {
        return Outcome::Refused(format!("there is no action `{}`", test.action));
    };
    acted(&of.template, &of.action, test).unwrap_or_else(Outcome::Refused)
}

fn acted(template: &Template, action: &ActionSpec, test: &GoldenTest) -> Result<Outcome, String> {
    let before = test.before.as_ref();
    let checked =
        inputs::check(template, action, &test.inputs, before.map(|before| &before.inputs))
            .map_err(|faults| {
                faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
            })?;
    let request = request(test)?;
    let title = action.title.clone().unwrap_or_else(|| request.title());
    let entity = before.and_then(|before| before.entity.as_ref());
    let secrets = template.secret_inputs();
    let url = Some("https://portal.example/runs/r_golden");
    let context = context(&request, action.operation, &title, &checked, &secrets, entity, url);
    match &action.kind {
        ActionKind::Files if action.operation == Operation::Delete => {
            Ok(Outcome::Files(BTreeMap::new()))
        }
        ActionKind::Files => {
            let mut all = BTreeMap::new();
            for target in template.targets_of(action.operation) {
                all.extend(files_of(target, &context).map_err(|error| error.to_string())?);
            }
            Ok(Outcome::Files(all))
        }
        ActionKind::Workflow { repository, file, reference, inputs } => {
            let workflow = serde_json::json!({"repository": repository, "file": file, "ref": reference, "inputs": inputs});
            let mut context = context;
            for name in secrets.iter().filter(|name| checked.contains_key(**name)) {
                context["inputs"][*name] = "(secret)".into();
            }
            render::value(&workflow, &context).map(Outcome::Workflow).map_err(|e| e.to_string())
        }
        ActionKind::Secret { repository, environment, name, .. } => {
            let secret = serde_json::json!({"repository": repository, "environment": environment, "name": name});
            render::value(&secret, &context).map(Outcome::Secret).map_err(|e| e.to_string())
        }
    }
}

/// By path from the repository's root; of several targets, from the repository.
fn files_of(
    target: &Target,
    context: &Value,
) -> Result<impl Iterator<Item = (String, String)>, render::RenderError> {
    let path = match target.new {
        Some(_) => String::new(),
        None => render::path(&target.path, context)?,
    };
    let repository = target.name.as_ref().map(|_| render::text(&target.repository, context));
    let above = repository.transpose()?.unwrap_or_default();
    let files = render::files(target, context, &path)?;
    Ok(files.into_iter().map(move |file| {
        let (path, text) = as_text(file);
        (render::below(&above, &path), text)
    }))
}

fn request(test: &GoldenTest) -> Result<ActionRun, String> {
    Ok(ActionRun {
        id: RunId::new("r_golden").map_err(|error| error.to_string())?,
        kind: RunKind::Action,
        action: test.action.clone(),
        action_title: None,
        operation: None,
        inputs: test.inputs.clone(),
        entity: test.entity.clone(),
        user: test.user.clone(),
        organization: None,
        encrypted: Vec::new(),
        invocation: Invocation::Template,
    })
}

fn as_text(file: RenderedFile) -> (String, String) {
    (file.path, String::from_utf8_lossy(&file.contents).into_owned())
}

fn joined(files: &BTreeMap<String, String>) -> String {
    let files = files.iter().map(|(path, text)| ["=== ", path, "\n", text, "\n"].concat());
    files.collect()
}

fn pretty(value: &Value) -> String {
    // An absent key and an empty one say the same.
    let mut value = value.clone();
    if let Some(map) = value.as_object_mut() {
        map.retain(|_, value| !value.is_null());
        map.sort_keys();
    }
    serde_json::to_string_pretty(&value).unwrap_or_default() + "\n"
}

fn shown(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Files(files) => joined(files),
        Outcome::Workflow(value) | Outcome::Secret(value) => pretty(value),
        Outcome::Refused(words) => format!("refused: {words}\n"),
    }
}
