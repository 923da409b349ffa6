//! Makes the names of an expression strict.

use super::token::{Kind, Token};
use super::{FILTERS, FORMS, FUNCTIONS, Name, SyntaxFault, WORDS, Writer};
use crate::template::diagnostic::{Place, did_you_mean};

impl<'a> Writer<'a> {
    /// Copies an expression, with every name in it made strict.
    pub(super) fn expression(&mut self, tokens: &[Token<'a>]) -> Result<(), SyntaxFault> {
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            self.copy(" ");
            if token.kind != Kind::Word {
                self.copy(token.text);
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
        let token = &tokens[at];
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
            return Err(SyntaxFault { help, ..self.fault(token, message) });
        }
        if before(1) == "|" {
            self.known_word(token, "filter", &FILTERS)?;
        } else if is_call && !copy {
            self.known_word(token, "function", &FUNCTIONS)?;
        } else if !copy && name != "loop" {
            return self.path(tokens, at);
        }
        self.copy(name);
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
            return Err(self.fault(token, message));
        }
        let message = format!("there is no {what} `{}` here", token.text);
        let help = match token.text {
            "safe" => Some("values are always escaped; nothing can switch that off".to_owned()),
            "escape" | "escape_html" | "escape_xml" => {
                Some("leave it out: values are escaped for the kind of file".to_owned())
            }
            other => did_you_mean(other, known.iter().copied()),
        };
        Err(SyntaxFault { help, ..self.fault(token, message) })
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
        self.copy(if may_be_undefined { "" } else { "(" });
        self.copy(tokens[start].text);
        for (from, to) in parts {
            if text_at(from).ends_with('.') {
                self.put(format_args!("{}{}", text_at(from), text_at(from + 1)));
                continue;
            }
            self.copy(text_at(from));
            let inner_end = if text_at(to - 1) == "]" { to - 1 } else { to };
            self.expression(&tokens[from + 1..inner_end])?;
            self.copy(if inner_end < to { "]" } else { "" });
        }
        if !may_be_undefined {
            self.put(format_args!(
                " | _known(name=\"{}\"))",
                path.join(".").replace(['"', '\\'], "")
            ));
        }
        let place = Place::of(self.text, tokens[start].start);
        self.prepared.names.push(Name { path, place });
        Ok(end)
    }
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
