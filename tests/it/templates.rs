//! The templates that are shipped, and what Terraform itself reads in files that were rendered.

use std::path::{Path, PathBuf};
use std::process::Command;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use towpath::template::{SourceFile, Templates, context, golden, render};

pub(crate) fn read_folder(folder: &Path, below: &str, files: &mut Vec<SourceFile>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{below}{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            read_folder(&entry.path(), &format!("{path}/"), files);
            continue;
        }
        let contents = std::fs::read(entry.path()).unwrap();
        files.push(SourceFile { path, contents, executable: false });
    }
}

pub(crate) fn shipped() -> (Vec<SourceFile>, Templates) {
    let mut files = Vec::new();
    read_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("templates"), "", &mut files);
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let templates = Templates::load(&files).unwrap_or_else(|found| {
        panic!("{}", found.iter().map(ToString::to_string).collect::<String>())
    });
    (files, templates)
}

pub(crate) fn golden_tests(
    files: &[SourceFile],
) -> impl Iterator<Item = (&str, golden::GoldenTest)> {
    files.iter().filter(|file| file.path.contains("/tests/")).map(|file| {
        let written = std::str::from_utf8(&file.contents).unwrap();
        let test = golden::parse(&file.path, written).unwrap_or_else(|found| panic!("{found}"));
        (file.path.as_str(), test)
    })
}

/// The `terraform` of the PATH, where there is one.
fn terraform(folder: &Path) -> Option<Command> {
    let path = std::env::var_os("PATH")?;
    let binary: PathBuf = std::env::split_paths(&path)
        .map(|folder| folder.join("terraform"))
        .find(|binary| binary.is_file())?;
    let mut command = Command::new(binary);
    let settings = folder.join("terraform.rc");
    std::fs::write(&settings, "").unwrap();
    command.current_dir(folder).env("CHECKPOINT_DISABLE", "1").env("TF_CLI_CONFIG_FILE", settings);
    Some(command)
}

#[test]
fn the_shipped_templates_do_what_their_golden_tests_say() {
    let (files, templates) = shipped();
    let mut tested = Vec::new();
    for (path, test) in golden_tests(&files) {
        golden::run(&templates, &test).unwrap_or_else(|diff| panic!("{path}\n{diff}"));
        tested.push(test.action);
    }
    for action in templates.iter().flat_map(|template| &template.actions) {
        assert!(tested.contains(&action.id), "{} has no golden test", action.id);
    }
}

#[test]
fn what_the_shipped_templates_write_is_as_terraform_fmt_leaves_it() {
    let (files, templates) = shipped();
    for (path, test) in golden_tests(&files) {
        let golden::Outcome::Files(rendered) = golden::outcome(&templates, &test) else {
            continue;
        };
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in rendered.iter().filter(|(name, _)| name.as_bytes().ends_with(b".tf")) {
            std::fs::write(folder.path().join(name.replace('/', "-")), text).unwrap();
        }
        let Some(mut terraform) = terraform(folder.path()) else {
            return;
        };
        let output = terraform.args(["fmt", "-check", "-diff"]).output().unwrap();
        assert!(output.status.success(), "{path}: {}", String::from_utf8_lossy(&output.stdout));
    }
}

/// What a text becomes in each place of a file, and what Terraform says of it.
const FILE: &str = r#"{% for v in inputs.values %}
output "v{{ loop.index }}" {
  value = ["{{ v }}", {{ v }}, "a${1}{{ v }}{b}", { ("{{ v }}") = {{ v }} }]
}
{% endfor %}
"#;

fn rendered(values: &Value) -> Vec<u8> {
    written("main.tf", FILE, values)
}

fn written(name: &str, text: &str, values: &Value) -> Vec<u8> {
    let yaml = "title: T\ninputs: {type: object, properties: {values: {type: array}}}\n\
                actions: {a: {operation: create}}\ntarget: {repository: a/b, path: x}\n";
    let source = |path: &str, text: &str| SourceFile {
        path: path.to_owned(),
        contents: text.as_bytes().to_vec(),
        executable: false,
    };
    let files = [source("t/template.yml", yaml), source(&format!("t/files/{name}.tera"), text)];
    let templates = Templates::load(&files).unwrap();
    let context = json!({ "inputs": { "values": values } });
    let template = templates.iter().next().unwrap();
    render::files(&template.targets[0], &context, "x").unwrap().remove(0).contents
}

/// Places without escapes, and neighbours that a value could join.
const BESIDE: &str = r#"{% for v in inputs.values %}
output "b{{ loop.index }}" {
  value = [
    "{{ v }}${1}", "{{ v }}{{ v }}%{ if true }t%{ endif }", "$${x}{{ v }}$$${y}", "{{ v }}{y}", "{{ v }}$",
    <<EOT
{{ v }}${1}
EOT
    , <<EOT
a {{ v }}{{ v }}%{ if true }t%{ endif }$${x}{{ v }}{y}
EOT
  ]
}
{% endfor %}
"#;
const JSON: &str = r#"{"output": { {% for v in inputs.values %}
"j{{ loop.index }}": {"value": ["{{ v }}${1}", "{{ v }}{{ v }}%{ if true }t%{ endif }$${x}{{ v }}{y}"]},
{% endfor %} "end": {"value": 1}}}
"#;

#[test]
fn terraform_reads_values_beside_code_of_the_author_as_they_were_put_in() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut apply) = terraform(folder.path()) else {
        return;
    };
    let mut runner = TestRunner::deterministic();
    let part = prop::sample::select(vec![
        "$", "%", "{", "}", "${", "%{", "$${", "$$$", "%%{", "\"", "\\", "\n", "a", "${1}",
    ]);
    let strategy = prop::collection::vec(part, 0..6).prop_map(|parts| parts.concat());
    let drawn = (0..150).map(|_| strategy.new_tree(&mut runner).unwrap().current());
    // `"${1}"` alone is a number.
    let values: Vec<String> = drawn.filter(|it| !it.is_empty()).collect();
    for (name, text) in [("main.tf", BESIDE), ("more.tf.json", JSON)] {
        std::fs::write(folder.path().join(name), written(name, text, &json!(values))).unwrap();
    }
    let applied = apply.args(["apply", "-auto-approve", "-no-color"]).output().unwrap();
    assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
    let output = terraform(folder.path()).unwrap().args(["output", "-json"]).output().unwrap();
    let outputs: Value = serde_json::from_slice(&output.stdout).unwrap();
    for (index, v) in values.iter().enumerate() {
        let more = format!("{v}{v}t${{x}}{v}{{y}}");
        let expected = json!([
            format!("{v}1"),
            format!("{v}{v}t"),
            format!("${{x}}{v}$${{y}}"),
            format!("{v}{{y}}"),
            format!("{v}$"),
            format!("{v}1\n"),
            format!("a {more}\n"),
        ]);
        assert_eq!(outputs[format!("b{}", index + 1)]["value"], expected, "{v:?}");
        let expected = json!([format!("{v}1"), more]);
        assert_eq!(outputs[format!("j{}", index + 1)]["value"], expected, "{v:?}");
    }
}

#[test]
fn terraform_reads_back_exactly_what_was_put_in() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut apply) = terraform(folder.path()) else {
        return;
    };
    let mut runner = TestRunner::deterministic();
    let nasty = prop::sample::select(vec![
        "$",
        "%",
        "{",
        "}",
        "${",
        "%{",
        "$${",
        "{{",
        "\"",
        "\\",
        "\n",
        "\r",
        "\t",
        "#",
        "EOT",
        "e\u{301}",
        "\u{feff}",
        "\u{202e}",
        "\u{2028}",
        "\u{1b}",
        "𝒳",
        "${file(\"/etc/passwd\")}",
    ]);
    let strategy = prop_oneof![
        prop::collection::vec(nasty, 0..8).prop_map(|parts| parts.concat()),
        any::<String>(),
    ];
    let values: Vec<Value> = (0..600)
        .map(|_| {
            context::normalized(&Value::String(strategy.new_tree(&mut runner).unwrap().current()))
        })
        .collect();
    let values = Value::Array(values);
    std::fs::write(folder.path().join("main.tf"), rendered(&values)).unwrap();
    let applied = apply.args(["apply", "-auto-approve", "-no-color"]).output().unwrap();
    assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
    let output = terraform(folder.path()).unwrap().args(["output", "-json"]).output().unwrap();
    let outputs: Value = serde_json::from_slice(&output.stdout).unwrap();
    for (index, value) in values.as_array().unwrap().iter().enumerate() {
        let text = value.as_str().unwrap();
        let joined = context::normalized(&json!(format!("a1{text}{{b}}")));
        let expected = json!([text, text, joined, { text: text }]);
        assert_eq!(outputs[format!("v{}", index + 1)]["value"], expected, "{text:?}");
    }
}
