//! What is thought of the templates at a commit, and how it is said on that commit.

use super::address::Address;
use super::snapshot::Snapshot;
use crate::domain::CommitSha;
use crate::domain::check::{Annotation, AnnotationLevel, Check};
use crate::domain::observation::Conclusion;
use crate::template::check::{Checked, check, failed_tests};
use crate::template::{Diagnostic, Templates};

/// What the check run is called.
const NAME: &str = "Towpath templates";

/// By what a check run is known to be of these templates, and the answer to this asking.
fn external_id(address: &Address, asking: Option<&str>) -> String {
    let again = asking.map(|asking| format!(":again:{asking}")).unwrap_or_default();
    format!("templates:{}{again}", address.path)
}

/// Whether a check run of this id is of these templates.
pub(super) fn is_of(address: &Address, check: &str) -> bool {
    let first = external_id(address, None);
    check.strip_prefix(&first).is_some_and(|rest| rest.is_empty() || rest.starts_with(":again:"))
}

/// What is thought of the templates at a commit.
pub(super) struct Judgement {
    commit: CommitSha,
    errors: Vec<Diagnostic>,
    hints: Vec<Diagnostic>,
    /// What keeps them from standing where they are to stand: a sentence.
    clash: Option<String>,
    templates: Option<Templates>,
}

impl Judgement {
    /// Judges templates by themselves, by their golden tests, and beside the others: `beside` joins
    /// them with those.
    pub(super) fn of(
        snapshot: &Snapshot,
        beside: impl FnOnce(&Templates) -> Result<Templates, String>,
    ) -> Self {
        let Checked { mut errors, hints, templates } = check(&snapshot.files);
        if let Some(templates) = templates.as_ref().filter(|_| errors.is_empty()) {
            errors.extend(failed_tests(&snapshot.files, templates));
        }
        let clash = templates.as_ref().and_then(|templates| beside(templates).err());
        Self { commit: snapshot.commit.clone(), errors, hints, clash, templates }
    }

    /// Of what can be no templates at all: the sentence says why.
    pub(super) fn refusing(commit: CommitSha, why: String) -> Self {
        Self { commit, errors: Vec::new(), hints: Vec::new(), clash: Some(why), templates: None }
    }

    /// The templates, if they may be put in force.
    pub(super) fn accepted(&self) -> Option<&Templates> {
        let is_good = self.errors.is_empty() && self.clash.is_none();
        self.templates.as_ref().filter(|_| is_good)
    }

    /// Everything that is wrong, as text.
    pub(super) fn complaint(&self) -> String {
        let errors = self.errors.iter().map(ToString::to_string);
        errors.chain(self.clash.clone()).collect::<Vec<_>>().join("\n")
    }

    /// The same as a check run. Remarks on lines stay for ever on the one that they were written on:
    /// who asks again is answered by another.
    pub(super) fn check(&self, address: &Address, asking: Option<&str>) -> Check {
        let annotate = |level: AnnotationLevel| {
            move |found: &Diagnostic| {
                let help = found.help.as_ref().map(|help| format!("\n{help}"));
                Annotation {
                    path: address.path_of(&found.file),
                    line: found.line,
                    column: Some(found.column),
                    level,
                    message: format!("{}{}", found.message, help.unwrap_or_default()),
                }
            }
        };
        let errors = self.errors.iter().map(annotate(AnnotationLevel::Failure));
        let hints = self.hints.iter().map(annotate(AnnotationLevel::Notice));
        let is_good = self.accepted().is_some();
        Check {
            name: NAME.to_owned(),
            commit: self.commit.clone(),
            external_id: external_id(address, asking),
            details_url: None,
            conclusion: Some(if is_good { Conclusion::Success } else { Conclusion::Failure }),
            title: self.title(),
            summary: self.summary(),
            annotations: errors.chain(hints).collect(),
            buttons: Vec::new(),
        }
    }

    fn title(&self) -> String {
        let count = |number: usize, what: &str| {
            format!("{number} {what}{}", if number == 1 { "" } else { "s" })
        };
        let wrong = self.errors.len() + usize::from(self.clash.is_some());
        match self.accepted() {
            Some(templates) => {
                format!("{}, nothing wrong", count(templates.iter().count(), "template"))
            }
            None => count(wrong, "mistake"),
        }
    }

    fn summary(&self) -> String {
        if self.accepted().is_some() {
            return "These templates can be put in force.".to_owned();
        }
        let clash = self.clash.as_ref().map(|clash| format!("{clash}\n\n")).unwrap_or_default();
        let places = self.errors.iter().map(|error| {
            format!("- `{}`, line {}, column {}\n", error.file, error.line, error.column)
        });
        format!(
            "These templates are not put in force; those before them stay.\n\n{clash}{}",
            places.collect::<String>()
        )
    }
}
