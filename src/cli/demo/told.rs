//! The timeline, as a person reads it at the terminal.
#![expect(clippy::print_stdout, reason = "telling is what this file is for")]

use std::io::IsTerminal as _;
use std::time::Instant;

use serde_json::Value;

use super::chapters::Played;
use crate::cli::playground::Playground;
use crate::domain::{EventKind, Run, RunId, Status};
use crate::store::Store;

/// Longest line of a log that is shown; the dashboard has all of it.
const LINE: usize = 150;

/// Tells what happens.
pub(super) struct Teller {
    colours: bool,
    chapter: usize,
    began: Instant,
    run: Option<RunId>,
    seen: u64,
    label: String,
}

impl Teller {
    pub(super) fn new() -> Self {
        Self {
            colours: std::io::stdout().is_terminal(),
            chapter: 0,
            began: Instant::now(),
            run: None,
            seen: 0,
            label: String::new(),
        }
    }

    /// What is there at the beginning.
    pub(super) fn scene(&self, playground: &Playground) {
        let terraform = which("terraform");
        println!("{}", self.bold("Towpath demo"));
        println!(
            "Everything runs in this process; its files are in {}.",
            playground.folder().display()
        );
        println!(
            "  GitHub     {}  (a sandbox: acme/infrastructure, acme/shop)",
            playground.github.url()
        );
        println!("  Portal     {}  (a sandbox)", playground.portal.url());
        println!("  Dashboard  http://{}/", playground.service.address);
        match terraform {
            Some(path) => println!("  Terraform  {path}: plans and applies are real"),
            None => println!(
                "  Terraform  not installed: the sandbox's own evaluator of terraform_data plays plan and apply"
            ),
        }
    }

    pub(super) fn chapter(&mut self, title: &str, what: &str) {
        self.chapter += 1;
        self.began = Instant::now();
        self.run = None;
        println!(
            "\n{} {}",
            self.bold(&format!("{}. {title}", self.chapter)),
            self.dim(&format!("— {what}"))
        );
    }

    pub(super) fn press(&self, action: &str, inputs: &Value, entity: Option<&str>) {
        let on = entity.map(|entity| format!(" on {entity}")).unwrap_or_default();
        self.line("portal", &format!("{action}{on} {inputs}"));
    }

    pub(super) fn person(&self, what: &str) {
        self.line("person", what);
    }

    pub(super) fn catalog(&self, what: &str) {
        self.line("result", what);
    }

    pub(super) fn shown(&self, what: &str) {
        self.line("GitHub", what);
    }

    pub(super) fn unexpected(&self, what: &str) {
        self.line("error", &self.red(what));
    }

    /// Tells what is new in a run's history.
    pub(super) async fn follow(&mut self, store: &Store, run: Option<&RunId>) {
        let Some(run) = run else { return };
        if self.run.as_ref() != Some(run) {
            self.run = Some(run.clone());
            self.seen = 0;
            self.label.clear();
        }
        for event in store.events(run, self.seen).await.unwrap_or_default() {
            self.seen = event.seq;
            for (number, line) in event.message.lines().enumerate() {
                let line: String = line.chars().take(LINE).collect();
                let line = match event.kind {
                    EventKind::Failure if number == 0 => self.red(&line),
                    _ if number > 0 => self.dim(&line),
                    _ => line,
                };
                self.line(if number == 0 { "run" } else { "" }, &line);
            }
        }
        if let Ok(Some(now)) = store.run(run).await
            && now.label != self.label
            && !now.status.is_end()
        {
            self.line("label", &self.dim(&now.label));
            self.label = now.label;
        }
    }

    pub(super) fn ended(&mut self, run: &Run) {
        self.label.clone_from(&run.label);
        let text = format!("{} · {}", run.status.as_str(), run.label);
        let text = if run.status == Status::Success { self.green(&text) } else { self.red(&text) };
        self.line("end", &text);
    }

    /// How everything ended.
    pub(super) fn end(&self, playground: &Playground, played: &[Played]) {
        println!("\n{}", self.bold("How it ended"));
        for played in played {
            let mark = if played.as_expected {
                self.green("as it should")
            } else {
                self.red("NOT as it should")
            };
            println!(
                "  {:<22} {:<8} {:<13} {mark}  {}",
                played.run,
                played.status.as_str(),
                played.label,
                self.dim(played.title)
            );
        }
        let github = playground.github.requests().len();
        let portal = playground.portal.requests().len();
        println!(
            "  {github} requests to GitHub and {portal} to the portal, for {} runs.",
            played.len()
        );
    }

    pub(super) fn stays_open(&self, playground: &Playground) {
        println!(
            "\n{}",
            stays_open_at(&self.bold(&format!("http://{}/", playground.service.address)))
        );
    }

    fn line(&self, who: &str, what: &str) {
        let seconds = self.began.elapsed().as_secs_f64();
        let time = if who.is_empty() { " ".repeat(6) } else { format!("{seconds:>5.1}s") };
        println!("  {} {} {what}", self.dim(&time), self.dim(&format!("{who:<6}")));
    }

    fn bold(&self, text: &str) -> String {
        self.painted("1", text)
    }

    fn dim(&self, text: &str) -> String {
        self.painted("2", text)
    }

    fn red(&self, text: &str) -> String {
        self.painted("31", text)
    }

    fn green(&self, text: &str) -> String {
        self.painted("32", text)
    }

    fn painted(&self, code: &str, text: &str) -> String {
        if self.colours { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

fn which(program: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "to say what is installed; no setting")]
    let paths = std::env::var("PATH").unwrap_or_default();
    let found = std::env::split_paths(&paths)
        .map(|folder| folder.join(program))
        .find(|path| path.is_file());
    found.map(|path| path.display().to_string())
}

fn stays_open_at(address: &str) -> String {
    format!(
        "The dashboard stays open at {address}, on this machine alone and without a sign-in.\n\
         Ctrl-C ends the demo and removes its files."
    )
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::demo::DemoArguments;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        demo: DemoArguments,
    }

    #[test]
    fn the_demo_listens_on_this_machine_alone_and_says_so() {
        let listens_at = Line::parse_from(["demo"]).demo.playground.listen;
        assert!(listens_at.ip().is_loopback());
        assert!(stays_open_at(&listens_at.to_string()).contains("on this machine alone"));
    }
}
