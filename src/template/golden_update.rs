//! Writes what came of a golden test into its file, and leaves everything else in it as it stands.

use std::collections::BTreeMap;

use serde_json::Value;

use super::golden::Outcome;
use super::language::yaml_literal;
use super::manifest::block;

const EXPECTATIONS: [&str; 3] = ["files", "workflow", "refused"];

/// The text of a golden test with this outcome as its expectation.
pub fn updated(text: &str, outcome: &Outcome) -> String {
    let mut kept = String::new();
    let mut is_expectation = false;
    let mut at = None;
    for line in text.split_inclusive('\n') {
        let starts_key = !line.trim().is_empty() && !line.starts_with([' ', '\t', '#', '-', '}']);
        if starts_key {
            let key = line.split(':').next().unwrap_or_default();
            is_expectation = EXPECTATIONS.contains(&key);
        }
        let is_comment = line.starts_with('#');
        if is_expectation && !is_comment {
            at.get_or_insert(kept.len());
        } else {
            kept.push_str(line);
        }
    }
    if !kept.is_empty() && !kept.ends_with('\n') {
        kept.push('\n');
    }
    kept.insert_str(at.unwrap_or(kept.len()).min(kept.len()), &expectation(outcome));
    kept
}

fn expectation(outcome: &Outcome) -> String {
    let mut out = String::new();
    match outcome {
        Outcome::Files(files) if files.is_empty() => out.push_str("files: {}\n"),
        Outcome::Files(files) => write_files(&mut out, files),
        Outcome::Workflow(value) | Outcome::Secret(value) => {
            let mut value = value.clone();
            if let Some(map) = value.as_object_mut() {
                map.retain(|_, value| !value.is_null());
            }
            out.push_str("workflow:\n");
            block(&mut out, &value, 1);
        }
        Outcome::Refused(words) => {
            out.push_str(&format!("refused: {}\n", yaml_literal(&Value::String(words.clone()))));
        }
    }
    out
}

fn write_files(out: &mut String, files: &BTreeMap<String, String>) {
    out.push_str("files:\n");
    for (path, text) in files {
        out.push_str(&format!("  {}:", yaml_literal(&Value::String(path.clone()))));
        if !fits_a_block(text) {
            out.push_str(&format!(" {}\n", yaml_literal(&Value::String(text.clone()))));
            continue;
        }
        let chomping = match text.strip_suffix('\n') {
            None => "-",
            Some(rest) if rest.ends_with('\n') => "+",
            Some(_) => "",
        };
        out.push_str(&format!(" |{chomping}\n"));
        for line in text.lines() {
            let indent = if line.is_empty() { "" } else { "    " };
            out.push_str(&format!("{indent}{line}\n"));
        }
    }
}

/// Whether YAML gives a text back as it is when it is written line by line.
fn fits_a_block(text: &str) -> bool {
    let is_plain = |c: char| c == '\n' || (!super::language::is_hidden(c) && c != '\u{85}');
    !text.trim().is_empty() && !text.starts_with([' ', '\n']) && text.chars().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::golden;

    fn files(entries: &[(&str, &str)]) -> Outcome {
        let entries = entries.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
        Outcome::Files(entries.collect())
    }

    #[test]
    fn only_the_expectation_changes() {
        let before =
            "# Why.\naction: a\nfiles:\n  x/a.tf: |\n    old\n\n# And this.\ninputs: {b: 1}\n";
        assert_eq!(
            updated(before, &files(&[("x/a.tf", "new\n\n  deep\n")])),
            "# Why.\naction: a\nfiles:\n  x/a.tf: |\n    new\n\n      deep\n# And this.\ninputs: {b: 1}\n"
        );
    }

    #[test]
    fn any_text_is_read_back() {
        for text in ["", "a", "a\n", "a\n\n", " a\n", "\na\n", "a\tb\n", "a\r\nb\n", "\u{2028}\n"] {
            let written = updated("action: a\n", &files(&[("x", text), ("y: z", "1\n")]));
            let read = golden::parse("t.yml", &written).unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(read.files.unwrap()["x"], text, "{written}");
        }
    }

    #[test]
    fn an_expectation_may_change_its_kind() {
        let refused = Outcome::Refused("`a`: is \"wrong\"".to_owned());
        let written = updated("action: a\nworkflow: {file: x}", &refused);
        assert_eq!(golden::parse("t.yml", &written).unwrap().refused.unwrap(), "`a`: is \"wrong\"");
        assert!(!written.contains("workflow"), "{written}");
    }
}
