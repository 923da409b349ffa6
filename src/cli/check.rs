//! `towpath check`: every mistake of the templates in one pass.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::folder;
use super::screen::{Screen, ScreenArguments, count};
use crate::template::check::{Checked, check, is_golden_test};
use crate::template::{Diagnostic, SourceFile};

/// What is checked, and how it is told.
#[derive(Args)]
pub struct CheckArguments {
    /// The folder with the templates.
    #[arg(env = "TOWPATH_TEMPLATES", default_value = "templates")]
    folder: PathBuf,

    /// `github` writes workflow commands, which GitHub shows at the lines of a pull request.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,

    #[command(flatten)]
    screen: ScreenArguments,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Format {
    Text,
    Json,
    Github,
}

/// Checks, tells, and ends with 1 if there is a mistake.
pub fn run(arguments: &CheckArguments) -> anyhow::Result<ExitCode> {
    let files = folder::read(&arguments.folder)?;
    let mut found = check(&files);
    let prefix = arguments.folder.display().to_string();
    let prefix = prefix.trim_end_matches('/');
    for diagnostic in found.errors.iter_mut().chain(&mut found.hints) {
        diagnostic.file = format!("{prefix}/{}", diagnostic.file);
    }
    let screen = Screen::new(&arguments.screen);
    match arguments.format {
        Format::Text => as_text(screen, &found, &files),
        Format::Json => screen.line(&as_json(&found)),
        Format::Github => {
            for (severity, diagnostic) in all(&found) {
                screen.line(&as_github(severity, diagnostic));
            }
        }
    }
    Ok(if found.errors.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn all(checked: &Checked) -> impl Iterator<Item = (&'static str, &Diagnostic)> {
    let errors = checked.errors.iter().map(|error| ("error", error));
    errors.chain(checked.hints.iter().map(|hint| ("hint", hint)))
}

fn as_text(screen: Screen, found: &Checked, files: &[SourceFile]) {
    for (severity, diagnostic) in all(found) {
        screen.diagnostic(diagnostic, severity);
        screen.line("");
    }
    let ends_with = |ending: &str| files.iter().filter(|file| file.path.ends_with(ending)).count();
    let templates = count(ends_with("/template.yml"), "template");
    let tests = files.iter().filter(|file| is_golden_test(&file.path)).count();
    let hints = count(found.hints.len(), "hint");
    let end = format!(
        "{templates}, {}: {}, {hints}",
        count(tests, "golden test"),
        count(found.errors.len(), "error")
    );
    if found.errors.is_empty() { screen.good(&end) } else { screen.bad(&end) }
}

fn as_json(found: &Checked) -> String {
    let found = all(found).map(|(severity, diagnostic)| {
        json!({
            "file": diagnostic.file,
            "line": diagnostic.line,
            "column": diagnostic.column,
            "severity": severity,
            "message": diagnostic.message,
            "help": diagnostic.help,
        })
    });
    format!("{:#}", found.collect::<serde_json::Value>())
}

/// A workflow command (GitHub's documentation of them; `%`, line breaks, and in properties `:` and
/// `,` are escaped).
fn as_github(severity: &str, found: &Diagnostic) -> String {
    let data = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |text: &str| data(text).replace(':', "%3A").replace(',', "%2C");
    let command = if severity == "error" { "error" } else { "notice" };
    let help = found.help.as_ref().map(|help| format!("\n{help}")).unwrap_or_default();
    format!(
        "::{command} file={},line={},col={}::{}",
        property(&found.file),
        found.line,
        found.column,
        data(&format!("{}{help}", found.message))
    )
}
