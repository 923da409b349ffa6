//! Texts of others: where they name an address, it can be followed; values as people read them.

use serde::Serialize;
use serde_json::Value;

use super::outside;

/// How much of one value is shown.
const LONGEST_VALUE: usize = 2_000;

/// A stretch of a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(in super::super) struct Part {
    text: String,
    href: Option<String>,
}

/// Cuts a text at the addresses in it.
pub(super) fn parts(text: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(start) = next_address(rest) {
        let (before, from) = rest.split_at(start);
        let length = address_length(from);
        let (address, after) = from.split_at(length);
        if !before.is_empty() {
            parts.push(Part { text: before.to_owned(), href: None });
        }
        parts.push(Part { text: address.to_owned(), href: outside(address) });
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Part { text: rest.to_owned(), href: None });
    }
    parts
}

fn next_address(text: &str) -> Option<usize> {
    ["https://", "http://"].iter().filter_map(|scheme| text.find(scheme)).min()
}

/// Up to a space or a quote, without the punctuation of the sentence around it.
fn address_length(text: &str) -> usize {
    let ends = |c: char| c.is_whitespace() || "<>\"'`".contains(c);
    let address = &text[..text.find(ends).unwrap_or(text.len())];
    address.trim_end_matches(['.', ',', ';', ':', '!', '?', ')', ']', '*']).len()
}

/// A value under its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(in super::super) struct Pair {
    name: String,
    /// Empty where the value is a secret.
    value: Vec<Part>,
    is_secret: bool,
    /// Laid out over lines: lists and objects.
    is_block: bool,
}

impl Pair {
    pub(super) fn secret(name: &str) -> Self {
        Self { name: name.to_owned(), value: Vec::new(), is_secret: true, is_block: false }
    }

    pub(super) fn of(name: &str, value: &Value) -> Self {
        let (text, is_block) = shown(value);
        Self { name: name.to_owned(), value: parts(&text), is_secret: false, is_block }
    }
}

fn shown(value: &Value) -> (String, bool) {
    match value {
        Value::Null => ("—".to_owned(), false),
        Value::String(text) if text.is_empty() => ("—".to_owned(), false),
        Value::String(text) => (shortened(text), text.contains('\n')),
        Value::Array(values) if values.iter().all(Value::is_string) => {
            let names: Vec<_> = values.iter().filter_map(Value::as_str).collect();
            (shortened(&names.join(", ")), false)
        }
        Value::Array(_) | Value::Object(_) => (shortened(&format!("{value:#}")), true),
        Value::Bool(true) => ("yes".to_owned(), false),
        Value::Bool(false) => ("no".to_owned(), false),
        Value::Number(number) => (number.to_string(), false),
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST_VALUE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn an_address_in_a_sentence_is_followed_without_its_full_stop() {
        let told: Vec<_> = parts("Opened (https://github.com/acme/infra/pull/7). See `http://x`!")
            .into_iter()
            .map(|part| (part.text, part.href.is_some()))
            .collect();
        let expected = [
            ("Opened (", false),
            ("https://github.com/acme/infra/pull/7", true),
            ("). See `", false),
            ("http://x", true),
            ("`!", false),
        ];
        assert_eq!(told, expected.map(|(text, is_link)| (text.to_owned(), is_link)));
    }

    proptest! {
        #[test]
        fn nothing_of_a_text_is_lost(text in "(https?://|[ a.<\"\u{e9}])*") {
            let joined: String = parts(&text).into_iter().map(|part| part.text).collect();
            prop_assert_eq!(joined, text);
        }
    }

    #[test]
    fn values_are_told_as_people_read_them() {
        assert_eq!(shown(&json!(null)), ("—".to_owned(), false));
        assert_eq!(shown(&json!(true)), ("yes".to_owned(), false));
        assert_eq!(shown(&json!(["a", "b"])), ("a, b".to_owned(), false));
        assert_eq!(shown(&json!({"a": 1})), ("{\n  \"a\": 1\n}".to_owned(), true));
        let long = "é".repeat(LONGEST_VALUE + 1);
        assert_eq!(shown(&json!(long)).0.chars().count(), LONGEST_VALUE + 1);
    }
}
