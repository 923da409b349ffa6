//! The commands for authors of templates, run as people run them.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};
use towpath::clock::Clock;
use towpath::sandbox::github::{SANDBOX_APP_KEY, SANDBOX_CLIENT_ID, Sandbox, SandboxConfig};
use towpath::sandbox::portal::{Options, SandboxPort};
use towpath::template::keys;

const TEMPLATE: &str = r#"title: Note
inputs:
  type: object
  additionalProperties: false
  required: [name]
  properties:
    name: {type: string, pattern: "^[a-z]+$", title: Name}
    size: {type: integer, default: 1, maximum: 9}
    token: {type: string, secret: true}
actions:
  add_note: {operation: create}
  change_note: {operation: day-2, inputs: [size], approval: any}
  remove_note: {operation: delete, approval: true}
target: {repository: acme/notes, path: "notes/{{ inputs.name }}"}
entity:
  blueprint: note
  identifier: "{{ inputs.name }}"
  properties: {size: "{{ inputs.size }}"}
"#;
const FILE: &str = "size: {{ inputs.size }}\n";
const TEST: &str = "# The usual.\naction: add_note\ninputs: {name: a}\nfiles:\n  notes/a/note.yml: |\n    size: 1\n";

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        place.write("templates/note/template.yml", TEMPLATE);
        place.write("templates/note/files/note.yml.tera", FILE);
        place.write("templates/note/tests/add.yml", TEST);
        place
    }

    fn path(&self, path: &str) -> std::path::PathBuf {
        self.0.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    fn edit(&self, path: &str, from: &str, to: &str) {
        let text = self.read(path);
        assert!(text.contains(from), "{from} is in {path}");
        self.write(path, &text.replace(from, to));
    }

    fn run(&self, arguments: &[&str]) -> (i32, String) {
        let output = command(self.0.path()).args(arguments).output().unwrap();
        told(&output)
    }

    /// Puts what `render` shows into the checkout, as if it had been merged.
    fn merge(&self, arguments: &[&str]) {
        let (code, shown) = self.run(arguments);
        assert_eq!(code, 0, "{shown}");
        let diff = shown.split_once("\n\n").unwrap().1;
        let diff = diff.split("\n\n").next().unwrap().to_owned() + "\n";
        fs::create_dir_all(self.path("checkout")).unwrap();
        self.write("change.patch", &diff);
        let applied = Command::new("git")
            .current_dir(self.path("checkout"))
            .args(["apply", "--unsafe-paths", "../change.patch"])
            .output()
            .unwrap();
        assert!(applied.status.success(), "{}\n{diff}", told(&applied).1);
    }
}

fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_towpath"));
    command.current_dir(folder).env_remove("TOWPATH_TEMPLATES");
    command
}

fn told(output: &Output) -> (i32, String) {
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    (output.status.code().unwrap(), format!("{said}{complained}"))
}

#[test]
fn check_shows_every_mistake_with_its_place_and_ends_with_one() {
    let place = Place::new();
    let (code, shown) = place.run(&["check"]);
    assert!(code == 0 && shown.contains("1 template, 1 golden test: 0 errors, 2 hints"), "{shown}");

    place.edit("templates/note/template.yml", "target:", "tarket:");
    place.edit("templates/note/files/note.yml.tera", "inputs.size", "inputs.sise");
    place.edit("templates/note/tests/add.yml", "inputs:", "input:");
    let (code, shown) = place.run(&["check"]);
    assert_eq!(code, 1);
    let file = "templates/note/files/note.yml.tera:1:10: error: there is no input `sise`\n\
                1 | size: {{ inputs.sise }}\n  |          ^\n  = did you mean `size`?\n";
    assert!(shown.contains(file), "{shown}");
    assert!(shown.contains("= did you mean `target`?"), "{shown}");
    assert!(
        shown.contains("templates/note/tests/add.yml:3:1: error: unknown key `input` in a test"),
        "{shown}"
    );

    let (code, shown) = place.run(&["check", "templates", "--format", "github"]);
    assert_eq!(code, 1);
    let line = "::error file=templates/note/files/note.yml.tera,line=1,col=10::there is no input `sise`%0Adid you mean `size`?\n";
    assert!(shown.contains(line), "{shown}");

    let (_, shown) = place.run(&["check", "--format", "json"]);
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown[0]["severity"], "error");
    assert_eq!((&shown[0]["line"], &shown[0]["column"]), (&json!(1), &json!(10)));
}

#[test]
fn check_finds_mistakes_of_every_language_in_one_pass() {
    let place = Place::new();
    let note =
        TEMPLATE.replace("maximum: 9", "maximum: nine").replace("type: object", "type: objekt");
    place.write("templates/note/template.yml", &note);
    place.write(
        "templates/note/files/a.tf.tera",
        "a = {{ inputs.size | safe }}\nb = {{ inputs.sise }}\n",
    );
    place.write("templates/list/template.yml", "title: List\n  actions: [\n");
    let code = TEMPLATE.replace("_note", "_code").replace("note", "code");
    place.write("templates/code/template.yml", &code);
    place.write("templates/code/files/main.tf.tera", "a = {\n  b = {{ inputs.size }}\n");
    place.write("templates/code/tests/add.yml", "action: add_code\ninputs: {name: a}\nfiles: {}\n");
    let (exit, shown) = place.run(&["check"]);
    assert_eq!(exit, 1);
    for part in [
        "templates/note/template.yml:3:3: error: `inputs`",
        "templates/note/template.yml:8:39: error: `inputs`",
        "is no valid JSON Schema",
        "templates/note/files/a.tf.tera:1:22: error: there is no filter `safe` here",
        "templates/note/files/a.tf.tera:2:8: error: there is no input `sise`",
        "templates/list/template.yml:2:10: error: this is no valid YAML",
    ] {
        assert!(shown.contains(part), "{part}\n{shown}");
    }
    place.write("templates/note/template.yml", TEMPLATE);
    place.write("templates/note/files/a.tf.tera", "a = {{ inputs.size }}\n");
    fs::remove_dir_all(place.path("templates/list")).unwrap();
    let (exit, shown) = place.run(&["check"]);
    let produced = "code/files/main.tf.tera: the rendered file is not valid";
    assert!(exit == 1 && shown.contains("templates/code/tests/add.yml:1:1"), "{shown}");
    assert!(shown.contains(produced), "{shown}");
}

#[test]
fn a_golden_test_of_a_delete_leaves_no_file() {
    let place = Place::new();
    let test =
        "action: remove_note\nentity: {identifier: a}\nbefore: {inputs: {name: a}}\nfiles: {}\n";
    place.write("templates/note/tests/remove.yml", test);
    let (code, shown) = place.run(&["test"]);
    assert!(code == 0 && shown.contains("ok      note/tests/remove.yml"), "{shown}");
    place.edit(
        "templates/note/tests/remove.yml",
        "files: {}",
        "files: {notes/a/note.yml: 'size: 1'}",
    );
    assert_eq!(place.run(&["test"]).0, 1);
    assert_eq!(place.run(&["test", "--update"]).0, 0);
    assert_eq!(place.read("templates/note/tests/remove.yml"), test);
}

#[test]
fn render_shows_the_files_and_the_pull_request_of_a_create() {
    let place = Place::new();
    let (code, shown) =
        place.run(&["render", "note", "add_note", "--input", "name=a", "--input", "size=3"]);
    assert_eq!(code, 0, "{shown}");
    for part in [
        "towpath/add_note/r_preview into main of acme/notes\n",
        "--- /dev/null\n+++ b/notes/a/.towpath.yml\n",
        "+++ b/notes/a/note.yml\n@@ -0,0 +1 @@\n+size: 3\n",
        "\nAdd Note: notes/a\n",
        "| Name | `a` |",
    ] {
        assert!(shown.contains(part), "{part}\n{shown}");
    }
    let arguments = ["render", "note", "add_note", "--input", "name=a", "--exit-code"];
    assert_eq!(place.run(&arguments).0, 2);
}

#[test]
fn render_shows_what_would_be_done_at_each_of_several_targets() {
    let place = Place::new();
    let targets = "targets:\n  \
                   - {name: notes, repository: acme/notes, path: \"notes/{{ inputs.name }}\"}\n  \
                   - {name: index, repository: acme/index, path: \"of/{{ inputs.name }}\"}\n";
    let target = "target: {repository: acme/notes, path: \"notes/{{ inputs.name }}\"}\n";
    place.edit("templates/note/template.yml", target, targets);
    place.write("templates/note/files/notes/note.yml.tera", FILE);
    place.write("templates/note/files/index/entry.yml.tera", "name: {{ inputs.name }}\n");
    let (code, shown) = place.run(&["render", "note", "add_note", "--input", "name=a"]);
    assert_eq!(code, 0, "{shown}");
    for part in [
        "1 of 2: acme/notes\n",
        "+++ b/notes/a/note.yml\n@@ -0,0 +1 @@\n+size: 1\n",
        "2 of 2: acme/index\n",
        "+++ b/of/a/entry.yml\n@@ -0,0 +1 @@\n+name: a\n",
        "It belongs together with `acme/notes`.",
    ] {
        assert!(shown.contains(part), "{part}\n{shown}");
    }

    // Each has a checkout of its own.
    place.write("taken/of/a/entry.yml", "mine\n");
    let (code, shown) = place.run(&[
        "render",
        "note",
        "add_note",
        "--input",
        "name=a",
        "--checkout",
        "index=taken",
    ]);
    assert_eq!(code, 1, "{shown}");
    assert!(shown.contains("Refused\n") && shown.contains("of/a"), "{shown}");
    let (code, shown) =
        place.run(&["render", "note", "add_note", "--input", "name=a", "--checkout", "taken"]);
    assert_eq!(code, 1);
    assert!(shown.contains("the targets are notes, index"), "{shown}");

    let expected = "files:\n  acme/index/of/a/entry.yml: |\n    name: a\n  \
                    acme/notes/notes/a/note.yml: |\n    size: 1\n";
    let test = format!("action: add_note\ninputs: {{name: a}}\n{expected}");
    place.write("templates/note/tests/add.yml", &test);
    let (code, shown) = place.run(&["test"]);
    assert_eq!(code, 0, "{shown}");
}

#[test]
fn render_names_every_fault_of_what_would_be_refused() {
    let place = Place::new();
    place.write("in.yml", "name: A\nsize: 99\n");
    let (code, shown) =
        place.run(&["render", "note", "add_note", "--inputs", "in.yml", "--input", "x=1"]);
    assert_eq!(code, 1);
    assert!(shown.starts_with("Refused\n"), "{shown}");
    for field in ["`name`:", "`size`:", "`x`: there is no such input."] {
        assert!(shown.contains(field), "{field}\n{shown}");
    }
    let (code, shown) = place.run(&["render", "note", "change_note", "--entity", "a"]);
    assert!(code == 1 && shown.contains("No folder in acme/notes belongs to note a"), "{shown}");
    let (code, shown) = place.run(&["render", "note", "other"]);
    assert!(code == 1 && shown.contains("it has add_note, change_note, remove_note"), "{shown}");
}

#[test]
fn render_changes_and_deletes_what_stands_in_a_checkout() {
    let place = Place::new();
    place.merge(&["render", "note", "add_note", "--input", "name=a"]);
    let at = ["--entity", "a", "--checkout", "checkout"];

    let same = [&["render", "note", "change_note", "--input", "size=1"][..], &at].concat();
    let (code, shown) = place.run(&same);
    assert_eq!(
        (code, shown.as_str()),
        (0, "`notes/a` stands already as it was asked for: no pull request.\n")
    );

    let change = [&["render", "note", "change_note", "--input", "size=2"][..], &at].concat();
    let (code, shown) = place.run(&change);
    assert_eq!(code, 0, "{shown}");
    let diff = "--- a/notes/a/note.yml\n+++ b/notes/a/note.yml\n@@ -1 +1 @@\n-size: 1\n+size: 2\n";
    assert!(shown.contains(diff), "{shown}");

    place.write("checkout/notes/a/mine.txt", "mine\n");
    let delete = [&["render", "note", "remove_note"][..], &at].concat();
    let (code, shown) = place.run(&delete);
    assert_eq!(code, 0, "{shown}");
    assert!(shown.contains("--- a/notes/a/note.yml\n+++ /dev/null\n"), "{shown}");
    assert!(shown.contains("was added by hand and stays."), "{shown}");
}

#[test]
fn render_merges_what_was_edited_by_hand_with_the_texts_that_git_has() {
    let place = Place::new();
    place.write(
        "templates/note/files/note.yml.tera",
        "size: {{ inputs.size }}\none: 1\ntwo: 2\nthree: 3\n",
    );
    place.merge(&["render", "note", "add_note", "--input", "name=a"]);
    for arguments in [&["init", "--quiet"][..], &["add", "--all"]] {
        let git = Command::new("git").current_dir(place.path("checkout")).args(arguments).output();
        assert!(git.unwrap().status.success());
    }
    place.edit("checkout/notes/a/note.yml", "three: 3", "three: 4");
    let change = ["render", "note", "change_note", "--entity", "a", "--checkout", "checkout"];
    let (code, shown) = place.run(&[&change[..], &["--input", "size=2"]].concat());
    assert_eq!(code, 0, "{shown}");
    assert!(shown.contains("-size: 1\n+size: 2\n one: 1\n two: 2\n three: 4\n"), "{shown}");

    place.edit("checkout/notes/a/note.yml", "size: 1", "size: 7");
    let (code, shown) = place.run(&[&change[..], &["--input", "size=2"]].concat());
    assert_eq!(code, 1, "{shown}");
    assert!(shown.contains("edited by hand where this change would write"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn render_shows_what_would_change_in_a_repository_on_github() {
    let place = Place::new();
    place.merge(&["render", "note", "add_note", "--input", "name=a"]);
    let files = ["notes/a/note.yml", "notes/a/.towpath.yml"];
    let files = files.map(|path| (path, place.read(&format!("checkout/{path}"))));
    let files: Vec<_> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    let config = SandboxConfig::new(place.path("github"), Clock::system());
    let github = Sandbox::start(config).await.unwrap();
    github.create_repository("acme/notes", &files);
    let rendered = |arguments: &[&str]| {
        let output = command(place.0.path())
            .env("GITHUB_API_URL", github.url())
            .env("GITHUB_APP_ID", SANDBOX_CLIENT_ID)
            .env("GITHUB_APP_PRIVATE_KEY", SANDBOX_APP_KEY)
            .args(["render", "note", "change_note", "--entity", "a", "--exit-code"])
            .args(arguments)
            .output();
        told(&output.unwrap())
    };
    let (code, shown) = rendered(&["--repository", "acme/notes", "--input", "size=2"]);
    assert_eq!(code, 2, "{shown}");
    let diff = "--- a/notes/a/note.yml\n+++ b/notes/a/note.yml\n@@ -1 +1 @@\n-size: 1\n+size: 2\n";
    assert!(shown.contains(diff), "{shown}");
    let (code, shown) = rendered(&["--repository", "acme/notes@main", "--input", "size=1"]);
    assert!(code == 0 && shown.contains("stands already as it was asked for"), "{shown}");
    let (code, shown) = rendered(&["--repository", "acme/nothing", "--input", "size=1"]);
    assert!(code == 1 && shown.contains("GitHub has not found what was asked for"), "{shown}");
    let without = ["render", "note", "change_note", "--entity", "a", "--repository", "acme/notes"];
    let (code, shown) = place.run(&without);
    assert!(code == 1 && shown.contains("is read as the App: set GITHUB_APP_ID"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn templates_of_a_repository_are_checked_rendered_and_tested_as_those_of_a_folder() {
    let place = Place::new();
    let config = SandboxConfig::new(place.path("github"), Clock::system());
    let github = Sandbox::start(config).await.unwrap();
    let other = TEMPLATE.replace("_note", "_memo").replace("notes/", "memos/");
    let wrong = FILE.replace("size }}", "sise }}");
    let repository = github.create_repository(
        "acme/platform",
        &[
            ("README.md", "# Platform"),
            ("portal/memo/template.yml", &other),
            ("portal/memo/files/memo.yml.tera", FILE),
            ("portal/memo/tests/add.yml", &TEST.replace("note", "memo")),
        ],
    );
    repository.push("ada", "wrong", &[("portal/memo/files/memo.yml.tera", Some(&wrong))], "Change");
    let run = |arguments: &[&str]| {
        let output = command(place.0.path())
            .env("GITHUB_API_URL", github.url())
            .env("GITHUB_APP_ID", SANDBOX_CLIENT_ID)
            .env("GITHUB_APP_PRIVATE_KEY", SANDBOX_APP_KEY)
            .args(arguments)
            .output();
        told(&output.unwrap())
    };
    let good = "github:acme/platform/portal";
    let both = format!("templates,{good}");
    let (code, shown) = run(&["check", good]);
    assert!(code == 0 && shown.contains("1 template, 1 golden test: 0 errors"), "{shown}");
    let (code, shown) = run(&["check", &both]);
    assert!(code == 0 && shown.contains("2 templates, 2 golden tests: 0 errors"), "{shown}");
    let (code, shown) = run(&["check", &format!("{good}@wrong")]);
    let told =
        "github:acme/platform/portal/memo/files/memo.yml.tera:1:10: error: there is no input";
    assert!(code == 1 && shown.contains(told), "{shown}");

    let (code, shown) = run(&["test", &both]);
    assert!(code == 0 && shown.ends_with("2 golden tests: 0 failed\n"), "{shown}");
    let (code, shown) = run(&["test", good, "--update"]);
    assert!(code == 1 && shown.contains("name the folder of a checkout"), "{shown}");

    let add = ["render", "memo", "add_memo", "--input", "name=a", "--templates"];
    let (code, shown) = run(&[&add[..], &[&both]].concat());
    assert!(code == 0 && shown.contains("+++ b/memos/a/memo.yml"), "{shown}");
    let export = ["portal", "export", "--url", "https://towpath.example/hooks/port", "--templates"];
    let (code, shown) = run(&[&export[..], &[&both]].concat());
    assert!(code == 0 && shown.contains("add_memo") && shown.contains("add_note"), "{shown}");

    let (code, shown) = run(&["check", &format!("{good}@nowhere")]);
    assert!(code == 1 && shown.contains("github:acme/platform/portal@nowhere: "), "{shown}");
    let (code, shown) = run(&["check", "github:acme/platform/nothing"]);
    assert!(code == 1 && shown.contains("the folder `nothing` of acme/platform"), "{shown}");
    let (code, shown) = run(&["check", "github:acme"]);
    assert!(code == 1 && shown.contains("github:owner/repo[/path][@ref]"), "{shown}");
    let (code, shown) = place.run(&["check", good]);
    assert!(code == 1 && shown.contains("or name the folder of a checkout"), "{shown}");
}

#[test]
fn places_that_do_not_go_together_are_told_by_check() {
    let place = Place::new();
    place.write("others/note/template.yml", TEMPLATE);
    place.write("others/note/files/note.yml.tera", FILE);
    let (code, shown) = place.run(&["check", "templates,others"]);
    assert_eq!(code, 1, "{shown}");
    let clash = "The template `note` is in templates and in others: rename one of them.";
    assert!(shown.contains(clash), "{shown}");
}

#[test]
fn test_shows_what_differs_and_update_accepts_it() {
    let place = Place::new();
    let (code, shown) = place.run(&["test"]);
    assert!(code == 0 && shown.ends_with("1 golden test: 0 failed\n"), "{shown}");
    place.edit("templates/note/files/note.yml.tera", "size:", "large:");
    let (code, shown) = place.run(&["test"]);
    assert_eq!(code, 1);
    assert!(shown.contains("FAILED  note/tests/add.yml"), "{shown}");
    assert!(shown.contains("-size: 1\n+large: 1\n"), "{shown}");
    let (code, _) = place.run(&["test", "--update"]);
    assert_eq!(code, 0);
    assert_eq!(place.read("templates/note/tests/add.yml"), TEST.replace("size: 1", "large: 1"));
    assert_eq!(place.run(&["test"]).0, 0);
}

#[test]
fn test_has_terraform_look_at_what_is_rendered_or_says_that_it_did_not() {
    let place = Place::new();
    place.write("templates/note/files/main.tf.tera", "locals {\na = {{ inputs.size }}\n}\n");
    assert_eq!(place.run(&["test", "--update"]).0, i32::from(has_terraform()));
    let (code, shown) = place.run(&["test"]);
    let said = if has_terraform() { "FAILED  terraform" } else { "terraform is not on the PATH" };
    assert!(shown.contains(said), "{shown}");
    assert_eq!(code, i32::from(has_terraform()));

    let output = command(place.0.path()).arg("test").env("PATH", place.0.path()).output().unwrap();
    let (code, shown) = told(&output);
    assert!(code == 0 && shown.contains("terraform is not on the PATH"), "{shown}");
}

fn has_terraform() -> bool {
    Command::new("terraform").arg("version").output().is_ok()
}

#[test]
fn new_starts_a_template_that_passes_check_and_test() {
    let place = Place::new();
    place.write(
        "db.tf",
        "variable \"id\" {\n  type = string\n}\n\nvariable \"size\" {\n  type    = number\n  default = 5\n\n  \
         validation {\n    condition     = var.size >= 1\n    error_message = \"At least 1.\"\n  }\n}\n\n\
         variable \"password\" {\n  type      = string\n  sensitive = true\n}\n\n\
         resource \"terraform_data\" \"this\" {\n  input = \"${var.id}-${var.size}\"\n}\n",
    );
    let (code, shown) = place.run(&["new", "tables", "--from-terraform", "db.tf"]);
    assert_eq!(code, 0, "{shown}");
    assert!(shown.contains("TF_VAR_password"), "{shown}");
    assert_eq!(
        place.read("templates/tables/files/inputs.auto.tfvars.tera"),
        "id   = {{ inputs.id }}\nsize = {{ inputs.size }}\n"
    );
    assert_eq!(place.read("templates/tables/files/db.tf"), place.read("db.tf"));
    let template = place.read("templates/tables/template.yml");
    assert!(template.contains("default: 5\n      minimum: 1\n"), "{template}");
    assert!(!template.contains("password"), "{template}");

    for template in crate::templates::shipped().1.iter() {
        let example = template.name.as_str();
        let (code, shown) = place.run(&["new", &format!("my-{example}"), "--from", example]);
        assert_eq!(code, 0, "{shown}");
    }
    let (code, shown) = place.run(&["check"]);
    assert!(code == 0, "{shown}");
    let (code, shown) = place.run(&["test"]);
    assert!(code == 0, "{shown}");

    let (code, shown) = place.run(&["new", "tables"]);
    assert!(code == 1 && shown.contains("is there already"), "{shown}");
    let (code, shown) = place.run(&["new", "x", "--from", "nothing"]);
    assert!(code == 1 && shown.contains("there are change-owner, crossplane-database"), "{shown}");
}

fn schema() -> Value {
    let (code, text) = told(&command(Path::new(".")).arg("schema").output().unwrap());
    assert_eq!(code, 0);
    serde_json::from_str(&text).unwrap()
}

#[test]
fn the_schema_takes_every_shipped_template_and_refuses_what_the_loader_refuses() {
    let schema = jsonschema::validator_for(&schema()).unwrap();
    let mut seen = 0;
    for folder in fs::read_dir("templates").unwrap() {
        let path = folder.unwrap().path().join("template.yml");
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let template: Value = serde_saphyr::from_str(&text).unwrap();
        let faults: Vec<String> = schema.iter_errors(&template).map(|e| e.to_string()).collect();
        assert_eq!(faults, Vec::<String>::new(), "{}", path.display());
        seen += 1;
    }
    assert!(seen >= 4);
    let place = Place::new();
    let note: Value = serde_saphyr::from_str(TEMPLATE).unwrap();
    assert!(schema.is_valid(&note));
    for (pointer, value) in [
        ("/zzz", json!(1)),
        ("/target/zzz", json!("x")),
        ("/targets", json!([])),
        ("/entity/zzz", json!("x")),
        ("/plan", json!({"zzz": "x"})),
        ("/apply", json!({"workflow": "a", "status": "b"})),
        ("/apply", json!({})),
        ("/deadlines", json!({"zzz": "1d"})),
        ("/deadlines", json!({"review": 30})),
        ("/deadlines", json!({"review": "1w"})),
        ("/deadlines", json!({"review": "0d"})),
        ("/deadlines", json!({"review": {"after": "soon"}})),
        ("/deadlines", json!({"review": {"end": "yes"}})),
        ("/deadlines", json!({"review": {"zzz": true}})),
        ("/pull_request", json!({"zzz": 1})),
        ("/pull_request", json!({"draft": "yes"})),
        ("/actions/add_note/zzz", json!(1)),
        ("/actions/add_note/approval", json!("some")),
        ("/actions/add_note/operation", json!("update")),
        ("/actions/add_note/workflow", json!({"repository": "a/b"})),
        ("/actions/add_note/secret", json!({"repository": "a/b", "name": "A"})),
        ("/actions/add_note/conclusions", json!({"good": "bad"})),
        ("/actions", json!({})),
        ("/title", json!(1)),
    ] {
        let mut wrong = note.clone();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        wrong.pointer_mut(parent).unwrap()[key] = value;
        assert!(!schema.is_valid(&wrong), "the schema takes {pointer}");
        place.write("templates/note/template.yml", &wrong.to_string());
        assert_eq!(place.run(&["check"]).0, 1, "the loader takes {pointer}");
    }
}

#[test]
fn the_schema_has_the_keys_of_the_loader_and_no_others() {
    let schema = schema();
    for (pointer, known) in [
        ("", &keys::TEMPLATE[..]),
        ("/$defs/action", &keys::ACTION),
        ("/$defs/action/properties/workflow", &keys::WORKFLOW),
        ("/$defs/action/properties/secret", &keys::SECRET),
        ("/properties/target", &keys::TARGET),
        ("/properties/targets/items", &keys::TARGETS),
        ("/$defs/new_repository", &keys::NEW_REPOSITORY),
        ("/$defs/pull_request", &keys::PULL_REQUEST),
        ("/$defs/plan", &keys::PLAN),
        ("/$defs/apply", &keys::APPLY),
        ("/properties/deadlines", &keys::DEADLINES),
        ("/$defs/deadline/anyOf/1", &keys::DEADLINE),
        ("/properties/entity", &keys::ENTITY),
    ] {
        let part = schema.pointer(pointer).unwrap();
        let mut named: Vec<&str> =
            part["properties"].as_object().unwrap().keys().map(String::as_str).collect();
        let mut known = known.to_vec();
        named.sort_unstable();
        known.sort_unstable();
        assert_eq!(named, known, "{pointer}");
        assert_eq!(part["additionalProperties"], false, "{pointer}");
    }
    assert_eq!(schema["$defs"]["conclusion"]["enum"], json!(keys::CONCLUSIONS));
    assert_eq!(
        schema["$defs"]["action"]["properties"]["operation"]["enum"],
        json!(keys::OPERATIONS)
    );
}

#[test]
fn export_writes_blueprints_and_actions_in_port_s_form() {
    let place = Place::new();
    let url = "https://towpath.example/hooks/port";
    let (code, shown) = place.run(&["portal", "export", "--url", url]);
    assert_eq!(code, 0, "{shown}");
    let all: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(
        all["blueprints"][0]["schema"]["properties"],
        json!({"size": {"type": "number", "title": "Size"}})
    );
    let add = &all["actions"][0];
    assert_eq!(add["trigger"]["operation"], "CREATE");
    assert_eq!(add["trigger"]["blueprintIdentifier"], "note");
    assert_eq!(
        add["trigger"]["userInputs"],
        json!({
            "properties": {
                "name": {"type": "string", "title": "Name", "pattern": "^[a-z]+$"},
                "size": {"type": "number", "maximum": 9, "default": 1},
                "token": {"type": "string", "encryption": "aes256-gcm"},
            },
            "required": ["name"],
            "order": ["name", "size", "token"],
        })
    );
    assert_eq!(add["requiredApproval"], false);
    assert_eq!(add["invocationMethod"]["url"], url);
    assert_eq!(
        add["invocationMethod"]["body"],
        json!({
            "action": "{{ .action.identifier }}",
            "run": {"id": "{{ .run.id }}"},
            "inputs": "{{ .inputs }}",
            "entity": "{{ .entity }}",
            "trigger": "{{ .trigger }}",
            "encrypted": "{{ .action.encryptedProperties }}",
        })
    );
    let change = &all["actions"][1];
    assert_eq!(change["trigger"]["operation"], "DAY-2");
    assert_eq!(change["requiredApproval"], json!({"type": "ANY"}));
    assert_eq!(
        change["trigger"]["userInputs"]["properties"]["size"]["default"],
        json!({"jqQuery": ".entity.properties.\"size\""})
    );
    let remove = &all["actions"][2];
    assert_eq!(
        (&remove["trigger"]["operation"], &remove["requiredApproval"]),
        (&json!("DELETE"), &json!(true))
    );
    assert_eq!(remove["trigger"]["userInputs"]["properties"], json!({}));

    assert_eq!(place.run(&["portal", "export", "--url", url, "--out", "port"]).0, 0);
    let written: Value = serde_json::from_str(&place.read("port/actions/add_note.json")).unwrap();
    assert_eq!(written, *add);
}

#[test]
fn two_templates_that_disagree_about_a_property_are_not_exported() {
    let place = Place::new();
    let other =
        TEMPLATE.replace("_note", "_book").replace("size: \"{{ inputs.size }}\"", "size: big");
    place.write("templates/other/template.yml", &other);
    place.write("templates/other/files/x", "");
    let (code, shown) = place.run(&["portal", "export", "--url", "https://x"]);
    assert!(code == 1 && shown.contains("the property `size` as"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sync_makes_what_is_missing_and_asks_before_it_writes_over_anything() {
    let port = SandboxPort::start(Options::default()).await.unwrap();
    let place = Place::new();
    let sync = |more: &[&str]| {
        let mut command = command(place.0.path());
        command.args(["portal", "sync", "--url", "https://x/hooks/port"]).args(more);
        command.env("PORT_API_URL", port.url()).env("PORT_CLIENT_ID", port.client_id());
        told(&command.env("PORT_CLIENT_SECRET", port.client_secret()).output().unwrap())
    };
    let (code, shown) = sync(&[]);
    assert!(code == 0 && shown.contains("4 definitions written, 0 unchanged"), "{shown}");
    let (code, shown) = sync(&[]);
    assert!(code == 0 && shown.contains("0 definitions written, 4 unchanged"), "{shown}");

    place.edit("templates/note/template.yml", "maximum: 9", "maximum: 12");
    let (code, shown) = sync(&[]);
    assert_eq!(code, 1, "{shown}");
    assert!(shown.contains("differs   action add_note"), "{shown}");
    assert!(shown.contains("\"maximum\": 9") && shown.contains("\"maximum\": 12"), "{shown}");
    let (code, shown) = sync(&["--yes"]);
    assert!(code == 0 && shown.contains("changed   action add_note"), "{shown}");
    let (code, shown) = sync(&[]);
    assert!(code == 0 && shown.contains("4 unchanged"), "{shown}");
}
