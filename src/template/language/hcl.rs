//! Terraform's language: where a value stands, and how it is written there.

use serde_json::Value;

use super::{Scanner, Spot, in_line_comment, is_hidden, unicode_escape};

/// Follows HCL.
pub(super) struct Hcl {
    stack: Vec<State>,
    /// The last characters of the author's text, to see what two of them begin.
    previous: char,
    /// What stands after `<<`, while it is read.
    opening: Option<String>,
}

impl Default for Hcl {
    fn default() -> Self {
        Self { stack: Vec::new(), previous: ' ', opening: None }
    }
}

#[derive(Debug, Clone, PartialEq)]
enum State {
    Quoted {
        is_escaped: bool,
    },
    /// `${ … }` or `%{ … }`: code within a text, so many braces deep.
    Inside {
        braces: usize,
    },
    LineComment,
    BlockComment,
    Heredoc {
        word: String,
        is_indented: bool,
        line: String,
    },
}

impl Hcl {
    fn step(&mut self, c: char) {
        if self.open_heredoc(c) {
            return;
        }
        let previous = std::mem::replace(&mut self.previous, c);
        match self.stack.last_mut() {
            None | Some(State::Inside { .. }) => self.code(previous, c),
            Some(State::Quoted { is_escaped }) => match c {
                _ if *is_escaped => *is_escaped = false,
                '\\' => *is_escaped = true,
                '"' => self.leave(),
                '{' if matches!(previous, '$' | '%') => {
                    self.stack.push(State::Inside { braces: 0 });
                }
                // `$${` is no template.
                '$' | '%' if previous == c => self.previous = ' ',
                _ => {}
            },
            Some(State::LineComment) if c == '\n' => self.leave(),
            Some(State::BlockComment) if previous == '*' && c == '/' => self.leave(),
            Some(State::LineComment | State::BlockComment) => {}
            Some(State::Heredoc { word, line, .. }) => match c {
                '\n' if line.trim() == word.as_str() => self.leave(),
                '\n' => line.clear(),
                '{' if matches!(previous, '$' | '%') => {
                    self.stack.push(State::Inside { braces: 0 });
                }
                '$' | '%' if previous == c => self.previous = ' ',
                c => line.push(c),
            },
        }
    }

    fn code(&mut self, previous: char, c: char) {
        match (previous, c) {
            (_, '"') => self.stack.push(State::Quoted { is_escaped: false }),
            (_, '#') | ('/', '/') => self.stack.push(State::LineComment),
            ('/', '*') => {
                self.stack.push(State::BlockComment);
                self.previous = ' ';
            }
            ('<', '<') => self.opening = Some(String::new()),
            (_, '{') => {
                if let Some(State::Inside { braces }) = self.stack.last_mut() {
                    *braces += 1;
                }
            }
            (_, '}') => match self.stack.last_mut() {
                Some(State::Inside { braces: 0 }) => self.leave(),
                Some(State::Inside { braces }) => *braces -= 1,
                _ => {}
            },
            _ => {}
        }
    }

    /// Reads what follows `<<`; a word and a line break open a heredoc.
    fn open_heredoc(&mut self, c: char) -> bool {
        let Some(opening) = &mut self.opening else {
            return false;
        };
        let is_word = c == '_' || c == '-' || c.is_alphanumeric();
        if is_word || c == '\r' {
            opening.push(c);
            return true;
        }
        let opening = std::mem::take(opening);
        self.opening = None;
        let word = opening.trim_start_matches('-').trim().to_owned();
        if c != '\n' || word.is_empty() {
            return false;
        }
        let is_indented = opening.starts_with('-');
        self.stack.push(State::Heredoc { word, is_indented, line: String::new() });
        self.previous = '\n';
        true
    }

    fn leave(&mut self) {
        self.stack.pop();
        self.previous = ' ';
    }
}

impl Scanner for Hcl {
    fn read(&mut self, text: &str) {
        text.chars().for_each(|c| self.step(c));
    }

    fn spot(&self, _: Option<char>) -> Spot {
        match self.stack.last() {
            None | Some(State::Inside { .. }) => Spot::Bare,
            Some(State::Quoted { .. }) => Spot::Quoted,
            Some(State::LineComment) => Spot::LineComment,
            Some(State::BlockComment) => Spot::BlockComment,
            // The indentation that `<<-` takes away would be taken from the value too.
            Some(State::Heredoc { is_indented: true, .. }) => Spot::Block { indent: None },
            Some(State::Heredoc { .. }) => Spot::Block { indent: Some(0) },
        }
    }

    fn pass(&mut self, _: Spot) {
        self.previous = 'x';
        match self.stack.last_mut() {
            Some(State::Heredoc { line, .. }) => line.push('x'),
            Some(State::Quoted { is_escaped }) => *is_escaped = false,
            _ => {}
        }
    }

    fn literal(&self, value: &Value) -> Result<String, String> {
        Ok(literal(value))
    }

    fn text(
        &self,
        spot: Spot,
        text: &str,
        before: Option<char>,
        after: Option<char>,
    ) -> Result<String, String> {
        match spot {
            Spot::Block { indent } => in_heredoc(text, indent, before, after),
            Spot::LineComment => in_line_comment(text),
            Spot::BlockComment
                if text.contains("*/")
                    || text.chars().any(|c| is_hidden(c) && !matches!(c, '\n' | '\t')) =>
            {
                Err("`*/` or a control character cannot stand in a comment".to_owned())
            }
            Spot::BlockComment => Ok(text.to_owned()),
            _ => Ok(in_quotes(text, before, after)),
        }
    }
}

/// A value as `terraform fmt` writes it on one line.
fn literal(value: &Value) -> String {
    match value {
        Value::String(text) => format!("\"{}\"", in_quotes(text, None, None)),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(literal).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(entries) if entries.is_empty() => "{}".to_owned(),
        Value::Object(entries) => {
            let entries = entries.iter();
            let entries: Vec<String> = entries
                .map(|(key, value)| {
                    format!("\"{}\" = {}", in_quotes(key, None, None), literal(value))
                })
                .collect();
            format!("{{ {} }}", entries.join(", "))
        }
        other => other.to_string(),
    }
}

/// A text within double quotes. `$${` where that is plain to read; the escape that is safe beside
/// any neighbour where it is not.
pub(super) fn in_quotes(text: &str, before: Option<char>, after: Option<char>) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len() + 8);
    for (at, c) in chars.iter().copied().enumerate() {
        let left = at.checked_sub(1).map(|left| chars[left]).or(before);
        let right = chars.get(at + 1).copied().or(after);
        let is_edge = at + 1 == chars.len();
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '$' | '%' if is_edge && may_be(right, &['{', '$', '%']) => {
                out.push_str(&unicode_escape(c));
            }
            '$' | '%' if !is_edge && right == Some('{') => {
                if may_be(left, &['$', '%', '\\']) {
                    out.push_str(&unicode_escape(c));
                } else {
                    out.push(c);
                    out.push(c);
                }
            }
            '$' | '%' if right == Some(c) || at == 0 && may_be(left, &['$', '%']) => {
                out.push_str(&unicode_escape(c));
            }
            '{' if at == 0 && may_be(left, &['$', '%']) => out.push_str(&unicode_escape(c)),
            c if is_hidden(c) => out.push_str(&unicode_escape(c)),
            c => out.push(c),
        }
    }
    out
}

/// Whether a neighbour is, or being a value itself may be, one of these.
fn may_be(neighbour: Option<char>, these: &[char]) -> bool {
    neighbour.is_some_and(|c| c == super::MARK_OF_VALUE || these.contains(&c))
}

/// A text within a heredoc, or within a text of Terraform's JSON: there is only `$${`.
pub(super) fn in_template(
    text: &str,
    before: Option<char>,
    after: Option<char>,
) -> Result<String, String> {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    for (at, c) in chars.iter().copied().enumerate() {
        let left = at.checked_sub(1).map(|left| chars[left]).or(before);
        let right = chars.get(at + 1).copied().or(after);
        let opens = matches!(c, '$' | '%') && right == Some('{');
        let is_joined = (at == 0 && c == '{' && matches!(left, Some('$' | '%')))
            || (opens && (at + 1 == chars.len() || matches!(left, Some('$' | '%'))));
        if is_joined {
            return Err(format!(
                "`{c}` beside its neighbour would begin a Terraform template here; \
                                write the value within quotes"
            ));
        }
        if opens {
            out.push(c);
        }
        out.push(c);
    }
    Ok(out)
}

fn in_heredoc(
    text: &str,
    indent: Option<usize>,
    before: Option<char>,
    after: Option<char>,
) -> Result<String, String> {
    if indent.is_none() && text.contains('\n') {
        return Err(
            "a line break cannot stand in an indented heredoc (`<<-`); use `<<`, or quotes"
                .to_owned(),
        );
    }
    if text.chars().any(|c| is_hidden(c) && !matches!(c, '\n' | '\t')) {
        return Err("a control character cannot stand in a heredoc; use quotes".to_owned());
    }
    in_template(text, before, after)
}
