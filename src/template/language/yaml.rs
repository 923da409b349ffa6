//! YAML: where a value stands, how it is written there, and reading it back.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};

use super::node::Node;
use super::{Beside, Scanner, Spot, Unreadable, in_line_comment, is_hidden, json, unicode_escape};

/// Follows YAML.
#[derive(Default)]
pub(super) struct Yaml {
    state: State,
    /// What stands before here of a text without quotes.
    token: String,
    /// Spaces before the first character of this line.
    indent: usize,
    /// The same of the line before.
    line_before: usize,
    /// Whether this line has a character yet that is no space.
    has_begun: bool,
    /// How many `[` and `{` are open.
    flow: usize,
    previous: char,
}

#[derive(Default, Clone, Copy, PartialEq)]
enum State {
    #[default]
    Plain,
    Double,
    Escaped,
    Single,
    Comment,
    /// A text over lines, `|` or `>`: the indentation of its parent and, once known, its own.
    Block {
        parent: usize,
        own: Option<usize>,
    },
}

impl Yaml {
    fn step(&mut self, c: char) {
        self.count_indent(c);
        match self.state {
            State::Plain => self.plain(c),
            State::Escaped => self.state = State::Double,
            State::Double if c == '\\' => self.state = State::Escaped,
            State::Double if c == '"' => self.end_quoted(),
            State::Single if c == '\'' => self.end_quoted(),
            State::Comment if c == '\n' => self.state = State::Plain,
            State::Block { parent, own } => self.block(c, parent, own),
            State::Double | State::Single | State::Comment => {}
        }
        self.previous = c;
    }

    /// Whether a tab here is taken for a part of the line's indentation.
    fn indents_by_tab(&self) -> bool {
        !self.has_begun
            && match self.state {
                State::Plain => self.flow == 0,
                State::Block { parent, own } => self.indent < own.unwrap_or(parent + 1),
                _ => false,
            }
    }

    fn count_indent(&mut self, c: char) {
        match c {
            '\n' => {
                self.line_before = self.indent;
                (self.indent, self.has_begun) = (0, false);
            }
            ' ' if !self.has_begun => self.indent += 1,
            _ => {}
        }
    }

    /// A quoted text has ended. What follows on the line is no new text, but for `:` and the like.
    fn end_quoted(&mut self) {
        self.state = State::Plain;
        self.token = String::from("\"");
    }

    fn plain(&mut self, c: char) {
        let is_space = c.is_whitespace();
        self.has_begun |= !is_space;
        let ends_mark = matches!(self.token.as_str(), "-" | "?" | "---")
            || self.token.ends_with(':')
            || self.token.starts_with(['!', '&', '*']);
        match c {
            '\n' if self.token.starts_with(['|', '>']) => {
                self.state = State::Block { parent: self.line_before, own: None };
                self.token.clear();
            }
            '\n' => self.token.clear(),
            _ if is_space && ends_mark => self.token.clear(),
            _ if is_space && self.token.is_empty() => {}
            '"' if self.token.is_empty() => self.state = State::Double,
            // `''` within single quotes: the text goes on.
            '\'' if self.token.is_empty() || (self.token == "\"" && self.previous == '\'') => {
                self.state = State::Single;
            }
            '#' if self.previous.is_whitespace() || self.previous == '\0' => {
                self.state = State::Comment;
                self.token.clear();
            }
            '[' | '{' if self.flow > 0 || self.token.is_empty() => {
                self.flow += 1;
                self.token.clear();
            }
            ']' | '}' if self.flow > 0 => {
                self.flow -= 1;
                self.token = String::from("]");
            }
            ',' if self.flow > 0 => self.token.clear(),
            c => self.token.push(c),
        }
    }

    fn block(&mut self, c: char, parent: usize, own: Option<usize>) {
        if self.has_begun || c.is_whitespace() {
            return;
        }
        if self.indent <= parent {
            self.state = State::Plain;
            self.token.clear();
            self.plain(c);
            return;
        }
        self.has_begun = true;
        self.state = State::Block { parent, own: own.or(Some(self.indent)) };
    }
}

impl Scanner for Yaml {
    fn read(&mut self, text: &str) {
        text.chars().for_each(|c| self.step(c));
    }

    fn spot(&self, next: Option<char>) -> Spot {
        match self.state {
            State::Double | State::Escaped => Spot::Quoted,
            State::Single => Spot::SingleQuoted,
            State::Comment => Spot::LineComment,
            State::Block { own, .. } => Spot::Block { indent: own.or(Some(self.indent)) },
            State::Plain => {
                let ends = match next {
                    None | Some('\n' | '\r' | ':') => true,
                    Some(c) => self.flow > 0 && matches!(c, ',' | ']' | '}'),
                };
                let is_mark = self.token.is_empty();
                if ends && is_mark { Spot::Bare } else { Spot::Unquoted }
            }
        }
    }

    fn pass(&mut self, spot: Spot) {
        self.previous = 'x';
        match self.state {
            State::Escaped => self.state = State::Double,
            State::Block { parent, own } => {
                self.state = State::Block { parent, own: own.or(Some(self.indent)) };
            }
            State::Plain => self.token.push(if spot == Spot::Bare { '"' } else { 'x' }),
            _ => {}
        }
        self.has_begun = true;
    }

    fn literal(&self, value: &Value) -> Result<String, String> {
        Ok(literal(value))
    }

    fn text(&self, spot: Spot, text: &str, _: Beside<'_>) -> Result<String, String> {
        match spot {
            Spot::Quoted => Ok(in_quotes(text)),
            Spot::SingleQuoted if text.chars().any(is_hidden) => Err(
                "a line break or a control character cannot stand in single quotes; use double \
                     quotes"
                    .to_owned(),
            ),
            Spot::SingleQuoted => Ok(text.replace('\'', "''")),
            Spot::Block { indent } => in_block(text, indent.unwrap_or(0)),
            Spot::LineComment => in_line_comment(text),
            _ if self.token.starts_with(['!', '&', '*']) => {
                Err("a value cannot be a part of a tag, an anchor or an alias".to_owned())
            }
            _ if text.chars().all(|c| c.is_ascii_alphanumeric() || "_./@+-".contains(c)) => {
                Ok(text.to_owned())
            }
            _ => {
                Err("put double quotes around the whole text that the value is part of".to_owned())
            }
        }
    }
}

/// A character that ended a line before YAML 1.2: where it stands, and what is wrong with it.
pub(super) fn old_line_break(text: &str) -> Option<(usize, &'static str)> {
    let at = text.find(['\u{85}', '\u{2028}', '\u{2029}'])?;
    Some((at, "a character U+0085, U+2028 or U+2029 ends a line for some readers only"))
}

/// The first tab that indents a line: where it stands, and what is wrong with it. YAML forbids it;
/// where nothing but a tab stands on a line, some readers take it after a text without quotes alone.
pub(super) fn tab_of_indentation(text: &str) -> Option<(usize, &'static str)> {
    let mut yaml = Yaml::default();
    let indents = |&(_, c): &(usize, char)| {
        let is_tab = c == '\t' && yaml.indents_by_tab();
        yaml.step(c);
        is_tab
    };
    let (at, _) = text.char_indices().find(indents)?;
    Some((at, "a tab indents a line for some readers only"))
}

fn in_block(text: &str, indent: usize) -> Result<String, String> {
    if text.chars().any(|c| is_hidden(c) && !matches!(c, '\n' | '\t')) {
        return Err("a control character cannot stand in a block; use double quotes".to_owned());
    }
    Ok(text.replace('\n', &format!("\n{}", " ".repeat(indent))))
}

/// A value that stands alone, on one line.
pub(in crate::template) fn literal(value: &Value) -> String {
    match value {
        Value::String(text) if is_plain(text) => text.clone(),
        Value::String(text) => format!("\"{}\"", in_quotes(text)),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(literal).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(entries) => {
            let entries = entries.iter();
            let entries: Vec<String> = entries
                .map(|(key, value)| format!("\"{}\": {}", in_quotes(key), literal(value)))
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
        other => other.to_string(),
    }
}

/// A text within double quotes. YAML's escapes are JSON's, but for characters beyond the first
/// plane.
fn in_quotes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if u32::from(c) > 0xffff && is_hidden(c) {
            out.push_str(&unicode_escape(c));
        } else {
            out.push_str(&json::escape(c.encode_utf8(&mut [0; 4])));
        }
    }
    out
}

/// Whether every reader of YAML, old or new, takes this text for a text without quotes.
fn is_plain(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "_./-".contains(c))
        && reads_as_text(text)
}

/// Whether no reader takes it for a number, a truth value, a time or nothing.
pub(super) fn reads_as_text(text: &str) -> bool {
    const WORDS: [&str; 10] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "~"];
    let is_word = WORDS.iter().any(|word| text.eq_ignore_ascii_case(word));
    let starts_well = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
    let of_no_number =
        |c: char| c == '/' || (c.is_ascii_alphabetic() && !"abcdefoxtzABCDEFOXTZ".contains(c));
    !is_word
        && (starts_well || text.contains(of_no_number))
        && !text.starts_with(['.', '+', '-', '@'])
}

/// Reads all documents of a file.
pub(super) fn parse(text: &str) -> Result<Node, Unreadable> {
    serde_saphyr::from_multiple::<Read>(text)
        .map(|documents| {
            Node::Branch("documents", documents.into_iter().map(|read| read.0).collect())
        })
        .map_err(|error| Unreadable {
            line: error.location().map_or(1, |at| usize::try_from(at.line()).unwrap_or(1)),
            message: error.without_snippet().to_string(),
        })
}

struct Read(Node);

impl<'de> Deserialize<'de> for Read {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ReadVisitor).map(Read)
    }
}

struct ReadVisitor;

impl<'de> Visitor<'de> for ReadVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }
    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }
    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Read::deserialize(deserializer).map(|read| read.0)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Number(value.into()))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Number(value.into()))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Number::from_f64(value).map_or_else(|| Node::Word(value.to_string()), Node::Number))
    }
    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Text(value.to_owned()))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(Read(item)) = access.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some(Read(key)) = access.next_key()? {
            let Read(value) = access.next_value()?;
            entries.push((key, value));
        }
        Ok(Node::Map(entries))
    }
}
