//! `towpath sandbox`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;

use crate::cli::folder;
use crate::cli::playground::{Playground, PlaygroundArguments};
use crate::config::LogFormat;
use crate::lifecycle::Lifecycle;
use crate::telemetry;

/// A sandbox GitHub and portal with the service between them, to try your own templates by hand.
#[derive(Args, Clone)]
pub struct SandboxArguments {
    /// The folder with the templates; without one, those that the demo plays.
    #[arg(long, env = "TOWPATH_TEMPLATES")]
    templates: Option<PathBuf>,

    #[command(flatten)]
    playground: PlaygroundArguments,
}

/// Serves until it is told to stop.
pub fn run(arguments: &SandboxArguments) -> anyhow::Result<ExitCode> {
    let _sends_none = telemetry::start_log(&arguments.playground.log, LogFormat::Text, None)?;
    let runtime = tokio::runtime::Runtime::new().context("starting the runtime")?;
    runtime.block_on(serve(arguments))
}

async fn serve(arguments: &SandboxArguments) -> anyhow::Result<ExitCode> {
    let files = match &arguments.templates {
        Some(path) => folder::read(path).context("TOWPATH_TEMPLATES")?,
        None => folder::playable(),
    };
    let lifecycle = Lifecycle::new();
    lifecycle.listen_for_signals().context("listening for signals")?;
    let templates = folder::load(&files)?;
    let playground = Playground::start(&arguments.playground, templates, lifecycle.clone()).await?;
    tell(&playground, arguments.templates.as_deref());
    lifecycle.stopping().await;
    playground.stop().await;
    Ok(ExitCode::SUCCESS)
}

#[expect(clippy::print_stdout, reason = "where everything is, for the person at the terminal")]
fn tell(playground: &Playground, templates: Option<&Path>) {
    let service = playground.service.address;
    let templates = templates.map_or("those of the demo".into(), Path::to_string_lossy);
    println!("Dashboard   http://{service}/");
    println!("GitHub API  {}", playground.github.url());
    println!("Portal API  {}/v1", playground.portal.url());
    println!(
        "            client id {}, secret {}",
        playground.portal.client_id(),
        playground.portal.client_secret()
    );
    println!("Templates   {templates}");
    println!("Git         {}", playground.folder().join("github").display());
    println!();
    println!("Start an action, as a portal would:");
    println!("  curl -X POST http://{service}/api/v1/actions/ACTION/runs \\");
    println!(
        "    -H 'content-type: application/json' -d '{{\"inputs\": {{}}, \"entity\": \"shop\"}}'"
    );
    println!("Ctrl-C ends everything and removes it.");
}
