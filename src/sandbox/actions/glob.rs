//! GitHub's patterns for branches, paths and artifact files: `*`, `**`, `?`, `+`, `[…]` and `!`.

use std::iter::Peekable;
use std::str::Chars;

/// Whether a list of patterns lets a text through: as on GitHub the last pattern that matches
/// decides, and one that starts with `!` decides against it.
pub(super) fn any_matches(patterns: &[String], text: &str) -> bool {
    patterns.iter().fold(false, |included, pattern| match pattern.strip_prefix('!') {
        Some(excluded) => included && !matches(excluded, text),
        None => included || matches(pattern, text),
    })
}

/// Whether one pattern matches the whole text.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    matches_from(&parse(pattern), &text)
}

/// What one character may be, and how often.
struct Part {
    class: Class,
    least: usize,
    most: usize,
}

enum Class {
    Exactly(char),
    NotSlash,
    Anything,
    /// `**/`: any number of whole folders.
    Folders,
    OneOf(Vec<(char, char)>),
}

impl Class {
    fn takes(&self, c: char) -> bool {
        match self {
            Self::Exactly(expected) => *expected == c,
            Self::NotSlash => c != '/',
            Self::Anything | Self::Folders => true,
            Self::OneOf(ranges) => ranges.iter().any(|(from, to)| (*from..=*to).contains(&c)),
        }
    }
}

fn parse(pattern: &str) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        let class = match c {
            '?' | '+' if !parts.is_empty() => {
                if let Some(last) = parts.last_mut() {
                    (last.least, last.most) = if c == '?' { (0, 1) } else { (1, usize::MAX) };
                }
                continue;
            }
            '*' => {
                parts.push(Part { class: star(&mut chars), least: 0, most: usize::MAX });
                continue;
            }
            '[' => Class::OneOf(ranges(&mut chars)),
            '\\' => Class::Exactly(chars.next().unwrap_or('\\')),
            other => Class::Exactly(other),
        };
        parts.push(Part { class, least: 1, most: 1 });
    }
    parts
}

fn star(chars: &mut Peekable<Chars<'_>>) -> Class {
    if chars.next_if_eq(&'*').is_none() {
        return Class::NotSlash;
    }
    match chars.next_if_eq(&'/') {
        Some(_) => Class::Folders,
        None => Class::Anything,
    }
}

fn ranges(chars: &mut Peekable<Chars<'_>>) -> Vec<(char, char)> {
    let mut ranges = Vec::new();
    while let Some(from) = chars.next().filter(|c| *c != ']') {
        let to = chars.next_if_eq(&'-').and_then(|_| chars.next()).unwrap_or(from);
        ranges.push((from, to));
    }
    ranges
}

fn matches_from(parts: &[Part], text: &[char]) -> bool {
    let Some((part, rest)) = parts.split_first() else {
        return text.is_empty();
    };
    let taken = text.iter().take(part.most).take_while(|c| part.class.takes(**c)).count();
    (part.least..=taken).any(|n| {
        let whole = !matches!(part.class, Class::Folders) || n == 0 || text[n - 1] == '/';
        whole && matches_from(rest, &text[n..])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_githubs_cheat_sheet() {
        let table = [
            ("main", "main", true),
            ("main", "maintenance", false),
            ("releases/*", "releases/1", true),
            ("releases/*", "releases/1/2", false),
            ("releases/**", "releases/1/2", true),
            ("v[12].[0-9]+.[0-9]+", "v2.10.3", true),
            ("v[12].[0-9]+.[0-9]+", "v3.1.0", false),
            ("*.jsx?", "page.js", true),
            ("*.jsx?", "src/page.js", false),
            ("**.js", "src/page.js", true),
            ("**/README.md", "README.md", true),
            ("**/README.md", "docs/README.md", true),
            ("**/README.md", "docs/MYREADME.md", false),
            ("docs/**/*.md", "docs/a/b/c.md", true),
            ("docs/**/*.md", "docs/c.md", true),
            ("**", "anything/at/all", true),
            ("*", "feature/x", false),
        ];
        for (pattern, text, expected) in table {
            assert_eq!(matches(pattern, text), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn a_later_exclusion_takes_back_an_inclusion() {
        let patterns = ["services/**", "!services/docs/**"].map(String::from);
        assert!(any_matches(&patterns, "services/web/main.tf"));
        assert!(!any_matches(&patterns, "services/docs/main.tf"));
    }
}
