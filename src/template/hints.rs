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
        for part in ["plan", "apply"] {
            let Some(named) = root.get(part).and_then(|part| part.get("workflow")) else {
                continue;
            };
            let name = named.to_json();
            let name = name.as_str().unwrap_or_default();
            let places = [
                format!("{}/workflows/{name}", template.name),
                format!("{}/files/.github/workflows/{name}", template.name),
                format!("_shared/workflows/{name}"),
            ];
            if !files.iter().any(|file| places.contains(&file.path)) {
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
