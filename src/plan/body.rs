//! What a reviewer reads: title, body and commit message of a pull request, in which what a person
//! typed stays a value.

use serde_json::Value;

use crate::domain::run::Run;
use crate::domain::{Operation, RunId};

use super::parts::Beside;
use super::words::{TITLE_LIMIT, code, inert_text, list, one_line, plain};

/// Longest body of a pull request that GitHub takes, in characters.
const BODY_LIMIT: usize = 65_536;
/// Longest value that a table shows; the file in the diff has all of it.
const VALUE_LIMIT: usize = 300;

/// One input in the table of the body.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct InputRow {
    /// The input's title.
    pub(crate) title: String,
    /// What it was, in a day-2 change that changes it.
    pub(crate) before: Option<Value>,
    /// What it is now.
    pub(crate) now: Value,
}

/// What a pull request says.
pub(crate) struct Body<'a> {
    /// The run.
    pub(crate) run: &'a Run,
    /// The author's own words, from the template.
    pub(crate) introduction: Option<String>,
    /// The target folder.
    pub(crate) path: &'a str,
    /// The inputs, without secrets.
    pub(crate) inputs: Vec<InputRow>,
    /// Names of inputs that are secret.
    pub(crate) secrets: Vec<String>,
    /// What the reviewer should know of the files.
    pub(crate) notes: &'a [String],
    /// The run's page.
    pub(crate) run_page: &'a str,
    /// The other parts of the same action.
    pub(crate) beside: &'a [Beside],
}

impl Body<'_> {
    /// The body, as Markdown.
    pub(crate) fn markdown(&self) -> String {
        let mut text = String::new();
        if let Some(introduction) = &self.introduction {
            text.push_str(introduction.trim());
            text.push_str("\n\n");
        }
        text.push_str(&self.request());
        for note in self.notes {
            text.push_str(&format!("> {}\n", escape(note)));
        }
        if !self.notes.is_empty() {
            text.push('\n');
        }
        self.others(&mut text);
        text.push_str(&format!(
            "[Run {}]({}) in the portal follows this pull request.",
            self.run.request.id, self.run_page
        ));
        text.push_str(match self.run.operation {
            Some(Operation::Delete) if !self.beside.is_empty() => {
                " Once all of it is merged and applied, the entity leaves the catalog.\n"
            }
            _ if !self.beside.is_empty() => {
                " Once all of it is merged and applied, the catalog is told.\n"
            }
            Some(Operation::Delete) => {
                " Once it is merged and applied, the entity leaves the catalog.\n"
            }
            _ => " Once it is merged and applied, the catalog is told.\n",
        });
        if text.chars().count() > BODY_LIMIT {
            text = text.chars().take(BODY_LIMIT - 1).chain(['…']).collect();
        }
        text
    }

    /// What belongs to the same action.
    fn others(&self, text: &mut String) {
        if self.beside.is_empty() {
            return;
        }
        let name = |other: &Beside| match &other.pull_request {
            Some((number, page)) => format!("[{} {number}]({page})", other.repository),
            None => code(&other.repository.to_string()),
        };
        let names: Vec<String> = self.beside.iter().map(name).collect();
        text.push_str(&format!("It belongs together with {}.\n\n", list(&names)));
    }

    /// Who asks for what, and with which inputs, as Markdown.
    pub(crate) fn request(&self) -> String {
        let request = &self.run.request;
        let what = match self.run.operation {
            Some(Operation::Create) => "Creates",
            Some(Operation::Delete) => "Deletes",
            _ => "Changes",
        };
        let mut text = format!(
            "{what} {} for {}, who asked for it with **{}**.\n\n",
            code(self.path),
            code(&one_line(request.user.shown(), 100)),
            escape(&one_line(&request.title(), 120)),
        );
        self.table(&mut text);
        text
    }

    fn table(&self, text: &mut String) {
        if self.inputs.is_empty() && self.secrets.is_empty() {
            return;
        }
        let changes = self.inputs.iter().any(|row| row.before.is_some());
        text.push_str(if changes {
            "| Input | Was | Is |\n|---|---|---|\n"
        } else {
            "| Input | Value |\n|---|---|\n"
        });
        for row in &self.inputs {
            let title = cell(&row.title);
            let now = value(&row.now);
            match &row.before {
                Some(before) => {
                    text.push_str(&format!("| {title} | {} | {now} |\n", value(before)));
                }
                None if changes => text.push_str(&format!("| {title} | {now} | {now} |\n")),
                None => text.push_str(&format!("| {title} | {now} |\n")),
            }
        }
        for name in &self.secrets {
            let blank = if changes { " (secret) |" } else { "" };
            text.push_str(&format!("| {} | (secret) |{blank}\n", cell(name)));
        }
        text.push('\n');
    }
}

/// The title: on one line, inert, and not longer than GitHub takes.
pub(crate) fn title(rendered: &str) -> String {
    one_line(rendered, TITLE_LIMIT)
}

/// First line and rest of the commit's message. The trailer leads back from git to the run.
pub(crate) fn commit_message(title: &str, run: &Run, run_page: &str) -> (String, String) {
    /// What git's own tools show of a first line.
    const HEADLINE_LIMIT: usize = 72;
    let who = inert_text(&one_line(run.request.user.shown(), 100));
    let message = format!("Asked for by {who}.\n{run_page}\n\n{}", trailer(&run.request.id));
    (one_line(title, HEADLINE_LIMIT), message)
}

fn trailer(run: &RunId) -> String {
    format!("Towpath-Run: {run}")
}

fn value(value: &Value) -> String {
    code(&plain(value).chars().take(VALUE_LIMIT).collect::<String>())
}

fn cell(text: &str) -> String {
    escape(&one_line(text, 120)).replace('|', "\\|")
}

/// A text with every sign escaped that Markdown or GitHub reads as something else than text.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '(' | ')' | '!' | '~' => {
                out.extend(['\\', c]);
            }
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '@' | '#' => out.extend([c, '\u{200b}']),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ActionId;
    use crate::domain::action_run::{ActionRun, Invocation, RunKind, User};
    use chrono::DateTime;
    use serde_json::{Map, json};

    fn run() -> Run {
        let request = ActionRun {
            id: RunId::new("r_1").unwrap(),
            kind: RunKind::Action,
            action: ActionId::new("add_database").unwrap(),
            action_title: None,
            operation: Some(Operation::Create),
            inputs: Map::new(),
            entity: None,
            user: User { name: Some("`Eve` @acme/all".to_owned()), ..User::default() },
            organization: None,
            encrypted: Vec::new(),
            invocation: Invocation::Template,
        };
        Run::received(request, DateTime::UNIX_EPOCH)
    }

    #[test]
    fn a_reviewer_reads_who_asked_for_what() {
        let run = run();
        let row = |title: &str, now: Value| InputRow { title: title.to_owned(), before: None, now };
        let body = Body {
            run: &run,
            introduction: None,
            path: "services/shop/orders",
            inputs: vec![
                row("Name", json!("orders")),
                row("Note", json!("| <img src=x> |\n# @octocat closes #1 `x`")),
            ],
            secrets: vec!["password".to_owned()],
            notes: &["A person's edit of main.tf was kept.".to_owned()],
            run_page: "https://portal/run",
            beside: &[],
        };
        assert_eq!(
            body.markdown(),
            "Creates `services/shop/orders` for `` `Eve` @acme/all ``, who asked for it with \
             **Add Database**.\n\n\
             | Input | Value |\n|---|---|\n\
             | Name | `orders` |\n\
             | Note | `` ¦ <img src=x> ¦↵# @octocat closes #1 `x` `` |\n\
             | password | (secret) |\n\n\
             > A person's edit of main.tf was kept.\n\n\
             [Run r_1](https://portal/run) in the portal follows this pull request. Once it is \
             merged and applied, the catalog is told.\n"
        );
    }
}
