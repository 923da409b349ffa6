//! The check on a run's pull request: what was asked for, what was proved of it, what its plan would
//! change. What it says follows from the run (`of`), and that it is written from that it would say
//! something else than before, so that no decision forgets it.
//!
//! It is never under way and never a failure: whoever requires it to merge is not kept waiting for
//! this program, and what fails has a check of its own.

use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};

use crate::domain::check::{Button, Check, OWN_CHECK, OwnCheck, PlanEnd, RENDER_AGAIN};
use crate::domain::observation::{CheckAgainAsked, Conclusion, PullRequestState};
use crate::domain::run::{Event, PullRequestFacts, PullRequestWork, Run, Work};
use crate::domain::standing::FileChanges;
use crate::domain::{CommitSha, TemplateName};

use super::body::escape;
use super::decision::Decision;
use super::draft::Draft;
use super::words::{code, counts};

/// As many resources as a reviewer reads; the plan's own page has all.
const SHOWN: usize = 20;

/// What was proved of a change before it was proposed.
pub(crate) struct Proved<'a> {
    /// Of which template.
    pub(crate) template: &'a TemplateName,
    /// How many inputs were held against its rules.
    pub(crate) inputs: usize,
    /// What is written and removed.
    pub(crate) changes: &'a FileChanges,
    /// Below which folder; the whole repository, where it is empty.
    pub(crate) path: &'a str,
}

impl Proved<'_> {
    /// A request, as the pull request's body has it, and what was proved of it. Markdown.
    pub(crate) fn of_request(&self, request: &str) -> String {
        let count = |number: usize, one: &str, several: &str| {
            format!("{number} {}", if number == 1 { one } else { several })
        };
        let (written, removed) = (self.changes.additions.len(), self.changes.deletions.len());
        let mut text = format!("{request}### Guardrails that passed\n\n");
        text.push_str(&format!(
            "- The inputs ({}) keep to the rules of the template {}.\n",
            self.inputs,
            code(self.template.as_str())
        ));
        if written > 0 {
            text.push_str(&format!(
                "- {} rendered and read back: every input stands there as a value, none as code, \
                 and no secret is among them.\n",
                count(written, "file was", "files were")
            ));
        }
        if removed > 0 {
            text.push_str(&format!(
                "- {} removed that an action had rendered, and no other.\n",
                count(removed, "file is", "files are")
            ));
        }
        if !self.path.is_empty() {
            text.push_str(&format!("- Nothing outside {} is touched.\n", code(self.path)));
        }
        text
    }
}

/// The check as it shall stand now; `None` where there is nothing to put it on.
fn of(run: &Run) -> Option<Check> {
    let Some(Work::PullRequest(work)) = &run.work else { return None };
    let facts = work.pull_request.as_ref()?;
    let own = work.own_check.as_ref().filter(|own| !own.is_refused)?;
    let is_theirs = facts.head_sha != facts.own_sha;
    let (title, conclusion) = verdict(work, facts, own, is_theirs);
    let mut summary = own.request.clone();
    if is_theirs {
        summary.push_str(&format!(
            "\nThis holds for {}. Somebody has pushed to the branch since: what they changed was \
             not looked at here.\n",
            code(facts.own_sha.short())
        ));
    }
    if let Some(left) = &own.left {
        summary.push_str(&format!("\n> {}\n", escape(left)));
    }
    plan(&mut summary, work, own);
    let page = work.context["run"]["url"].as_str().filter(|page| page.starts_with("http"));
    if let Some(page) = page {
        summary
            .push_str(&format!("\n[Run {}]({page}) follows this pull request.\n", run.request.id));
    }
    let is_open = matches!(facts.state, PullRequestState::Open | PullRequestState::Queued);
    Some(Check {
        name: OWN_CHECK.to_owned(),
        commit: facts.head_sha.clone(),
        external_id: run.id.to_string(),
        details_url: page.map(str::to_owned),
        conclusion: Some(conclusion),
        title,
        summary,
        annotations: Vec::new(),
        buttons: is_open.then(render_again).into_iter().collect(),
    })
}

fn render_again() -> Button {
    Button {
        label: "Re-render".to_owned(),
        description: "Render again on the base as it is now".to_owned(),
        identifier: RENDER_AGAIN.to_owned(),
    }
}

/// The line above the summary, and how the check ends. Neutral lets a merge through as success does,
/// and does not say that all is well.
fn verdict(
    work: &PullRequestWork,
    facts: &PullRequestFacts,
    own: &OwnCheck,
    is_theirs: bool,
) -> (String, Conclusion) {
    let neutral = |title: &str| (title.to_owned(), Conclusion::Neutral);
    match (facts.state, own.plan) {
        (PullRequestState::Merged, _) => ("Merged".to_owned(), Conclusion::Success),
        (PullRequestState::Closed, _) => neutral("Closed without a merge"),
        _ if is_theirs => neutral("Changed by somebody after it was rendered"),
        _ if own.left.is_some() => neutral("Cannot be rendered again: see below"),
        (_, Some(PlanEnd::Failed)) => neutral("Guardrails passed, the plan failed"),
        (_, Some(PlanEnd::Passed)) => {
            let counts = work.plan_summary.as_ref().map(|plan| format!(": {}", counts(plan)));
            let title = format!("Guardrails passed, planned{}", counts.unwrap_or_default());
            (title, Conclusion::Success)
        }
        (_, None) => ("Guardrails passed".to_owned(), Conclusion::Success),
    }
}

fn plan(text: &mut String, work: &PullRequestWork, own: &OwnCheck) {
    if work.plan.is_none() {
        return;
    }
    text.push_str("\n### Plan\n\n");
    let page = work.planned.as_ref().map(|run| format!(" [Its run]({})", run.html_url));
    let page = page.unwrap_or_default();
    match (own.plan, &work.plan_summary) {
        (None, _) => text.push_str("Not known yet.\n"),
        (Some(PlanEnd::Failed), _) => text.push_str(&format!("It failed.{page}\n")),
        (Some(PlanEnd::Passed), None) => {
            text.push_str(&format!("It passed, and does not say what it would change.{page}\n"));
        }
        (Some(PlanEnd::Passed), Some(plan)) => {
            text.push_str(&format!(
                "**{}** to add, **{}** to change, **{}** to destroy.{page}\n",
                plan.add, plan.change, plan.destroy
            ));
            if !plan.resources.is_empty() {
                text.push('\n');
            }
            for (resource, action) in plan.resources.iter().take(SHOWN) {
                text.push_str(&format!("- {} {}\n", escape(action), code(resource)));
            }
            if plan.resources.len() > SHOWN {
                text.push_str(&format!("- … and {} more\n", plan.resources.len() - SHOWN));
            }
        }
    }
}

/// What a run's check is to say, if it is to say something else than was decided last. It counts as
/// decided then.
pub(super) fn changed(run: &mut Run) -> Option<Check> {
    let check = of(run)?;
    let digest = digest(&check);
    let Some(Work::PullRequest(work)) = &mut run.work else { return None };
    let own = work.own_check.as_mut()?;
    if own.decided.as_ref() == Some(&digest) {
        return None;
    }
    own.decided = Some(digest);
    Some(check)
}

fn digest(check: &Check) -> String {
    let Check { commit, conclusion, title, summary, buttons, .. } = check;
    let said = serde_json::json!([commit, conclusion, title, summary, buttons]).to_string();
    hex::encode(Sha256::digest(said))
}

/// Somebody wants all checks of a commit made again. Until it is written once more, GitHub shows what
/// this program says there as still to come.
pub(super) fn asked_again(work: &mut PullRequestWork, asked: &CheckAgainAsked) {
    let is_head = work.pull_request.as_ref().is_some_and(|facts| facts.head_sha == asked.commit);
    let is_meant = is_head && asked.check.is_none();
    if let Some(own) = work.own_check.as_mut().filter(|_| is_meant) {
        own.decided = None;
    }
}

/// What is known of the check run on a commit that a run's check is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckRun {
    /// It is this one.
    Is(u64),
    /// There may be one, by an attempt that was given up.
    MayBeThere,
    /// None was written.
    None,
}

/// The check run on a commit that a run's check is written to.
pub fn check_run_of(run: &Run, commit: &CommitSha) -> CheckRun {
    let own = match &run.work {
        Some(Work::PullRequest(work)) => work.own_check.as_ref(),
        _ => None,
    };
    match own.map(|own| (&own.written, own.may_be_there)) {
        Some((Some((on, id)), _)) if on == commit => CheckRun::Is(*id),
        Some((_, true)) => CheckRun::MayBeThere,
        _ => CheckRun::None,
    }
}

/// The check stands on its commit, as this check run.
pub fn check_written(run: Run, commit: &CommitSha, id: u64, now: DateTime<Utc>) -> Decision {
    let write = |_: &mut Draft, work: &mut PullRequestWork| {
        if let Some(own) = &mut work.own_check {
            own.written = Some((commit.clone(), id));
            own.may_be_there = false;
        }
    };
    Draft::of(run).on_pull_request(write).finish(now)
}

/// GitHub does not let the App write checks. The run says so once and goes on without.
pub fn check_refused(run: Run, reason: &str, now: DateTime<Utc>) -> Decision {
    let refuse = |draft: &mut Draft, work: &mut PullRequestWork| {
        let Some(own) = &mut work.own_check else { return };
        own.is_refused = true;
        draft.say(Event::warning(format!(
            "The pull request carries no check of Towpath's; everything else goes on. {reason}"
        )));
    };
    Draft::of(run).on_pull_request(refuse).finish(now)
}

/// The check could not be written at once, and nothing waits for it: the next decision tries again.
pub fn check_given_up(mut run: Run) -> Decision {
    if let Some(Work::PullRequest(work)) = &mut run.work
        && let Some(own) = &mut work.own_check
    {
        own.decided = None;
        own.may_be_there = true;
    }
    Decision::unchanged(run)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::standing::FileAddition;

    fn proved(changes: &FileChanges) -> String {
        let template = TemplateName::new("database").unwrap();
        let proved = Proved { template: &template, inputs: 2, changes, path: "databases/orders" };
        proved.of_request("Asked.\n\n")
    }

    #[test]
    fn what_was_proved_is_counted() {
        let file = |path: &str| FileAddition {
            path: path.to_owned(),
            contents: Vec::new(),
            executable: false,
        };
        let changes = FileChanges {
            additions: vec![file("databases/orders/main.tf")],
            deletions: vec!["a".to_owned(), "b".to_owned()],
        };
        assert_eq!(
            proved(&changes),
            "Asked.\n\n### Guardrails that passed\n\n\
             - The inputs (2) keep to the rules of the template `database`.\n\
             - 1 file was rendered and read back: every input stands there as a value, none as \
             code, and no secret is among them.\n\
             - 2 files are removed that an action had rendered, and no other.\n\
             - Nothing outside `databases/orders` is touched.\n"
        );
    }

    #[test]
    fn the_button_is_as_long_as_github_takes() {
        let button = render_again();
        assert!(button.label.chars().count() <= 20);
        assert!(button.description.chars().count() <= 40);
        assert!(button.identifier.chars().count() <= 20);
    }
}
