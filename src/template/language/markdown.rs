//! Markdown: values stand in it as the text that they are, without mentions, links, tables or HTML.

use serde_json::Value;

use super::{Scanner, Spot, is_hidden};

/// Follows Markdown: running text, code within a line, code over lines.
#[derive(Default)]
pub(super) struct Markdown {
    is_fenced: bool,
    is_code: bool,
    line: String,
}

impl Scanner for Markdown {
    fn read(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '\n' => {
                    let line = self.line.trim_start();
                    if line.starts_with("```") || line.starts_with("~~~") {
                        self.is_fenced = !self.is_fenced;
                    }
                    self.line.clear();
                    self.is_code = false;
                }
                c => {
                    self.is_code ^= c == '`';
                    self.line.push(c);
                }
            }
        }
    }

    fn spot(&self, _: Option<char>) -> Spot {
        match () {
            () if self.is_fenced => Spot::Block { indent: Some(0) },
            () if self.is_code => Spot::SingleQuoted,
            () => Spot::Unquoted,
        }
    }

    fn pass(&mut self, _: Spot) {
        self.line.push('x');
    }

    fn literal(&self, value: &Value) -> Result<String, String> {
        Ok(in_text(&value.to_string()))
    }

    fn text(
        &self,
        spot: Spot,
        text: &str,
        _: Option<char>,
        _: Option<char>,
    ) -> Result<String, String> {
        match spot {
            Spot::Block { .. } if text.contains("```") || text.contains("~~~") => {
                Err("a fence cannot stand within fenced code".to_owned())
            }
            Spot::SingleQuoted if text.contains('`') || text.chars().any(is_hidden) => {
                Err("a backtick or a line break cannot stand within `code`".to_owned())
            }
            Spot::Block { .. } | Spot::SingleQuoted => Ok(text.to_owned()),
            _ => Ok(in_text(text)),
        }
    }
}

/// A value in running text. What GitHub would make a link, a mention or markup of is broken with an
/// empty comment or a backslash; line breaks become spaces.
pub(in crate::template) fn in_text(text: &str) -> String {
    const NOTHING: &str = "<!-- -->";
    let mut out = String::with_capacity(text.len());
    let mut before = ' ';
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
            '\n' | '\r' | '\t' => out.push(' '),
            c if is_hidden(c) => {}
            c => out.push(c),
        }
        before = c;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_typed_becomes_markup() {
        assert_eq!(
            in_text("@acme/all <b>x</b> [a](b) | c\n# d"),
            "@<!-- -->acme/all &lt;b&gt;x&lt;/b&gt; \\[a\\]\\(b\\) \\| c \\#<!-- --> d"
        );
        assert_eq!(in_text("https://evil"), "https:<!-- -->//evil");
        assert_eq!(in_text("orders-db 2"), "orders-db 2");
    }
}
