//! Prepares the text of a template for Tera, so that nothing in it is lenient and nothing unescaped.
//!
//! Tera takes an undefined name in a condition for false, and knows nothing of the file that it
//! writes. So each text is rewritten before Tera sees it:
//!
//! - every name becomes `(name | _known(…))`, which refuses what is undefined, wherever it stands;
//! - every `{{ … }}` ends in `| _emit(…)`, which writes the value, still typed, between marks;
//! - every pass of a loop, every `set`, include and component is counted against a budget.
//!
//! What is included, and what a component writes, goes the same way: its values are marked where
//! they are written, and are escaped for the file that they end up in. What Tera cannot do safely
//! for us (filter sections, captured blocks) is refused here.

mod names;
mod parts;
mod token;

use std::fmt::{self, Write as _};

use super::diagnostic::{Place, did_you_mean};
pub(super) use parts::{Call, Component, Include};
use token::{Kind, Token, after_tag, end_of_raw, next_tag, tokenize};

/// Marks around a value in Tera's output: index, value, end. No text of a template holds them.
pub(super) const MARKS: [char; 3] = ['\u{1}', '\u{2}', '\u{3}'];

/// The filters that an expression may use. None of them can turn a small value into a huge one.
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
const TAGS: [&str; 13] = [
    "if",
    "elif",
    "else",
    "endif",
    "for",
    "endfor",
    "set",
    "set_global",
    "break",
    "continue",
    "include",
    "component",
    "endcomponent",
];
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

/// Where a text stands, and so what it may make use of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// An expression of `template.yml`, or the name of a file.
    Expression,
    /// A file of a template: it may use what is shared.
    File,
    /// A file that is shared: it may make components too.
    Shared,
}

/// A text that Tera may have, if nothing is wrong with it.
#[derive(Debug, Clone, Default)]
pub(super) struct Prepared {
    /// For Tera.
    pub(super) source: String,
    /// Its `{{ … }}`, in order.
    pub(super) outputs: Vec<Output>,
    /// The number of the first of them.
    pub(super) first_output: usize,
    /// The names that it reads from outside.
    pub(super) names: Vec<Name>,
    /// What it includes.
    pub(super) includes: Vec<Include>,
    /// The components that it uses.
    pub(super) calls: Vec<Call>,
    /// The components that it makes.
    pub(super) components: Vec<Component>,
    /// Whether the text is one `{{ … }}` and nothing else.
    pub(super) is_whole: bool,
}

impl Prepared {
    /// Nothing but a shared file.
    pub(super) fn including(file: &str) -> Self {
        let include = Include { file: file.to_owned(), place: Place::START };
        Self { includes: vec![include], ..Self::default() }
    }
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

/// Rewrites a text for Tera, and tells everything that Tera must not have. Its `{{ … }}` are
/// numbered from `first_output`, so that no two texts of one rendering share a number.
pub(super) fn prepare(
    text: &str,
    scope: Scope,
    first_output: usize,
) -> (Prepared, Vec<SyntaxFault>) {
    if let Some(at) = text.find(MARKS) {
        let fault = fault(text, at, "a control character (U+0001 to U+0003) stands here");
        return (Prepared::default(), vec![fault]);
    }
    let prepared = Prepared { first_output, ..Prepared::default() };
    let mut writer = Writer { text, scope, prepared, locals: vec![], component: None };
    let mut faults = Vec::new();
    let mut at = 0;
    let mut first_end = None;
    while let Some(start) = next_tag(text, at) {
        writer.prepared.source.push_str(&text[at..start]);
        at = writer.tag(start).unwrap_or_else(|fault| {
            faults.push(fault);
            after_tag(text, start)
        });
        first_end = first_end.or(Some(at));
    }
    let Writer { mut prepared, locals, .. } = writer;
    prepared.source.push_str(&text[at..]);
    prepared.names.retain(|name| !locals.contains(&name.path[0]));
    // The only tag of the text, and all of it.
    let is_alone = next_tag(text, 0) == Some(0) && first_end == Some(text.len());
    prepared.is_whole = prepared.outputs.len() == 1 && is_alone;
    (prepared, faults)
}

fn fault(text: &str, at: usize, message: impl Into<String>) -> SyntaxFault {
    SyntaxFault { place: Place::of(text, at), message: message.into(), help: None }
}

struct Writer<'a> {
    text: &'a str,
    scope: Scope,
    prepared: Prepared,
    /// The names that the text makes itself.
    locals: Vec<String>,
    /// The component that is being made.
    component: Option<parts::Open>,
}

impl<'a> Writer<'a> {
    fn put(&mut self, text: fmt::Arguments<'_>) {
        // Writing to a text cannot fail.
        let _ = self.prepared.source.write_fmt(text);
    }

    fn copy(&mut self, text: &str) {
        self.prepared.source.push_str(text);
    }

    fn fault(&self, token: &Token<'_>, message: impl Into<String>) -> SyntaxFault {
        fault(self.text, token.start, message)
    }

    /// Rewrites the tag that starts here; answers where it ends.
    fn tag(&mut self, start: usize) -> Result<usize, SyntaxFault> {
        let text = self.text;
        if text[start..].starts_with("{#") {
            let end = text[start..].find("#}").map_or(text.len(), |at| start + at + 2);
            self.copy(&text[start..end]);
            return Ok(end);
        }
        if let Some(end) = end_of_raw(&text[start..]) {
            self.copy(&text[start..start + end]);
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
        self.copy(&text[start..open]);
        if is_output {
            self.output(&tokens, open, end - closing)?;
            self.copy(ends);
        } else {
            self.statement(&tokens, ends)?;
        }
        Ok(end)
    }

    fn output(&mut self, tokens: &[Token<'a>], open: usize, end: usize) -> Result<(), SyntaxFault> {
        if tokens.first().is_some_and(|first| first.text == "<") {
            return self.call(tokens);
        }
        let (tokens, form) = without_form(tokens);
        let index = self.prepared.first_output + self.prepared.outputs.len();
        self.prepared.outputs.push(Output {
            place: Place::of(self.text, open.saturating_sub(2)),
            text: self.text[open..end].trim().to_owned(),
            form,
        });
        self.copy(" (");
        self.expression(tokens)?;
        self.put(format_args!(") | _emit(n={index}) "));
        Ok(())
    }

    fn statement(&mut self, tokens: &[Token<'a>], ends: &str) -> Result<(), SyntaxFault> {
        let Some(first) = tokens.first() else {
            self.copy(ends);
            return Ok(());
        };
        if !TAGS.contains(&first.text) {
            let message = format!("`{{% {} %}}` cannot be used in these templates", first.text);
            let help = match first.text {
                "<" => Some("write `{{ <name argument={…} /> }}`".to_owned()),
                "filter" | "block" | "extends" => {
                    Some("write it out: every value must be seen where it is written".to_owned())
                }
                other => did_you_mean(other, TAGS),
            };
            return Err(SyntaxFault { help, ..self.fault(first, message) });
        }
        self.copy(" ");
        self.copy(first.text);
        match first.text {
            "if" | "elif" => self.expression(&tokens[1..])?,
            "for" => self.for_loop(tokens)?,
            "include" => self.include(tokens)?,
            "component" => self.component(tokens)?,
            "endcomponent" => self.end_of_component(tokens)?,
            "set" | "set_global" => self.set(tokens)?,
            _ => self.copy_all(&tokens[1..]),
        }
        self.copy(" ");
        if matches!(first.text, "for" | "include" | "component") {
            self.counted(ends);
        } else {
            self.copy(ends);
        }
        Ok(())
    }

    fn copy_all(&mut self, tokens: &[Token<'a>]) {
        for token in tokens {
            self.copy(" ");
            self.copy(token.text);
        }
    }

    /// Ends a tag, and puts a count of each pass behind it.
    fn counted(&mut self, ends: &str) {
        // The counting tag takes over the `-` that trims what follows.
        let trim = if ends.starts_with('-') { "-" } else { "" };
        self.put(format_args!("%}}{{% if 0 | _step %}}{{% endif {trim}%}}"));
    }

    /// `{% for a, b in … %}`.
    fn for_loop(&mut self, tokens: &[Token<'a>]) -> Result<(), SyntaxFault> {
        let split = tokens.iter().position(|t| t.text == "in").unwrap_or(tokens.len() - 1);
        for token in &tokens[1..=split] {
            if token.kind == Kind::Word && token.text != "in" {
                self.declare(token)?;
            }
            self.copy(" ");
            self.copy(token.text);
        }
        self.expression(&tokens[split + 1..])
    }

    fn set(&mut self, tokens: &[Token<'a>]) -> Result<(), SyntaxFault> {
        let (Some(name), Some(equals)) = (tokens.get(1), tokens.get(2)) else {
            return Err(self.fault(&tokens[0], "`set` needs a name, `=` and a value"));
        };
        if equals.text != "=" {
            let message = "`{% set name %}…{% endset %}` cannot be used in these templates";
            let help = Some("write `{% set name = … %}`; join texts with `~`".to_owned());
            return Err(SyntaxFault { help, ..self.fault(name, message) });
        }
        self.declare(name)?;
        self.put(format_args!(" {} = (", name.text));
        self.expression(&tokens[3..])?;
        self.copy(") | _held");
        Ok(())
    }

    fn declare(&mut self, name: &Token<'a>) -> Result<(), SyntaxFault> {
        if super::context::ROOTS.contains(&name.text) {
            let message = format!("`{}` has a meaning already; choose another name", name.text);
            return Err(self.fault(name, message));
        }
        self.locals.push(name.text.to_owned());
        Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn prepare(text: &str) -> Result<Prepared, SyntaxFault> {
        let (prepared, faults) = super::prepare(text, Scope::Expression, 0);
        faults.into_iter().next().map_or(Ok(prepared), Err)
    }

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
