//! `towpath schema`: the JSON Schema of `template.yml`, for editors.

use std::process::ExitCode;

/// The schema. A test holds it to the keys that the loader knows.
pub const TEXT: &str = include_str!("template.schema.json");

/// Prints it.
#[expect(clippy::print_stdout, reason = "this is what the command was asked for")]
pub fn run() -> ExitCode {
    print!("{TEXT}");
    ExitCode::SUCCESS
}
