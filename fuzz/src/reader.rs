//! Reads what was rendered, with readers that the program itself does not prove with.

use hcl::eval::{Context, Evaluate, FuncArgs, FuncDef, ParamType};
use pulldown_cmark::{Event, Options, Parser, Tag};
use serde_json::{Map, Value};

/// What a Terraform file comes to. It may call `same(x)`, which answers x.
pub fn hcl(text: &str) -> Result<Value, String> {
    let read: hcl::Value = hcl::eval::from_str(text, &context()).map_err(|e| e.to_string())?;
    serde_json::to_value(read).map_err(|error| error.to_string())
}

fn context() -> Context<'static> {
    let mut context = Context::new();
    let same = |args: FuncArgs| Ok(args[0].clone());
    context.declare_func("same", FuncDef::builder().param(ParamType::Any).build(same));
    context
}

/// JSON, by serde_json.
pub fn json(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

/// Terraform's JSON: each text of a JSON file is a template of its own, and comes to something.
pub fn terraform_json(text: &str) -> Result<Value, String> {
    evaluated(json(text)?)
}

fn evaluated(value: Value) -> Result<Value, String> {
    Ok(match value {
        Value::String(text) => {
            let template: hcl::Template = text.parse().map_err(|e: hcl::Error| e.to_string())?;
            template.evaluate(&context()).map_err(|error| error.to_string())?.into()
        }
        Value::Array(items) => items.into_iter().map(evaluated).collect::<Result<_, _>>()?,
        Value::Object(entries) => {
            let entries = entries.into_iter().map(|(key, value)| {
                let key = evaluated(key.into())?.as_str().unwrap_or_default().to_owned();
                Ok((key, evaluated(value)?))
            });
            Value::Object(entries.collect::<Result<Map<_, _>, String>>()?)
        }
        other => other,
    })
}

/// All documents of a YAML file, by libyaml.
pub fn yaml(text: &str) -> Result<Vec<Value>, String> {
    use serde::Deserialize as _;
    serde_norway::Deserializer::from_str(text)
        .map(|document| {
            let read = serde_norway::Value::deserialize(document).map_err(|e| e.to_string())?;
            serde_json::to_value(read).map_err(|error| error.to_string())
        })
        .collect()
}

/// The plain text of a Markdown text that has nothing but plain text; comments say nothing. The
/// error names what else is there.
pub fn markdown(text: &str) -> Result<String, String> {
    let mut out = String::new();
    // All that GitHub knows and more; but for quotes that are made beautiful.
    let options = Options::all().difference(Options::ENABLE_SMART_PUNCTUATION);
    for event in Parser::new_ext(text, options) {
        match event {
            Event::Text(text) => out.push_str(&text),
            Event::InlineHtml(html) if &*html == "<!-- -->" => {}
            Event::SoftBreak => out.push(' '),
            Event::Start(Tag::Paragraph) | Event::End(_) => {}
            other => return Err(format!("{other:?}")),
        }
    }
    Ok(out)
}

/// Whether two values are the same. Numbers are compared by what they are, not by how they are
/// written: HCL knows no difference between `1` and `1.0`.
pub fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => match (a.as_i128(), b.as_i128()) {
            (Some(a), Some(b)) => a == b,
            _ => a.as_f64() == b.as_f64(),
        },
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        (a, b) => a == b,
    }
}
