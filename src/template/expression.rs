//! Prepares the text of a template for Tera, so that nothing in it is lenient and nothing unescaped.
//!
//! Tera takes an undefined name in a condition for false, and knows nothing of the file that it
//! writes. So each text is rewritten before Tera sees it:
//!
//! - every name becomes `(name | _known(…))`, which refuses what is undefined, wherever it stands;
//! - every `{{ … }}` ends in `| _emit(…)`, which writes the value, still typed, between marks;
//! - every pass of a loop, and every `set`, is counted against a budget.
//!
//! What Tera cannot do safely for us (filter sections, includes, captured blocks) is refused here.

use std::fmt::{self, Write as _};

use super::diagnostic::{Place, did_you_mean};

/// Marks around a value in Tera's output: index, value, end. No text of a template holds them.
pub(super) const MARKS: [char; 3] = ['\u{1}', '\u{2}', '\u{3}'];

/// The filters that a template may use. None of them can turn a small value into a huge one.
/// The filters that an expression may use.
pub const FILTERS: [&str; 30] = [
    "default",
    "upper",
    "lower",
    "wordcount",
    "pluralize",
    "trim",
    "trim_start",
    "trim_end",
    "replace",
    "capitalize",
    "title",
    "truncate",
    "str",
    "int",
    "float",
    "length",
    "reverse",
    "split",
    "abs",
    "round",
    "first",
    "last",
    "nth",
    "join",
    "sort",
    "unique",
    "get",
    "values",
    "keys",
    "pairs",
];

/// Filters that end an expression and say how it is to be written.
const FORMS: [(&str, Form); 4] = [
    ("hcl", Form::Literal),
    ("json", Form::Literal),
    ("yaml", Form::Literal),
    ("identifier", Form::Identifier),
];

const FUNCTIONS: [&str; 2] = ["range", "throw"];
const TAGS: [&str; 10] =
    ["if", "elif", "else", "endif", "for", "endfor", "set", "set_global", "break", "continue"];
const WORDS: [&str; 12] =
    ["and", "or", "not", "in", "is", "if", "else", "true", "false", "none", "True", "False"];

/// How the author wants a value written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// As its place asks for.
    Plain,
    /// As a literal of the file's language: `| json`.
    Literal,
    /// As a bare name: `| identifier`.
    Identifier,
}

/// A text that Tera may have.
#[derive(Debug, Clone)]
pub(super) struct Prepared {
    /// For Tera.
    pub(super) source: String,
    /// Its `{{ … }}`, in order.
    pub(super) outputs: Vec<Output>,
    /// The names that it reads from outside.
    pub(super) names: Vec<Name>,
    /// Whether the text is one `{{ … }}` and nothing else.
    pub(super) is_whole: bool,
}

/// One `{{ … }}`.
#[derive(Debug, Clone)]
pub(super) struct Output {
    pub(super) place: Place,
    /// As it was written, between the braces.
    pub(super) text: String,
    pub(super) form: Form,
}

/// A use of a name: `inputs.size`.
#[derive(Debug, Clone)]
pub(super) struct Name {
    pub(super) path: Vec<String>,
    pub(super) place: Place,
}

/// What Tera must not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SyntaxFault {
    pub(super) place: Place,
    pub(super) message: String,
    pub(super) help: Option<String>,
}

/// Rewrites a text for Tera.
pub(super) fn prepare(text: &str) -> Result<Prepared, SyntaxFault> {
    if let Some(at) = text.find(MARKS) {
        return Err(fault(text, at, "a control character (U+0001 to U+0003) stands here"));
    }
    let mut writer =
        Writer { text, out: String::new(), outputs: vec![], names: vec![], locals: vec![] };
    let mut at = 0;
    let mut first_end = None;
    while let Some(start) = next_tag(text, at) {
        writer.out.push_str(&text[at..start]);
        at = writer.tag(start)?;
        first_end = first_end.or(Some(at));
    }
    writer.out.push_str(&text[at..]);
    let Writer { out, outputs, mut names, locals, .. } = writer;
    names.retain(|name| !locals.contains(&name.path[0]));
    // The only tag of the text, and all of it.
    let is_whole =
        outputs.len() == 1 && next_tag(text, 0) == Some(0) && first_end == Some(text.len());
    Ok(Prepared { source: out, outputs, names, is_whole })
}

fn fault(text: &str, at: usize, message: impl Into<String>) -> SyntaxFault {
    SyntaxFault { place: Place::of(text, at), message: message.into(), help: None }
}

fn next_tag(text: &str, from: usize) -> Option<usize> {
    let rest = &text.as_bytes()[from..];
    let found = rest.windows(2).position(|two| matches!(two, b"{{" | b"{%" | b"{#"));
    found.map(|at| from + at)
}

/// A token inside a tag.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Token<'a> {
    start: usize,
    text: &'a str,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Word,
    Text,
    Other,
}

struct Writer<'a> {
    text: &'a str,
    out: String,
    outputs: Vec<Output>,
    names: Vec<Name>,
    locals: Vec<String>,
}

impl<'a> Writer<'a> {
    fn put(&mut self, text: fmt::Arguments<'_>) {
        // Writing to a text cannot fail.
        let _ = self.out.write_fmt(text);
    }

    /// Rewrites the tag that starts here; answers where it ends.
    fn tag(&mut self, start: usize) -> Result<usize, SyntaxFault> {
        let text = self.text;
        if text[start..].starts_with("{#") {
            let end = text[start..].find("#}").map_or(text.len(), |at| start + at + 2);
            self.out.push_str(&text[start..end]);
            return Ok(end);
        }
        if let Some(end) = end_of_raw(&text[start..]) {
            self.out.push_str(&text[start..start + end]);
            return Ok(start + end);
        }
        let is_output = text[start..].starts_with("{{");
        let close = if is_output { "}}" } else { "%}" };
        let open = start + 2 + usize::from(text[start + 2..].starts_with('-'));
        let (tokens, end) = tokenize(text, open, close)?;
        // In `{{-}}` the `-` belongs to the opening.
        let is_trimming = end >= open + 3 && text[..end].ends_with(&format!("-{close}"));
        let closing = if is_trimming { 3 } else { 2 };
        let ends = &text[end - closing..end];
        self.out.push_str(&text[start..open]);
        if is_output {
            self.output(&tokens, open, end - closing)?;
            self.out.push_str(ends);
        } else {
            self.statement(&tokens, ends)?;
        }
        Ok(end)
    }

    fn output(&mut self, tokens: &[Token<'a>], open: usize, end: usize) -> Result<(), SyntaxFault> {
        let (tokens, form) = without_form(tokens);
        let index = self.outputs.len();
        self.outputs.push(Output {
            place: Place::of(self.text, open.saturating_sub(2)),
            text: self.text[open..end].trim().to_owned(),
            form,
        });
        self.out.push_str(" (");
        self.expression(tokens)?;
        self.put(format_args!(") | _emit(n={index}) "));
        Ok(())
    }

    fn statement(&mut self, tokens: &[Token<'a>], ends: &str) -> Result<(), SyntaxFault> {
        let Some(first) = tokens.first() else {
            self.out.push_str(ends);
            return Ok(());
        };
        if !TAGS.contains(&first.text) {
            let message = format!("`{{% {} %}}` cannot be used in these templates", first.text);
            let help = match first.text {
                "filter" | "block" | "extends" | "include" | "component" | "<" => {
                    Some("write it out: every value must be seen where it is written".to_owned())
                }
                other => did_you_mean(other, TAGS),
            };
            return Err(SyntaxFault { help, ..fault(self.text, first.start, message) });
        }
        self.out.push(' ');
        self.out.push_str(first.text);
        match first.text {
            "if" | "elif" => self.expression(&tokens[1..])?,
            "for" => return self.for_loop(tokens, ends),
            "set" | "set_global" => self.set(tokens)?,
            _ => tokens[1..].iter().for_each(|t| {
                self.out.push(' ');
                self.out.push_str(t.text);
            }),
        }
        self.out.push(' ');
        self.out.push_str(ends);
        Ok(())
    }

    /// `{% for a, b in … %}`, and a count of each pass behind it.
    fn for_loop(&mut self, tokens: &[Token<'a>], ends: &str) -> Result<(), SyntaxFault> {
        let split = tokens.iter().position(|t| t.text == "in").unwrap_or(tokens.len() - 1);
        for token in &tokens[1..=split] {
            if token.kind == Kind::Word && token.text != "in" {
                self.declare(token)?;
            }
            self.out.push(' ');
            self.out.push_str(token.text);
        }
        self.expression(&tokens[split + 1..])?;
        // The counting tag takes over the `-` that trims what follows.
        let trim = if ends.starts_with('-') { "-" } else { "" };
        self.put(format_args!(" %}}{{% if 0 | _step %}}{{% endif {trim}%}}"));
        Ok(())
    }

    fn set(&mut self, tokens: &[Token<'a>]) -> Result<(), SyntaxFault> {
        let (Some(name), Some(equals)) = (tokens.get(1), tokens.get(2)) else {
            return Err(fault(self.text, tokens[0].start, "`set` needs a name, `=` and a value"));
        };
        if equals.text != "=" {
            let message = "`{% set name %}…{% endset %}` cannot be used in these templates";
            let help = Some("write `{% set name = … %}`; join texts with `~`".to_owned());
            return Err(SyntaxFault { help, ..fault(self.text, name.start, message) });
        }
        self.declare(name)?;
        self.put(format_args!(" {} = (", name.text));
        self.expression(&tokens[3..])?;
        self.out.push_str(") | _held");
        Ok(())
    }

    fn declare(&mut self, name: &Token<'a>) -> Result<(), SyntaxFault> {
        if super::context::ROOTS.contains(&name.text) {
            let message = format!("`{}` has a meaning already; choose another name", name.text);
            return Err(fault(self.text, name.start, message));
        }
        self.locals.push(name.text.to_owned());
        Ok(())
    }

    /// Copies an expression, with every name in it made strict.
    fn expression(&mut self, tokens: &[Token<'a>]) -> Result<(), SyntaxFault> {
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            self.out.push(' ');
            if token.kind != Kind::Word {
                self.out.push_str(token.text);
                at += 1;
                continue;
            }
            at = self.word(tokens, at)?;
        }
        Ok(())
    }

    /// Copies a word, and all of the path that it starts; answers where it ends.
    fn word(&mut self, tokens: &[Token<'a>], at: usize) -> Result<usize, SyntaxFault> {
        let text_at = |index: usize| tokens.get(index).map_or("", |t| t.text);
        let before = |n: usize| at.checked_sub(n).map_or("", &text_at);
        let token = tokens[at];
        let name = token.text;
        let is_call = text_at(at + 1) == "(";
        let copy = before(1) == "is"
            || (before(1) == "not" && before(2) == "is")
            || WORDS.contains(&name)
            || matches!(name, "None" | "null")
            || (text_at(at + 1) == "=" && matches!(before(1), "(" | ","));
        if name == "for" {
            let message = "a list cannot be built with `for` inside an expression";
            let help = Some("use `{% for … %}`".to_owned());
            return Err(SyntaxFault { help, ..fault(self.text, token.start, message) });
        }
        if before(1) == "|" {
            self.known_word(&token, "filter", &FILTERS)?;
        } else if is_call && !copy {
            self.known_word(&token, "function", &FUNCTIONS)?;
        } else if !copy && name != "loop" {
            return self.path(tokens, at);
        }
        self.out.push_str(name);
        if name == "loop" {
            // `loop.index` is one name to Tera.
            self.put(format_args!("{}{}", text_at(at + 1), text_at(at + 2)));
            return Ok((at + 3).min(tokens.len()));
        }
        Ok(at + 1)
    }

    fn known_word(&self, token: &Token<'a>, what: &str, known: &[&str]) -> Result<(), SyntaxFault> {
        if known.contains(&token.text) {
            return Ok(());
        }
        if FORMS.iter().any(|(form, _)| *form == token.text) {
            let message = format!("`| {}` must be the last thing in `{{{{ … }}}}`", token.text);
            return Err(fault(self.text, token.start, message));
        }
        let message = format!("there is no {what} `{}` here", token.text);
        let help = match token.text {
            "safe" => Some("values are always escaped; nothing can switch that off".to_owned()),
            "escape" | "escape_html" | "escape_xml" => {
                Some("leave it out: values are escaped for the kind of file".to_owned())
            }
            other => did_you_mean(other, known.iter().copied()),
        };
        Err(SyntaxFault { help, ..fault(self.text, token.start, message) })
    }

    /// `a.b[c].d`, wrapped, unless what follows deals with its being undefined.
    fn path(&mut self, tokens: &[Token<'a>], start: usize) -> Result<usize, SyntaxFault> {
        let mut path = vec![tokens[start].text.to_owned()];
        let mut is_plain = true;
        let mut end = start + 1;
        // Where the written form of each part begins: brackets hold expressions of their own.
        let mut parts: Vec<(usize, usize)> = Vec::new();
        while let Some(token) = tokens.get(end) {
            let next = match token.text {
                "." | "?." => end + 2,
                "[" | "?[" => closing_bracket(tokens, end),
                _ => break,
            };
            let next = next.min(tokens.len());
            let key = tokens.get(end + 1);
            match key {
                Some(key) if is_plain && token.text.ends_with('.') => {
                    path.push(key.text.to_owned());
                }
                Some(key) if is_plain && key.kind == Kind::Text && next == end + 3 => {
                    path.push(key.text[1..key.text.len() - 1].to_owned());
                }
                _ => is_plain = false,
            }
            parts.push((end, next));
            end = next;
        }
        let text_at = |index: usize| tokens.get(index).map_or("", |t| t.text);
        let tested = match (text_at(end), text_at(end + 1)) {
            ("is", "not") => text_at(end + 2),
            ("is", test) => test,
            ("|", "default") => "default",
            _ => "",
        };
        let may_be_undefined = matches!(tested, "defined" | "undefined" | "default");
        self.out.push_str(if may_be_undefined { "" } else { "(" });
        self.out.push_str(tokens[start].text);
        for (from, to) in parts {
            if text_at(from).ends_with('.') {
                self.put(format_args!("{}{}", text_at(from), text_at(from + 1)));
                continue;
            }
            self.out.push_str(text_at(from));
            let inner_end = if text_at(to - 1) == "]" { to - 1 } else { to };
            self.expression(&tokens[from + 1..inner_end])?;
            self.out.push_str(if inner_end < to { "]" } else { "" });
        }
        if !may_be_undefined {
            self.put(format_args!(
                " | _known(name=\"{}\"))",
                path.join(".").replace(['"', '\\'], "")
            ));
        }
        let place = Place::of(self.text, tokens[start].start);
        self.names.push(Name { path, place });
        Ok(end)
    }
}

/// Takes `| json` and its like off the end.
fn without_form<'t, 'a>(tokens: &'t [Token<'a>]) -> (&'t [Token<'a>], Form) {
    let mut rest = tokens;
    if let [.., open, close] = rest
        && open.text == "("
        && close.text == ")"
    {
        rest = &rest[..rest.len() - 2];
    }
    if let [before @ .., pipe, name] = rest
        && pipe.text == "|"
        && let Some((_, form)) = FORMS.iter().find(|(form, _)| *form == name.text)
        && !before.is_empty()
    {
        return (before, *form);
    }
    (tokens, Form::Plain)
}

fn closing_bracket(tokens: &[Token<'_>], open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.text {
            "[" | "?[" => depth += 1,
            "]" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    tokens.len()
}

/// The tokens of a tag, read as Tera's lexer reads them, and where the tag ends.
fn tokenize<'a>(
    text: &'a str,
    from: usize,
    close: &str,
) -> Result<(Vec<Token<'a>>, usize), SyntaxFault> {
    let mut tokens = Vec::new();
    let mut at = from;
    loop {
        let rest = &text[at..];
        let Some(c) = rest.chars().next() else {
            let message = format!("this tag is not closed with `{close}`");
            return Err(fault(text, from.saturating_sub(2), message));
        };
        if c.is_ascii_whitespace() {
            at += 1;
            continue;
        }
        if let Some(after) = rest.strip_prefix('-').unwrap_or(rest).strip_prefix(close) {
            return Ok((tokens, text.len() - after.len()));
        }
        let (length, kind) = match c {
            '"' | '\'' | '`' => (
                quoted(rest, c).ok_or_else(|| fault(text, at, "this text is not closed"))?,
                Kind::Text,
            ),
            'a'..='z' | 'A'..='Z' | '_' => {
                let is_part = |c: char| c == '_' || c.is_ascii_alphanumeric();
                (rest.find(|c| !is_part(c)).unwrap_or(rest.len()), Kind::Word)
            }
            '0'..='9' => (number(rest), Kind::Other),
            _ if rest.starts_with("...") => (3, Kind::Other),
            _ if ["//", "**", "==", "!=", ">=", "<=", "</", "?.", "?["]
                .iter()
                .any(|op| rest.starts_with(op)) =>
            {
                (2, Kind::Other)
            }
            _ => (c.len_utf8(), Kind::Other),
        };
        tokens.push(Token { start: at, text: &rest[..length], kind });
        at += length;
    }
}

fn number(rest: &str) -> usize {
    let digits = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let whole = digits(rest);
    match rest[whole..].strip_prefix('.') {
        Some(fraction) => whole + 1 + digits(fraction),
        None => whole,
    }
}

fn quoted(rest: &str, quote: char) -> Option<usize> {
    let mut is_escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            c if c == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// Where `{% raw %}…{% endraw %}` ends, if the text starts with it.
fn end_of_raw(text: &str) -> Option<usize> {
    let after = skip_tag(text, "raw")?;
    let mut at = after;
    while let Some(found) = text[at..].find("{%") {
        if let Some(length) = skip_tag(&text[at + found..], "endraw") {
            return Some(at + found + length);
        }
        at += found + 2;
    }
    None
}

fn skip_tag(text: &str, name: &str) -> Option<usize> {
    let rest = text.strip_prefix("{%")?;
    let rest = rest.strip_prefix('-').unwrap_or(rest).trim_ascii_start();
    let rest = rest.strip_prefix(name)?.trim_ascii_start();
    let rest = rest.strip_prefix('-').unwrap_or(rest).strip_prefix("%}")?;
    Some(text.len() - rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_made_strict_and_every_output_is_marked() {
        let prepared =
            prepare("{% if inputs.a and not b.c[d.e] %}{{ x | upper }}{% endif %}").unwrap();
        assert_eq!(
            prepared.source,
            "{% if (inputs.a | _known(name=\"inputs.a\")) and not (b.c[ (d.e | _known(name=\"d.e\"))] \
             | _known(name=\"b.c\")) %}{{ ( (x | _known(name=\"x\")) | upper) | _emit(n=0) }}{% endif %}"
        );
    }

    #[test]
    fn what_deals_with_being_undefined_is_left_alone() {
        let prepared =
            prepare("{{ a.b | default(value=c) }}{% if d is not defined %}{% endif %}").unwrap();
        assert!(
            prepared.source.starts_with("{{ ( a.b | default ( value = (c | _known(name=\"c\")) ))")
        );
        assert!(prepared.source.contains("if d is not defined"));
    }

    #[test]
    fn the_form_is_taken_off_the_end_and_refused_elsewhere() {
        assert_eq!(prepare("{{ a | json }}").unwrap().outputs[0].form, Form::Literal);
        assert_eq!(prepare("{{ a | identifier }}").unwrap().outputs[0].form, Form::Identifier);
        assert!(prepare("{{ a | json | upper }}").unwrap_err().message.contains("last thing"));
    }

    #[test]
    fn nothing_that_switches_escaping_off_or_hides_a_value_is_taken() {
        for text in [
            "{{ a | safe }}",
            "{{ a | escape }}",
            "{% filter upper %}{{ a }}{% endfilter %}",
            "{% set a %}{{ b }}{% endset %}",
            "{% include \"x\" %}",
            "{% extends \"x\" %}",
            "{{ [x for x in y] }}",
            "{{ <thing/> }}{{ get_env(name=\"HOME\") }}",
            "{% set inputs = 1 %}",
            "a\u{1}b",
        ] {
            assert!(prepare(text).is_err(), "{text}");
        }
    }

    #[test]
    fn raw_text_comments_and_quotes_are_not_taken_for_tags() {
        let text = "{% raw %}{{ a }}{% endraw %}{# {{ b }} #}{{ \"}}\" }}";
        let prepared = prepare(text).unwrap();
        assert_eq!(prepared.outputs.len(), 1);
        assert!(prepared.names.is_empty());
    }

    #[test]
    fn a_name_made_by_the_template_is_not_asked_of_the_outside() {
        let prepared = prepare("{% for k, v in inputs.tags %}{{ k }}{{ v }}{% endfor %}").unwrap();
        let paths: Vec<String> = prepared.names.iter().map(|n| n.path.join(".")).collect();
        assert_eq!(paths, ["inputs.tags"]);
    }
}
