//! `towpath backup`: a copy of the embedded database while the service runs.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;

use crate::cli::screen::{Screen, ScreenArguments};
use crate::config::DatabaseSetting;
use crate::store::back_up;

/// Copies the embedded database into a new file while the service runs.
///
/// The copy is the database as it stood at one moment, and appears when it is complete.
#[derive(Args, Clone)]
pub struct BackupArguments {
    /// The copy: a file that is not there yet.
    #[arg(value_name = "FILE")]
    copy: PathBuf,

    #[command(flatten)]
    database: DatabaseSetting,

    #[command(flatten)]
    screen: ScreenArguments,
}

/// Runs the command.
pub fn run(arguments: &BackupArguments) -> anyhow::Result<ExitCode> {
    let url = arguments.database.clone().check()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("starting the runtime")?;
    let size = runtime.block_on(back_up(&url, &arguments.copy)).context("the backup")?;
    let copy = arguments.copy.display();
    Screen::new(&arguments.screen).good(&format!("Wrote {copy}, {} kB.", size.div_ceil(1000)));
    Ok(ExitCode::SUCCESS)
}
