//! Reads the JSON Schema of a template's inputs, and finds every mistake in it.

use serde_json::{Value, json};

use super::diagnostic::{Place, did_you_mean};
use super::load::Reader;
use super::located::Located;

/// What JSON Schema knows as a type.
const TYPES: [&str; 7] = ["string", "integer", "number", "boolean", "array", "object", "null"];

/// A mistake in a schema: where, what, and the way out.
struct Fault {
    pointer: String,
    message: String,
    help: Option<String>,
}

impl Reader<'_> {
    pub(super) fn schema(
        &mut self,
        inputs: &Value,
        located: Option<&Located>,
    ) -> Option<jsonschema::Validator> {
        let place = located.map_or(Place::START, |located| located.place);
        if inputs.get("type").is_some_and(|kind| kind != "object") {
            self.say(place, "`inputs` must be a JSON Schema of `type: object`");
        }
        for (name, schema) in properties(inputs) {
            let is_flag = schema.get("secret").is_none_or(Value::is_boolean);
            if !is_flag {
                let message = format!("`secret` of the input `{name}` must be true or false");
                let diagnostic = self.at_key(name, message);
                self.found.push(diagnostic);
            }
        }
        let built = jsonschema::options().build(inputs);
        let mut faults = language_faults(inputs);
        pattern_faults(inputs, "", &mut faults);
        faults.extend(meaning_faults(inputs));
        if let (Err(error), true) = (&built, faults.is_empty()) {
            let pointer = error.instance_path().to_string();
            faults.push(Fault { pointer, message: error.to_string(), help: None });
        }
        for Fault { pointer, message, help } in faults {
            let message = format!("`inputs` is no valid JSON Schema at `{pointer}`: {message}");
            let place = located.map_or(place, |at| place_at(at, &pointer));
            let found = self.at(place, message).maybe_help(help);
            self.found.push(found);
        }
        built.ok()
    }
}

fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema.get("properties").and_then(Value::as_object).into_iter().flatten()
}

/// What JSON Schema's own schema finds.
fn language_faults(inputs: &Value) -> Vec<Fault> {
    if inputs.get("$schema").is_some() {
        return Vec::new();
    }
    let language = jsonschema::draft202012::meta::validator();
    let faults = language.iter_errors(inputs).map(|error| {
        let pointer = error.instance_path().to_string();
        let kind = inputs.pointer(&pointer).and_then(Value::as_str);
        match kind.filter(|_| pointer.ends_with("/type")) {
            Some(kind) => Fault {
                message: format!("there is no type `{kind}`"),
                help: did_you_mean(kind, TYPES),
                pointer,
            },
            None => Fault { pointer, message: error.to_string(), help: None },
        }
    });
    faults.collect()
}

/// Patterns that are no regular expressions, at any depth.
fn pattern_faults(schema: &Value, pointer: &str, faults: &mut Vec<Fault>) {
    match schema {
        Value::Object(entries) => {
            // Those hold values, which may have any keys.
            let of_schema = |key: &str| !matches!(key, "default" | "enum" | "const" | "examples");
            for (key, inner) in entries.iter().filter(|(key, _)| of_schema(key)) {
                let pointer = format!("{pointer}/{key}");
                match inner {
                    Value::String(pattern) if key == "pattern" => {
                        let alone = json!({ "pattern": pattern });
                        if jsonschema::options().build(&alone).is_err() {
                            let message = format!("`{pattern}` is no regular expression");
                            faults.push(Fault { pointer, message, help: None });
                        }
                    }
                    inner => pattern_faults(inner, &pointer, faults),
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                pattern_faults(item, pointer, faults);
            }
        }
        _ => {}
    }
}

/// What JSON Schema allows, and nobody can fill in: an input that is required and not there, a
/// default that its own schema does not take.
fn meaning_faults(inputs: &Value) -> Vec<Fault> {
    let known: Vec<&str> = properties(inputs).map(|(name, _)| name.as_str()).collect();
    let is_closed = inputs.get("additionalProperties") == Some(&Value::Bool(false));
    let required = inputs.get("required").and_then(Value::as_array).into_iter().flatten();
    let missing = required.filter_map(Value::as_str).filter(|name| !known.contains(name));
    let missing = missing.filter(|_| is_closed).map(|name| Fault {
        pointer: "/required".to_owned(),
        message: format!("`{name}` is required, and there is no such input"),
        help: did_you_mean(name, known.iter().copied()),
    });
    let defaults = properties(inputs).filter_map(|(name, schema)| {
        let default = schema.get("default")?;
        let schema = jsonschema::options().build(schema).ok()?;
        let error = schema.validate(default).err()?;
        Some(Fault {
            pointer: format!("/properties/{name}/default"),
            message: format!("the default is not taken: {error}"),
            help: None,
        })
    });
    missing.chain(defaults).collect()
}

/// Where in the YAML a JSON pointer leads.
fn place_at(root: &Located, pointer: &str) -> Place {
    let mut at = root;
    let mut place = root.place;
    for key in pointer.split('/').skip(1) {
        let entry = at.entries().iter().find(|(name, ..)| name == key);
        let Some((_, key_place, value)) = entry else {
            break;
        };
        (at, place) = (value, *key_place);
    }
    place
}
