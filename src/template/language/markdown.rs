//! Markdown: in running text a value is the text that it is, without mentions, links, tables or HTML;
//! in code it is exact. Where a value stands is found by reading the file with words in its place.

use std::fmt::Write as _;

use serde_json::Value;

use super::markdown_tree::{NOTHING, Place, places, without_code_blocks};
use super::node::slots_of;
use super::{Beside, Scanner, Spot, is_hidden};

const FORMULA: &str = "only a plain word can stand where the text has a `$` and then code, which GitHub may \
                       take for a formula; write `\\$`";

/// Knows where in the file each value stands.
pub(super) struct Markdown {
    places: Vec<Place>,
    at: usize,
    /// The author writes a `$`: what is between two of them is a formula for GitHub, also over code.
    has_dollar: bool,
    /// The author begins a label of a footnote and does not end it as one: what follows may be a part
    /// of it for GitHub, where escapes do not count.
    has_open_label: bool,
    /// The author writes a `$` and then code: readers disagree which of both the other one is a part of.
    has_open_formula: bool,
}

impl Markdown {
    /// For a file in which slots stand for its values, but for those that are empty.
    pub(super) fn of(slotted: &str) -> Self {
        Self {
            places: places(slotted),
            at: 0,
            has_dollar: slotted.contains('$'),
            has_open_label: has_open_label(slotted),
            has_open_formula: has_open_formula(slotted),
        }
    }

    /// A value in running text.
    fn in_text(&self, text: &str, beside: Beside<'_>) -> Result<String, String> {
        let mut escaped = escaped(text, beside.before);
        if ends_in_address(text, beside.after) {
            escaped.push_str(NOTHING);
        }
        if self.has_open_label && (escaped != text || text.contains(char::is_whitespace)) {
            return Err("only a plain word can stand in running text where the text has a `[^` \
                        that begins no footnote; write `\\[^`"
                .to_owned());
        }
        if self.has_open_formula && escaped != text {
            return Err(FORMULA.to_owned());
        }
        Ok(escaped)
    }

    /// Where the next value stands. An empty one stands nowhere.
    fn place(&self) -> &Place {
        self.places.get(self.at).unwrap_or(&Place::Nowhere)
    }
}

impl Scanner for Markdown {
    fn read(&mut self, _: &str) {}

    fn spot(&self, _: Option<char>) -> Spot {
        Spot::Quoted
    }

    fn pass(&mut self, _: Spot) {
        self.at += 1;
    }

    fn literal(&self, value: &Value) -> Result<String, String> {
        self.in_text(&value.to_string(), Beside::default())
    }

    fn is_nothing(&self, text: &str) -> bool {
        shown(text, Beside::default()).is_empty()
    }

    fn said(&self, text: String, beside: Beside<'_>) -> String {
        match self.place() {
            Place::Nowhere if self.is_nothing(&text) => String::new(),
            Place::Text => shown(&text, beside),
            Place::Address => in_address(&text),
            Place::Html => in_html(&text),
            _ => text,
        }
    }

    fn text(&self, _: Spot, text: &str, beside: Beside<'_>) -> Result<String, String> {
        let refused = |message: &str| Err(message.to_owned());
        let is_hidden = |kept: &[char]| text.chars().any(|c| is_hidden(c) && !kept.contains(&c));
        match self.place() {
            Place::Text => self.in_text(text, beside),
            Place::Code if is_hidden(&[]) => {
                refused("a line break or a control character cannot stand within `code`")
            }
            Place::Code if text.contains('`') => refused("a backtick cannot stand within `code`"),
            Place::Code if self.has_open_formula && !is_word(text) => refused(FORMULA),
            Place::Code if text.contains('$') && self.has_dollar => refused(
                "a `$` cannot stand within `code` where the text has a `$` of its own, with which \
                 GitHub would make a formula of it; use fenced code",
            ),
            Place::Indented if is_hidden(&['\t']) => refused(
                "a line break or a control character cannot stand in indented code; use a fence \
                 of ```",
            ),
            Place::Fenced { .. } if is_hidden(&['\n', '\t']) => {
                refused("a control character cannot stand in fenced code")
            }
            Place::Fenced { margin } => Ok(text.replace('\n', &format!("\n{margin}"))),
            Place::Html if text.contains(['@', '#', ':']) || text.contains("www.") => refused(
                "`@`, `#` and `:` cannot stand in HTML, where GitHub would make links of them; \
                 write the value in Markdown",
            ),
            Place::Comment if text.contains("--") || text.contains('>') || is_hidden(&[]) => {
                refused("`--`, `>` or a line break cannot stand in a comment")
            }
            Place::Nowhere if !text.is_empty() && !is_word(text) => refused(
                "a value cannot stand here; it can in running text, in code, and in the address \
                 of a link",
            ),
            Place::Code
            | Place::Indented
            | Place::Address
            | Place::Html
            | Place::Comment
            | Place::Nowhere => Ok(text.to_owned()),
        }
    }
}

/// Whether a `$` that is no part of code has a backtick behind it, as far as either may reach.
fn has_open_formula(text: &str) -> bool {
    let blocks = without_code_blocks(text);
    let mut lines = blocks.split('\n').peekable();
    std::iter::from_fn(|| {
        lines.peek()?;
        let block = lines.by_ref().take_while(|line| !line.trim().is_empty());
        Some(block.collect::<Vec<_>>().join("\n"))
    })
    .any(|block| has_formula_before_code(&block))
}

fn has_formula_before_code(mut block: &str) -> bool {
    while let Some(at) = block.find(['\\', '`', '$']) {
        let rest = &block[at..];
        let length = match rest.as_bytes()[0] {
            b'`' => code_length(rest),
            // Before a space it begins nothing.
            b'$' if rest.contains('`') && !rest[1..].starts_with(char::is_whitespace) => {
                return true;
            }
            b'$' => 1,
            _ => 1 + rest.chars().nth(1).map_or(0, char::len_utf8),
        };
        block = &rest[length..];
    }
    false
}

/// How long the code is that begins here, or else the backticks that begin none.
fn code_length(text: &str) -> usize {
    let backticks = text.len() - text.trim_start_matches('`').len();
    let mut at = backticks;
    while let Some(next) = text[at..].find('`') {
        let run = text[at + next..].len() - text[at + next..].trim_start_matches('`').len();
        at += next + run;
        if run == backticks {
            return at;
        }
    }
    backticks
}

/// Whether a footnote is begun, and not ended as everyone reads it.
fn has_open_label(text: &str) -> bool {
    let mut begins = text.match_indices("[^");
    begins.any(|(at, begin)| {
        let backslashes = text[..at].chars().rev().take_while(|c| *c == '\\').count();
        backslashes % 2 == 0 && !begins_with_label(&text[at + begin.len()..])
    })
}

/// Whether a label of a footnote stands here, to its end.
fn begins_with_label(rest: &str) -> bool {
    let is_odd = |c: char| c.is_whitespace() || "[`<".contains(c);
    rest.split_once(']').is_some_and(|(label, _)| {
        let is_whole = !label.is_empty() && !label.ends_with('\\') && !label.contains(is_odd);
        is_whole && slots_of(label).next().is_none()
    })
}

fn is_word(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

/// What is to be seen of a value in running text: one line, each space one. A space at an end of it
/// is only seen beside a letter.
fn shown(text: &str, beside: Beside<'_>) -> String {
    let is_space = |c: char| matches!(c, ' ' | '\n' | '\r' | '\t');
    let visible: String = text.chars().filter(|c| is_space(*c) || !is_hidden(*c)).collect();
    let words: Vec<&str> = visible.split(is_space).filter(|word| !word.is_empty()).collect();
    let is_letter = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let starts = visible.starts_with(is_space) && is_letter(beside.before);
    let ends = visible.ends_with(is_space) && is_letter(beside.after.chars().next());
    let space = |is_there: bool| if is_there { " " } else { "" };
    match &words[..] {
        [] => space(starts && ends).to_owned(),
        words => format!("{}{}{}", space(starts), words.join(" "), space(ends)),
    }
}

/// A part of an address: whatever is not plain is percent-encoded.
fn in_address(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'-' | b'.' | b'_' => out.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => out.push(char::from(byte)),
            // Writing to a text cannot fail.
            byte => drop(write!(out, "%{byte:02X}")),
        }
    }
    out
}

fn in_html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\r' | '\t' => out.push(' '),
            c if is_hidden(c) => {}
            c => out.push(c),
        }
    }
    out
}

/// A value in running text. What GitHub would make a link, a mention or markup of is broken with an
/// empty comment or a backslash.
fn escaped(text: &str, before: Option<char>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut before = before.unwrap_or(' ');
    // `http:` of the author's.
    if text.starts_with('/') && matches!(before, ':' | '/') {
        out.push_str(NOTHING);
    }
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            // A comment ends a text for GitHub, and so what it looks for in texts.
            '@' => {
                out.push('@');
                out.push_str(NOTHING);
            }
            '#' => {
                out.push('\\');
                out.push(c);
                out.push_str(NOTHING);
            }
            ':' => {
                out.push(':');
                out.push_str(NOTHING);
            }
            '.' if before == 'w' || before == 'W' => {
                out.push('.');
                out.push_str(NOTHING);
            }
            '\\' | '`' | '*' | '_' | '[' | ']' | '(' | ')' | '{' | '}' | '|' | '~' | '!' | '$'
            | '^' => {
                out.push('\\');
                out.push(c);
            }
            '-' | '+' | '=' if before.is_whitespace() => {
                out.push('\\');
                out.push(c);
            }
            '.' if before.is_ascii_digit() => out.push_str("\\."),
            c => out.push(c),
        }
        before = c;
    }
    out
}

/// Whether GitHub would take the end of a value and what follows it for an address: for `www.`, or for
/// `http://`.
fn ends_in_address(text: &str, after: &str) -> bool {
    let is_w = |c: &char| matches!(c, 'w' | 'W');
    let own = text.chars().rev().take_while(is_w).count();
    let others = after.chars().take_while(is_w).count();
    // What stands before the value may be a `w` as well.
    let has_three = own + others >= 3 || own == text.chars().count();
    let is_letter = |c: char| c.is_ascii_alphabetic();
    own > 0 && has_three && after[others..].starts_with('.')
        || text.ends_with(is_letter) && after.trim_start_matches(is_letter).starts_with("://")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_typed_becomes_markup() {
        let in_text = |text: &str| escaped(&shown(text, Beside::default()), None);
        assert_eq!(
            in_text("@acme/all <b>x</b> [a](b) | c\n# d"),
            "@<!-- -->acme/all &lt;b&gt;x&lt;/b&gt; \\[a\\]\\(b\\) \\| c \\#<!-- --> d"
        );
        assert_eq!(in_text("https://evil"), "https:<!-- -->//evil");
        assert_eq!(in_text("orders-db 2"), "orders-db 2");
        assert_eq!(in_text("    code\n\n\n- b "), "code \\- b");
    }
}
