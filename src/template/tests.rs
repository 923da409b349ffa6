//! A whole template, from its folder to what it writes.

use serde_json::{Map, Value, json};

use super::*;

fn source(path: &str, contents: &str) -> SourceFile {
    SourceFile { path: path.to_owned(), contents: contents.as_bytes().to_vec(), executable: false }
}

const YAML: &str = r#"title: Database
inputs:
  type: object
  additionalProperties: false
  required: [name, password]
  properties:
    name: {type: string, pattern: "^[a-z]+$"}
    size: {type: integer, minimum: 1, default: 1}
    tags: {type: object, properties: {tier: {type: string, default: low}}, default: {}}
    note: {type: string}
    password: {type: string, secret: true, minLength: 12}
actions:
  add_db: {operation: create}
  resize_db: {operation: day-2, inputs: [size]}
  delete_db: {operation: delete}
target: {repository: acme/infrastructure, path: "services/{{ entity.identifier }}/db-{{ inputs.name }}"}
entity: {blueprint: db, identifier: "{{ inputs.name }}", properties: {size: "{{ inputs.size }}"}}
"#;

fn templates() -> Templates {
    let file = "name = \"{{ inputs.name }}\"\nsize = {{ inputs.size }}\n";
    Templates::load(&[
        source("db/template.yml", YAML),
        source("db/files/main.tf.tera", file),
        source("db/files/README.txt", "copied {{ as it is }}"),
        source("db/tests/x.yml", "not read"),
        source("loose.txt", "no template"),
    ])
    .unwrap_or_else(|found| panic!("{}", found.iter().map(ToString::to_string).collect::<String>()))
}

fn check(
    action: &str,
    given: &Value,
    before: Option<&Value>,
) -> Result<Map<String, Value>, Vec<String>> {
    let templates = templates();
    let of = templates.action(&action.parse().unwrap()).unwrap();
    let before = before.map(|before| before.as_object().unwrap().clone());
    inputs::check(&of.template, &of.action, given.as_object().unwrap(), before.as_ref())
        .map_err(|faults| faults.iter().map(ToString::to_string).collect())
}

#[test]
fn defaults_fill_what_is_missing_within_maps_too() {
    let checked =
        check("add_db", &json!({"name": "a", "password": "0123456789ab", "note": null}), None)
            .unwrap();
    assert_eq!(
        Value::Object(checked),
        json!({"name": "a", "password": "0123456789ab", "size": 1, "tags": {"tier": "low"}})
    );
}

#[test]
fn every_fault_is_named_and_no_value_is_shown() {
    let faults = check(
        "add_db",
        &json!({"name": "A secret?", "size": 0, "password": "hunter2", "x": 1}),
        None,
    )
    .unwrap_err();
    let all = faults.join("\n");
    for field in ["`name`", "`size`", "`x`"] {
        assert!(all.contains(field), "{field} in {all}");
    }
    assert!(!all.contains("password"), "what stands there is ciphertext: {all}");
    assert!(!all.contains("hunter2") && !all.contains("secret?"), "{all}");
    assert!(
        check("add_db", &json!({}), None).unwrap_err().join("\n").contains("`name`: is required")
    );
}

#[test]
fn a_day_2_action_takes_what_it_lists_and_a_delete_nothing() {
    assert_eq!(
        check("resize_db", &json!({"name": "b"}), None).unwrap_err(),
        ["`name`: the action `resize_db` takes only size"]
    );
    assert_eq!(
        Value::Object(check("resize_db", &json!({"size": 3}), None).unwrap()),
        json!({"size": 3})
    );
    assert!(check("delete_db", &json!({"size": 3}), None).is_err());
    assert!(check("delete_db", &json!({"size": null}), None).unwrap().is_empty());
}

#[test]
fn a_day_2_change_is_checked_with_what_was_there() {
    let checked =
        check("resize_db", &json!({"size": 3}), Some(&json!({"name": "a", "size": 1}))).unwrap();
    assert_eq!((checked["name"].clone(), checked["size"].clone()), (json!("a"), json!(3)));
    let faults = check("resize_db", &json!({"size": 3}), Some(&json!({"name": "NO"}))).unwrap_err();
    assert!(faults[0].starts_with("`name`"), "{faults:?}");
}

#[test]
fn a_folder_becomes_files_below_its_target() {
    let templates = templates();
    let template = templates.template(&"db".parse().unwrap()).unwrap();
    let context =
        json!({"inputs": {"name": "a\"b", "size": 2}, "entity": {"identifier": "orders"}});
    let files = render::files(&template.targets[0], &context, "services/orders/db").unwrap();
    let shown: Vec<(&str, &str)> = files
        .iter()
        .map(|f| (f.path.as_str(), std::str::from_utf8(&f.contents).unwrap()))
        .collect();
    assert_eq!(
        shown,
        [
            ("services/orders/db/README.txt", "copied {{ as it is }}"),
            ("services/orders/db/main.tf", "name = \"a\\\"b\"\nsize = 2\n"),
        ]
    );
    assert!(render::files(&template.targets[0], &context, "../x").is_err());
    let error =
        render::files(&template.targets[0], &json!({"inputs": {"name": "a"}}), "x").unwrap_err();
    assert!(error.to_string().starts_with("db/files/main.tf.tera, line 2: "), "{error}");
}

#[test]
fn a_value_in_a_path_is_a_part_of_one_segment() {
    let at = |value: &str| render::path("services/{{ v }}/db", &json!({"v": value}));
    assert_eq!(at("orders").unwrap(), "services/orders/db");
    for bad in ["..", ".", "a/b", "/etc", "-rf", ".git", "", "a\0", "a\n", "a\\b", "~", "a "] {
        assert!(at(bad).is_err(), "{bad:?}");
    }
    assert!(at(&"x".repeat(300)).is_err());
    assert!(render::path("a/../{{ v }}", &json!({"v": "b"})).is_err());
}

#[test]
fn a_whole_value_expression_keeps_its_type() {
    let context = json!({"inputs": {"n": 3, "l": [1], "s": "x"}});
    let mapping = json!({"a": "{{ inputs.n }}", "b": ["{{ inputs.l }}"], "c": "n={{ inputs.n }}", "d": true, "e": "{{ inputs.s }}"});
    assert_eq!(
        render::value(&mapping, &context).unwrap(),
        json!({"a": 3, "b": [[1]], "c": "n=3", "d": true, "e": "x"})
    );
    assert_eq!(
        render::value(&json!("{{ inputs.n }}{{ inputs.n }}"), &context).unwrap(),
        json!("33")
    );
}

#[test]
fn a_value_of_a_workflow_file_is_no_expression_of_actions() {
    let text = "run: \"{{ inputs.name }}\"\n";
    let templates = Templates::load(&[
        source(
            "db/template.yml",
            &YAML.replace("services/{{ entity.identifier }}/db-{{ inputs.name }}", "x"),
        ),
        source("db/files/.github/workflows/a.yml.tera", text),
    ])
    .unwrap();
    let template = templates.iter().next().unwrap();
    let with =
        |name: &str| render::files(&template.targets[0], &json!({"inputs": {"name": name}}), "x");
    assert!(with("plain").is_ok());
    assert!(with("$ {{").is_ok());
    assert!(with("${{ secrets.TOKEN }}").unwrap_err().to_string().contains("GitHub Actions"));
}

#[test]
fn every_mistake_is_found_in_one_pass() {
    let yaml = r#"titel: Database
inputs:
  type: object
  properties:
    name: {type: strin}
    zone: {type: string, pattern: "[a-"}
    days: {type: integer, minimum: 1, default: 0}
    password: {type: string, secret: true}
  required: [nane]
  additionalProperties: false
actions:
  add_db: {operation: crate}
  resize_db: {operation: day-2, inputs: [sise]}
target: {repository: acme/x, path: "a/{{ inputs.nam }}/{{ outputs.x }}"}
apply: {}
entity: {blueprint: db, identifier: "{{ inputs.password }}", colour: red}
"#;
    let found = Templates::load(&[
        source("db/template.yml", yaml),
        source("db/files/main.tf.tera", "a = 1\nb = \"{{ inputs.password }}\"\n"),
        source("db/files/b.tf.tera", "{% if x %}\n"),
    ])
    .unwrap_err();
    let all: String = found.iter().map(ToString::to_string).collect();
    for words in [
        "unknown key `titel`",
        "did you mean `title`?",
        "`template.yml` needs `title`",
        "no valid JSON Schema at `/properties/name/type`: there is no type `strin`",
        "did you mean `string`?",
        "`[a-` is no regular expression",
        "the default is not taken: 0 is less than the minimum of 1",
        "`nane` is required, and there is no such input",
        "did you mean `name`?",
        "unknown operation `crate`",
        "did you mean `create`?",
        "there is no input `sise`",
        "there is no input `nam`",
        "`outputs.x` is not defined here",
        "`apply` needs exactly one of",
        "`inputs.password` is a secret",
        "unknown key `colour`",
        "db/files/main.tf.tera:2:9:",
        "db/files/b.tf.tera:",
    ] {
        assert!(all.contains(words), "{words} is missing in:\n{all}");
    }
}

#[test]
fn an_action_belongs_to_one_template() {
    let found = Templates::load(&[
        source("a/template.yml", YAML),
        source("a/files/x", ""),
        source("b/template.yml", YAML),
        source("b/files/x", ""),
    ])
    .unwrap_err();
    assert!(found.iter().all(|d| d.message.contains("is in the template `a` too")), "{found:?}");
    assert_eq!(found.len(), 3);
}

#[test]
fn the_digest_changes_with_what_shapes_the_output_and_with_nothing_else() {
    let load = |file: &str, test: &str| {
        let files = [
            source("a/template.yml", YAML),
            source("a/files/x", file),
            source("a/tests/t.yml", test),
        ];
        Templates::load(&files).unwrap().iter().next().unwrap().digest.clone()
    };
    assert_eq!(load("1", "t"), load("1", "u"));
    assert_ne!(load("1", "t"), load("2", "t"));
    assert!(load("1", "t").starts_with("sha256:"));
}
