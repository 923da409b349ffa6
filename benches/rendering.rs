//! What it costs to render a Terraform template of 60 lines with 10 inputs and to prove the result,
//! beside plain Tera, and beside nunjucks where `node` and `npm` are there. Neither of those escapes
//! or proves anything.
//!
//! `cargo bench --bench rendering`
#![expect(clippy::print_stdout, reason = "the figures")]

use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use towpath::template::{SourceFile, Templates, inputs, render};

/// How often each is done in one round.
const TIMES: u32 = 2_000;
/// Rounds; the first is not counted.
const ROUNDS: usize = 5;
/// The nunjucks that is measured.
const NUNJUCKS: &str = "nunjucks@3.2.4";

const YAML: &str = r#"
title: Database
inputs:
  type: object
  additionalProperties: false
  required: [name]
  properties:
    name: {type: string, pattern: "^[a-z][a-z0-9-]{1,40}$"}
    owner: {type: string}
    region: {type: string, enum: [eu-west-1, us-east-1]}
    engine: {type: string}
    version: {type: string, pattern: "^[0-9.]+$"}
    storage: {type: integer, minimum: 20, maximum: 1000}
    replicas: {type: integer, minimum: 0, maximum: 5}
    protected: {type: boolean}
    zones: {type: array, items: {type: string}}
    tags: {type: object, additionalProperties: {type: string}}
actions: {add_database: {operation: create}}
target: {repository: acme/infrastructure, path: "databases/{{ inputs.name }}"}
"#;

fn main() {
    let inputs = given();
    let text = template();
    println!("{} lines, {} inputs\n", text.lines().count(), inputs.len());
    let templates = loaded(&text);
    let own = measured(|| rendered(&templates, &inputs));
    let (plain, context) = plain_tera(&text, &inputs);
    let by_tera = || plain.render("main.tf", &context).expect("Tera renders it");
    let tera = measured(|| drop(black_box(by_tera())));
    println!("Towpath: guardrails, rendering, proof   {own:>9.1?} a file");
    println!("plain Tera: rendering alone             {tera:>9.1?} a file");
    match nunjucks(&text, &inputs) {
        Some((took, written)) => {
            assert_eq!(written, by_tera(), "nunjucks writes something else than Tera");
            println!("nunjucks: rendering alone               {took:>9.1?} a file");
        }
        None => println!("nunjucks: not measured, for want of node, npm or its package"),
    }
}

fn given() -> Map<String, Value> {
    let given = json!({
        "name": "orders", "owner": "team \"payments\" ${x}", "region": "eu-west-1",
        "engine": "postgres", "version": "16.4", "storage": 100, "replicas": 2, "protected": true,
        "zones": ["a", "b", "c"], "tags": {"service": "orders", "cost": "4711", "stage": "production"},
    });
    given.as_object().cloned().unwrap_or_default()
}

/// Three databases, written out.
fn template() -> String {
    let mut text = String::from(
        "# {{ inputs.name }}\nterraform {\n  required_version = \">= 1.5\"\n}\nlocals {\n  name = \"{{ inputs.name }}\"\n\
         \x20 zones = [{% for zone in inputs.zones %}\"{{ inputs.region }}{{ zone }}\", {% endfor %}]\n}\n\n",
    );
    for part in ["primary", "standby", "archive"] {
        text.push_str(&format!(
            "resource \"aws_db_instance\" \"{part}\" {{\n  identifier          = \"{{{{ inputs.name }}}}-{part}\"\n\
             \x20 engine              = \"{{{{ inputs.engine }}}}\"\n  engine_version      = \"{{{{ inputs.version }}}}\"\n\
             \x20 allocated_storage   = {{{{ inputs.storage }}}}\n  deletion_protection = {{{{ inputs.protected }}}}\n\
             \x20 availability_zone   = local.zones[0]\n{{% if inputs.replicas > 0 %}}\n  backup_retention_period = {{{{ inputs.replicas }}}}\n{{% endif %}}\n\
             \x20 tags = {{\n    owner = \"{{{{ inputs.owner }}}}\"\n{{% for key, value in inputs.tags %}}\n    \"{{{{ key }}}}\" = \"{{{{ value }}}}\"\n{{% endfor %}}\n  }}\n}}\n"
        ));
    }
    text
}

fn loaded(text: &str) -> Templates {
    let file = |path: &str, text: &str| SourceFile {
        path: path.to_owned(),
        contents: text.as_bytes().to_vec(),
        executable: false,
    };
    let files = [file("database/template.yml", YAML), file("database/files/main.tf.tera", text)];
    Templates::load(&files).expect("the bench's template has no mistake")
}

fn rendered(templates: &Templates, given: &Map<String, Value>) {
    let template = templates.iter().next().expect("there is one");
    let action = template.actions.first().expect("it has one");
    let checked = inputs::check(template, action, given, None).expect("the inputs are good");
    let context = json!({"inputs": checked});
    black_box(
        render::files(&template.targets[0], &context, "databases/orders")
            .expect("it can be rendered"),
    );
}

fn plain_tera(text: &str, inputs: &Map<String, Value>) -> (tera::Tera, tera::Context) {
    let mut tera = tera::Tera::new();
    tera.add_raw_template("main.tf", text).expect("Tera reads it");
    let context = tera::Context::from_serialize(&json!({"inputs": inputs})).expect("a map");
    (tera, context)
}

/// The median of some rounds.
fn measured(mut work: impl FnMut()) -> Duration {
    let mut rounds: Vec<Duration> = (0..=ROUNDS)
        .map(|_| {
            let begun = Instant::now();
            for _ in 0..TIMES {
                work();
            }
            begun.elapsed() / TIMES
        })
        .skip(1)
        .collect();
    rounds.sort_unstable();
    rounds[ROUNDS / 2]
}

/// The same by nunjucks, in a process of its own that measures itself alike: how long it took, and
/// what it wrote.
fn nunjucks(text: &str, inputs: &Map<String, Value>) -> Option<(Duration, String)> {
    let folder = tempfile::tempdir().ok()?;
    run(folder.path(), "npm", &["install", "--silent", "--no-audit", NUNJUCKS])?;
    let script = format!(
        "const nunjucks = require('nunjucks');\n\
         const template = nunjucks.compile({}, new nunjucks.Environment(null, {{autoescape: false}}));\n\
         const context = {{inputs: {}}};\nconst rounds = [];\n\
         for (let round = 0; round <= {ROUNDS}; round++) {{\n  const begun = process.hrtime.bigint();\n\
         \x20 for (let i = 0; i < {TIMES}; i++) template.render(context);\n\
         \x20 rounds.push(Number(process.hrtime.bigint() - begun) / {TIMES});\n}}\n\
         const took = rounds.slice(1).sort((a, b) => a - b)[{}];\n\
         console.log(JSON.stringify([took, template.render(context)]));\n",
        json!(text),
        json!(inputs),
        ROUNDS / 2
    );
    std::fs::write(folder.path().join("bench.js"), script).ok()?;
    let said = run(folder.path(), "node", &["bench.js"])?;
    let (took, written): (f64, String) = serde_json::from_str(&said).ok()?;
    Some((Duration::from_secs_f64(took / 1e9), written))
}

fn run(folder: &Path, program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).current_dir(folder).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
