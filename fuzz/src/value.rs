//! Values that people might send: any JSON, with a liking for what breaks languages.

use arbitrary::Arbitrary;
use serde_json::{Map, Value};

use crate::template::context;

/// Parts of texts that mean something somewhere.
const PARTS: [&str; 64] = [
    "$",
    "%",
    "{",
    "}",
    "${",
    "%{",
    "$${",
    "%%{",
    "{{",
    "}}",
    "{%",
    "%}",
    "${{",
    "\"",
    "\\",
    "'",
    "\n",
    "\r",
    "\t",
    "#",
    "//",
    "/*",
    "*/",
    ": ",
    "- ",
    "EOT",
    "\nEOT\n",
    "\n  EOT\n",
    "${var.x}",
    "${file(\"/etc/passwd\")}",
    "%{ if true }",
    "&a",
    "*a",
    "!!python/object",
    "|",
    ">",
    "@acme/all",
    "`",
    "```",
    "\u{feff}",
    "\u{202e}",
    "\u{2028}",
    "\u{85}",
    "\u{0}",
    "\u{1}",
    "\u{1b}",
    "\u{e0001}",
    "\u{fffe}",
    "𝒳",
    "é",
    " ",
    "yes",
    "null",
    "1e3",
    "0x1f",
    "...",
    "\n---\n",
    "\\u0024",
    "~",
    "<b>",
    "[a](b)",
    ",",
    "=",
    "..",
];

/// A value, before it is one.
#[derive(Arbitrary, Debug)]
pub enum Seed {
    Null,
    Bool(bool),
    Integer(i64),
    Large(u64),
    Fraction(f64),
    Text(String),
    Parts(Vec<Part>),
    Word(u8),
    List(Vec<Seed>),
    Map(Vec<(Vec<Part>, Seed)>),
}

/// A part of a text: one that means something, or any.
#[derive(Arbitrary, Debug)]
pub enum Part {
    Known(u8),
    Any(String),
    Char(char),
}

impl Seed {
    /// The value, in the form in which the guardrails hand it on.
    pub fn value(&self) -> Value {
        context::normalized(&self.raw())
    }

    /// The value as a text.
    pub fn text(&self) -> String {
        match self.value() {
            Value::String(text) => text,
            other => other.to_string(),
        }
    }

    fn raw(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => (*value).into(),
            Self::Integer(value) => (*value).into(),
            Self::Large(value) => (*value).into(),
            Self::Fraction(value) => (*value).into(),
            Self::Text(text) => text.as_str().into(),
            Self::Parts(parts) => joined(parts).into(),
            Self::Word(at) => PARTS[usize::from(*at) % PARTS.len()].into(),
            Self::List(items) => items.iter().map(Self::raw).collect(),
            Self::Map(entries) => {
                let entries = entries.iter().map(|(key, value)| (joined(key), value.raw()));
                Value::Object(entries.collect::<Map<_, _>>())
            }
        }
    }
}

fn joined(parts: &[Part]) -> String {
    let mut out = String::new();
    for part in parts {
        match part {
            Part::Known(at) => out.push_str(PARTS[usize::from(*at) % PARTS.len()]),
            Part::Any(text) => out.push_str(text),
            Part::Char(c) => out.push(*c),
        }
    }
    out
}
