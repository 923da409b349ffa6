//! What a Markdown file says, and where in it the slots of values stand.

use std::collections::BTreeMap;
use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

use super::Unreadable;
use super::node::{Node, slots_of};

/// What an escape may need beside it: nothing, and yet something between two characters.
pub(super) const NOTHING: &str = "<!-- -->";

/// Where a value stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// In running text.
    Text,
    /// In a code span.
    Code,
    /// In an indented code block.
    Indented,
    /// In a fenced code block; `margin` stands before each of its lines.
    Fenced { margin: String },
    /// In the address of a link or an image, written out or not.
    Address,
    /// In HTML.
    Html,
    /// In a comment of HTML.
    Comment,
    /// Where nothing of it would be shown, or nobody knows how.
    Nowhere,
}

/// What GitHub reads.
fn options() -> Options {
    Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS
        | Options::ENABLE_MATH
        | Options::ENABLE_GFM
}

/// Where the slots stand, by their numbers.
pub(super) fn places(slotted: &str) -> Vec<Place> {
    let mut found = BTreeMap::new();
    for part in parts(slotted) {
        for (slot, at) in slots_of(&part.said) {
            // The address of a link comes before its text, which may be the same.
            found.entry(slot).or_insert_with(|| part.kind.place(&part.said[..at]));
        }
    }
    let count = found.keys().next_back().map_or(0, |last| last + 1);
    (0..count).map(|slot| found.remove(&slot).unwrap_or(Place::Nowhere)).collect()
}

/// The file with blank lines in the place of its blocks of code.
pub(super) fn without_code_blocks(text: &str) -> String {
    let mut rest = String::with_capacity(text.len());
    let mut at = 0;
    for (event, range) in Parser::new_ext(text, options()).into_offset_iter() {
        if matches!(event, Event::Start(Tag::CodeBlock(_))) && range.start >= at {
            rest.push_str(&text[at..range.start]);
            rest.push_str("\n\n");
            at = range.end;
        }
    }
    rest + &text[at..]
}

/// What a file says: its parts one after another. Around all that is no running text stands a text,
/// if only an empty one.
///
/// A control character is refused: readers disagree whether a line with nothing but a vertical tab
/// is blank, and so whether code follows it or text.
pub(super) fn parse(text: &str) -> Result<Node, Unreadable> {
    let is_control = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    if let Some(at) = text.find(is_control) {
        let line = text[..at].matches('\n').count() + 1;
        let message = "a control character cannot stand in Markdown".to_owned();
        return Err(Unreadable { line, message });
    }
    let mut nodes = Vec::new();
    let mut said = String::new();
    for part in parts(text) {
        let node = match part.kind {
            Kind::Text => {
                said.push_str(&part.said);
                continue;
            }
            Kind::Html if part.said == NOTHING => continue,
            Kind::Code | Kind::Block(_) => Node::Text(part.said),
            Kind::Html | Kind::Address | Kind::Other => Node::Word(part.said),
        };
        nodes.push(Node::Text(std::mem::take(&mut said)));
        nodes.push(node);
    }
    nodes.push(Node::Text(said));
    Ok(Node::Branch("markdown", nodes))
}

/// A byte order mark: where it stands, and what is wrong with it.
pub(super) fn byte_order_mark(text: &str) -> Option<(usize, &'static str)> {
    text.starts_with('\u{feff}')
        .then_some((0, "a byte order mark is a part of the first line for some readers only"))
}

/// A part of a file.
struct Part {
    kind: Kind,
    said: String,
}

#[derive(Clone, PartialEq)]
enum Kind {
    Text,
    Code,
    /// In a block, the values of which stand so.
    Block(Place),
    Html,
    Address,
    /// Markup.
    Other,
}

impl Kind {
    /// Where a value stands, after this in the same part.
    fn place(&self, before: &str) -> Place {
        match self {
            Self::Text => {
                // For GitHub no other space ends an address.
                let is_end = |c: char| c.is_ascii_whitespace();
                let word = before.rsplit(is_end).next().unwrap_or_default();
                let is_address = word.contains("://") || word.starts_with("www.");
                if is_address { Place::Address } else { Place::Text }
            }
            Self::Code => Place::Code,
            Self::Block(place) => place.clone(),
            Self::Html => {
                let is_open = before.rfind("<!--") > before.rfind("-->");
                if is_open { Place::Comment } else { Place::Html }
            }
            Self::Address => Place::Address,
            Self::Other => Place::Nowhere,
        }
    }
}

/// Reads a file. Parts of one kind that follow each other are one.
fn parts(text: &str) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    let mut block = None;
    let mut push = |kind: Kind, said: &str| match parts.last_mut() {
        Some(last) if is_one(last, &kind, said) => last.said.push_str(said),
        _ => parts.push(Part { kind, said: said.to_owned() }),
    };
    for (event, range) in Parser::new_ext(text, options()).into_offset_iter() {
        match event {
            Event::Text(said) => push(block.clone().unwrap_or(Kind::Text), &said),
            Event::SoftBreak => push(Kind::Text, " "),
            Event::Code(said) => {
                push(Kind::Code, &said);
                push(Kind::Other, "code");
            }
            Event::Html(said) | Event::InlineHtml(said) => push(Kind::Html, &said),
            Event::Start(Tag::Link { dest_url, link_type, title, id }) => {
                push(Kind::Address, &dest_url);
                push(Kind::Other, &format!("link {link_type:?} {title} {id}"));
            }
            Event::Start(Tag::Image { dest_url, link_type, title, id }) => {
                push(Kind::Address, &dest_url);
                push(Kind::Other, &format!("image {link_type:?} {title} {id}"));
            }
            Event::Start(tag) => {
                block = match &tag {
                    Tag::CodeBlock(CodeBlockKind::Indented) => Some(Kind::Block(Place::Indented)),
                    Tag::CodeBlock(CodeBlockKind::Fenced(_)) => {
                        Some(Kind::Block(Place::Fenced { margin: margin(text, &range) }))
                    }
                    Tag::MetadataBlock(_) => Some(Kind::Block(Place::Nowhere)),
                    _ => block,
                };
                push(Kind::Other, &format!("{tag:?}"));
            }
            Event::End(end) => {
                if matches!(end, TagEnd::CodeBlock | TagEnd::MetadataBlock(_)) {
                    block = None;
                }
                push(Kind::Other, &format!("{end:?}"));
            }
            other => push(Kind::Other, &format!("{other:?}")),
        }
    }
    parts
}

/// Whether what is said goes on with what the last part said.
fn is_one(last: &Part, kind: &Kind, said: &str) -> bool {
    let is_nothing = said == NOTHING || last.said == NOTHING;
    last.kind == *kind && *kind != Kind::Other && !is_nothing
}

/// What stands before each line of a block that begins here: what stands before its first, with
/// spaces in place of the marks of lists.
fn margin(text: &str, block: &Range<usize>) -> String {
    let before = text.get(..block.start).unwrap_or_default();
    let line = before.rsplit('\n').next().unwrap_or_default();
    line.chars().map(|c| if c == '>' || c.is_whitespace() { c } else { ' ' }).collect()
}
