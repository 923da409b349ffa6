//! What commands print: text for a terminal, in colour where somebody looks at it.

use std::io::IsTerminal as _;

use clap::Args;
use clap::builder::FalseyValueParser;

use crate::template::Diagnostic;

const BOLD: &str = "1";
const RED: &str = "31";
const GREEN: &str = "32";
const YELLOW: &str = "33";
const CYAN: &str = "36";

/// Whether colours are wanted.
#[derive(Args, Clone)]
pub struct ScreenArguments {
    /// Print without colours. They are left out anyway where the output is no terminal.
    #[arg(long, env = "NO_COLOR", value_parser = FalseyValueParser::new(), hide_env = true)]
    no_color: bool,
}

/// The standard output.
#[derive(Clone, Copy)]
pub struct Screen {
    is_coloured: bool,
}

impl Screen {
    /// As the command line asks for it.
    pub fn new(arguments: &ScreenArguments) -> Self {
        Self { is_coloured: !arguments.no_color && std::io::stdout().is_terminal() }
    }

    /// Without colours.
    pub fn plain() -> Self {
        Self { is_coloured: false }
    }

    /// One line, or several.
    #[expect(clippy::print_stdout, reason = "this is what the command was asked for")]
    pub fn line(self, text: &str) {
        println!("{text}");
    }

    /// A line that heads others.
    pub fn heading(self, text: &str) {
        self.line(&self.painted(BOLD, text));
    }

    /// A line that tells of a good end.
    pub fn good(self, text: &str) {
        self.line(&self.painted(GREEN, text));
    }

    /// A line that tells of a bad end.
    pub fn bad(self, text: &str) {
        self.line(&self.painted(RED, text));
    }

    /// A line that asks for attention.
    pub fn note(self, text: &str) {
        self.line(&self.painted(YELLOW, text));
    }

    /// A unified diff.
    pub fn diff(self, patch: &str) {
        for line in patch.lines() {
            let colour = match line.as_bytes().first() {
                _ if line.starts_with("--- ") || line.starts_with("+++ ") => BOLD,
                Some(b'+') => GREEN,
                Some(b'-') => RED,
                Some(b'@') => CYAN,
                _ => "0",
            };
            self.line(&self.painted(colour, line));
        }
    }

    /// A mistake, with its line and a caret.
    pub fn diagnostic(self, found: &Diagnostic, severity: &str) {
        let shown =
            Diagnostic { message: format!("{severity}: {}", found.message), ..found.clone() };
        for line in shown.to_string().lines() {
            let colour = match () {
                () if line.starts_with(&found.file) => BOLD,
                () if line.starts_with("  = ") => CYAN,
                () if line.ends_with('^') && line.trim_start().starts_with('|') => RED,
                () => "0",
            };
            self.line(&self.painted(colour, line));
        }
    }

    fn painted(self, colour: &str, text: &str) -> String {
        if self.is_coloured && colour != "0" && !text.is_empty() {
            return format!("\u{1b}[{colour}m{text}\u{1b}[0m");
        }
        text.to_owned()
    }
}

/// `1 error`, `2 errors`.
pub fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
