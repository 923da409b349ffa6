//! What templates share: texts that are included, and components, which write a text from their
//! arguments.
//!
//! An include sees what the templates see, a component only its arguments. A component stands alone
//! in its `{{ … }}`: what it writes is never a value, so that no mark is lost in a filter.

use super::token::{Kind, Token};
use super::{Scope, SyntaxFault, WORDS, Writer};
use crate::template::diagnostic::Place;

/// `{% include "tags.tf.tera" %}`.
#[derive(Debug, Clone)]
pub(in crate::template) struct Include {
    /// From the shared folder.
    pub(in crate::template) file: String,
    pub(in crate::template) place: Place,
}

/// `{{ <tags of={inputs.tags} /> }}`.
#[derive(Debug, Clone)]
pub(in crate::template) struct Call {
    pub(in crate::template) name: String,
    pub(in crate::template) place: Place,
    pub(in crate::template) arguments: Vec<(String, Place)>,
    /// The component that this stands in.
    pub(in crate::template) within: Option<String>,
}

/// `{% component tags(of, indent=2) %}`.
#[derive(Debug, Clone)]
pub(in crate::template) struct Component {
    pub(in crate::template) name: String,
    pub(in crate::template) place: Place,
    pub(in crate::template) parameters: Vec<Parameter>,
}

/// What a component is given.
#[derive(Debug, Clone)]
pub(in crate::template) struct Parameter {
    pub(in crate::template) name: String,
    pub(in crate::template) is_required: bool,
}

/// A component whose end was not seen yet.
pub(super) struct Open {
    name: String,
    /// How many names were read, and made, before it.
    names: usize,
    locals: usize,
}

const INCLUDE: &str = "an include names one file, in quotes: `{% include \"…\" %}`";
const CALL: &str = "a component is used as `{{ <name argument={…} other=\"…\" /> }}`";
const COMPONENT: &str = "a component is made as `{% component name(argument, other=\"…\") %}`";

impl<'a> Writer<'a> {
    pub(super) fn include(&mut self, tokens: &[Token<'a>]) -> Result<(), SyntaxFault> {
        self.must_be_in_a_file(&tokens[0])?;
        let [_, file] = tokens else {
            return Err(self.fault(&tokens[0], INCLUDE));
        };
        if file.kind != Kind::Text {
            return Err(self.fault(file, INCLUDE));
        }
        if self.component.is_some() {
            let help = Some("use a component in its place".to_owned());
            let fault =
                self.fault(file, "a component sees only its arguments and includes nothing");
            return Err(SyntaxFault { help, ..fault });
        }
        self.copy_all(&tokens[1..]);
        let name = file.text[1..file.text.len() - 1].to_owned();
        let place = Place::of(self.text, file.start);
        self.prepared.includes.push(Include { file: name, place });
        Ok(())
    }

    /// Everything between `{{` and `}}`.
    pub(super) fn call(&mut self, tokens: &[Token<'a>]) -> Result<(), SyntaxFault> {
        self.must_be_in_a_file(&tokens[0])?;
        let (name, mut rest) =
            dotted_name(&tokens[1..]).ok_or_else(|| self.fault(&tokens[0], CALL))?;
        self.put(format_args!(" <{name}"));
        let mut arguments = Vec::new();
        while let Some((first, after)) = rest.split_first().filter(|(first, _)| first.text != "/") {
            if first.kind != Kind::Word {
                return Err(self.fault(first, CALL));
            }
            self.put(format_args!(" {}=", first.text));
            arguments.push((first.text.to_owned(), Place::of(self.text, first.start)));
            rest = match after {
                [equals, text, after @ ..] if equals.text == "=" && text.kind == Kind::Text => {
                    self.copy(text.text);
                    after
                }
                [equals, open, ..] if equals.text == "=" && open.text == "{" => {
                    let end = closing_brace(after, 1).ok_or_else(|| self.fault(open, CALL))?;
                    self.braced(&after[2..end])?;
                    &after[end + 1..]
                }
                [equals, ..] if equals.text == "=" => return Err(self.fault(equals, CALL)),
                after => {
                    self.braced(&rest[..1])?;
                    after
                }
            };
        }
        if !matches!(rest, [slash, end] if slash.text == "/" && end.text == ">") {
            let at = rest.get(2).unwrap_or(&tokens[0]);
            return Err(self.fault(at, format!("{CALL}, and stands alone")));
        }
        self.copy(" /> ");
        let place = Place::of(self.text, tokens[1].start);
        let within = self.component.as_ref().map(|component| component.name.clone());
        self.prepared.calls.push(Call { name, place, arguments, within });
        Ok(())
    }

    fn braced(&mut self, tokens: &[Token<'a>]) -> Result<(), SyntaxFault> {
        self.copy("{ (");
        self.expression(tokens)?;
        self.copy(") }");
        Ok(())
    }

    pub(super) fn component(&mut self, tokens: &[Token<'a>]) -> Result<(), SyntaxFault> {
        if self.scope != Scope::Shared {
            let help = Some("move it to a file of the folder `_shared`".to_owned());
            let fault = self.fault(&tokens[0], "a component cannot be made here");
            return Err(SyntaxFault { help, ..fault });
        }
        let malformed = |at: Option<&Token<'a>>| self.fault(at.unwrap_or(&tokens[0]), COMPONENT);
        let (name, rest) = dotted_name(&tokens[1..]).ok_or_else(|| malformed(tokens.get(1)))?;
        let inner = match rest {
            [open, inner @ .., close] if open.text == "(" && close.text == ")" => inner,
            _ => return Err(malformed(rest.first())),
        };
        let place = Place::of(self.text, tokens[1].start);
        let (names, locals) = (self.prepared.names.len(), self.locals.len());
        self.component = Some(Open { name: name.clone(), names, locals });
        let mut parameters = Vec::new();
        for parameter in split_by_commas(inner) {
            let first = &parameter[0];
            if first.kind != Kind::Word || WORDS.contains(&first.text) {
                return Err(self.fault(first, COMPONENT));
            }
            self.declare(first)?;
            let is_required = parameter.iter().all(|token| token.text != "=");
            parameters.push(Parameter { name: first.text.to_owned(), is_required });
        }
        self.copy_all(&tokens[1..]);
        self.prepared.components.push(Component { name, place, parameters });
        Ok(())
    }

    pub(super) fn end_of_component(&mut self, tokens: &[Token<'a>]) -> Result<(), SyntaxFault> {
        let Some(open) = self.component.take() else {
            return Err(self.fault(&tokens[0], "no component is open here"));
        };
        self.copy_all(&tokens[1..]);
        let own: Vec<_> = self.locals.drain(open.locals..).collect();
        let mut read = self.prepared.names.drain(open.names..);
        match read.find(|name| !own.contains(&name.path[0])) {
            None => Ok(()),
            Some(name) => Err(SyntaxFault {
                place: name.place,
                message: format!("`{}` is not defined in a component", name.path.join(".")),
                help: Some("a component sees only its arguments: make it one of them".to_owned()),
            }),
        }
    }

    fn must_be_in_a_file(&self, token: &Token<'a>) -> Result<(), SyntaxFault> {
        if self.scope != Scope::Expression {
            return Ok(());
        }
        Err(self.fault(token, "what is shared is for the files of a template; write it out here"))
    }
}

/// `ui.tags`, and what follows it.
fn dotted_name<'t, 'a>(tokens: &'t [Token<'a>]) -> Option<(String, &'t [Token<'a>])> {
    let is_name = |token: &Token<'a>| token.kind == Kind::Word && !WORDS.contains(&token.text);
    let first = tokens.first().filter(|first| is_name(first))?;
    let (mut name, mut rest) = (first.text.to_owned(), &tokens[1..]);
    while let [dot, part, after @ ..] = rest
        && dot.text == "."
        && is_name(part)
    {
        name = format!("{name}.{}", part.text);
        rest = after;
    }
    Some((name, rest))
}

fn closing_brace(tokens: &[Token<'_>], open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.text {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

/// The parts between the commas that stand in no bracket.
fn split_by_commas<'t, 'a>(tokens: &'t [Token<'a>]) -> Vec<&'t [Token<'a>]> {
    let mut depth = 0_usize;
    let parts = tokens.split(|token| {
        match token.text {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && token.text == ","
    });
    parts.filter(|part| !part.is_empty()).collect()
}
