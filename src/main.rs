//! The entry.

use std::process::ExitCode;

fn main() -> ExitCode {
    towpath::cli::run()
}
