//! Reads what was rendered, with readers that the program itself does not prove with.

use comrak::nodes::NodeValue;
use comrak::{Arena, Options};
use hcl::eval::{Context, Evaluate, FuncArgs, FuncDef, ParamType};
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

/// A part of what a Markdown text says: what it is, how deep, and its text.
pub type Part = (String, usize, String);

/// What a Markdown text says, as GitHub reads it; empty comments say nothing.
pub fn markdown(text: &str) -> Vec<Part> {
    let mut options = Options::default();
    let knows = &mut options.extension;
    (knows.table, knows.strikethrough, knows.tasklist) = (true, true, true);
    (knows.autolink, knows.footnotes, knows.alerts, knows.math_dollars) = (true, true, true, true);
    knows.front_matter_delimiter = Some("---".to_owned());
    let arena = Arena::new();
    let mut parts: Vec<Part> = Vec::new();
    for node in comrak::parse_document(&arena, text, &options).descendants() {
        let depth = node.ancestors().count();
        let (kind, said) = match &node.data().value {
            NodeValue::Text(text) => ("text".to_owned(), text.to_string()),
            NodeValue::SoftBreak => ("text".to_owned(), " ".to_owned()),
            NodeValue::HtmlInline(html) if html == "<!-- -->" => continue,
            NodeValue::HtmlInline(html) => ("html".to_owned(), html.clone()),
            NodeValue::HtmlBlock(html) => ("html block".to_owned(), html.literal.clone()),
            NodeValue::Code(code) => ("code".to_owned(), code.literal.clone()),
            NodeValue::CodeBlock(code) => (format!("code {}", code.info), code.literal.clone()),
            NodeValue::Link(link) => (format!("link {}", link.title), link.url.clone()),
            NodeValue::Image(link) => (format!("image {}", link.title), link.url.clone()),
            NodeValue::Math(math) => ("math".to_owned(), math.literal.clone()),
            NodeValue::FrontMatter(text) => ("front matter".to_owned(), text.clone()),
            NodeValue::Table(table) => (format!("table {:?}", table.alignments), String::new()),
            other => (format!("{other:?}"), String::new()),
        };
        match parts.last_mut() {
            Some(last) if kind == "text" && (&last.0, last.1) == (&kind, depth) => {
                last.2.push_str(&said);
            }
            _ => parts.push((kind, depth, said)),
        }
    }
    // An empty text is none.
    parts.retain(|(kind, _, said)| kind != "text" || !said.trim().is_empty());
    parts
}

/// With one `$` before each `{` in all texts: where there are more, the evaluator of HCL takes one
/// away too many, and Terraform does not.
pub fn single(value: &Value) -> Value {
    match value {
        Value::String(text) => single_in(text).into(),
        Value::Array(items) => items.iter().map(single).collect(),
        Value::Object(entries) => {
            let entries = entries.iter().map(|(key, value)| (single_in(key), single(value)));
            Value::Object(entries.collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}

fn single_in(text: &str) -> String {
    let mut text = text.to_owned();
    while text.contains("$${") || text.contains("%%{") {
        text = text.replace("$${", "${").replace("%%{", "%{");
    }
    text
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
