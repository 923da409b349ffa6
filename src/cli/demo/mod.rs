//! `towpath demo`: the whole job in one process, told as it happens.

mod chapters;
mod told;

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;

use crate::cli::folder;
use crate::cli::playground::{Playground, PlaygroundArguments};
use crate::config::LogFormat;
use crate::lifecycle::Lifecycle;
use crate::telemetry;
use told::Teller;

/// Plays the whole job on a sandbox GitHub and portal, and leaves the dashboard open.
///
/// A create, a day-2 change, a delete and a workflow, with what may go wrong and a change of mind
/// among them. Terraform is real where it is installed. It listens on this machine alone, unless
/// `--listen` says otherwise, and calls nothing outside.
#[derive(Args, Clone)]
#[command(after_help = "With --exit it ends with 0 if every run ended as it should, else with 1.")]
pub struct DemoArguments {
    /// End when everything was played.
    #[arg(long)]
    exit: bool,

    #[command(flatten)]
    playground: PlaygroundArguments,
}

/// Plays the demo.
pub fn run(arguments: &DemoArguments) -> anyhow::Result<ExitCode> {
    let _sends_none = telemetry::start_log(&arguments.playground.log, LogFormat::Text, None)?;
    let runtime = tokio::runtime::Runtime::new().context("starting the runtime")?;
    runtime.block_on(play(arguments))
}

async fn play(arguments: &DemoArguments) -> anyhow::Result<ExitCode> {
    let templates = folder::load(&folder::playable())?;
    let lifecycle = Lifecycle::new();
    lifecycle.listen_for_signals().context("listening for signals")?;
    let playground = Playground::start(&arguments.playground, templates, lifecycle.clone()).await?;
    let mut teller = Teller::new();
    teller.scene(&playground);
    let played = tokio::select! {
        played = chapters::play(&playground, &mut teller) => played,
        () = lifecycle.stopping() => {
            playground.stop().await;
            return Ok(ExitCode::FAILURE);
        }
    };
    teller.end(&playground, &played);
    let good = played.iter().all(|chapter| chapter.as_expected);
    if !arguments.exit {
        teller.stays_open(&playground);
        lifecycle.stopping().await;
    }
    playground.stop().await;
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
