//! Everything that is wrong with a set of templates, and what is worth a look.

use std::path::Path;

use super::diagnostic::{Diagnostic, Place, did_you_mean};
use super::golden::{self, GoldenTest, Outcome};
use super::hints::hints;
use super::load::{SourceFile, Templates};

/// What was found in a set of templates.
#[derive(Debug)]
pub struct Checked {
    /// What is wrong.
    pub errors: Vec<Diagnostic>,
    /// What is no mistake, and yet worth a look.
    pub hints: Vec<Diagnostic>,
    /// The templates, where they can be loaded.
    pub templates: Option<Templates>,
}

/// Checks the templates and what their golden tests ask for.
pub fn check(files: &[SourceFile]) -> Checked {
    let (templates, mut errors) = match Templates::load(files) {
        Ok(templates) => (Some(templates), Vec::new()),
        Err(found) => (None, found),
    };
    for file in files.iter().filter(|file| is_golden_test(&file.path)) {
        let text = String::from_utf8_lossy(&file.contents);
        match (golden::parse(&file.path, &text), &templates) {
            (Err(error), _) => errors.push(error),
            (Ok(golden), Some(templates)) => {
                errors.extend(wrong_test(file, &text, &golden, templates));
            }
            (Ok(_), None) => {}
        }
    }
    let hints = templates.as_ref().map_or_else(Vec::new, |templates| hints(files, templates));
    Checked { errors, hints, templates }
}

/// Golden tests of templates that can be loaded, of which something else comes than they expect.
pub fn failed_tests(files: &[SourceFile], templates: &Templates) -> Vec<Diagnostic> {
    let tests = files.iter().filter(|file| is_golden_test(&file.path));
    let failed = tests.filter_map(|file| {
        let text = String::from_utf8_lossy(&file.contents);
        let expected = golden::parse(&file.path, &text).ok()?;
        let difference = golden::run(templates, &expected).err()?;
        let message = format!("something else comes than this test expects:\n{difference}");
        Some(Diagnostic::at(&file.path, &text, place_of(&text, "action"), message))
    });
    failed.collect()
}

/// A golden test of an action that is not there, or whose files cannot be rendered at all.
fn wrong_test(
    file: &SourceFile,
    text: &str,
    golden: &GoldenTest,
    templates: &Templates,
) -> Option<Diagnostic> {
    let wrong =
        |message: String| Diagnostic::at(&file.path, text, place_of(text, "action"), message);
    let folder = file.path.split('/').next().unwrap_or_default();
    let known = templates.action(&golden.action);
    if known.is_none_or(|of| of.template.name.as_str() != folder) {
        let message = format!("the template `{folder}` has no action `{}`", golden.action);
        let of_folder = templates.iter().filter(|it| it.name.as_str() == folder);
        let known = of_folder.flat_map(|it| it.actions.iter().map(|action| action.id.as_str()));
        return Some(wrong(message).maybe_help(did_you_mean(golden.action.as_str(), known)));
    }
    match golden::outcome(templates, golden) {
        Outcome::Refused(words) if golden.refused.is_none() => {
            Some(wrong(format!("this test expects files, and the run is refused: {words}")))
        }
        _ => None,
    }
}

fn place_of(text: &str, key: &str) -> Place {
    let line = text.lines().position(|line| line.starts_with(key)).map_or(1, |at| at + 1);
    Place { line, column: 1 }
}

/// `NAME/tests/….yml`.
pub fn is_golden_test(path: &str) -> bool {
    let mut parts = path.split('/').skip(1);
    let is_yaml = Path::new(path).extension().is_some_and(|it| it == "yml" || it == "yaml");
    parts.next() == Some("tests") && parts.next().is_some() && is_yaml
}
