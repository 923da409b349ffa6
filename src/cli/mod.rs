//! One file a command. All wiring lives here: no other room builds a client or opens a store.

pub mod folder;
#[cfg(feature = "kafka")]
mod kafka;
pub mod polling;
pub mod serve;
pub mod service;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::RawSettings;
use crate::sandbox::actions::terraform_main;

/// Turns a button press in a developer portal into a reviewed change or a workflow run on GitHub,
/// and tells the portal what became of it.
#[derive(Parser)]
#[command(name = "towpath", version, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    settings: RawSettings,
}

#[derive(Subcommand)]
enum Command {
    /// The service: receives, runs, follows, reports. The default.
    Serve(Box<RawSettings>),
    /// What the sandbox's workflows call where Terraform is not installed.
    #[command(hide = true)]
    SandboxTerraform {
        /// As Terraform takes them.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

/// Runs the command of the command line. What it cannot do is said in one line, with exit code 1.
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.command {
        None => serve::run(arguments.settings),
        Some(Command::Serve(settings)) => serve::run(*settings),
        Some(Command::SandboxTerraform { arguments }) => return terraform_main(&arguments),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stderr, reason = "the last word of a command goes to the terminal")]
fn complain(error: &anyhow::Error) {
    eprintln!("towpath: {error:#}");
}
