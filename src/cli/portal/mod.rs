//! `towpath portal export` and `sync`: the portal's side of the templates.

pub(crate) mod define;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::places;
use super::screen::{Screen, ScreenArguments, count};
use crate::clock::Clock;
use crate::portal::Port;
use crate::portal::definition::{Definition, merged};
use define::{Defined, define};

/// What is done with them.
#[derive(Subcommand)]
pub enum PortalCommand {
    /// Prints blueprints and actions as JSON, or writes a file for each.
    Export(ExportArguments),
    /// Writes blueprints and actions through Port's API.
    ///
    /// What is not there is made. What stands there otherwise is shown as a diff, and written only
    /// with `--yes`. Properties, relations and settings that people added are kept.
    #[command(after_help = "Ends with 1 if something was shown and not written.")]
    Sync(SyncArguments),
}

/// From which templates, and for which service.
#[derive(Args)]
pub struct From {
    /// Where the templates are: a folder, or github:owner/repo[/path][@ref], which is read as the App.
    /// Several with commas between them.
    #[arg(long, env = "TOWPATH_TEMPLATES", value_name = "PLACES", default_value = "templates")]
    templates: String,

    /// The service's address for the portal's messages: `https://HOST/hooks/port`.
    #[arg(long)]
    url: String,

    #[command(flatten)]
    screen: ScreenArguments,
}

/// What is exported.
#[derive(Args)]
pub struct ExportArguments {
    #[command(flatten)]
    from: From,

    /// Write `blueprints/ID.json` and `actions/ID.json` below this folder.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// What is written to Port.
#[derive(Args)]
pub struct SyncArguments {
    #[command(flatten)]
    from: From,

    /// Write over what stands in Port otherwise.
    #[arg(long)]
    yes: bool,

    /// Port's API, without `/v1`.
    #[arg(long, env = "PORT_API_URL", default_value = "https://api.port.io")]
    port_api_url: String,

    /// Port's client id.
    #[arg(long, env = "PORT_CLIENT_ID")]
    port_client_id: String,

    /// Port's client secret.
    #[arg(long, env = "PORT_CLIENT_SECRET", hide_env_values = true, allow_hyphen_values = true)]
    port_client_secret: SecretString,
}

/// Does it.
pub fn run(command: &PortalCommand) -> anyhow::Result<ExitCode> {
    match command {
        PortalCommand::Export(arguments) => export(arguments),
        PortalCommand::Sync(arguments) => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.context("starting the runtime")?.block_on(sync(arguments))
        }
    }
}

fn defined(from: &From) -> anyhow::Result<Vec<Defined>> {
    define(&places::load(&from.templates)?, &from.url)
}

fn export(arguments: &ExportArguments) -> anyhow::Result<ExitCode> {
    let screen = Screen::new(&arguments.from.screen);
    let all = defined(&arguments.from)?;
    let Some(out) = &arguments.out else {
        let of = |what: Definition| -> Value {
            all.iter().filter(|it| it.what == what).map(|it| it.body.clone()).collect()
        };
        let both =
            json!({"blueprints": of(Definition::Blueprint), "actions": of(Definition::Action)});
        screen.line(&format!("{both:#}"));
        return Ok(ExitCode::SUCCESS);
    };
    for definition in &all {
        let folder = out.join(format!("{}s", definition.what.singular()));
        // An identifier may hold `/` and `\`.
        let name = definition.id.replace(['/', '\\'], "_");
        let path = folder.join(format!("{name}.json"));
        write(&path, &format!("{:#}\n", definition.body))?;
        screen.line(&format!("written {}", path.display()));
    }
    Ok(ExitCode::SUCCESS)
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    }
    fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}

async fn sync(arguments: &SyncArguments) -> anyhow::Result<ExitCode> {
    let screen = Screen::new(&arguments.from.screen);
    let secret = arguments.port_client_secret.clone();
    let url = &arguments.port_api_url;
    let port = Port::new(url, &arguments.port_client_id, secret, Clock::system())?;
    let (mut written, mut unchanged, mut shown) = (0, 0, 0);
    for definition in &defined(&arguments.from)? {
        let Defined { what, id, body } = definition;
        let name = format!("{} {id}", what.singular());
        let found = port.definition(*what, id).await.with_context(|| name.clone())?;
        let Some(standing) = found else {
            port.create_definition(*what, body.clone()).await.with_context(|| name.clone())?;
            screen.good(&format!("made      {name}"));
            written += 1;
            continue;
        };
        let wanted = merged(*what, &standing, body);
        if wanted == standing {
            screen.line(&format!("unchanged {name}"));
            unchanged += 1;
            continue;
        }
        if arguments.yes {
            let replaced = port.replace_definition(*what, id, wanted.clone()).await;
            replaced.with_context(|| name.clone())?;
            written += 1;
            screen.note(&format!("changed   {name}"));
        } else {
            shown += 1;
            screen.note(&format!("differs   {name}"));
        }
        screen.diff(&difference(&name, &standing, &wanted));
    }
    screen.heading(&format!(
        "{} written, {unchanged} unchanged, {shown} not written",
        count(written, "definition")
    ));
    if shown == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    screen.note("Run it again with --yes to write over what stands in Port.");
    Ok(ExitCode::FAILURE)
}

fn difference(name: &str, standing: &Value, wanted: &Value) -> String {
    let text = |value: &Value| {
        let mut value = value.clone();
        value.sort_all_objects();
        format!("{value:#}\n")
    };
    let mut options = diffy::DiffOptions::new();
    options.set_original_filename(format!("{name} in Port"));
    options.set_modified_filename(format!("{name} of the templates"));
    options.create_patch(&text(standing), &text(wanted)).to_string()
}
