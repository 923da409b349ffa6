//! The repositories that templates name: whether the App sees them, what rules stand on their
//! branches, and whether their workflows are there.

use super::needs::{Needs, TargetNeeds};
use super::workflow;
use crate::domain::{BranchName, Finding};
use crate::github::{Error, GitHub};

/// Rules that keep a branch from being made or written, by GitHub's names of them.
/// <https://docs.github.com/rest/repos/rules>
const CLOSED: [(&str, &str); 2] =
    [("creation", "nobody may make it"), ("update", "nobody may write to it")];
/// Rules that may refuse what is committed there.
const NARROW: [&str; 8] = [
    "branch_name_pattern",
    "commit_author_email_pattern",
    "commit_message_pattern",
    "committer_email_pattern",
    "file_extension_restriction",
    "file_path_restriction",
    "max_file_path_length",
    "max_file_size",
];

/// Everything that is found in them.
pub(super) async fn look(github: &GitHub, needs: &Needs) -> Vec<Finding> {
    let mut found = Vec::new();
    for target in needs.targets.values() {
        let before = found.len();
        found.extend(
            look_at(github, target).await.unwrap_or_else(|error| vec![unseen(target, &error)]),
        );
        if found.len() == before {
            let says = "It is seen, with everything that templates name there.";
            found.push(Finding::good(target.repository.to_string(), says));
        }
    }
    if !needs.unknown.is_empty() {
        let says = format!(
            "These depend on the run, and were not looked at: {}.",
            needs.unknown.join("; ")
        );
        let remedy = "Install the App on all repositories that they may name.";
        found.push(Finding::warning("Repositories", says, remedy));
    }
    found
}

fn unseen(target: &TargetNeeds, error: &Error) -> Finding {
    let about = target.repository.to_string();
    match error {
        Error::NotFound { .. } => Finding::bad(
            about,
            "The App does not see it.",
            "Check its name in the template, and add it to the repositories of the installation.",
        ),
        Error::NotInstalled { .. } => {
            Finding::bad(about, "The App is not installed there.", "Install it, as said above.")
        }
        error => Finding::bad(about, error.sentence(), "Look again when that is mended."),
    }
}

async fn look_at(github: &GitHub, target: &TargetNeeds) -> Result<Vec<Finding>, Error> {
    let repository = &target.repository;
    let about = repository.to_string();
    let default = github.default_branch(repository).await?;
    let mut found = Vec::new();
    for base in target.bases.iter().flatten() {
        let Ok(branch) = BranchName::new(base.as_str()) else { continue };
        if github.branch_commit(repository, &branch).await?.is_none() {
            let says = format!("It has no branch {base}, into which pull requests are to go.");
            found.push(Finding::bad(&about, says, "Make it, or mend `target.base`."));
        }
    }
    if let Some(own) = &target.own_branch {
        let rules = github.branch_rules(repository, own).await?;
        found.extend(rules.iter().filter_map(|rule| of_own_branch(&about, rule)));
        for base in &target.bases {
            let base = base.as_ref().and_then(|base| BranchName::new(base.as_str()).ok());
            let base = base.unwrap_or_else(|| default.clone());
            let rules = github.branch_rules(repository, &base).await?;
            if rules.iter().any(|rule| rule == "update") {
                let says = format!("A rule lets nobody update {base}: nothing can be merged.");
                let remedy = "Let those who merge bypass the rule.";
                found.push(Finding::warning(&about, says, remedy));
            }
        }
    }
    found.extend(workflows(github, target, &default).await?);
    Ok(found)
}

fn of_own_branch(about: &str, rule: &str) -> Option<Finding> {
    if let Some((_, why)) = CLOSED.iter().find(|(name, _)| *name == rule) {
        let says = format!("The rule `{rule}` holds for branches below `towpath/`: {why}.");
        let remedy = "Take `towpath/**/*` out of the rule, or let the App bypass it.";
        return Some(Finding::bad(about, says, remedy));
    }
    NARROW.contains(&rule).then(|| {
        let says = format!("The rule `{rule}` holds for branches below `towpath/`.");
        let remedy = "See that what templates write fits it, or let the App bypass it.";
        Finding::warning(about, says, remedy)
    })
}

/// Whether each workflow is there and takes what is sent.
async fn workflows(
    github: &GitHub,
    target: &TargetNeeds,
    default: &BranchName,
) -> Result<Vec<Finding>, Error> {
    let repository = &target.repository;
    if target.workflows.is_empty() {
        return Ok(Vec::new());
    }
    let about = repository.to_string();
    let Some(commit) = github.branch_commit(repository, default).await? else {
        return Ok(vec![Finding::bad(about, "It is empty.", "Push a first commit.")]);
    };
    let path = |file: &str| format!(".github/workflows/{file}");
    let mut paths: Vec<String> = target.workflows.iter().map(|it| path(&it.file)).collect();
    paths.sort();
    paths.dedup();
    let texts = github.read_texts(repository, &commit, &paths).await?;
    let mut found = Vec::new();
    for needs in &target.workflows {
        let path = path(&needs.file);
        let Some((_, text)) = texts.iter().find(|(known, _)| *known == path) else {
            let says = format!("{path}, which the {} names, is not on {default}.", needs.by);
            let remedy =
                "Add it, or mend its name. GitHub starts only what is on the default branch.";
            found.push(Finding::bad(&about, says, remedy));
            continue;
        };
        let Some(dispatch) = &needs.dispatch else { continue };
        found.extend(workflow::faults(text, dispatch).into_iter().map(|fault| {
            let says = format!("{path}, which the {} runs: {}", needs.by, fault.says);
            Finding::bad(&about, says, fault.remedy)
        }));
    }
    Ok(found)
}
