//! `towpath check`: every mistake of the templates in one pass.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::places::{self, Place};
use super::screen::{Screen, ScreenArguments, count};
use crate::template::check::{Checked, check, is_golden_test};
use crate::template::{self, Diagnostic};

/// What is checked, and how it is told.
#[derive(Args)]
pub struct CheckArguments {
    /// Where the templates are: a folder, or github:owner/repo[/path][@ref], which is read as the App.
    /// Several with commas between them.
    #[arg(env = "TOWPATH_TEMPLATES", value_name = "PLACES", default_value = "templates")]
    templates: String,

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
    let places = places::read(&arguments.templates)?;
    let found = all_of(&places);
    let screen = Screen::new(&arguments.screen);
    match arguments.format {
        Format::Text => as_text(screen, &found, &places),
        Format::Json => screen.line(&as_json(&found)),
        Format::Github => {
            for (severity, diagnostic) in all(&found) {
                screen.line(&as_github(severity, diagnostic));
            }
        }
    }
    Ok(if found.errors.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What is found in each of the places, and whether they go together.
fn all_of(places: &[Place]) -> Checked {
    let mut all = Checked { errors: Vec::new(), hints: Vec::new(), templates: None };
    let mut sets = Vec::new();
    for place in places {
        let found = check(&place.files);
        let named = |mut it: Diagnostic| {
            it.file = format!("{}/{}", place.name, it.file);
            it
        };
        all.errors.extend(found.errors.into_iter().map(named));
        all.hints.extend(found.hints.into_iter().map(named));
        sets.extend(found.templates.map(|templates| (place, templates)));
    }
    match places::joined(sets) {
        Ok(templates) => all.templates = Some(templates),
        Err(clash) => {
            let file = places.iter().map(|place| place.name.as_str()).collect::<Vec<_>>().join(",");
            let start = template::Place::START;
            all.errors.push(Diagnostic::at(&file, "", start, clash.to_string()));
        }
    }
    all
}

fn all(checked: &Checked) -> impl Iterator<Item = (&'static str, &Diagnostic)> {
    let errors = checked.errors.iter().map(|error| ("error", error));
    errors.chain(checked.hints.iter().map(|hint| ("hint", hint)))
}

fn as_text(screen: Screen, found: &Checked, places: &[Place]) {
    for (severity, diagnostic) in all(found) {
        screen.diagnostic(diagnostic, severity);
        screen.line("");
    }
    let files = || places.iter().flat_map(|place| &place.files);
    let templates = files().filter(|file| file.path.ends_with("/template.yml")).count();
    let templates = count(templates, "template");
    let tests = files().filter(|file| is_golden_test(&file.path)).count();
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
