//! Starts a template from a Terraform file that exists. The file is copied as it stands: its
//! `variable` blocks become inputs, and their values come by `inputs.auto.tfvars`, which is
//! rendered. So nothing of the Terraform has to be trusted to a translation, and its own
//! validations hold at the plan as they did before.

mod variable;

use serde_json::{Map, Value, json};

use super::language::yaml_literal;
use super::load::SourceFile;
use super::manifest::block;
use crate::domain::TemplateName;
use variable::{Variable, read};

/// A template folder, and what its author should know of it.
#[derive(Debug)]
pub struct Adopted {
    /// The files, from the folder of all templates.
    pub files: Vec<SourceFile>,
    /// Sentences.
    pub notes: Vec<String>,
}

/// The input that names the thing, where no variable does.
const NAME: &str = "name";
/// What can be a part of a path and of an entity's identifier everywhere.
const NAME_PATTERN: &str = "^[a-z][a-z0-9-]{0,40}$";

/// Makes a template folder of one Terraform file. `Err` is a sentence.
pub fn from_terraform(name: &TemplateName, file_name: &str, text: &str) -> Result<Adopted, String> {
    let module = read(text)?;
    let mut notes = Vec::new();
    let (sensitive, variables): (Vec<Variable>, Vec<Variable>) =
        module.variables.into_iter().partition(|variable| variable.is_sensitive);
    for variable in &sensitive {
        notes.push(format!(
            "`{0}` is sensitive and is no input: a secret must not go through git. Give it to the \
             plan and the apply, as TF_VAR_{0}.",
            variable.name
        ));
    }
    let key = naming_variable(&variables);
    if key.is_none() {
        notes.push(format!(
            "No variable names the thing, so the input `{NAME}` was added; the folder is called \
             after it."
        ));
    }
    for variable in &variables {
        let validations = variable.not_understood.iter();
        notes.extend(validations.map(|condition| {
            format!("The validation `{condition}` of `{}` holds at the plan only.", variable.name)
        }));
    }
    let folder = Folder { name, key: key.unwrap_or(NAME), variables: &variables };
    let mut files = vec![
        folder.file("template.yml", folder.template(&module.outputs)),
        folder.file(&format!("files/{file_name}"), text.to_owned()),
    ];
    if !variables.is_empty() {
        files.push(folder.file("files/inputs.auto.tfvars.tera", folder.values()));
    }
    Ok(Adopted { files, notes })
}

/// A required text that names the thing: `name`, `identifier`, or the only candidate there is.
fn naming_variable(variables: &[Variable]) -> Option<&str> {
    let is_text =
        |variable: &&Variable| variable.is_required() && variable.schema["type"] == "string";
    let mut texts = variables.iter().filter(is_text);
    let named = |name: &str| variables.iter().filter(is_text).find(|it| it.name == name);
    let found = named("name").or_else(|| named("identifier")).or_else(|| texts.next());
    found.map(|variable| variable.name.as_str())
}

struct Folder<'a> {
    name: &'a TemplateName,
    key: &'a str,
    variables: &'a [Variable],
}

impl Folder<'_> {
    fn file(&self, path: &str, text: String) -> SourceFile {
        let path = format!("{}/{path}", self.name);
        SourceFile { path, contents: text.into_bytes(), executable: false }
    }

    fn template(&self, outputs: &[String]) -> String {
        let id = self.name.as_str().replace('-', "_");
        let key = format!("{{{{ inputs.{} }}}}", self.key);
        let others: Vec<&str> = self.variables.iter().map(|it| it.name.as_str()).collect();
        let changed: Vec<&str> = others.into_iter().filter(|name| *name != self.key).collect();
        let mut actions = json!({ format!("create_{id}"): {"operation": "create"} });
        if !changed.is_empty() {
            actions[format!("change_{id}")] = json!({"operation": "day-2", "inputs": changed});
        }
        actions[format!("delete_{id}")] = json!({"operation": "delete"});
        let mut properties = Map::new();
        for variable in self.variables.iter().filter(|it| it.name != self.key) {
            let is_given = variable.is_required() || variable.schema.get("default").is_some();
            if is_given {
                properties.insert(
                    variable.name.clone(),
                    json!(format!("{{{{ inputs.{} }}}}", variable.name)),
                );
            }
        }
        for output in outputs.iter().filter(|name| *name != self.key) {
            properties.insert(output.clone(), json!(format!("{{{{ outputs.{output} }}}}")));
        }
        let mut entity = json!({"blueprint": id, "identifier": key, "title": key});
        if !properties.is_empty() {
            entity["properties"] = Value::Object(properties);
        }
        let parts = [
            json!({"title": title(self.name.as_str())}),
            json!({"inputs": self.inputs()}),
            json!({"actions": actions}),
            json!({"target": {
                "repository": "acme/infrastructure",
                "path": format!("{}/{key}", self.name),
            }}),
            json!({"pull_request": {"title": format!("{{{{ action.title }}}}: {key}")}}),
            json!({
                "plan": {"workflow": "terraform-plan.yml"},
                "apply": {"workflow": "terraform-apply.yml"},
            }),
            json!({"entity": entity}),
        ];
        let parts: Vec<String> = parts
            .iter()
            .map(|part| {
                let mut text = String::new();
                block(&mut text, part, 0);
                text
            })
            .collect();
        parts.join("\n")
    }

    fn inputs(&self) -> Value {
        let mut properties = Map::new();
        let mut required = Vec::new();
        if !self.variables.iter().any(|variable| variable.name == self.key) {
            let schema = json!({"type": "string", "title": "Name", "pattern": NAME_PATTERN});
            properties.insert(self.key.to_owned(), schema);
            required.push(self.key);
        }
        for variable in self.variables {
            let mut schema = variable.schema.clone();
            let has_rule = schema.get("pattern").is_some() || schema.get("enum").is_some();
            if variable.name == self.key && !has_rule {
                schema["pattern"] = NAME_PATTERN.into();
            }
            properties.insert(variable.name.clone(), schema);
            if variable.is_required() {
                required.push(&variable.name);
            }
        }
        json!({
            "type": "object",
            "additionalProperties": false,
            "required": required,
            "properties": properties,
        })
    }

    /// One line a variable, aligned as `terraform fmt` does it.
    fn values(&self) -> String {
        let longest = self.variables.iter().map(|variable| variable.name.len()).max();
        let mut text = String::new();
        for variable in self.variables {
            let name = &variable.name;
            let value = format!("{{{{ inputs.{name} }}}}");
            let is_given = variable.is_required() || variable.schema.get("default").is_some();
            let value = if is_given {
                value
            } else {
                format!("{{% if inputs.{name} is defined %}}{value}{{% else %}}null{{% endif %}}")
            };
            text.push_str(&format!("{name:<0$} = {value}\n", longest.unwrap_or_default()));
        }
        text
    }
}

/// `name_of_thing` as `Name of thing`.
fn title(name: &str) -> String {
    let words = name.replace(['_', '-'], " ");
    let mut letters = words.trim().chars();
    let first = letters.next().map(|c| c.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}

/// A golden test for the create of a template, without what is expected: that is filled in by
/// running it. `None` where no value is found that an input would take.
pub fn first_test(template: &super::Template) -> Option<String> {
    let create =
        template.actions.iter().find(|it| it.operation == crate::domain::Operation::Create)?;
    let required = template.inputs["required"].as_array().cloned().unwrap_or_default();
    let mut inputs = Map::new();
    for name in required.iter().filter_map(Value::as_str) {
        inputs.insert(name.to_owned(), sample(&template.inputs["properties"][name])?);
    }
    let mut text = format!("action: {}\n", yaml_literal(&Value::String(create.id.to_string())));
    if !inputs.is_empty() {
        block(&mut text, &json!({ "inputs": inputs }), 0);
    }
    Some(text)
}

/// The first value of a few that a schema takes.
fn sample(schema: &Value) -> Option<Value> {
    let validator = jsonschema::options().build(schema).ok()?;
    let candidates = schema["enum"].as_array().cloned().unwrap_or_default().into_iter().chain([
        json!("example"),
        json!("example-1"),
        json!("ab"),
        json!("a"),
        json!("Example"),
        json!("eu-central-1"),
        json!("10.0.0.0/16"),
        json!("1.0.0"),
        json!("00000000"),
        schema["minimum"].clone(),
        json!(1),
        json!(10),
        json!(100),
        json!(false),
        json!([]),
        json!(["example"]),
        json!([1]),
        json!({}),
    ]);
    candidates
        .into_iter()
        .find(|candidate| !candidate.is_null() && validator.is_valid(candidate))
        .or_else(|| {
            let properties = schema["properties"].as_object()?;
            let sampled = properties.iter().map(|(name, of)| Some((name.clone(), sample(of)?)));
            let object = Value::Object(sampled.collect::<Option<Map<_, _>>>()?);
            validator.is_valid(&object).then_some(object)
        })
}
