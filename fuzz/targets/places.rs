//! Any text of an author with values in it: whatever the values are, the file says what it says with
//! a harmless word in their place. Names of files, paths, titles and Markdown likewise.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value, json};
use towpath_fuzz::template::{context, render};
use towpath_fuzz::value::Seed;
use towpath_fuzz::{reader, rendered};

/// No author would write it.
const WORD: &str = "towpathword";

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
    in_a_file(&case, &value);
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
        let read =
            reader::markdown(&text).unwrap_or_else(|event| panic!("{event}\n--- Markdown\n{text}"));
        let shown = |text: &str| {
            let text = text.replace(
                |c: char| c.is_control() || "\u{ad}\u{61c}\u{180e}\u{feff}".contains(c),
                " ",
            );
            text.split_whitespace().collect::<String>()
        };
        let visible: String = value.chars().filter(|c| !is_hidden(*c)).collect();
        assert_eq!(shown(&read), shown(&format!("{before}{visible}")), "{text}");
    }
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
    let (name, read): (_, fn(&str) -> Result<Vec<Value>, String>) = match case.language % 4 {
        0 => ("x.tf", |text| reader::hcl(text).map(|read| vec![read])),
        1 => ("x.yml", reader::yaml),
        2 => ("x.json", |text| reader::json(text).map(|read| vec![read])),
        _ => ("x.tf.json", |text| reader::terraform_json(text).map(|read| vec![read])),
    };
    let Ok(Ok(file)) = rendered(name, &text, &json!({"inputs": {"v": value}})) else { return };
    let Ok(Ok(plain)) = rendered(name, &text, &json!({"inputs": {"v": WORD}})) else { return };
    let Ok(expected) = read(&plain) else { return };
    let actual = read(&file).unwrap_or_else(|error| panic!("{error}\n--- file\n{file}"));
    // Letter and accent may come from the author and the value together.
    let actual: Vec<Value> = actual.iter().map(context::normalized).collect();
    let expected: Vec<Value> = expected.iter().map(|it| replaced(it, value)).collect();
    let is_same = actual.len() == expected.len()
        && actual.iter().zip(&expected).all(|(a, b)| reader::same(a, b));
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
