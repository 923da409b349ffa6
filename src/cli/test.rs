//! `towpath test`: the templates' own golden tests.

use std::fs;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Args;

use super::places::{self, Place};
use super::screen::{Screen, ScreenArguments, count};
use super::terraform::{self, Verdict};
use crate::template::check::is_golden_test;
use crate::template::golden::{self, GoldenTest, Outcome};
use crate::template::{SourceFile, Templates, updated};

/// What is tested.
#[derive(Args)]
pub struct TestArguments {
    /// Where the templates are: a folder, or github:owner/repo[/path][@ref], which is read as the App.
    /// Several with commas between them.
    #[arg(env = "TOWPATH_TEMPLATES", value_name = "PLACES", default_value = "templates")]
    templates: String,

    /// Write what comes of each test into its file, as what is expected from now on.
    #[arg(long)]
    update: bool,

    #[command(flatten)]
    screen: ScreenArguments,
}

struct Tests<'a> {
    arguments: &'a TestArguments,
    templates: Templates,
    screen: Screen,
    failed: usize,
    written: usize,
}

/// Runs them, and ends with 1 if one fails.
pub fn run(arguments: &TestArguments) -> anyhow::Result<ExitCode> {
    let places = places::read(&arguments.templates)?;
    let sets = places.iter().map(|place| Ok((place, place.load()?)));
    let templates = places::joined(sets.collect::<anyhow::Result<Vec<_>>>()?)?;
    let read_only = places.iter().find(|place| arguments.update && place.folder.is_none());
    if let Some(place) = read_only {
        bail!(
            "--update writes files, and {} is only read; name the folder of a checkout",
            place.name
        );
    }
    let screen = Screen::new(&arguments.screen);
    let mut tests = Tests { arguments, templates, screen, failed: 0, written: 0 };
    let mut rendered = Vec::new();
    let mut run = 0;
    let all = places.iter().flat_map(|place| place.files.iter().map(move |file| (place, file)));
    for (place, file) in all.filter(|(_, file)| is_golden_test(&file.path)) {
        run += 1;
        if let Some(Outcome::Files(made)) = tests.one(place, file)? {
            let folder = file.path.replace("/tests/", "/");
            rendered.push((folder, made));
        }
    }
    let mut failed = tests.failed;
    if !rendered.is_empty() {
        match terraform::check(&rendered)? {
            Verdict::Absent => screen.note(
                "terraform is not on the PATH: whether the files are formatted and valid was not \
                 looked at",
            ),
            Verdict::Good => {}
            Verdict::Bad(words) => {
                failed += 1;
                screen.bad("FAILED  terraform");
                screen.diff(&words);
            }
        }
    }
    let mut end = format!("{}: {failed} failed", count(run, "golden test"));
    if arguments.update {
        end.push_str(&format!(", {} written", tests.written));
    }
    if failed > 0 {
        screen.bad(&end);
        return Ok(ExitCode::FAILURE);
    }
    screen.good(&end);
    Ok(ExitCode::SUCCESS)
}

impl Tests<'_> {
    /// Runs one test, and gives what came of it.
    fn one(&mut self, place: &Place, file: &SourceFile) -> anyhow::Result<Option<Outcome>> {
        let text = String::from_utf8_lossy(&file.contents);
        let golden: GoldenTest = match golden::parse(&file.path, &text) {
            Ok(golden) => golden,
            Err(error) => {
                self.failed += 1;
                self.screen.diagnostic(&error, "error");
                return Ok(None);
            }
        };
        let outcome = golden::outcome(&self.templates, &golden);
        match golden::run(&self.templates, &golden) {
            Ok(()) => self.screen.line(&format!("ok      {}", file.path)),
            Err(_) if self.arguments.update => {
                let folder = place.folder.as_deref().context("a repository is only read")?;
                let path = folder.join(&file.path);
                fs::write(&path, updated(&text, &outcome))
                    .with_context(|| format!("writing {}", path.display()))?;
                self.written += 1;
                self.screen.note(&format!("written {}", file.path));
            }
            Err(diff) => {
                self.failed += 1;
                self.screen.bad(&format!("FAILED  {}", file.path));
                self.screen.diff(&diff);
            }
        }
        Ok(Some(outcome))
    }
}
