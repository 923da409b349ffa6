//! The library of templates: its page, its workflows, and the YAML that it writes.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use serde_json::Value;
use towpath::domain::run::ApplySignal;
use towpath::template::{ActionKind, SourceFile, Target, Template, golden};

use crate::templates::{golden_tests, shipped};

const PAGE: &str = "docs/library.md";
/// What stands above the sections, written by hand.
const MARK: &str = "<!-- From here on the page is written from the templates. -->\n";

#[test]
fn the_page_of_the_library_says_what_the_templates_say() {
    let (files, templates) = shipped();
    let actions = exported();
    let page = fs::read_to_string(PAGE).unwrap();
    let (intro, _) = page.split_once(MARK).expect("the page has its mark");
    let sections: String =
        templates.iter().map(|template| section(template, &files, &actions)).collect();
    let expected = format!("{intro}{MARK}{sections}");
    if std::env::var_os("TOWPATH_WRITE").is_some() {
        fs::write(PAGE, &expected).unwrap();
        return;
    }
    assert!(
        page == expected,
        "{PAGE} is not as the templates are; write it with\n\
         TOWPATH_WRITE=1 cargo test --test it library\n{}",
        diffy::create_patch(&page, &expected)
    );
}

/// The actions as Port gets them: whose they are is decided there.
fn exported() -> Vec<Value> {
    let output = Command::new(env!("CARGO_BIN_EXE_towpath"))
        .args(["portal", "export", "--templates", "templates", "--url", "https://x/hooks/port"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let exported: Value = serde_json::from_slice(&output.stdout).unwrap();
    exported["actions"].as_array().unwrap().clone()
}

fn section(template: &Template, files: &[SourceFile], exported: &[Value]) -> String {
    let mut out = format!("\n## {}\n\n`{}` · ", template.title, template.name);
    out += template.description.as_deref().expect("a shipped template is described");
    out += "\n\n| action | | inputs |\n|---|---|---|\n";
    for action in &template.actions {
        let of = exported.iter().find(|it| it["identifier"] == action.id.as_str()).unwrap();
        let inputs: Vec<&str> = of["trigger"]["userInputs"]["order"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let inputs = if inputs.is_empty() { "none".to_owned() } else { quoted(inputs) };
        let on = of["trigger"]["blueprintIdentifier"].as_str().unwrap_or_default();
        let does = match (action.operation.as_str(), of["trigger"]["operation"] == "CREATE") {
            ("create", true) => "creates".to_owned(),
            ("create", false) => format!("creates, on `{on}`"),
            ("delete", _) => format!("deletes `{on}`"),
            _ => format!("changes `{on}`"),
        };
        let approval = if of["requiredApproval"] == false { "" } else { ", once approved" };
        writeln!(out, "| `{}` | {does}{approval} | {inputs} |", action.id).unwrap();
    }
    out += "\n| input | |\n|---|---|\n";
    for (name, schema) in template.inputs["properties"].as_object().unwrap() {
        writeln!(out, "| `{name}` | {} |", input(template, name, schema)).unwrap();
    }
    out.push('\n');
    for line in facts(template, files) {
        writeln!(out, "- {line}").unwrap();
    }
    out
}

fn quoted<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names = names.into_iter().map(|name| format!("`{name}`"));
    names.collect::<Vec<_>>().join(", ")
}

/// What a person may fill in.
fn input(template: &Template, name: &str, schema: &Value) -> String {
    let said = |key: &str| schema.get(key).filter(|it| **it != "").map(|it| format!("{key} {it}"));
    let mut words = vec![schema["title"].as_str().expect("an input has a title").to_owned()];
    let required = template.inputs["required"].as_array().into_iter().flatten();
    if required.into_iter().any(|it| it == name) {
        words.push("required".to_owned());
    }
    if schema["secret"] == true {
        words.push("secret".to_owned());
    }
    match schema["enum"].as_array() {
        Some(all) => words.push(quoted(all.iter().filter_map(Value::as_str))),
        None => words.extend(schema["type"].as_str().map(str::to_owned)),
    }
    words.extend(["minimum", "maximum", "default"].into_iter().filter_map(said));
    words.join(" · ")
}

fn facts(template: &Template, files: &[SourceFile]) -> Vec<String> {
    let mut facts = Vec::new();
    for target in &template.targets {
        let below = target.name.as_ref().map(|name| format!("{name}/")).unwrap_or_default();
        let prefix = format!("{}/files/{below}", template.name);
        let written = files.iter().filter_map(|file| file.path.strip_prefix(&prefix));
        let written = quoted(written.map(|file| file.trim_end_matches(".tera")));
        let repository = &target.repository;
        facts.push(match target.new {
            Some(_) => format!("Makes the repository `{repository}` with {written}."),
            None => format!("Writes {written} into `{}` of `{repository}`.", target.path),
        });
    }
    if let Some(entity) = &template.entity {
        let properties = entity["properties"].as_object().into_iter().flatten();
        let blueprint = entity["blueprint"].as_str().unwrap();
        let properties = quoted(properties.map(|(name, _)| name.as_str()));
        facts.push(format!("Keeps an entity of `{blueprint}` with {properties}."));
    }
    for (name, path, workflow) in workflows(template, files) {
        let permissions = workflow["permissions"].as_object().unwrap().iter();
        let permissions =
            permissions.map(|(name, level)| format!("{name}: {}", level.as_str().unwrap()));
        let permissions: Vec<String> = permissions.collect();
        let permissions = quoted(permissions.iter().map(String::as_str));
        facts.push(format!("Workflow [`{name}`](../templates/{path}), with {permissions}."));
    }
    let granted = template.actions.iter().flat_map(|action| needs(&action.kind));
    let mut granted: BTreeSet<&str> = granted.copied().collect();
    if template.targets.iter().any(|target| target.new.is_some()) {
        granted.insert("administration: write");
    }
    if !template.targets.is_empty() && template.targets.iter().all(|it| it.new.is_some()) {
        granted.remove("pull_requests: write");
    }
    if template.targets.iter().any(Target::writes_workflows) {
        granted.insert("workflows: write");
    }
    facts.push(format!("The App needs {}.", quoted(granted)));
    facts
}

/// Permissions of the GitHub App.
fn needs(kind: &ActionKind) -> &'static [&'static str] {
    match kind {
        ActionKind::Files => &["contents: write", "pull_requests: write"],
        ActionKind::Workflow { .. } => &["actions: write"],
        ActionKind::Secret { environment: Some(_), .. } => &["environments: write"],
        ActionKind::Secret { environment: None, .. } => &["secrets: write"],
    }
}

/// The workflows that a template names: file name, path, and what stands in them.
fn workflows(template: &Template, files: &[SourceFile]) -> Vec<(String, String, Value)> {
    let mut names: Vec<&str> = Vec::new();
    for target in &template.targets {
        names.extend(target.plan.as_deref());
        if let ApplySignal::Workflow(name) = &target.apply {
            names.push(name);
        }
    }
    names.extend(template.actions.iter().filter_map(|action| match &action.kind {
        ActionKind::Workflow { file, .. } => Some(file.as_str()),
        _ => None,
    }));
    let found = names.into_iter().map(|name| {
        let own = format!("{}/workflows/{name}", template.name);
        let made = format!("{}/files/.github/workflows/{name}", template.name);
        let shared = format!("_shared/workflows/{name}");
        let paths = [&own, &shared, &made];
        let mut found = files.iter().filter(|file| paths.contains(&&file.path));
        let file = found.next().unwrap_or_else(|| panic!("{own} is not shipped"));
        assert!(found.next().is_none(), "{own} is shipped twice");
        let text = std::str::from_utf8(&file.contents).unwrap();
        let workflow: Value = serde_saphyr::from_str(text).unwrap();
        assert!(workflow["permissions"].is_object(), "{} takes all it can get", file.path);
        (name.to_owned(), file.path.clone(), workflow)
    });
    found.collect()
}

#[test]
fn an_action_gives_its_workflow_the_inputs_that_it_declares() {
    let (files, templates) = shipped();
    let mut seen = 0;
    for template in templates.iter() {
        for action in &template.actions {
            let ActionKind::Workflow { file, inputs, .. } = &action.kind else { continue };
            let shipped = workflows(template, &files);
            let (_, path, workflow) = shipped.iter().find(|(name, ..)| name == file).unwrap();
            let declared = workflow["on"]["workflow_dispatch"]["inputs"].as_object().unwrap();
            let given: BTreeSet<&String> = inputs.as_object().unwrap().keys().collect();
            assert_eq!(given, declared.keys().collect(), "{path}");
            seen += 1;
        }
    }
    assert!(seen > 4);
}

/// In a script a value would be code: it comes by the environment.
#[test]
fn no_script_of_a_workflow_holds_an_expression() {
    let (files, _) = shipped();
    let workflows = files.iter().filter(|file| file.path.contains("workflows/"));
    for file in workflows {
        let workflow: Value = serde_saphyr::from_slice(&file.contents).unwrap();
        for (name, job) in workflow["jobs"].as_object().unwrap() {
            for step in job["steps"].as_array().unwrap() {
                let script = step["run"].as_str().unwrap_or_default();
                assert!(!script.contains("${{"), "{}, job {name}: {script}", file.path);
            }
        }
    }
}

#[test]
fn what_the_library_writes_for_clusters_are_kubernetes_objects() {
    let (files, templates) = shipped();
    let mut kinds = BTreeSet::new();
    for (path, test) in golden_tests(&files) {
        let golden::Outcome::Files(rendered) = golden::outcome(&templates, &test) else {
            continue;
        };
        let is_manifest =
            |name: &str| name.as_bytes().ends_with(b".yml") && !name.contains(".github/");
        for (name, text) in rendered.iter().filter(|(name, _)| is_manifest(name)) {
            let documents: Vec<Value> = serde_saphyr::from_multiple(text).unwrap();
            for document in documents {
                for key in ["apiVersion", "kind"] {
                    assert!(document[key].is_string(), "{path}: {name} has no {key}");
                }
                kinds.extend(document["kind"].as_str().map(str::to_owned));
                if document["kind"] == "Kustomization" {
                    for file in document["resources"].as_array().unwrap() {
                        let listed = name.replace("kustomization.yml", file.as_str().unwrap());
                        assert!(rendered.contains_key(&listed), "{path}: {listed} is not there");
                    }
                } else {
                    assert!(document["metadata"]["name"].is_string(), "{path}: {name}");
                }
            }
        }
    }
    for kind in ["Application", "Deployment", "Namespace", "PostgreSQLInstance"] {
        assert!(kinds.contains(kind), "{kinds:?}");
    }
}
