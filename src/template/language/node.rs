//! What a file says, in one form for all languages, and the proof that values changed none of it.

use serde_json::{Number, Value};

use super::yaml::reads_as_text;

/// The word that slots begin with. No template may hold it.
pub(super) const SLOT: &str = "towpath0slot";
/// Slots outside quotes are numbers from here on.
const FIRST_NUMBER: u64 = 770_000_000;

/// A part of what a file says.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    Null,
    Bool(bool),
    Number(Number),
    /// What stood in quotes, read.
    Text(String),
    /// A name, an operator: part of the code.
    Word(String),
    /// What it is, and its parts.
    Branch(&'static str, Vec<Node>),
    /// Keys and values: a map that may have come from a value.
    Map(Vec<(Node, Node)>),
    /// A list that may have come from a value.
    List(Vec<Node>),
}

/// The stand-in for a value outside quotes.
pub(super) fn number_slot(slot: usize) -> String {
    (FIRST_NUMBER + slot as u64).to_string()
}

/// The stand-in for a value within a text.
pub(super) fn text_slot(slot: usize) -> String {
    format!("{SLOT}{slot}z")
}

/// The stand-ins within a text, and where they begin.
pub(super) fn slots_of(text: &str) -> impl Iterator<Item = (usize, usize)> {
    text.match_indices(SLOT).filter_map(|(at, _)| {
        let (number, _) = text[at + SLOT.len()..].split_once('z')?;
        Some((number.parse().ok()?, at))
    })
}

/// What stands behind a stand-in.
pub(super) struct Slot {
    /// Which `{{ … }}` of the template.
    pub(super) output: usize,
    pub(super) value: Value,
    /// The value as text, as it is to be read back.
    pub(super) text: String,
    /// Stands in a text that has no quotes to say that it is one.
    pub(super) is_unquoted: bool,
}

/// Shows that `actual` is `expected` with each slot's value in its place. The error is the output
/// that is to blame, where that can be told.
pub(super) fn prove(expected: &Node, actual: &Node, slots: &[Slot]) -> Result<(), Option<usize>> {
    match (expected, actual) {
        (Node::Number(number), _) if slot_of(number, slots).is_some() => {
            let slot = slot_of(number, slots).ok_or(None)?;
            if stands_for(&slot.value, actual) { Ok(()) } else { Err(Some(slot.output)) }
        }
        (Node::Text(expected), Node::Text(actual)) | (Node::Word(expected), Node::Word(actual)) => {
            let (filled, first) = filled(expected, slots);
            let is_clear = first.is_none_or(|slot| !slot.is_unquoted || reads_as_text(actual));
            if filled == *actual && is_clear { Ok(()) } else { Err(first.map(|slot| slot.output)) }
        }
        (Node::Branch(kind, parts), Node::Branch(other, others)) if kind == other => {
            prove_all(parts.iter(), others.iter(), slots)
        }
        (Node::List(parts), Node::List(others)) => prove_all(parts.iter(), others.iter(), slots),
        (Node::Map(parts), Node::Map(others)) => {
            // YAML takes anything for a key, its readers do not.
            let is_key = |node: &Node| !matches!(node, Node::Null | Node::List(_) | Node::Map(_));
            let mut keys = parts.iter().zip(others).map(|((key, _), (other, _))| (key, other));
            if let Some((key, _)) = keys.find(|(key, other)| key != other && !is_key(other)) {
                return Err(first_slot(key, slots));
            }
            let flat = |entries| flat(entries).collect::<Vec<&Node>>();
            prove_all(flat(parts).into_iter(), flat(others).into_iter(), slots)
        }
        (expected, actual) if expected == actual => Ok(()),
        (expected, _) => Err(first_slot(expected, slots)),
    }
}

fn prove_all<'a>(
    expected: impl ExactSizeIterator<Item = &'a Node>,
    actual: impl ExactSizeIterator<Item = &'a Node>,
    slots: &[Slot],
) -> Result<(), Option<usize>> {
    let (length, other) = (expected.len(), actual.len());
    let expected: Vec<&Node> = expected.collect();
    for (expected, actual) in expected.iter().zip(actual) {
        prove(expected, actual, slots)?;
    }
    if length == other {
        return Ok(());
    }
    Err(expected.iter().find_map(|node| first_slot(node, slots)))
}

fn flat(entries: &[(Node, Node)]) -> impl Iterator<Item = &Node> {
    entries.iter().flat_map(|(key, value)| [key, value])
}

fn slot_of<'a>(number: &Number, slots: &'a [Slot]) -> Option<&'a Slot> {
    let at = number.as_u64()?.checked_sub(FIRST_NUMBER)?;
    slots.get(usize::try_from(at).ok()?)
}

/// The first slot below a node, to name what is to blame.
fn first_slot(node: &Node, slots: &[Slot]) -> Option<usize> {
    match node {
        Node::Number(number) => slot_of(number, slots).map(|slot| slot.output),
        Node::Text(text) | Node::Word(text) => filled(text, slots).1.map(|slot| slot.output),
        Node::Branch(_, parts) | Node::List(parts) => {
            parts.iter().find_map(|part| first_slot(part, slots))
        }
        Node::Map(entries) => flat(entries).find_map(|part| first_slot(part, slots)),
        Node::Null | Node::Bool(_) => None,
    }
}

/// A text with the values of its slots in their places, and the first of them.
fn filled<'a>(text: &str, slots: &'a [Slot]) -> (String, Option<&'a Slot>) {
    let mut out = String::new();
    let mut first = None;
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(SLOT) {
        out.push_str(before);
        let (number, after) = after.split_once('z').unwrap_or(("", after));
        let slot = number.parse::<usize>().ok().and_then(|number| slots.get(number));
        if let Some(slot) = slot {
            first = first.or(Some(slot));
            out.push_str(&slot.text);
        }
        rest = after;
    }
    out.push_str(rest);
    (out, first)
}

/// Whether what was read is exactly the value.
fn stands_for(value: &Value, node: &Node) -> bool {
    match (value, node) {
        (Value::Null, Node::Null) => true,
        (Value::Bool(value), Node::Bool(read)) => value == read,
        (Value::Number(value), Node::Number(read)) => same_number(value, read),
        (Value::String(value), Node::Text(read)) => value == read,
        (Value::Array(values), Node::List(read)) => {
            values.len() == read.len()
                && values.iter().zip(read).all(|(value, read)| stands_for(value, read))
        }
        (Value::Object(values), Node::Map(read)) => {
            values.len() == read.len()
                && values.iter().zip(read).all(|((key, value), (read_key, read))| {
                    *read_key == Node::Text(key.clone()) && stands_for(value, read)
                })
        }
        _ => false,
    }
}

fn same_number(a: &Number, b: &Number) -> bool {
    match (a.as_i128(), b.as_i128()) {
        (Some(a), Some(b)) => a == b,
        _ => a.as_f64() == b.as_f64(),
    }
}
