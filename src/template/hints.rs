//! What is no mistake in a template, and yet worth a look.

use super::diagnostic::Diagnostic;
use super::golden;
use super::load::{SourceFile, Templates};
use super::located::Located;

/// Hints for templates that can be loaded: workflows that are not shipped beside them, golden tests
/// that are missing.
pub(super) fn hints(files: &[SourceFile], templates: &Templates) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for template in templates.iter() {
        let path = format!("{}/template.yml", template.name);
        let Some(file) = files.iter().find(|file| file.path == path) else { continue };
        let text = String::from_utf8_lossy(&file.contents);
        let Ok(root) = Located::parse(&path, &text) else { continue };
        for named in workflows(&root) {
            let name = named.to_json();
            let name = name.as_str().unwrap_or_default();
            let own = format!("{}/", template.name);
            let is_there = |path: &str| {
                let below_files = format!("/.github/workflows/{name}");
                path == format!("{own}workflows/{name}")
                    || path == format!("_shared/workflows/{name}")
                    || path.starts_with(&own) && path.ends_with(&below_files)
            };
            if !files.iter().any(|file| is_there(&file.path)) {
                let message = format!("`workflows/{name}` is not beside this template");
                let hint = Diagnostic::at(&path, &text, named.place, message);
                found.push(hint.help(
                    "put the workflow there, or into `_shared/workflows`, so that whoever uses the \
                     template has it; the repository needs it in `.github/workflows`",
                ));
            }
        }
        for (id, place, _) in root.get("actions").map_or(&[][..], Located::entries) {
            let is_tested =
                golden_tests(files, template.name.as_str()).any(|test| test.action.as_str() == id);
            if !is_tested {
                let message = format!("no golden test runs `{id}`");
                let hint = Diagnostic::at(&path, &text, *place, message);
                found.push(hint.help(format!("tests/{id}.yml: {{action: {id}, …}}")));
            }
        }
    }
    found
}

/// The workflows that are followed: those of the template, and those of its targets.
fn workflows(root: &Located) -> impl Iterator<Item = &Located> {
    let targets = root.get("targets").map_or(&[][..], Located::items);
    let parts = std::iter::once(root).chain(targets);
    parts.flat_map(|of| ["plan", "apply"].map(|part| of.get(part)?.get("workflow"))).flatten()
}

fn golden_tests<'a>(
    files: &'a [SourceFile],
    template: &str,
) -> impl Iterator<Item = golden::GoldenTest> + 'a {
    let prefix = format!("{template}/tests/");
    let tests = files.iter().filter(move |file| file.path.starts_with(&prefix));
    tests.filter_map(|file| {
        golden::parse(&file.path, std::str::from_utf8(&file.contents).ok()?).ok()
    })
}
