//! `towpath check`: every mistake of the templates in one pass.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::folder;
use super::screen::{Screen, ScreenArguments, count};
use crate::template::golden::{self, GoldenTest, Outcome};
use crate::template::{Diagnostic, Place, SourceFile, Templates, hints};

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

/// What is wrong with templates.
struct Found {
    errors: Vec<Diagnostic>,
    hints: Vec<Diagnostic>,
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
            for (severity, diagnostic) in found.all() {
                screen.line(&as_github(severity, diagnostic));
            }
        }
    }
    Ok(if found.errors.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Found {
    fn all(&self) -> impl Iterator<Item = (&'static str, &Diagnostic)> {
        let errors = self.errors.iter().map(|error| ("error", error));
        errors.chain(self.hints.iter().map(|hint| ("hint", hint)))
    }
}

fn check(files: &[SourceFile]) -> Found {
    let loaded = Templates::load(files);
    let mut errors = Vec::new();
    for file in files.iter().filter(|file| is_golden_test(&file.path)) {
        let text = String::from_utf8_lossy(&file.contents);
        match golden::parse(&file.path, &text) {
            Err(error) => errors.push(error),
            Ok(golden) => {
                if let Ok(templates) = &loaded {
                    errors.extend(wrong_test(file, &text, &golden, templates));
                }
            }
        }
    }
    match loaded {
        Ok(templates) => Found { errors, hints: hints(files, &templates) },
        Err(mut found) => {
            found.append(&mut errors);
            Found { errors: found, hints: Vec::new() }
        }
    }
}

/// A golden test of an action that is not there, or whose files cannot be rendered at all.
fn wrong_test(
    file: &SourceFile,
    text: &str,
    golden: &GoldenTest,
    templates: &Templates,
) -> Option<Diagnostic> {
    let at = |key: &str| {
        let start = text.lines().position(|line| line.starts_with(key)).map_or(1, |at| at + 1);
        Place { line: start, column: 1 }
    };
    let wrong = |key: &str, message: String| Diagnostic::at(&file.path, text, at(key), message);
    let folder = file.path.split('/').next().unwrap_or_default();
    let known = templates.action(&golden.action);
    if known.is_none_or(|of| of.template.name.as_str() != folder) {
        let message = format!("the template `{folder}` has no action `{}`", golden.action);
        return Some(wrong("action", message));
    }
    match golden::outcome(templates, golden) {
        Outcome::Refused(words) if golden.refused.is_none() => {
            let message = format!("this test expects files, and the run is refused: {words}");
            Some(wrong("action", message))
        }
        _ => None,
    }
}

/// `NAME/tests/….yml`.
pub fn is_golden_test(path: &str) -> bool {
    let mut parts = path.split('/').skip(1);
    let is_yaml = Path::new(path).extension().is_some_and(|it| it == "yml" || it == "yaml");
    parts.next() == Some("tests") && parts.next().is_some() && is_yaml
}

fn as_text(screen: Screen, found: &Found, files: &[SourceFile]) {
    for (severity, diagnostic) in found.all() {
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

fn as_json(found: &Found) -> String {
    let found = found.all().map(|(severity, diagnostic)| {
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
