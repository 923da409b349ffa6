//! A mistake in a template, told so that its author can mend it: where, what, and the way out.

use std::fmt;

/// One mistake, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// From the folder of all templates (`documentdb/template.yml`).
    pub file: String,
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    pub help: Option<String>,
    /// The line as it stands in the file.
    pub source: Option<String>,
}

impl Diagnostic {
    /// A mistake at a place of a text.
    pub fn at(file: &str, text: &str, place: Place, message: impl Into<String>) -> Self {
        let source = text.lines().nth(place.line.saturating_sub(1)).map(str::to_owned);
        let message = message.into();
        let Place { line, column } = place;
        Self { file: file.to_owned(), line, column, message, help: None, source }
    }

    /// With a way out.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// With a way out, if there is one.
    #[must_use]
    pub fn maybe_help(mut self, help: Option<String>) -> Self {
        self.help = help.or(self.help);
        self
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)?;
        if let Some(source) = &self.source {
            let margin = self.line.to_string();
            let blank = " ".repeat(margin.len());
            let indent: String = source
                .chars()
                .take(self.column.saturating_sub(1))
                .map(|c| if c == '\t' { '\t' } else { ' ' })
                .collect();
            writeln!(f, "{margin} | {source}")?;
            writeln!(f, "{blank} | {indent}^")?;
        }
        match &self.help {
            Some(help) => writeln!(f, "  = {help}"),
            None => Ok(()),
        }
    }
}

/// A line and a column, both counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

impl Place {
    /// The first character of a file.
    pub const START: Self = Self { line: 1, column: 1 };

    /// The place of a byte of a text.
    pub fn of(text: &str, offset: usize) -> Self {
        let offset = (0..=offset.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
        let before = &text[..offset.unwrap_or(0)];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Self {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }
}

/// The name that was probably meant, where one is near.
pub(super) fn did_you_mean<'a>(
    name: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    let known: Vec<&str> = known.into_iter().collect();
    let near = known.iter().map(|k| (distance(name, k), *k)).min()?;
    if near.0 <= 1 + name.chars().count() / 4 {
        return Some(format!("did you mean `{}`?", near.1));
    }
    let list: Vec<String> = known.iter().take(20).map(|k| format!("`{k}`")).collect();
    Some(format!("known here: {}", list.join(", ")))
}

/// Levenshtein's distance: how many characters must be put in, taken out or changed.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let cost = usize::from(from != *to);
            let best = (row[j] + 1).min(row[j + 1] + 1).min(diagonal + cost);
            diagonal = std::mem::replace(&mut row[j + 1], best);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_is_shown_with_its_line_and_a_caret() {
        let text = "title: X\nfilez: files\n";
        let found = Diagnostic::at("a/template.yml", text, Place::of(text, 9), "unknown key")
            .maybe_help(did_you_mean("filez", ["title", "files"]));
        assert_eq!(
            found.to_string(),
            "a/template.yml:2:1: unknown key\n2 | filez: files\n  | ^\n  = did you mean `files`?\n"
        );
    }

    #[test]
    fn a_name_that_is_near_nothing_gets_the_list() {
        assert_eq!(did_you_mean("zzzzzz", ["a", "b"]).unwrap(), "known here: `a`, `b`");
    }
}
