//! JSON, and the JSON form of Terraform, whose texts are templates.

use std::fmt::Write as _;

use serde_json::Value;

use super::node::Node;
use super::{Beside, Scanner, Spot, Unreadable, hcl, hcl_tree, is_hidden};

/// Follows JSON: inside quotes, or not.
#[derive(Default)]
pub(super) struct Json {
    is_quoted: bool,
    is_escaped: bool,
    is_terraform: bool,
}

impl Json {
    /// With `${` and `%{` kept from being templates.
    pub(super) fn terraform() -> Self {
        Self { is_terraform: true, ..Self::default() }
    }

    fn value(&self, value: &Value) -> Result<String, String> {
        Ok(match value {
            Value::String(text) => format!("\"{}\"", self.escaped(text, Beside::default())?),
            Value::Array(items) => {
                let items: Result<Vec<_>, _> = items.iter().map(|item| self.value(item)).collect();
                format!("[{}]", items?.join(", "))
            }
            Value::Object(entries) => {
                let entries: Result<Vec<_>, String> = entries
                    .iter()
                    .map(|(key, value)| {
                        Ok(format!(
                            "\"{}\": {}",
                            self.escaped(key, Beside::default())?,
                            self.value(value)?
                        ))
                    })
                    .collect();
                format!("{{{}}}", entries?.join(", "))
            }
            other => other.to_string(),
        })
    }

    fn escaped(&self, text: &str, beside: Beside<'_>) -> Result<String, String> {
        if self.is_terraform {
            hcl::joins(text, beside)?;
            return Ok(escape(&hcl::in_template(text, beside)?));
        }
        Ok(escape(text))
    }
}

impl Scanner for Json {
    fn read(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                _ if self.is_escaped => self.is_escaped = false,
                '\\' if self.is_quoted => self.is_escaped = true,
                '"' => self.is_quoted = !self.is_quoted,
                _ => {}
            }
        }
    }

    fn spot(&self, _: Option<char>) -> Spot {
        if self.is_quoted { Spot::Quoted } else { Spot::Bare }
    }

    fn pass(&mut self, _: Spot) {
        self.is_escaped = false;
    }

    fn literal(&self, value: &Value) -> Result<String, String> {
        self.value(value)
    }

    fn text(&self, _: Spot, text: &str, beside: Beside<'_>) -> Result<String, String> {
        self.escaped(text, beside)
    }
}

/// The inside of a JSON text.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_hidden(c) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    // Writing to a text cannot fail.
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
            c => out.push(c),
        }
    }
    out
}

/// Reads JSON.
pub(super) fn parse(text: &str) -> Result<Node, Unreadable> {
    read(text, &|text| Ok(Node::Text(text.to_owned())))
}

/// Reads Terraform's JSON: each text is a template.
pub(super) fn parse_terraform(text: &str) -> Result<Node, Unreadable> {
    read(text, &hcl_tree::parse_template)
}

fn read(text: &str, as_text: &ReadText<'_>) -> Result<Node, Unreadable> {
    let Strict(value) = serde_json::from_str(text)
        .map_err(|error| Unreadable { line: error.line(), message: error.to_string() })?;
    node_of(&value, as_text)
}

type ReadText<'a> = dyn Fn(&str) -> Result<Node, Unreadable> + 'a;

fn node_of(value: &Value, as_text: &ReadText<'_>) -> Result<Node, Unreadable> {
    Ok(match value {
        Value::Null => Node::Null,
        Value::Bool(value) => Node::Bool(*value),
        Value::Number(number) => Node::Number(number.clone()),
        Value::String(text) => as_text(text)?,
        Value::Array(items) => {
            Node::List(items.iter().map(|item| node_of(item, as_text)).collect::<Result<_, _>>()?)
        }
        Value::Object(entries) => {
            let entries = entries.iter();
            let entries = entries.map(|(key, value)| Ok((as_text(key)?, node_of(value, as_text)?)));
            Node::Map(entries.collect::<Result<_, _>>()?)
        }
    })
}

/// JSON in which no key stands twice in one map.
struct Strict(Value);

impl<'de> serde::Deserialize<'de> for Strict {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Strict)
    }
}

struct StrictVisitor;

impl<'de> serde::de::Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(Strict(item)) = access.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }
    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut entries = serde_json::Map::new();
        while let Some(key) = access.next_key::<String>()? {
            let Strict(value) = access.next_value()?;
            if entries.insert(key, value).is_some() {
                return Err(serde::de::Error::custom("a key stands twice in one map"));
            }
        }
        Ok(Value::Object(entries))
    }
}
