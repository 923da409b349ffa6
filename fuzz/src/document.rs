//! Files in which values stand at many places, and what each of them shall be read as.

use arbitrary::Arbitrary;
use serde_json::{Map, Value, json};

use crate::reader;
use crate::value::Seed;

/// A file, before it is one.
#[derive(Arbitrary, Debug)]
pub struct Document {
    language: Language,
    values: [Seed; 3],
    places: Vec<Place>,
}

/// The language of a file.
#[derive(Arbitrary, Debug, Clone, Copy, PartialEq)]
enum Language {
    Hcl,
    Json,
    TerraformJson,
    Yaml,
}

/// Where a value stands. Numbers choose a value, or what the author wrote beside it.
#[derive(Arbitrary, Debug)]
enum Place {
    /// By itself.
    Alone(u8),
    /// By itself, with `| json`.
    Literal(u8),
    /// In quotes, among other things.
    Quoted(Vec<Beside>),
    /// A list, and a map in it.
    Nested(u8, u8),
    /// As the key of a map.
    Key(u8, u8),
    /// A place that only one language has.
    Own(u8, u8),
}

/// What stands in quotes.
#[derive(Arbitrary, Debug)]
enum Beside {
    Author(u8),
    Value(u8),
}

/// A line of the template, and what is known of it.
struct Entry {
    source: String,
    /// What shall be read; `None`: nothing, as of a comment.
    expected: Option<Value>,
    /// Whether a refusal is no fault.
    may_refuse: bool,
}

/// A template, and what its file shall be read as.
pub struct Case {
    pub name: &'static str,
    pub template: String,
    pub context: Value,
    expected: Value,
    /// Whether every place takes every value that it has.
    pub must_be_taken: bool,
    language: Language,
}

impl Case {
    /// Reads the rendered file: `Err` tells what was read instead.
    pub fn compare(&self, file: &str) -> Result<(), String> {
        let read = match self.language {
            Language::Hcl => reader::hcl(file),
            Language::Json => reader::json(file),
            Language::TerraformJson => reader::terraform_json(file),
            Language::Yaml => reader::yaml(file).and_then(|mut documents| match documents.len() {
                1 => Ok(documents.remove(0)),
                many => Err(format!("{many} documents")),
            }),
        }?;
        let is_hcl = matches!(self.language, Language::Hcl | Language::TerraformJson);
        let (said, expected) = match is_hcl {
            true => (reader::single(&read), reader::single(&self.expected)),
            false => (read.clone(), self.expected.clone()),
        };
        if reader::same(&said, &expected) {
            return Ok(());
        }
        Err(format!("read     {read}\nexpected {}", self.expected))
    }
}

/// What authors write in quotes, and what it says: in HCL, in JSON, in YAML, in Terraform's JSON.
const BESIDE: [[(&str, &str); 4]; 12] = [
    [("a", "a"), ("a", "a"), ("a", "a"), ("a", "a")],
    [(" - ", " - "), (" - ", " - "), (": ", ": "), (" - ", " - ")],
    [("\\\"", "\""), ("\\\"", "\""), ("\\\"", "\""), ("\\\"", "\"")],
    [("\\\\", "\\"), ("\\\\", "\\"), ("\\\\", "\\"), ("\\\\", "\\")],
    [("\\n", "\n"), ("\\n", "\n"), ("\\n", "\n"), ("\\n", "\n")],
    [("$", "$"), ("$", "$"), ("$", "$"), ("$", "$")],
    [("%", "%"), ("%", "%"), (" #", " #"), ("%", "%")],
    [("$$", "$$"), ("$$", "$$"), ("'", "'"), ("$$", "$$")],
    [("{ ", "{ "), ("{ ", "{ "), ("{ ", "{ "), ("{ ", "{ ")],
    [("}", "}"), ("}", "}"), ("}", "}"), ("}", "}")],
    [("${same(\"c\")}", "c"), ("\\u00e9", "é"), ("\\u00e9", "é"), ("${same(\\\"c\\\")}", "c")],
    [("${same(\"b\")}", "b"), ("é", "é"), ("\\x41", "A"), ("${same(\\\"b\\\")}", "b")],
];

impl Document {
    /// Makes a template of it.
    pub fn case(&self) -> Case {
        let values: Vec<Value> = self.values.iter().map(Seed::value).collect();
        let mut writer = Writer { language: self.language, values: &values, at: 0 };
        let mut expected = Map::new();
        let mut must_be_taken = true;
        let mut lines = Vec::new();
        for (at, place) in self.places.iter().take(6).enumerate() {
            writer.at = at;
            let entry = writer.entry(place);
            lines.push(entry.source);
            must_be_taken &= !entry.may_refuse;
            if let Some(value) = entry.expected {
                expected.insert(format!("k{at}"), value);
            }
        }
        // Whatever a value did to what follows, it would show here.
        expected.insert("end".to_owned(), json!(1));
        let (name, template) = match self.language {
            Language::Hcl => ("main.tf", format!("{}\nend = 1\n", lines.join("\n"))),
            Language::Yaml => ("main.yml", format!("{}\nend: 1\n", lines.join("\n"))),
            Language::Json => ("main.json", braces(lines)),
            Language::TerraformJson => ("main.tf.json", braces(lines)),
        };
        let context = json!({"inputs": {"v0": values[0], "v1": values[1], "v2": values[2]}});
        let expected = Value::Object(expected);
        Case { name, template, context, expected, must_be_taken, language: self.language }
    }
}

fn braces(mut lines: Vec<String>) -> String {
    lines.push("\"end\": 1".to_owned());
    format!("{{\n{}\n}}\n", lines.join(",\n"))
}

struct Writer<'a> {
    language: Language,
    values: &'a [Value],
    at: usize,
}

impl Writer<'_> {
    fn value(&self, at: u8) -> (usize, &Value) {
        let at = usize::from(at) % self.values.len();
        (at, &self.values[at])
    }

    fn entry(&self, place: &Place) -> Entry {
        // A text of Terraform's JSON has no escape for every `$`.
        let is_terraform_json = self.language == Language::TerraformJson;
        match place {
            Place::Alone(v) => {
                let (v, value) = self.value(*v);
                // Texts and maps have a form of their own in JSON: `| json` is not needed.
                self.line(&format!("{{{{ inputs.v{v} }}}}"), value.clone(), is_terraform_json)
            }
            Place::Literal(v) => {
                let (v, value) = self.value(*v);
                let form = ["json", "hcl", "yaml"][self.at % 3];
                let source = format!("{{{{ inputs.v{v} | {form} }}}}");
                self.line(&source, value.clone(), is_terraform_json)
            }
            Place::Quoted(parts) => self.quoted(parts),
            Place::Nested(a, b) => {
                let ((a, one), (b, other)) = (self.value(*a), self.value(*b));
                let colon = if self.language == Language::Hcl { "=" } else { ":" };
                let source = format!(
                    "[{{{{ inputs.v{a} }}}}, {{ \"a\" {colon} {{{{ inputs.v{b} }}}} }}, 1]"
                );
                self.line(&source, json!([one, { "a": other }, 1]), is_terraform_json)
            }
            Place::Key(k, v) => {
                let ((k, key), (v, value)) = (self.value(*k), self.value(*v));
                let (text, is_text) = as_text(key);
                let key = format!("\"{{{{ inputs.v{k} }}}}\"");
                let key = match self.language {
                    Language::Hcl if self.at.is_multiple_of(2) => format!("({key})"),
                    _ => key,
                };
                let colon = if self.language == Language::Hcl { "=" } else { ":" };
                let source = format!("{{ {key} {colon} {{{{ inputs.v{v} }}}} }}");
                let may_refuse = !is_text || is_terraform_json;
                self.line(&source, json!({ text: value }), may_refuse)
            }
            Place::Own(which, v) => {
                let (v, value) = self.value(*v);
                match self.language {
                    Language::Hcl => self.of_hcl(*which, v, value),
                    Language::Yaml => self.of_yaml(*which, v, value),
                    _ => self.line("null", Value::Null, false),
                }
            }
        }
    }

    fn line(&self, source: &str, expected: Value, may_refuse: bool) -> Entry {
        let at = self.at;
        let source = match self.language {
            Language::Hcl => format!("k{at} = {source}"),
            Language::Yaml => format!("k{at}: {source}"),
            Language::Json | Language::TerraformJson => format!("\"k{at}\": {source}"),
        };
        Entry { source, expected: Some(expected), may_refuse }
    }

    fn quoted(&self, parts: &[Beside]) -> Entry {
        let column = match self.language {
            Language::Hcl => 0,
            Language::Json => 1,
            Language::TerraformJson => 3,
            Language::Yaml => 2,
        };
        let (mut source, mut said, mut may_refuse) = (String::from("\""), String::new(), false);
        for part in parts.iter().take(5) {
            match part {
                Beside::Author(at) => {
                    let beside = BESIDE[usize::from(*at) % BESIDE.len()];
                    let (written, meant) = beside[column];
                    // What two pieces of the author would mean together is not asked here.
                    if source.ends_with(['$', '%', '\\', '{']) || source.ends_with("{ ") {
                        continue;
                    }
                    source.push_str(written);
                    said.push_str(meant);
                    // With an empty value after it, it would join what follows.
                    may_refuse |= written.ends_with(['$', '%']);
                }
                Beside::Value(v) => {
                    let (v, value) = self.value(*v);
                    let (text, is_text) = as_text(value);
                    source.push_str(&format!("{{{{ inputs.v{v} }}}}"));
                    said.push_str(&text);
                    may_refuse |= !is_text;
                }
            }
        }
        source.push('"');
        may_refuse |= self.language == Language::TerraformJson;
        self.line(&source, said.into(), may_refuse)
    }

    fn of_hcl(&self, which: u8, v: usize, value: &Value) -> Entry {
        let (text, is_text) = as_text(value);
        let at = self.at;
        let of = |source: String, expected| Entry { source, expected, may_refuse: true };
        match which % 12 {
            0 => of(
                format!("k{at} = <<EOT\na {{{{ inputs.v{v} }}}} b\nEOT"),
                Some(format!("a {text} b\n").into()),
            ),
            10 => of(
                format!("k{at} = <<EOT\na {{{{ inputs.v{v} }}}}${{same(\"c\")}}\nEOT"),
                Some(format!("a {text}c\n").into()),
            ),
            11 => of(
                format!(
                    "k{at} = <<EOT\n$${{x}}{{{{ inputs.v{v} }}}}{{{{ inputs.v{v} }}}}%{{ if true }}t%{{ endif }} {{\nEOT"
                ),
                Some(format!("${{x}}{text}{text}t {{\n").into()),
            ),
            1 => of(
                format!("k{at} = <<-EOT\n  a\n    {{{{ inputs.v{v} }}}}\n  EOT"),
                Some(format!("a\n  {text}\n").into()),
            ),
            2 => of(format!("# {{{{ inputs.v{v} }}}}"), None),
            3 => of(format!("// a {{{{ inputs.v{v} }}}}"), None),
            4 => of(format!("/* {{{{ inputs.v{v} }}}} */"), None),
            5 => self.line(&format!("same({{{{ inputs.v{v} }}}})"), value.clone(), false),
            6 => self.line(
                &format!("\"${{same(\"{{{{ inputs.v{v} }}}}\")}}!\""),
                format!("{text}!").into(),
                !is_text,
            ),
            7 => self.line(&format!("true ? {{{{ inputs.v{v} }}}} : null"), value.clone(), false),
            8 => of(
                format!("k{at} \"{{{{ inputs.v{v} }}}}\" {{\n  a = 1\n}}"),
                Some(json!({ text: { "a": 1 } })),
            ),
            _ => self.line(
                &format!("{{ {{{{ inputs.v{v} | identifier }}}} = 1 }}"),
                json!({ text: 1 }),
                true,
            ),
        }
    }

    fn of_yaml(&self, which: u8, v: usize, value: &Value) -> Entry {
        let (text, _) = as_text(value);
        let at = self.at;
        let of = |source: String, expected| Entry { source, expected, may_refuse: true };
        match which % 10 {
            0 => of(
                format!("k{at}: |\n  a\n  {{{{ inputs.v{v} }}}}\n  b"),
                Some(format!("a\n{text}\nb\n").into()),
            ),
            // A folded text makes spaces of line breaks: exact, or refused.
            1 => of(
                format!("k{at}: >\n  a {{{{ inputs.v{v} }}}} b"),
                Some(format!("a {text} b\n").into()),
            ),
            2 => of(format!("# {{{{ inputs.v{v} }}}}"), None),
            3 => self.line(
                &format!("'a {{{{ inputs.v{v} }}}}'' b'"),
                format!("a {text}' b").into(),
                true,
            ),
            4 => self.line(&format!("a-{{{{ inputs.v{v} }}}}"), format!("a-{text}").into(), true),
            5 => self.line(&format!("{{{{ inputs.v{v} }}}}/b"), format!("{text}/b").into(), true),
            6 => of(
                format!(
                    "k{at}:\n  - {{{{ inputs.v{v} }}}}\n  - a: {{{{ inputs.v{v} }}}}\n    b: 1"
                ),
                Some(json!([value, {"a": value, "b": 1}])),
            ),
            7 => of(format!("k{at}:\n  {{{{ inputs.v{v} }}}}: 1"), Some(json!({ text: 1 }))),
            8 => self.line(&format!("{{{{ inputs.v{v} }}}} # a comment"), value.clone(), false),
            _ => self.line(&format!("[a, {{{{ inputs.v{v} }}}}]"), json!(["a", value]), false),
        }
    }
}

/// A value as it stands within a text, and whether it can.
fn as_text(value: &Value) -> (String, bool) {
    match value {
        Value::String(text) => (text.clone(), true),
        Value::Number(_) | Value::Bool(_) => (value.to_string(), true),
        other => (other.to_string(), false),
    }
}
