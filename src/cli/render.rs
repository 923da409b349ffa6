//! `towpath render`: what an action would propose, decided by the same code that decides in the
//! service, against a checkout or a repository, and without touching anything.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use serde_json::{Map, Value, json};

use super::checkout::Checkout;
use super::places;
use super::remote::Remote;
use super::screen::{Screen, ScreenArguments};
use crate::clock::Clock;
use crate::domain::action_run::RunKind;
use crate::domain::run::WorkflowWork;
use crate::domain::standing::{Proposal, Standing};
use crate::domain::{ActionId, ActionRun, Invocation, Run, TargetName, TemplateName, User};
use crate::plan::step::StoreSecret;
use crate::plan::{self, Asked, Beside, Foreseen, Ground, PartPreview, Patch, Preview, Proposing};
use crate::template::{ActionOf, Templates};

/// What is rendered.
#[derive(Args)]
pub struct RenderArguments {
    /// The template's folder.
    template: String,

    /// The action's identifier.
    action: String,

    /// An input. It becomes a number, a list or a map where the template wants one.
    #[arg(long = "input", value_name = "NAME=VALUE")]
    inputs: Vec<String>,

    /// A file with inputs, YAML or JSON. Those of `--input` come over them.
    #[arg(long = "inputs", value_name = "FILE")]
    inputs_file: Option<PathBuf>,

    /// What the action runs on: an identifier, or the portal's entity as JSON.
    #[arg(long, value_name = "ID|JSON")]
    entity: Option<String>,

    /// Who presses the button.
    #[arg(long, value_name = "EMAIL")]
    user: Option<String>,

    /// A checkout of the target repository. Without one, the repository is taken to be empty. Of a
    /// template with several targets, once for each: TARGET=DIR.
    #[arg(long = "checkout", value_name = "[TARGET=]DIR")]
    checkouts: Vec<String>,

    /// The repository to look at on GitHub instead, as the App that the service's environment
    /// variables name. Of a template with several targets, once for each.
    #[arg(long = "repository", value_name = "OWNER/NAME[@BRANCH]", conflicts_with = "checkouts")]
    repositories: Vec<String>,

    /// Where the templates are: a folder, or github:owner/repo[/path][@ref], which is read as the App.
    /// Several with commas between them.
    #[arg(long, env = "TOWPATH_TEMPLATES", value_name = "PLACES", default_value = "templates")]
    templates: String,

    /// End with 2 where there is a change: 0 nothing, 1 refused, 2 a change.
    #[arg(long)]
    exit_code: bool,

    #[command(flatten)]
    screen: ScreenArguments,
}

/// Where the target stands.
enum Place {
    Checkout(Checkout),
    Remote(Box<Remote>),
}

impl Place {
    /// The one that is named for the target of a run.
    fn of(arguments: &RenderArguments, asked: &Asked) -> anyhow::Result<Self> {
        let Some(target) = &asked.part else {
            ensure!(
                arguments.checkouts.len() <= 1 && arguments.repositories.len() <= 1,
                "this template has one target: name one --checkout or --repository"
            );
            let checkout = arguments.checkouts.first().map(PathBuf::from);
            return Self::at(arguments.repositories.first(), checkout);
        };
        let is_asked = |named: &&String| {
            let name = named.split('@').next().unwrap_or_default();
            name.eq_ignore_ascii_case(&asked.repository.to_string())
        };
        let checkout = arguments.checkouts.iter().find_map(|given| {
            let (name, folder) = given.split_once('=')?;
            (name == target.as_str()).then(|| PathBuf::from(folder))
        });
        Self::at(arguments.repositories.iter().find(is_asked), checkout)
    }

    fn at(repository: Option<&String>, checkout: Option<PathBuf>) -> anyhow::Result<Self> {
        match repository {
            Some(named) => Ok(Self::Remote(Box::new(Remote::new(named)?))),
            None => Ok(Self::Checkout(Checkout(checkout))),
        }
    }

    fn find(&self, asked: &Asked, action: &ActionOf) -> anyhow::Result<Option<(String, Standing)>> {
        match self {
            Self::Checkout(checkout) => checkout.find(asked, action),
            Self::Remote(remote) => remote.find(asked, action),
        }
    }

    fn texts(&self, blobs: &[String]) -> anyhow::Result<HashMap<String, String>> {
        match self {
            Self::Checkout(checkout) => Ok(checkout.texts(blobs)),
            Self::Remote(remote) => remote.texts(blobs),
        }
    }
}

/// Where people would see the run.
const PAGE: &str = "https://portal.example/runs/r_preview";

/// Renders and shows it.
pub fn run(arguments: &RenderArguments) -> anyhow::Result<ExitCode> {
    let templates = places::load(&arguments.templates)?;
    let action = action(arguments, &templates)?;
    let request = request(arguments, action)?;
    check_targets(arguments, action)?;
    let screen = Screen::new(&arguments.screen);
    let preview = decide(request, &templates, action, arguments)?;
    let shown = show(screen, &preview);
    Ok(match shown {
        Shown::Refused => ExitCode::FAILURE,
        Shown::Change if arguments.exit_code => ExitCode::from(2),
        Shown::Change | Shown::Nothing => ExitCode::SUCCESS,
    })
}

/// What was shown. The worse comes later.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Shown {
    Nothing,
    Change,
    Refused,
}

fn show(screen: Screen, preview: &Preview) -> Shown {
    match preview {
        Preview::Refused(refusal) => {
            screen.bad("Refused");
            refusal.0.iter().for_each(|reason| screen.line(&format!("  {reason}")));
            return Shown::Refused;
        }
        Preview::Nothing { path } => {
            let line = format!("`{path}` stands already as it was asked for: no pull request.");
            screen.line(&line);
            return Shown::Nothing;
        }
        Preview::Secret(secret) => screen.line(&stored(secret)),
        Preview::Workflow(work) => screen.line(&workflow(work)),
        Preview::Change { proposal, patches, .. } => show_change(screen, proposal, patches),
        Preview::Parts(parts) => {
            let mut all = Shown::Nothing;
            for (place, part) in parts.iter().enumerate() {
                if place > 0 {
                    screen.line("");
                }
                screen.heading(&format!("{} of {}: {}", place + 1, parts.len(), part.repository));
                all = all.max(show(screen, &part.preview));
            }
            return all;
        }
    }
    Shown::Change
}

/// A checkout is named for a target that is there.
fn check_targets(arguments: &RenderArguments, action: &ActionOf) -> anyhow::Result<()> {
    let mut names = action.template.targets.iter().filter_map(|target| target.name.as_ref());
    if names.clone().next().is_none() {
        return Ok(());
    }
    for given in &arguments.checkouts {
        let name = given.split_once('=').map(|(name, _)| name);
        let is_known = name.is_some_and(|name| names.clone().any(|known| known.as_str() == name));
        if !is_known {
            let known: Vec<&str> = names.by_ref().map(TargetName::as_str).collect();
            bail!(
                "--checkout {given}: write it as TARGET=DIR; the targets are {}",
                known.join(", ")
            );
        }
    }
    Ok(())
}

fn action<'a>(
    arguments: &RenderArguments,
    templates: &'a Templates,
) -> anyhow::Result<&'a ActionOf> {
    let name = TemplateName::new(&arguments.template)?;
    let Some(template) = templates.template(&name) else {
        let known: Vec<&str> = templates.iter().map(|template| template.name.as_str()).collect();
        bail!("there is no template `{name}`; there are {}", known.join(", "));
    };
    let id = ActionId::new(&arguments.action)?;
    let action = templates.action(&id).filter(|action| action.template.name == name);
    let known = || template.actions.iter().map(|it| it.id.as_str()).collect::<Vec<_>>().join(", ");
    action.with_context(|| format!("`{name}` has no action `{id}`; it has {}", known()))
}

fn request(arguments: &RenderArguments, action: &ActionOf) -> anyhow::Result<ActionRun> {
    let mut inputs: Map<String, Value> = match &arguments.inputs_file {
        None => Map::new(),
        Some(path) => {
            let text = fs::read_to_string(path);
            let text = text.with_context(|| format!("reading {}", path.display()))?;
            serde_saphyr::from_str(&text)
                .with_context(|| format!("{} is no map of inputs", path.display()))?
        }
    };
    for given in &arguments.inputs {
        let Some((name, text)) = given.split_once('=') else {
            bail!("--input {given}: write it as NAME=VALUE");
        };
        let schema = &action.template.inputs["properties"][name];
        inputs.insert(name.to_owned(), typed(schema, text));
    }
    let entity = arguments.entity.as_deref().map(|text| {
        let json = serde_json::from_str(text).ok().filter(Value::is_object);
        json.unwrap_or_else(|| json!({ "identifier": text }))
    });
    Ok(ActionRun {
        id: plan::preview_id(),
        kind: RunKind::Action,
        action: action.action.id.clone(),
        action_title: None,
        operation: None,
        inputs,
        entity,
        user: User { email: arguments.user.clone(), ..User::default() },
        organization: None,
        encrypted: Vec::new(),
        invocation: Invocation::Template,
    })
}

/// A text of the command line as the schema wants it: what is no text there is read as YAML.
fn typed(schema: &Value, text: &str) -> Value {
    let as_text = Value::String(text.to_owned());
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind.as_str()],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let is_listed = schema["enum"].as_array().is_some_and(|all| all.contains(&as_text));
    if kinds == ["string"] || is_listed {
        return as_text;
    }
    let Ok(read) = serde_saphyr::from_str::<Value>(text) else { return as_text };
    let kind = match &read {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let fits =
        kinds.is_empty() || kinds.contains(&kind) || kind == "integer" && kinds.contains(&"number");
    // What does not fit at all is left to the guardrails, which name it; a text may always be one.
    if fits || !kinds.contains(&"string") { read } else { as_text }
}

fn decide(
    request: ActionRun,
    templates: &Templates,
    action: &ActionOf,
    arguments: &RenderArguments,
) -> anyhow::Result<Preview> {
    let now = Clock::system().now();
    let parts = match plan::foresee(request, templates, PAGE, now) {
        Foreseen::Refused(refusal) => return Ok(Preview::Refused(refusal)),
        Foreseen::Workflow(work) => return Ok(Preview::Workflow(work)),
        Foreseen::Secret(secret) => return Ok(Preview::Secret(secret)),
        Foreseen::Change(run) => return decide_change(&run, action, arguments, &[]),
        Foreseen::Parts(parts) => parts,
    };
    let mut previews = Vec::with_capacity(parts.len());
    for part in &parts {
        let Some(repository) = part.repository().cloned() else { continue };
        let is_made = plan::new_repository(part).is_some();
        let beside = plan::beside(part, &parts);
        let preview = decide_change(part, action, arguments, &beside)?;
        previews.push(PartPreview { repository, is_made, preview });
    }
    Ok(Preview::Parts(previews))
}

fn decide_change(
    run: &Run,
    action: &ActionOf,
    arguments: &RenderArguments,
    beside: &[Beside],
) -> anyhow::Result<Preview> {
    let asked = match plan::ask(run, action) {
        Ok(asked) => asked,
        Err(refusal) => return Ok(Preview::Refused(refusal)),
    };
    let place = Place::of(arguments, &asked)?;
    let Some((path, standing)) = place.find(&asked, action)? else {
        return Ok(plan::foresee_nowhere(run, &asked));
    };
    let ground = Ground { standing: &standing, path: &path, texts: None, run_page: PAGE, beside };
    let proposing = match plan::propose(run, action, ground) {
        Ok(Proposing::Texts(blobs)) => {
            let texts = place.texts(&blobs)?;
            plan::propose(run, action, Ground { texts: Some(&texts), ..ground })
        }
        decided => decided,
    };
    Ok(match proposing {
        Ok(Proposing::Ready(ready)) => {
            let text = |path: &str| standing.files.iter().find(|it| it.path == path)?.text.clone();
            let patches = plan::patches(&ready.proposal.changes, text);
            let notes = ready.notes;
            Preview::Change { proposal: Box::new(ready.proposal), patches, notes }
        }
        Ok(Proposing::Nothing | Proposing::Texts(_)) => Preview::Nothing { path },
        Err(refusal) => Preview::Refused(refusal),
    })
}

fn stored(secret: &StoreSecret) -> String {
    let of = secret.environment.as_deref().map(|name| format!(" for {name}")).unwrap_or_default();
    format!("Stores the secret {} in {}{of}.", secret.name, secret.repository)
}

fn workflow(work: &WorkflowWork) -> String {
    let reference = work.reference.as_deref().unwrap_or("the default branch");
    let mut text = format!("Runs {} in {} at {reference}", work.workflow, work.repository);
    for (name, value) in &work.inputs {
        text.push_str(&format!("\n  {name}: {}", value.as_str().unwrap_or_default()));
    }
    text
}

fn show_change(screen: Screen, proposal: &Proposal, patches: &[Patch]) {
    screen
        .heading(&format!("{} into {} of {}", proposal.branch, proposal.base, proposal.repository));
    screen.line("");
    for patch in patches {
        screen.diff(&patch.text);
    }
    screen.line("");
    screen.heading(&proposal.title);
    screen.line("");
    screen.line(proposal.body.trim_end());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_becomes_what_the_schema_wants() {
        for (schema, text, expected) in [
            (json!({"type": "integer"}), "3", json!(3)),
            (json!({"type": "number"}), "3", json!(3)),
            (json!({"type": "string"}), "3", json!("3")),
            (json!({"type": "boolean"}), "true", json!(true)),
            (json!({"type": "array"}), "[a, 1]", json!(["a", 1])),
            (json!({"type": ["integer", "string"]}), "x", json!("x")),
            (json!({"type": "integer"}), "many", json!("many")),
            (json!({"enum": ["1", 2]}), "1", json!("1")),
            (json!({"enum": ["1", 2]}), "2", json!(2)),
            (json!(null), "a: b", json!({"a": "b"})),
        ] {
            assert_eq!(typed(&schema, text), expected, "{schema} {text}");
        }
    }
}
