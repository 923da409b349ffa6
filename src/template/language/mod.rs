//! The languages that files are written in: how a value is written at a place of each, and what a
//! written file says when it is read.

mod hcl;
mod hcl_tree;
mod json;
mod markdown;
mod markdown_tree;
mod node;
mod yaml;

use serde_json::Value;

use super::engine::Piece;
use super::expression::Form;
use node::{Node, Slot};
pub(super) use yaml::literal as yaml_literal;

/// What kind of file, by its name. It decides how values are written and what is proved of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// `.tf`, `.tfvars`, `.hcl`.
    Hcl,
    /// `.tf.json`, `.tfvars.json`: JSON whose texts are Terraform templates.
    TerraformJson,
    /// `.json`.
    Json,
    /// `.yml`, `.yaml`.
    Yaml,
    /// `.md`.
    Markdown,
    /// Anything else: values stand in it as they are.
    Literal,
}

impl FileKind {
    /// By the end of a file's name.
    pub fn of(path: &str) -> Self {
        let path = path.to_ascii_lowercase();
        let ends = |endings: &[&str]| endings.iter().any(|ending| path.ends_with(ending));
        match () {
            () if ends(&[".tf.json", ".tfvars.json"]) => Self::TerraformJson,
            () if ends(&[".tf", ".tfvars", ".hcl"]) => Self::Hcl,
            () if ends(&[".json"]) => Self::Json,
            () if ends(&[".yml", ".yaml"]) => Self::Yaml,
            () if ends(&[".md"]) => Self::Markdown,
            () => Self::Literal,
        }
    }

    /// What follows the file; `slotted` is the file with slots in place of its values.
    fn scanner(self, slotted: &str) -> Box<dyn Scanner> {
        match self {
            Self::Hcl => Box::new(hcl::Hcl::default()),
            Self::Json => Box::new(json::Json::default()),
            Self::TerraformJson => Box::new(json::Json::terraform()),
            Self::Yaml => Box::new(yaml::Yaml::default()),
            Self::Markdown => Box::new(markdown::Markdown::of(slotted)),
            Self::Literal => Box::new(Plain),
        }
    }

    fn parse(self, text: &str) -> Result<Option<Node>, Unreadable> {
        match self {
            Self::Hcl => hcl_tree::parse(text).map(Some),
            Self::Json => json::parse(text).map(Some),
            Self::TerraformJson => json::parse_terraform(text).map(Some),
            Self::Yaml => yaml::parse(text).map(Some),
            Self::Markdown => markdown_tree::parse(text).map(Some),
            Self::Literal => Ok(None),
        }
    }
}

/// Where in a file a value is to stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spot {
    /// Outside quotes: the value is a literal.
    Bare,
    /// Within a text that is written without quotes (YAML).
    Unquoted,
    /// Within double quotes.
    Quoted,
    /// Within single quotes (YAML).
    SingleQuoted,
    /// Within a text that goes over lines: a heredoc, a block of YAML or Markdown. `indent` is put
    /// before each further line; `None`: there can be no further line.
    Block { indent: Option<usize> },
    /// Within a comment that ends with its line.
    LineComment,
    /// Within a comment that ends with `*/`.
    BlockComment,
}

/// Follows the author's text and writes values into it.
trait Scanner {
    /// Goes over what the author wrote.
    fn read(&mut self, text: &str);
    /// Where the next value stands; `next` is what follows it.
    fn spot(&self, next: Option<char>) -> Spot;
    /// Notes that a value was written here.
    fn pass(&mut self, spot: Spot);
    /// Writes a literal that stands alone.
    fn literal(&self, value: &Value) -> Result<String, String>;
    /// Whether a text leaves nothing of itself, and so no place to look for it.
    fn is_nothing(&self, _: &str) -> bool {
        false
    }
    /// What of a text is to be read back from a spot that is not bare: all of it, but in Markdown.
    fn said(&self, text: String, _: Beside<'_>) -> String {
        text
    }
    /// Writes it.
    fn text(&self, spot: Spot, text: &str, beside: Beside<'_>) -> Result<String, String>;
}

/// How many bytes after a value matter to how it is written: `ttps://`.
const BYTES_AFTER: usize = 7;

/// What stands beside a value.
#[derive(Debug, Clone, Copy, Default)]
struct Beside<'a> {
    /// The last character that was written.
    before: Option<char>,
    /// The beginning of what follows it.
    after: &'a str,
}

/// A file of no known kind.
struct Plain;

impl Scanner for Plain {
    fn read(&mut self, _: &str) {}
    fn spot(&self, _: Option<char>) -> Spot {
        Spot::Block { indent: Some(0) }
    }
    fn pass(&mut self, _: Spot) {}
    fn literal(&self, value: &Value) -> Result<String, String> {
        plain_text(value, Form::Plain)
    }
    fn text(&self, _: Spot, text: &str, _: Beside<'_>) -> Result<String, String> {
        Ok(text.to_owned())
    }
}

/// A file cannot be written from its pieces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unwritable {
    /// The `{{ … }}` concerned, where one is.
    pub(super) output: Option<usize>,
    /// The line of the written file, where that is all that is known.
    pub(super) line: Option<usize>,
    pub(super) message: String,
}

/// A file cannot be read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unreadable {
    pub(super) line: usize,
    pub(super) message: String,
}

/// Writes a file and proves it.
///
/// The file is written twice: with its values, and with slots, unique harmless stand-ins, in their
/// places. Both are parsed. The file is good if the two say the same but for the slots, and if at
/// each slot stands exactly its value: then no value has changed what the author wrote, and each
/// is read back as it was put in.
pub(super) fn write(kind: FileKind, pieces: &[Piece]) -> Result<String, Unwritable> {
    let (slotted, _) = fill(kind, pieces, Fill::Slots)?;
    let (written, slots) = fill(kind, pieces, Fill::Values { slotted: &slotted })?;
    if !slots.is_empty() {
        refuse_ambiguous(kind, &slotted)?;
    }
    let actual = kind.parse(&written).map_err(|error| unreadable(&error, &written))?;
    if slots.is_empty() {
        return Ok(written);
    }
    let expected = kind.parse(&slotted).map_err(|error| unreadable(&error, &slotted))?;
    let (Some(expected), Some(actual)) = (expected, actual) else {
        return Ok(written);
    };
    node::prove(&expected, &actual, &slots).map_err(|output| {
        let message = match kind {
            FileKind::Markdown => "the value would change the text around it, or not be shown as it is",
            _ => "the value would not be read back as it was given: it must stand alone, or within quotes",
        };
        Unwritable { output, line: None, message: message.to_owned() }
    })?;
    Ok(written)
}

/// Refuses what readers of a file disagree about: a value may decide who is right.
fn refuse_ambiguous(kind: FileKind, slotted: &str) -> Result<(), Unwritable> {
    let found = match kind {
        FileKind::Literal => None,
        FileKind::Yaml => lone_return(slotted)
            .or_else(|| yaml::old_line_break(slotted))
            .or_else(|| yaml::tab_of_indentation(slotted)),
        FileKind::Markdown => {
            lone_return(slotted).or_else(|| markdown_tree::byte_order_mark(slotted))
        }
        _ => lone_return(slotted),
    };
    found.map_or(Ok(()), |(at, what)| {
        let line = Some(slotted[..at].matches('\n').count() + 1);
        let message = format!("{what}, so it cannot stand in a file with values");
        Err(Unwritable { output: None, line, message })
    })
}

/// Where it stands, and what is wrong with it.
fn lone_return(text: &str) -> Option<(usize, &'static str)> {
    let mut returns = text.match_indices('\r').map(|(at, _)| at);
    let lone = returns.find(|at| !text[at + 1..].starts_with('\n'))?;
    Some((lone, "a carriage return without a line feed ends a line for some readers only"))
}

/// Says it with the line as it was rendered: nobody else can see that.
fn unreadable(error: &Unreadable, rendered: &str) -> Unwritable {
    let line = rendered.lines().nth(error.line.saturating_sub(1)).unwrap_or_default().trim();
    let line: String = line.chars().take(80).collect();
    let shown = if line.is_empty() { line } else { format!(": `{line}`") };
    let message = format!("the rendered file is not valid: {}{shown}", error.message);
    Unwritable { output: None, line: Some(error.line), message }
}

#[derive(Clone, Copy)]
enum Fill<'a> {
    Slots,
    /// After the slots: they show where the values will stand.
    Values {
        slotted: &'a str,
    },
}

fn fill(
    kind: FileKind,
    pieces: &[Piece],
    fill: Fill<'_>,
) -> Result<(String, Vec<Slot>), Unwritable> {
    let mut scanner = match fill {
        Fill::Slots => kind.scanner(""),
        Fill::Values { slotted } => kind.scanner(slotted),
    };
    let mut out = String::new();
    let mut slots = Vec::new();
    for (at, piece) in pieces.iter().enumerate() {
        let (output, value, form) = match piece {
            Piece::Text(text) if text.contains(node::SLOT) => {
                let message = format!("the word `{}` is kept for the program", node::SLOT);
                return Err(Unwritable { output: None, line: None, message });
            }
            Piece::Text(text) => {
                scanner.read(text);
                out.push_str(text);
                continue;
            }
            Piece::Value { output, value, form } => (*output, value, *form),
        };
        let next = match pieces.get(at + 1) {
            Some(Piece::Text(text)) => first_of(text),
            Some(Piece::Value { .. }) => Some(MARK_OF_VALUE),
            None => None,
        };
        let spot = scanner.spot(next);
        let after = what_follows(&*scanner, &pieces[at + 1..]);
        let beside = Beside { before: out.chars().last(), after: &after };
        let text = plain_text(value, form).map(|text| scanner.said(text, beside));
        let written = match (fill, spot, form) {
            (Fill::Slots, Spot::Bare, Form::Plain | Form::Literal) => {
                Ok(node::number_slot(slots.len()))
            }
            (Fill::Slots, ..) if text.as_deref().is_ok_and(|it| scanner.is_nothing(it)) => {
                Ok(String::new())
            }
            (Fill::Slots, ..) => Ok(node::text_slot(slots.len())),
            (_, Spot::Bare, Form::Identifier) => identifier(value),
            (_, Spot::Bare, _) => scanner.literal(value),
            _ => text.clone().and_then(|text| scanner.text(spot, &text, beside)),
        };
        let written =
            written.map_err(|message| Unwritable { output: Some(output), line: None, message })?;
        out.push_str(&written);
        scanner.pass(spot);
        let text = text.unwrap_or_default();
        let is_unquoted = spot == Spot::Unquoted;
        slots.push(Slot { output, value: value.clone(), text, is_unquoted });
    }
    Ok((out, slots))
}

/// The beginning of what is made of these pieces.
fn what_follows(scanner: &dyn Scanner, pieces: &[Piece]) -> String {
    let mut after = String::new();
    for piece in pieces {
        let shown = piece.shown();
        let is_nothing = matches!(piece, Piece::Value { .. }) && scanner.is_nothing(&shown);
        after.push_str(if is_nothing { "" } else { &shown });
        if after.len() >= BYTES_AFTER {
            break;
        }
    }
    after
}

/// What follows a value. Spaces before the end of the line, or before a comment, are its end;
/// spaces before the end of a list or a map are nothing.
fn first_of(text: &str) -> Option<char> {
    let line = text.trim_start_matches(' ');
    match line.chars().next() {
        Some('\n' | '\r' | '#') if line.len() < text.len() => Some('\n'),
        Some(end @ (',' | ']' | '}')) => Some(end),
        _ => text.chars().next(),
    }
}

/// Stands for a neighbour that is a value, and might be any character.
const MARK_OF_VALUE: char = '\u{1}';

/// A value as text within other text.
pub(super) fn plain_text(value: &Value, form: Form) -> Result<String, String> {
    match (value, form) {
        (Value::String(_), Form::Identifier) => identifier(value),
        (Value::String(text), Form::Plain) => Ok(text.clone()),
        (_, Form::Literal) | (Value::Number(_) | Value::Bool(_), _) => Ok(value.to_string()),
        (Value::Null, _) => Err("the value is empty (null) within a text; give it a default with \
                                 `| default(value=…, boolean=true)`"
            .to_owned()),
        (Value::Array(_), _) => {
            Err("a list cannot stand within a text; use `| join(sep=…)` or `| json`".to_owned())
        }
        (Value::Object(_), _) => Err("a map cannot stand within a text; use `| json`".to_owned()),
    }
}

fn identifier(value: &Value) -> Result<String, String> {
    let text = value.as_str().unwrap_or_default();
    let starts = text.starts_with(|c: char| c == '_' || c.is_ascii_alphabetic());
    let is_part = |c: char| c == '_' || c == '-' || c.is_ascii_alphanumeric();
    if starts && text.len() <= 128 && text.chars().all(is_part) {
        return Ok(text.to_owned());
    }
    Err("an identifier starts with a letter or `_` and has only letters, digits, `_` and `-`"
        .to_owned())
}

/// Characters that do not show, or that change how others show: written as escapes wherever the
/// language has them.
pub(super) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fff0}'..='\u{ffff}' | '\u{e0000}'..='\u{e0fff}')
}

/// `\uXXXX`, and `\UXXXXXXXX` beyond the first plane, as HCL and YAML have it.
pub(super) fn unicode_escape(c: char) -> String {
    let code = u32::from(c);
    if code > 0xffff { format!("\\U{code:08x}") } else { format!("\\u{code:04x}") }
}

/// Whether a value can stand in a comment to the end of its line.
fn in_line_comment(text: &str) -> Result<String, String> {
    if text.chars().any(is_hidden) {
        return Err("a line break or a control character cannot stand in a comment".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests;
