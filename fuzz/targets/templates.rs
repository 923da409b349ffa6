//! Any `template.yml`, any file of it, any values: nothing panics, hangs or leaves the target.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use serde_json::json;
use towpath_fuzz::source;
use towpath_fuzz::template::{check, inputs, render};
use towpath_fuzz::value::Seed;

#[derive(Arbitrary, Debug)]
struct Case {
    /// Whether the template is a good one, so that the file is looked at.
    is_given: bool,
    kind: u8,
    value: Seed,
    other: Seed,
    file: String,
    yaml: String,
    shared: String,
}

const YAML: &str = "title: T\ninputs: {type: object, properties: {a: {}, b: {}}}\n\
                    actions: {a: {operation: create}, b: {operation: day-2, inputs: [b]}}\n\
                    target: {repository: a/b, path: \"x/{{ inputs.a }}\"}\n\
                    entity: {blueprint: b, identifier: \"{{ inputs.b }}\"}\n";

fuzz_target!(|case: Case| {
    let yaml = if case.is_given { YAML } else { &case.yaml };
    let ending = ["tf", "yml", "json", "tf.json", "md", "txt"][usize::from(case.kind) % 6];
    let files = [
        source("t/template.yml", yaml),
        source(&format!("t/files/x.{ending}.tera"), &case.file),
        source("t/files/{{ inputs.a }}/{{ inputs.b }}.txt", "copied"),
        source("t/tests/x.yml", &case.yaml),
        source("_shared/s.tera", &case.shared),
    ];
    let Some(templates) = check::check(&files).templates else { return };
    let _ = check::failed_tests(&files, &templates);
    let context = json!({
        "inputs": {"a": case.value.value(), "b": case.other.value()},
        "entity": {"identifier": case.value.value()},
        "run": {"id": "r", "url": "https://portal.example"},
        "action": {"identifier": "a", "title": "A", "operation": "create"},
    });
    for template in templates.iter() {
        for action in &template.actions {
            let given = context["inputs"].as_object().expect("inputs are a map");
            let _ = inputs::check(template, action, given, None);
            let _ = inputs::check(template, action, given, Some(given));
        }
        if let Some(entity) = &template.entity {
            let _ = render::value(entity, &context);
        }
        for target in &template.targets {
            let Ok(folder) = render::path(&target.path, &context) else { continue };
            for file in render::files(target, &context, &folder).into_iter().flatten() {
                let inside = file.path.strip_prefix(&format!("{folder}/"));
                let inside = inside.unwrap_or_else(|| panic!("{} is outside {folder}", file.path));
                assert!(inside.split('/').all(|part| !matches!(part, "" | "." | "..")), "{inside}");
            }
        }
    }
});
