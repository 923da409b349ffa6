//! Reads the tags of a text as Tera's own lexer reads them.

use super::{SyntaxFault, fault};

/// Where the next tag starts.
pub(super) fn next_tag(text: &str, from: usize) -> Option<usize> {
    let rest = &text.as_bytes()[from..];
    let found = rest.windows(2).position(|two| matches!(two, b"{{" | b"{%" | b"{#"));
    found.map(|at| from + at)
}

/// Where a tag that cannot be read is over.
pub(super) fn after_tag(text: &str, start: usize) -> usize {
    let close = if text[start..].starts_with("{{") { "}}" } else { "%}" };
    text[start..].find(close).map_or(text.len(), |at| start + at + close.len())
}

/// A token inside a tag.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Token<'a> {
    pub(super) start: usize,
    pub(super) text: &'a str,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kind {
    Word,
    Text,
    Other,
}

/// The tokens of a tag, read as Tera's lexer reads them, and where the tag ends.
pub(super) fn tokenize<'a>(
    text: &'a str,
    from: usize,
    close: &str,
) -> Result<(Vec<Token<'a>>, usize), SyntaxFault> {
    let mut tokens = Vec::new();
    let mut at = from;
    loop {
        let rest = &text[at..];
        let Some(c) = rest.chars().next() else {
            let message = format!("this tag is not closed with `{close}`");
            return Err(fault(text, from.saturating_sub(2), message));
        };
        if c.is_ascii_whitespace() {
            at += 1;
            continue;
        }
        if let Some(after) = rest.strip_prefix('-').unwrap_or(rest).strip_prefix(close) {
            return Ok((tokens, text.len() - after.len()));
        }
        let (length, kind) = match c {
            '"' | '\'' | '`' => (
                quoted(rest, c).ok_or_else(|| fault(text, at, "this text is not closed"))?,
                Kind::Text,
            ),
            'a'..='z' | 'A'..='Z' | '_' => {
                let is_part = |c: char| c == '_' || c.is_ascii_alphanumeric();
                (rest.find(|c| !is_part(c)).unwrap_or(rest.len()), Kind::Word)
            }
            '0'..='9' => (number(rest), Kind::Other),
            _ if rest.starts_with("...") => (3, Kind::Other),
            _ if ["//", "**", "==", "!=", ">=", "<=", "</", "?.", "?["]
                .iter()
                .any(|op| rest.starts_with(op)) =>
            {
                (2, Kind::Other)
            }
            _ => (c.len_utf8(), Kind::Other),
        };
        tokens.push(Token { start: at, text: &rest[..length], kind });
        at += length;
    }
}

fn number(rest: &str) -> usize {
    let digits = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let whole = digits(rest);
    match rest[whole..].strip_prefix('.') {
        Some(fraction) => whole + 1 + digits(fraction),
        None => whole,
    }
}

fn quoted(rest: &str, quote: char) -> Option<usize> {
    let mut is_escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            c if c == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// Where `{% raw %}…{% endraw %}` ends, if the text starts with it.
pub(super) fn end_of_raw(text: &str) -> Option<usize> {
    let after = skip_tag(text, "raw")?;
    let mut at = after;
    while let Some(found) = text[at..].find("{%") {
        if let Some(length) = skip_tag(&text[at + found..], "endraw") {
            return Some(at + found + length);
        }
        at += found + 2;
    }
    None
}

fn skip_tag(text: &str, name: &str) -> Option<usize> {
    let rest = text.strip_prefix("{%")?;
    let rest = rest.strip_prefix('-').unwrap_or(rest).trim_ascii_start();
    let rest = rest.strip_prefix(name)?.trim_ascii_start();
    let rest = rest.strip_prefix('-').unwrap_or(rest).strip_prefix("%}")?;
    Some(text.len() - rest.len())
}
