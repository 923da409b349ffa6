//! `towpath new`: starts a template from one that is shipped, or from a Terraform file.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Args;

use super::folder;
use super::screen::{Screen, ScreenArguments};
use crate::domain::run::ApplySignal;
use crate::domain::{ActionId, TemplateName};
use crate::template::{SourceFile, Template, adopt, golden, updated};

/// What is started, and from what.
#[derive(Args)]
pub struct NewArguments {
    /// The new template's name: its folder.
    name: String,

    /// The shipped template to start from.
    #[arg(long, value_name = "TEMPLATE", default_value = "demo-database")]
    from: String,

    /// A Terraform file to start from: its variables become inputs.
    #[arg(long, value_name = "FILE.tf", conflicts_with = "from")]
    from_terraform: Option<PathBuf>,

    /// The folder with the templates.
    #[arg(long, env = "TOWPATH_TEMPLATES", default_value = "templates")]
    templates: PathBuf,

    #[command(flatten)]
    screen: ScreenArguments,
}

/// Makes the folder, once it is known to pass `towpath check` and `towpath test`.
pub fn run(arguments: &NewArguments) -> anyhow::Result<ExitCode> {
    let name = TemplateName::new(&arguments.name)?;
    let folder = arguments.templates.join(name.as_str());
    if folder.exists() {
        bail!("{} is there already", folder.display());
    }
    let shipped = folder::shipped();
    let (mut files, notes) = match &arguments.from_terraform {
        Some(path) => from_terraform(&name, path)?,
        None => (from_shipped(&name, &arguments.from, &shipped)?, Vec::new()),
    };
    let mut all =
        if arguments.templates.exists() { folder::read(&arguments.templates)? } else { Vec::new() };
    // What is shared and there already is theirs.
    files.retain(|file| !all.iter().any(|known| known.path == file.path));
    all.extend(files.iter().cloned());
    let templates = folder::load(&all)?;
    let template = templates.template(&name).context("the new template was loaded")?;
    files.extend(workflows(template, &shipped, &all));
    let has_test = files.iter().any(|file| file.path.contains("/tests/"));
    if !has_test && let Some(test) = adopt::first_test(template) {
        let path = format!("{name}/tests/create.yml");
        let parsed = golden::parse(&path, &test).map_err(|error| anyhow::anyhow!("{error}"))?;
        let text = updated(&test, &golden::outcome(&templates, &parsed));
        files.push(SourceFile { path, contents: text.into_bytes(), executable: false });
    }
    write(&arguments.templates, &files)?;
    let screen = Screen::new(&arguments.screen);
    for file in &files {
        screen.line(&format!("written {}", arguments.templates.join(&file.path).display()));
    }
    for note in &notes {
        screen.note(note);
    }
    screen.line(&format!(
        "Set `target.repository` and `entity` in {}, then run `towpath check` and `towpath test`.",
        folder.join("template.yml").display()
    ));
    Ok(ExitCode::SUCCESS)
}

/// The plan and apply workflows that it names and nobody has yet, as they are shipped for all.
fn workflows(template: &Template, shipped: &[SourceFile], all: &[SourceFile]) -> Vec<SourceFile> {
    let shared = |name: &str| format!("_shared/workflows/{name}");
    let named = template.targets.iter().flat_map(|target| {
        let apply = match &target.apply {
            ApplySignal::Workflow(name) => Some(name),
            _ => None,
        };
        target.plan.iter().chain(apply)
    });
    let missing = named.filter(|name| {
        let own = format!("{}/workflows/{name}", template.name);
        !all.iter().any(|file| file.path == own || file.path == shared(name))
    });
    let shipped = missing.filter_map(|name| shipped.iter().find(|it| it.path == shared(name)));
    shipped.cloned().collect()
}

fn from_terraform(
    name: &TemplateName,
    path: &Path,
) -> anyhow::Result<(Vec<SourceFile>, Vec<String>)> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let is_terraform = path.extension().is_some_and(|extension| extension == "tf");
    let file_name = path.file_name().and_then(|name| name.to_str()).filter(|_| is_terraform);
    let file_name = file_name.with_context(|| format!("{} is no .tf file", path.display()))?;
    let adopted = adopt::from_terraform(name, file_name, &text)
        .map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))?;
    Ok((adopted.files, adopted.notes))
}

/// The same files under the new name, with actions of their own: an action is in one template only.
fn from_shipped(
    name: &TemplateName,
    from: &str,
    shipped: &[SourceFile],
) -> anyhow::Result<Vec<SourceFile>> {
    let templates = folder::load(shipped)?;
    let example = templates.iter().find(|template| template.name.as_str() == from);
    let Some(example) = example else {
        let known: Vec<&str> = templates.iter().map(|template| template.name.as_str()).collect();
        bail!("there is no shipped template `{from}`; there are {}", known.join(", "));
    };
    let renamed = renamed_actions(example, name);
    let prefix = format!("{from}/");
    let files = shipped.iter().filter_map(|file| Some((file, file.path.strip_prefix(&prefix)?)));
    let files = files.map(|(file, path)| {
        let names_actions = path == "template.yml" || path.starts_with("tests/");
        let contents = match String::from_utf8(file.contents.clone()) {
            Ok(text) if names_actions => {
                let text = renamed.iter().fold(text, |text, (old, new)| text.replace(old, new));
                text.into_bytes()
            }
            _ => file.contents.clone(),
        };
        SourceFile { path: format!("{name}/{path}"), contents, executable: file.executable }
    });
    let needed = example.shared_files();
    let shared = shipped.iter().filter(|file| needed.contains(file.path.as_str())).cloned();
    Ok(files.chain(shared).collect())
}

/// `add_documentdb` becomes `add_<name>`; where two would be the same, the name is put behind.
fn renamed_actions(example: &Template, name: &TemplateName) -> Vec<(String, String)> {
    let name = name.as_str().replace('-', "_");
    let short = |id: &ActionId| {
        let verb = id.as_str().split('_').next().unwrap_or_default();
        format!("{verb}_{name}")
    };
    let ids: Vec<&ActionId> = example.actions.iter().map(|action| &action.id).collect();
    let new = |id: &ActionId| {
        let is_only = ids.iter().filter(|other| short(other) == short(id)).count() == 1;
        if is_only { short(id) } else { format!("{id}_{name}") }
    };
    ids.iter().map(|id| (id.to_string(), new(id))).collect()
}

fn write(templates: &Path, files: &[SourceFile]) -> anyhow::Result<()> {
    for file in files {
        let path = templates.join(&file.path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).with_context(|| format!("making {}", parent.display()))?;
        }
        fs::write(&path, &file.contents).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}
