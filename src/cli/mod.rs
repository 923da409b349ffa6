//! One file a command. All wiring lives here: no other room builds a client or opens a store.

mod backstage;
pub mod backup;
pub mod check;
mod checkout;
mod delivery_log;
pub mod demo;
pub mod doctor;
mod first_start;
pub mod folder;
#[cfg(feature = "kafka")]
mod kafka;
pub mod new;
mod places;
pub mod playground;
pub mod polling;
pub mod portal;
mod remote;
pub mod render;
pub mod replay;
pub mod sandbox;
pub mod schema;
pub mod screen;
pub mod serve;
pub mod service;
pub mod setup;
mod terraform;
pub mod test;

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
    Setup(setup::SetupArguments),
    Doctor(Box<doctor::DoctorArguments>),
    Demo(Box<demo::DemoArguments>),
    Sandbox(Box<sandbox::SandboxArguments>),
    /// Finds every mistake in the templates: file, line, column, what is wrong, the way out.
    #[command(after_help = "Ends with 1 if there is an error. Hints do not count.")]
    Check(check::CheckArguments),
    /// Shows what an action would propose, without touching anything.
    ///
    /// Decided by the code that decides in the service: the files as a diff against a checkout, the
    /// pull request's title and body, or why it would be refused.
    #[command(
        after_help = "Ends with 0 for a change or for nothing to change, with 1 if it is refused."
    )]
    Render(render::RenderArguments),
    /// Runs the golden tests beside the templates.
    ///
    /// Where `terraform` is on the PATH, what is rendered must also be formatted, and valid where
    /// no provider is needed.
    Test(test::TestArguments),
    /// Prints the JSON Schema of `template.yml`, for editors.
    #[command(
        after_help = "For the YAML language server, at the top of a template.yml:\n  # yaml-language-server: $schema=../template.schema.json"
    )]
    Schema,
    /// Starts a template from one that is shipped, or from a Terraform file.
    New(new::NewArguments),
    #[command(
        after_help = "Ends with 1 if one of the steps is not parked; what was parked is done all the same."
    )]
    Replay(replay::ReplayArguments),
    #[command(after_help = "PostgreSQL has `pg_dump` for that.")]
    Backup(backup::BackupArguments),
    /// Writes the blueprints and actions that the templates define, for Port.
    #[command(subcommand)]
    Portal(portal::PortalCommand),
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
        Some(Command::Setup(arguments)) => setup::run(&arguments),
        Some(Command::Doctor(arguments)) => doctor::run(&arguments),
        Some(Command::Demo(arguments)) => demo::run(&arguments),
        Some(Command::Sandbox(arguments)) => sandbox::run(&arguments),
        Some(Command::Check(arguments)) => check::run(&arguments),
        Some(Command::Render(arguments)) => render::run(&arguments),
        Some(Command::Test(arguments)) => test::run(&arguments),
        Some(Command::Schema) => Ok(schema::run()),
        Some(Command::New(arguments)) => new::run(&arguments),
        Some(Command::Backup(arguments)) => backup::run(&arguments),
        Some(Command::Replay(arguments)) => replay::run(&arguments),
        Some(Command::Portal(command)) => portal::run(&command),
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
