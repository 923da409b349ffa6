//! Terraform's language: where a value stands, and how it is written there.

use serde_json::Value;

use super::{Beside, Scanner, Spot, in_line_comment, is_hidden, unicode_escape};

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

    fn text(&self, spot: Spot, text: &str, beside: Beside<'_>) -> Result<String, String> {
        match spot {
            Spot::Block { indent } => in_heredoc(text, indent, beside),
            Spot::LineComment => in_line_comment(text),
            Spot::BlockComment
                if text.contains("*/")
                    || text.chars().any(|c| is_hidden(c) && !matches!(c, '\n' | '\t')) =>
            {
                Err("`*/` or a control character cannot stand in a comment".to_owned())
            }
            Spot::BlockComment => Ok(text.to_owned()),
            _ => joins(text, beside).map(|()| in_quotes(text, beside)),
        }
    }
}

/// A value as `terraform fmt` writes it on one line.
fn literal(value: &Value) -> String {
    match value {
        Value::String(text) => format!("\"{}\"", in_quotes(text, Beside::default())),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(literal).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(entries) if entries.is_empty() => "{}".to_owned(),
        Value::Object(entries) => {
            let entries = entries.iter();
            let entries: Vec<String> = entries
                .map(|(key, value)| {
                    format!("\"{}\" = {}", in_quotes(key, Beside::default()), literal(value))
                })
                .collect();
            format!("{{ {} }}", entries.join(", "))
        }
        other => other.to_string(),
    }
}

/// A text within double quotes. `$${` where that is plain to read; the escape that is safe beside
/// any neighbour where it is not.
pub(super) fn in_quotes(text: &str, beside: Beside<'_>) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len() + 8);
    for (at, c) in chars.iter().copied().enumerate() {
        let left = at.checked_sub(1).map(|left| chars[left]).or(beside.before);
        let right = chars.get(at + 1).copied();
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '$' | '%' if right == Some('{') && !is_one_of(left, &['$', '%', '\\']) => {
                out.extend([c, c]);
            }
            '$' | '%'
                if is_one_of(right, &['{', c])
                    || right.is_none() && beside.would_open(c)
                    || at == 0 && is_one_of(left, &['$', '%']) =>
            {
                out.push_str(&unicode_escape(c));
            }
            '{' if at == 0 && is_one_of(left, &['$', '%']) => out.push_str(&unicode_escape(c)),
            c if is_hidden(c) => out.push_str(&unicode_escape(c)),
            c => out.push(c),
        }
    }
    out
}

impl Beside<'_> {
    /// Whether a `$` or `%` right before what follows might be read together with it.
    fn would_open(self, c: char) -> bool {
        let run_ends_at = self.after.trim_start_matches(c);
        run_ends_at.starts_with('{') || run_ends_at.is_empty() && !self.after.is_empty()
    }
}

fn is_one_of(neighbour: Option<char>, these: &[char]) -> bool {
    neighbour.is_some_and(|c| these.contains(&c))
}

/// A text within a heredoc, or within a text of Terraform's JSON. There is no escape but `$${`:
/// where a `$` at the end would join what follows, it is written as code that says `$`.
pub(super) fn in_template(text: &str, beside: Beside<'_>) -> Result<String, String> {
    let last = text.chars().last().filter(|c| matches!(c, '$' | '%') && beside.would_open(*c));
    let plain = last.map_or(text, |_| text.trim_end_matches(['$', '%']));
    let joins_left = match last {
        Some(_) if plain.is_empty() => beside.before == Some('$'),
        _ => plain.starts_with('{') && is_one_of(beside.before, &['$', '%']),
    };
    if joins_left {
        return Err("with the `$` or `%` before it, the value would begin a Terraform template; \
                    put a space between them, or the `$` or `%` into the value"
            .to_owned());
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = plain.chars().peekable();
    while let Some(c) = rest.next() {
        if matches!(c, '$' | '%') && rest.peek() == Some(&'{') {
            out.push(c);
        }
        out.push(c);
    }
    if last.is_some() {
        out.push_str(&format!("${{\"{}\"}}", &text[plain.len()..]));
    }
    Ok(out)
}

/// Looks at what comes side by side where a value is empty.
pub(super) fn joins(text: &str, beside: Beside<'_>) -> Result<(), String> {
    let before = beside.before.filter(|c| text.is_empty() && matches!(c, '$' | '%'));
    match before.filter(|c| beside.would_open(*c)) {
        None => Ok(()),
        Some(c) => Err(format!(
            "the value is empty, and without it the `{c}` before it would change what follows; \
             leave the `{c}` away where the value is empty"
        )),
    }
}

fn in_heredoc(text: &str, indent: Option<usize>, beside: Beside<'_>) -> Result<String, String> {
    joins(text, beside)?;
    if indent.is_none() && text.contains('\n') {
        return Err(
            "a line break cannot stand in an indented heredoc (`<<-`); use `<<`, or quotes"
                .to_owned(),
        );
    }
    if text.chars().any(|c| is_hidden(c) && !matches!(c, '\n' | '\t')) {
        return Err("a control character cannot stand in a heredoc; use quotes".to_owned());
    }
    in_template(text, beside)
}
