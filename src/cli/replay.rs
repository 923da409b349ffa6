//! `towpath replay`: has steps that were put aside done once more.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;

use crate::cli::screen::{Screen, ScreenArguments, count};
use crate::clock::Clock;
use crate::config::DatabaseSetting;
use crate::store::{ParkedStep, StepId, Store};

/// How many parked steps are read at once.
const PAGE: u32 = 200;

/// Has steps that were put aside done once more; without a number, shows them.
///
/// A step is put aside when it cannot be done at all; those behind it go on. Mend what its reason
/// names first. The service takes it up while it runs, behind what the run has still to do.
#[derive(Args, Clone)]
pub struct ReplayArguments {
    /// The numbers of the steps.
    #[arg(value_name = "STEP")]
    steps: Vec<StepId>,

    /// Every step that was put aside.
    #[arg(long, conflicts_with = "steps")]
    all: bool,

    #[command(flatten)]
    database: DatabaseSetting,

    #[command(flatten)]
    screen: ScreenArguments,
}

/// Runs the command. 1 where one of the steps is not parked.
pub fn run(arguments: &ReplayArguments) -> anyhow::Result<ExitCode> {
    let url = arguments.database.clone().check()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("starting the runtime")?;
    runtime.block_on(async {
        let store = Store::open_existing(&url, Clock::system()).await;
        let store = store.context("opening the database")?;
        let done = replay(&store, arguments).await.context("using the database");
        store.close().await;
        done
    })
}

async fn replay(store: &Store, arguments: &ReplayArguments) -> anyhow::Result<ExitCode> {
    let screen = Screen::new(&arguments.screen);
    if arguments.steps.is_empty() {
        let parked = all_parked(store).await?;
        if arguments.all {
            let ids: Vec<StepId> = parked.iter().rev().map(|step| step.id).collect();
            return replay_each(store, &ids, screen).await;
        }
        show(&parked, screen);
        return Ok(ExitCode::SUCCESS);
    }
    replay_each(store, &arguments.steps, screen).await
}

/// The newest first.
async fn all_parked(store: &Store) -> anyhow::Result<Vec<ParkedStep>> {
    let mut all: Vec<ParkedStep> = Vec::new();
    loop {
        let page = store.parked_steps(all.last().map(|step| step.id), PAGE).await?;
        let is_last = page.len() < PAGE as usize;
        all.extend(page);
        if is_last {
            return Ok(all);
        }
    }
}

async fn replay_each(store: &Store, ids: &[StepId], screen: Screen) -> anyhow::Result<ExitCode> {
    let mut code = ExitCode::SUCCESS;
    for id in ids {
        let Some(run) = store.replay(*id).await? else {
            screen.bad(&format!("There is no parked step {id}; it may have been replayed."));
            code = ExitCode::FAILURE;
            continue;
        };
        screen.good(&format!("Step {id} of the run {run} is done once more."));
    }
    Ok(code)
}

fn show(parked: &[ParkedStep], screen: Screen) {
    if parked.is_empty() {
        screen.line("No step is parked.");
        return;
    }
    for step in parked {
        let at = step.parked_at.format("%Y-%m-%d %H:%M UTC");
        screen.heading(&format!("{}  {} of the run {}, {at}", step.id, step.kind, step.run));
        screen.line(&format!("    {}", step.reason));
    }
    screen.line(&format!(
        "{} parked. `towpath replay STEP …` does them once more, `--all` all of them.",
        count(parked.len(), "step")
    ));
}
