//! Any text of an author with values in it: whatever the values are, the file says what it says with
//! a harmless word in their place. Names of files, paths, titles and Markdown likewise.
#![no_main]

use std::collections::BTreeSet;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value, json};
use towpath_fuzz::reader::{self, Part};
use towpath_fuzz::rendered;
use towpath_fuzz::template::{context, render};
use towpath_fuzz::value::Seed;

/// No author would write it.
const WORD: &str = "towpathword";
/// The same for a value that has a dot: `www.` before it is an address by that.
const DOTTED_WORD: &str = "towpath.word";
/// The same for a value in which something is escaped, in running text and in an address, at which
/// GitHub begins to look anew.
const ESCAPED_WORD: &str = "towpath1.word+x";
/// What makes something of the text between two of them.
const MARKS: [char; 4] = ['*', '_', '~', '$'];
const MADE_BY_MARKS: [&str; 4] = ["Emph", "Strong", "Strikethrough", "math"];

#[derive(Arbitrary, Debug)]
struct Case {
    language: u8,
    text: Vec<String>,
    value: Seed,
    other: Seed,
}

fuzz_target!(|case: Case| {
    let (value, other) = (case.value.text(), case.other.text());
    paths(&value, &other);
    texts(&value);
    if case.language % 5 == 4 { in_markdown(&case, &value) } else { in_a_file(&case, &value) }
});

fn paths(value: &str, other: &str) {
    let context = json!({"inputs": {"a": value, "b": other}});
    let path = render::path("services/{{ inputs.a }}/x-{{ inputs.b }}.tf", &context);
    if let Ok(path) = path {
        assert_eq!(path, format!("services/{value}/x-{other}.tf"));
        let segments: Vec<&str> = path.split('/').collect();
        assert_eq!(segments.len(), 3, "{path}");
        for segment in segments {
            assert!(!matches!(segment, "" | "." | ".."), "{path}");
            assert!(!segment.eq_ignore_ascii_case(".git"), "{path}");
            assert!(!segment.contains(['\\', '\0', '\n']), "{path}");
        }
    }
}

fn texts(value: &str) {
    let context = json!({ "v": value });
    let line = render::line("Add {{ v }} now", &context).expect("a text stands in a title");
    assert!(!line.contains(['\n', '\r', '\0']), "{line:?}");
    // The first letters show what would come of it in the middle of a line, and at its beginning.
    for before in ["", "For "] {
        let text = render::markdown(&format!("{before}{{{{ v }}}}"), &context);
        let text = text.expect("a text stands in Markdown");
        let read = reader::markdown(&text);
        let said: String = read.iter().map(|(_, _, said)| said.as_str()).collect();
        assert_eq!(shown(&said), shown(&format!("{before}{value}")), "{text}");
        let mut kinds = read.iter().map(|(kind, ..)| kind.as_str());
        assert!(kinds.all(|it| ["Document", "Paragraph", "text"].contains(&it)), "{read:?}");
    }
}

/// What is to be seen of a text, without spaces.
fn shown(text: &str) -> String {
    let visible = text.chars().filter(|c| !is_hidden(*c)).collect::<String>();
    visible.split(char::is_whitespace).collect()
}

/// Markdown of any author: all that it says stays but for the value, which is exact in code.
fn in_markdown(case: &Case, value: &str) {
    let text = case.text.join("{{ inputs.v }}");
    let authors = case.text.concat();
    let has_tags = ["{{", "{%", "{#"].iter().any(|tag| {
        text.matches(tag).count() > case.text.len().saturating_sub(1) * usize::from(*tag == "{{")
    });
    // An empty value leaves the author's text, whatever that is without it.
    if has_tags || authors.contains(WORD) || value.contains(WORD) || shown(value).is_empty() {
        return;
    }
    // An author's own address goes on for GitHub to the end of the word, over marks of the author's own.
    let is_marked_address =
        |word: &str| (word.contains("www.") || word.contains("://")) && word.contains(MARKS);
    if text.replace("{{ inputs.v }}", "v").split_ascii_whitespace().any(is_marked_address) {
        return;
    }
    let with = |value: &str| rendered("x.md", &text, &json!({"inputs": {"v": value}}));
    let (Ok(Ok(file)), Ok(Ok(plain))) = (with(value), with(WORD)) else { return };
    let (actual, expected) = (reader::markdown(&file), reader::markdown(&plain));
    if says_the_same(&actual, &expected, WORD, value) {
        return;
    }
    // The author's own `www.` and `@` make an address with some values and none with others; whether
    // the author's own `*`, `_`, `~` and `$` begin or end something depends on the letter or digit
    // beside them, and so on the value's first and last. Nothing else does, and no value makes what no
    // word makes.
    // A formula of theirs goes over code and HTML.
    let formulas = |parts: &[Part]| -> Vec<String> {
        let formulas = parts.iter().filter(|(kind, ..)| kind == "math");
        formulas.map(|(_, _, said)| said.replace(WORD, value)).collect()
    };
    let is_formula_made = formulas(&actual) != formulas(&expected);
    let is_in_formula = |kind: &str| kind.starts_with("code") || kind == "html";
    let is_made_by_marks =
        |kind: &str| MADE_BY_MARKS.contains(&kind) || is_formula_made && is_in_formula(kind);
    let others = |parts: &[Part]| -> Vec<String> {
        let plain = without_bare_links(parts);
        // A mark that makes nothing is text.
        let others = plain.iter().filter(|(kind, ..)| kind != "text" && !is_made_by_marks(kind));
        let mut kinds: Vec<_> = others.map(|(kind, ..)| kind.replace(WORD, value)).collect();
        kinds.dedup();
        kinds
    };
    let bare = without_bare_links(&actual);
    let words = [WORD, DOTTED_WORD, ESCAPED_WORD].into_iter();
    for word in words.flat_map(|word| [word.to_owned(), edged(word, value)]) {
        let whole = spaced(&word, value);
        let Ok(Ok(like)) = with(&whole) else { continue };
        let mut like = reader::markdown(&like);
        // In an address the space is a part of the word.
        for (_, _, said) in &mut like {
            *said = said.replace(&in_address(&whole), &in_address(&word));
        }
        if links(&actual) <= links(&like)
            && others(&actual) == others(&expected)
            && says_the_same(&bare, &without_bare_links(&like), &word, value)
        {
            return;
        }
    }
    // A value that has no marks makes nothing of that kind, whatever stands beside it.
    let [bare, expected_bare] = [&actual, &expected].map(|parts| without_marks(parts));
    assert!(
        !value.contains(MARKS) && says_the_same(&bare, &expected_bare, WORD, value),
        "{value:?}\nread     {actual:?}\nexpected {expected:?}\n--- file\n{file}\n--- plain\n{plain}"
    );
}

fn links(parts: &[Part]) -> usize {
    parts.iter().filter(|(kind, ..)| kind.starts_with("link")).count()
}

/// What it says without the links that are nothing but an address in running text.
fn without_bare_links(parts: &[Part]) -> Vec<Part> {
    let mut plain: Vec<Part> = Vec::new();
    let mut rest = parts.iter();
    while let Some((kind, depth, said)) = rest.next() {
        let shown = rest.as_slice().first().map_or("", |(_, _, shown)| shown);
        let is_bare = kind == "link " && said.ends_with(shown) && !shown.is_empty();
        let (kind, said) = if is_bare {
            rest.next();
            ("text", shown)
        } else {
            (kind.as_str(), said.as_str())
        };
        match plain.last_mut() {
            Some((last, at, before)) if last == "text" && kind == "text" && at == depth => {
                before.push_str(said);
            }
            _ => plain.push((kind.to_owned(), *depth, said.to_owned())),
        }
    }
    plain
}

/// What it says without marks, and without what they make.
fn without_marks(parts: &[Part]) -> Vec<Part> {
    let mut plain: Vec<Part> = Vec::new();
    let mut made: Vec<usize> = Vec::new();
    for (kind, depth, said) in parts {
        made.retain(|outer| outer < depth);
        let at = depth - made.len();
        let kind = match kind.as_str() {
            "Emph" | "Strong" | "Strikethrough" => {
                made.push(*depth);
                continue;
            }
            "math" => "text",
            kind => kind,
        };
        let said = said.replace(MARKS, "");
        match plain.last_mut() {
            Some((last, before_at, before))
                if last == "text" && kind == last && *before_at == at =>
            {
                before.push_str(&said);
            }
            _ => plain.push((kind.to_owned(), at, said)),
        }
    }
    plain
}

/// The harmless word between the value's first and last letter, where they are no letters.
fn edged(word: &str, value: &str) -> String {
    let edge =
        |c: Option<char>| c.filter(|c| !c.is_alphabetic()).map_or(String::new(), String::from);
    format!("{}{word}{}", edge(shown(value).chars().next()), edge(shown(value).chars().next_back()))
}

/// The word with a space where the value has one at an end, which ends an address of the author's.
fn spaced(word: &str, value: &str) -> String {
    let visible: String = value.chars().filter(|c| !is_hidden(*c)).collect();
    let space = |is_there: bool| if is_there { " " } else { "" };
    let (starts, ends) =
        (visible.starts_with(char::is_whitespace), visible.ends_with(char::is_whitespace));
    format!("{}{word}{}", space(starts), space(ends))
}

/// Whether a file with the value says what it says with the word, but for them.
fn says_the_same(actual: &[Part], expected: &[Part], word: &str, value: &str) -> bool {
    let (address, word_in_address) = (in_address(value), in_address(word));
    actual.len() == expected.len()
        && actual.iter().zip(expected).all(|(actual, expected)| {
            let with = |value: &str| composed(&expected.2.replace(word, value));
            let said = composed(&actual.2);
            // The word of a fence and the title of a link are part of what a thing is.
            (&actual.0, actual.1) == (&expected.0.replace(word, value), expected.1)
                && match expected.0.as_str() {
                    kind if kind.starts_with("code") => said == with(value),
                    "text" => {
                        let text = expected.2.replace(&word_in_address, word);
                        is_said_with_either(&actual.2, &text, word, [value, &address])
                    }
                    kind if kind.starts_with("link") || kind.starts_with("image") => {
                        said == composed(&expected.2.replace(&word_in_address, &address))
                    }
                    // Values stand as escapes in HTML, and as plain words elsewhere.
                    _ => true,
                }
        })
}

/// Whether something is said that is a text with one or the other in the place of each word.
fn is_said_with_either(said: &str, text: &str, word: &str, either: [&str; 2]) -> bool {
    let said = shown(&composed(said));
    // What follows may still change the last two letters and the marks on them, which have an order of
    // their own.
    let may_lead_there = |way: &String| {
        let begun = shown(&composed(way));
        let letters = begun.char_indices().rev().skip_while(|(_, c)| is_mark(*c));
        let sure = letters.skip(1).find(|(_, c)| !is_mark(*c)).map_or(0, |(at, _)| at);
        said.starts_with(&begun[..sure])
    };
    let mut rest = text.split(word);
    let first = rest.next().unwrap_or_default().to_owned();
    let ways = rest.fold(BTreeSet::from([first]), |ways, part| {
        let longer = ways.iter().flat_map(|way| either.map(|it| format!("{way}{it}{part}")));
        longer.filter(may_lead_there).collect()
    });
    ways.iter().any(|way| said == shown(&composed(way)))
}

/// Letter and accent may come from the author and the value together.
fn composed(text: &str) -> String {
    context::normalized(&text.into()).as_str().unwrap_or_default().to_owned()
}

/// Whether it stands on the letter before it.
fn is_mark(c: char) -> bool {
    unicode_normalization::char::canonical_combining_class(c) != 0
}

fn in_address(text: &str) -> String {
    text.bytes().map(percent_encoded).collect()
}

fn percent_encoded(byte: u8) -> String {
    let is_plain = byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if is_plain { char::from(byte).into() } else { format!("%{byte:02X}") }
}

/// What Markdown leaves out, because it does not show.
fn is_hidden(c: char) -> bool {
    c.is_control() && !matches!(c, '\n' | '\r' | '\t')
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fff0}'..='\u{ffff}' | '\u{e0000}'..='\u{e0fff}')
}

fn in_a_file(case: &Case, value: &str) {
    let text = case.text.join("{{ inputs.v }}");
    let authors = case.text.concat();
    // Expressions of the author's own could choose by the value.
    let has_tags = ["{{", "{%", "{#"].iter().any(|tag| {
        text.matches(tag).count() > case.text.len().saturating_sub(1) * usize::from(*tag == "{{")
    });
    if has_tags || authors.contains(WORD) || value.contains(WORD) {
        return;
    }
    let (name, read): (_, fn(&str) -> Result<Vec<Value>, String>) = match case.language % 5 {
        0 => ("x.tf", |text| reader::hcl(text).map(|read| vec![read])),
        1 => ("x.yml", reader::yaml),
        2 => ("x.json", |text| reader::json(text).map(|read| vec![read])),
        _ => ("x.tf.json", |text| reader::terraform_json(text).map(|read| vec![read])),
    };
    let is_hcl = name.contains(".tf");
    let Ok(Ok(file)) = rendered(name, &text, &json!({"inputs": {"v": value}})) else { return };
    let Ok(Ok(plain)) = rendered(name, &text, &json!({"inputs": {"v": WORD}})) else { return };
    let Ok(expected) = read(&plain) else { return };
    let actual = read(&file).unwrap_or_else(|error| panic!("{error}\n--- file\n{file}"));
    // Letter and accent may come from the author and the value together.
    let actual: Vec<Value> = actual.iter().map(context::normalized).collect();
    let expected: Vec<Value> = expected.iter().map(|it| replaced(it, value)).collect();
    let said = |it: &Value| if is_hcl { reader::single(it) } else { it.clone() };
    let is_same = actual.len() == expected.len()
        && actual.iter().zip(&expected).all(|(a, b)| reader::same(&said(a), &said(b)));
    assert!(
        is_same,
        "read     {actual:?}\nexpected {expected:?}\n--- file\n{file}\n--- plain\n{plain}"
    );
}

/// With the value where the word stands.
fn replaced(read: &Value, value: &str) -> Value {
    context::normalized(&filled(read, value))
}

fn filled(read: &Value, value: &str) -> Value {
    match read {
        Value::String(text) => text.replace(WORD, value).into(),
        Value::Array(items) => items.iter().map(|item| filled(item, value)).collect(),
        Value::Object(entries) => {
            let entries = entries.iter();
            let entries = entries.map(|(key, it)| (key.replace(WORD, value), filled(it, value)));
            Value::Object(entries.collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}
