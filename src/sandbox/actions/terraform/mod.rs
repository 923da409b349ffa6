//! Terraform for the sandbox's workflows: the machine's own, with its state kept between runs, or
//! a stand-in where none is installed.
//!
//! Either way scripts call a wrapper that is first on their `PATH`. It finds out which folder of
//! the repository is meant, and calls the real program with a local backend, or this program with
//! `sandbox-terraform` as its first argument, which ends in [`terraform_main`].

mod configuration;
mod evaluate;
mod plan;
mod stand_in;
mod state;

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};

use super::{Request, script};

/// Files that appear in a checkout without being anybody's change, as git's ignore patterns.
pub(super) const WRITTEN_FILES: &str = "towpath_sandbox_override.tf\n.terraform/\n";

const WRAPPER: &str = include_str!("terraform.sh");
/// The folder of a job in which the wrapper, its settings and an empty configuration lie.
const FOLDER: &str = "bin";
const EMPTY_CONFIGURATION: &str = "terraform.rc";

/// Terraform, ready for a job.
pub(super) struct Installed {
    /// The folder to put on the `PATH`.
    pub(super) folder: PathBuf,
    /// A line for the log: which Terraform it is.
    pub(super) notice: String,
}

/// Puts Terraform into a job's own folder.
pub(super) fn install(own: &Path, request: &Request) -> Result<Installed> {
    let folder = own.join(FOLDER);
    fs::create_dir_all(&folder).context("making the folder for programs")?;
    fs::create_dir_all(&request.state_dir).context("making the folder for Terraform's state")?;
    let wrapper = folder.join("terraform");
    fs::write(&wrapper, WRAPPER)?;
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755))?;
    fs::write(own.join(EMPTY_CONFIGURATION), "")?;
    let real = match &request.stand_in {
        Some(_) => None,
        None => script::find("terraform"),
    };
    let program = match &request.stand_in {
        Some(program) => program.clone(),
        None => std::env::current_exe().context("finding this program")?,
    };
    let state = fs::canonicalize(&request.state_dir)?;
    let notice = match &real {
        Some(real) => format!("Terraform: {}, its state is kept in {}", real.display(), state.display()),
        None => "terraform is not installed: the sandbox's own evaluator of terraform_data plays plan and apply".to_owned(),
    };
    for (name, value) in
        [("terraform", real.unwrap_or_default()), ("program", program), ("state", state)]
    {
        fs::write(own.join(name), value.to_string_lossy().as_bytes())?;
    }
    Ok(Installed { folder, notice })
}

/// The variables that the wrapper and Terraform itself need.
pub(super) fn variables(own: &Path) -> Vec<(String, String)> {
    let noted = |name: &str| fs::read_to_string(own.join(name)).unwrap_or_default();
    let empty = own.join(EMPTY_CONFIGURATION).to_string_lossy().into_owned();
    let variables = [
        ("TOWPATH_SANDBOX_TERRAFORM", noted("terraform")),
        ("TOWPATH_SANDBOX_PROGRAM", noted("program")),
        ("TOWPATH_SANDBOX_STATE", noted("state")),
        // Neither the person's own settings nor HashiCorp's version check.
        ("TF_CLI_CONFIG_FILE", empty),
        ("CHECKPOINT_DISABLE", "1".to_owned()),
        ("TF_IN_AUTOMATION", "1".to_owned()),
        ("TF_INPUT", "0".to_owned()),
    ];
    variables.map(|(name, value)| (name.to_owned(), value)).to_vec()
}

/// Plays Terraform. `main` calls it when the program's first argument is `sandbox-terraform`,
/// with the arguments after that: the folder of the state, then Terraform's own arguments.
pub fn terraform_main(args: &[String]) -> ExitCode {
    let Some((state, args)) = args.split_first() else {
        let _ = writeln!(io::stderr(), "sandbox-terraform: the folder of the state is missing");
        return ExitCode::FAILURE;
    };
    let variables = std::env::vars()
        .filter_map(|(name, value)| Some((name.strip_prefix("TF_VAR_")?.to_owned(), value)));
    let call = stand_in::Call {
        folder: Path::new("."),
        state: Path::new(state),
        variables: variables.collect(),
    };
    match call.execute(args, &mut io::stdout()) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            let _ = writeln!(io::stderr(), "\nError: {error:#}\n");
            ExitCode::FAILURE
        }
    }
}
