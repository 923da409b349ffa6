//! JSON as text: what another program would have written for the same value. Works on the source,
//! so that numbers stay as they were written (`1.0`, `12345678901234567890`).

use std::fmt::{self, Write as _};

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// How characters beyond ASCII are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Letters {
    /// As they are: JavaScript's `JSON.stringify`.
    Plain,
    /// As `\uXXXX`: Python's `json.dumps` by default.
    Escaped,
}

/// The same JSON without spaces between its parts; `None` if it is no JSON.
pub(super) fn compact(source: &str, letters: Letters) -> Option<String> {
    serde_json::from_str::<IgnoredAny>(source).ok()?;
    let mut compacted = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let (token, after) = rest.split_at(token_length(rest, first));
        match first {
            '"' => write_string(&mut compacted, token, letters),
            ' ' | '\n' | '\r' | '\t' => {}
            _ => compacted.push_str(token),
        }
        rest = after;
    }
    Some(compacted)
}

/// The length in bytes of what begins here: a whole string, else one character.
fn token_length(text: &str, first: char) -> usize {
    if first != '"' {
        return first.len_utf8();
    }
    let mut is_escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn write_string(out: &mut String, token: &str, letters: Letters) {
    // Half of a surrogate pair is no text; such a string stays as it was written.
    let text = serde_json::from_str::<String>(token);
    let Some(plain) = text.ok().and_then(|text| serde_json::to_string(&text).ok()) else {
        return out.push_str(token);
    };
    if letters == Letters::Plain || plain.is_ascii() {
        return out.push_str(&plain);
    }
    for letter in plain.chars() {
        if letter.is_ascii() {
            out.push(letter);
            continue;
        }
        for unit in letter.encode_utf16(&mut [0; 2]) {
            // Writing to a String cannot fail.
            let _ = write!(out, "\\u{unit:04x}");
        }
    }
}

/// The members of an object in their order, each value as its source text.
pub(super) struct Members<'a>(pub(super) Vec<(String, &'a RawValue)>);

impl<'a> Members<'a> {
    /// Reads an object; `None` if it is none.
    pub(super) fn of(source: &'a str) -> Option<Self> {
        serde_json::from_str(source).ok()
    }

    /// The member with this name, as text.
    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.get())
    }
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_what_other_programs_write() {
        let source = "{ \"a\" : [1.0, 1e5,\n 12345678901234567890 ], \"é\\u00e9\\/\": \"x \\\" \\u001F😀\" }";
        let plain = "{\"a\":[1.0,1e5,12345678901234567890],\"éé/\":\"x \\\" \\u001f😀\"}";
        assert_eq!(compact(source, Letters::Plain).as_deref(), Some(plain));
        let escaped = "{\"a\":[1.0,1e5,12345678901234567890],\"\\u00e9\\u00e9/\":\"x \\\" \\u001f\\ud83d\\ude00\"}";
        assert_eq!(compact(source, Letters::Escaped).as_deref(), Some(escaped));
        assert_eq!(compact("\"\\ud800\"", Letters::Plain).as_deref(), Some("\"\\ud800\""));
        for broken in ["", "{", "\"", "{\"a\":1}}", "nope"] {
            assert_eq!(compact(broken, Letters::Plain), None, "{broken}");
        }
    }

    proptest::proptest! {
        #[test]
        fn spaces_between_parts_never_matter(text in ".*", number in proptest::num::i64::ANY) {
            let value = serde_json::json!({"text": text, "list": [number, null, {"deep": text}]});
            let compacted = serde_json::to_string(&value).unwrap();
            let pretty = serde_json::to_string_pretty(&value).unwrap();
            proptest::prop_assert_eq!(compact(&pretty, Letters::Plain), Some(compacted));
            let escaped = compact(&pretty, Letters::Escaped).unwrap();
            proptest::prop_assert!(escaped.is_ascii());
            proptest::prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&escaped).unwrap(), value);
        }
    }
}
