//! What each call asks the App to be allowed, and what each event needs: one table, from which
//! `app-manifest.yml` is held to the code, and `towpath doctor` tells what is missing.
//!
//! From GitHub's tables of permissions:
//! <https://docs.github.com/rest/authentication/permissions-required-for-github-apps>

use std::collections::{BTreeMap, BTreeSet};

use self::Level::{Read, Write};
use self::Use::{
    Checks, Deployments, Dispatch, EnvironmentSecrets, Files, OwnCheck, Repositories, Secrets,
    Statuses, Teams, WorkflowFiles, Workflows,
};

/// How much of a permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// To see.
    Read,
    /// To see and to change.
    Write,
}

impl Level {
    /// As GitHub writes it. What it does not know is none.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "read" => Some(Read),
            "write" | "admin" => Some(Write),
            _ => None,
        }
    }

    /// As GitHub writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Read => "read",
            Write => "write",
        }
    }
}

/// What the App is used for, as far as permissions differ by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Use {
    /// To run workflows.
    Dispatch,
    /// To follow workflows, whoever started them.
    Workflows,
    /// To propose files in a pull request.
    Files,
    /// To propose files below `.github/workflows`.
    WorkflowFiles,
    /// To ask a team for its review.
    Teams,
    /// To show how a change came about, and its plan, as a check of its own.
    OwnCheck,
    /// To see an apply that reports as a check.
    Checks,
    /// To see an apply that reports as a commit status.
    Statuses,
    /// To see an apply that reports as a deployment.
    Deployments,
    /// To store a repository's secret.
    Secrets,
    /// To store an environment's secret.
    EnvironmentSecrets,
    /// To make repositories.
    Repositories,
}

/// The uses for which every App is registered. The others ask for more than most templates need,
/// and are granted where they are wanted.
pub const REGISTERED_FOR: [Use; 8] =
    [Dispatch, Workflows, Files, Teams, OwnCheck, Checks, Statuses, Deployments];

/// A call, by what is fixed in its address or by its field of GraphQL.
struct Call(&'static str, &'static str, Level, &'static [Use]);

const ANY: &[Use] = &[
    Dispatch,
    Workflows,
    Files,
    WorkflowFiles,
    Teams,
    OwnCheck,
    Checks,
    Statuses,
    Deployments,
    Secrets,
    EnvironmentSecrets,
    Repositories,
];

const CALLS: &[Call] = &[
    Call("GET /repos/{}", "metadata", Read, ANY),
    Call("GET /repos/{}/rules/branches/{+}", "metadata", Read, &[Files]),
    // Workflows.
    Call("POST /repos/{}/actions/workflows/{}/dispatches", "actions", Write, &[Dispatch]),
    Call("GET /repos/{}/actions/workflows/{}/runs", "actions", Read, &[Dispatch, Workflows]),
    Call("GET /repos/{}/actions/runs/{}", "actions", Read, &[Dispatch, Workflows]),
    Call("POST /repos/{}/actions/runs/{}/cancel", "actions", Write, &[Dispatch]),
    Call("GET /repos/{}/actions/runs/{}/jobs", "actions", Read, &[Workflows]),
    Call("GET /repos/{}/actions/runs/{}/attempts/{}/jobs", "actions", Read, &[Workflows]),
    Call("GET /repos/{}/actions/runs/{}/pending_deployments", "actions", Read, &[Workflows]),
    Call("GET /repos/{}/actions/runs/{}/artifacts", "actions", Read, &[Workflows]),
    Call("GET /repos/{}/actions/artifacts/{}/zip", "actions", Read, &[Workflows]),
    Call("GET /repos/{}/actions/jobs/{}/logs", "actions", Read, &[Workflows]),
    // What stands in a repository, and what is proposed.
    Call("GET /repos/{}/git/ref/heads/{+}", "contents", Read, &[Files]),
    Call("GET /repos/{}/git/trees/{}", "contents", Read, &[Files]),
    Call("GET /repos/{}/git/blobs/{}", "contents", Read, &[Files]),
    Call("GET /repos/{}/git/commits/{}", "contents", Read, &[Files]),
    Call("GET /repos/{}/compare/{+}", "contents", Read, &[Files]),
    Call("POST /repos/{}/git/blobs", "contents", Write, &[Files]),
    Call("POST /repos/{}/git/trees", "contents", Write, &[Files]),
    Call("POST /repos/{}/git/commits", "contents", Write, &[Files]),
    Call("POST /repos/{}/git/refs", "contents", Write, &[Files]),
    Call("PATCH /repos/{}/git/refs/heads/{+}", "contents", Write, &[Files]),
    Call("DELETE /repos/{}/git/refs/heads/{+}", "contents", Write, &[Files]),
    Call("updateRefs", "contents", Write, &[Files]),
    Call("createRef", "contents", Write, &[Files]),
    Call("createCommitOnBranch", "contents", Write, &[Files]),
    Call("createCommitOnBranch", "workflows", Write, &[WorkflowFiles]),
    Call("pullRequests", "pull_requests", Read, &[Files]),
    Call("pullRequest", "pull_requests", Read, &[Files]),
    Call("createPullRequest", "pull_requests", Write, &[Files]),
    Call("createLabel", "pull_requests", Write, &[Files]),
    Call("addLabelsToLabelable", "pull_requests", Write, &[Files]),
    Call("requestReviews", "pull_requests", Write, &[Files]),
    Call("PATCH /repos/{}/pulls/{}", "pull_requests", Write, &[Files]),
    Call("GET /repos/{}/issues/{}/comments", "pull_requests", Read, &[Files]),
    Call("POST /repos/{}/issues/{}/comments", "pull_requests", Write, &[Files]),
    Call("team", "members", Read, &[Teams]),
    // What else stands on a commit.
    Call("GET /repos/{}/commits/{}/check-runs", "checks", Read, &[Checks, OwnCheck]),
    Call("POST /repos/{}/check-runs", "checks", Write, &[OwnCheck]),
    Call("PATCH /repos/{}/check-runs/{}", "checks", Write, &[OwnCheck]),
    Call("GET /repos/{}/commits/{}/status", "statuses", Read, &[Statuses]),
    Call("GET /repos/{}/deployments", "deployments", Read, &[Deployments]),
    Call("GET /repos/{}/deployments/{}/statuses", "deployments", Read, &[Deployments]),
    // Repositories.
    Call("POST /repos/{}/generate", "administration", Write, &[Repositories]),
    Call("POST /orgs/{}/repos", "administration", Write, &[Repositories]),
    Call("PATCH /repos/{}", "administration", Write, &[Repositories]),
    // Secrets.
    Call("GET /repos/{}/actions/secrets/public-key", "secrets", Read, &[Secrets]),
    Call("PUT /repos/{}/actions/secrets/{}", "secrets", Write, &[Secrets]),
    Call(
        "GET /repos/{}/environments/{}/secrets/public-key",
        "environments",
        Read,
        &[EnvironmentSecrets],
    ),
    Call("PUT /repos/{}/environments/{}/secrets/{}", "environments", Write, &[EnvironmentSecrets]),
];

/// An event, the permission without which it cannot be subscribed to, and what it is heard for.
const EVENTS: &[(&str, &[Use])] = &[
    ("workflow_run", &[Dispatch, Workflows]),
    ("workflow_job", &[Dispatch, Workflows]),
    ("pull_request", &[Files]),
    ("pull_request_review", &[Files]),
    ("push", &[Files]),
    ("check_run", &[Checks, OwnCheck]),
    ("status", &[Statuses]),
    ("deployment_status", &[Deployments]),
];

/// The least that these uses need: permission → level.
pub fn permissions_for(uses: &BTreeSet<Use>) -> BTreeMap<&'static str, Level> {
    let mut needed = BTreeMap::new();
    for Call(_, permission, level, of) in CALLS {
        if of.iter().any(|of| uses.contains(of)) {
            let known = needed.entry(*permission).or_insert(*level);
            *known = (*known).max(*level);
        }
    }
    needed
}

/// The events that these uses hear.
pub fn events_for(uses: &BTreeSet<Use>) -> BTreeSet<&'static str> {
    let heard = EVENTS.iter().filter(|(_, of)| of.iter().any(|of| uses.contains(of)));
    heard.map(|(event, _)| *event).collect()
}

/// Whether a call of the REST API stands in the table.
pub(super) fn is_known_call(method: &http::Method, path: &str) -> bool {
    CALLS.iter().any(|Call(call, ..)| {
        call.split_once(' ')
            .is_some_and(|(of, template)| of == method.as_str() && fits(template, path))
    })
}

/// Whether a field of GraphQL stands in the table.
pub(super) fn is_known_field(field: &str) -> bool {
    CALLS.iter().any(|Call(call, ..)| *call == field)
}

/// Whether a path is of this form. A `{}` is a part of it, at `/repos/` two; a `{+}` is all the rest.
fn fits(template: &str, path: &str) -> bool {
    let template = template.replacen("/repos/{}", "/repos/{}/{}", 1);
    let (mut wanted, mut given) = (template.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) | (Some("{+}"), Some(_)) => return true,
            (Some("{}"), Some(_)) => {}
            (Some(wanted), Some(given)) if wanted == given => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_known_by_its_form() {
        let known = |method: http::Method, path| is_known_call(&method, path);
        assert!(known(http::Method::GET, "/repos/acme/shop"));
        assert!(known(http::Method::GET, "/repos/acme/shop/git/ref/heads/towpath/a/1"));
        assert!(known(http::Method::POST, "/repos/acme/shop/actions/workflows/a.yml/dispatches"));
        assert!(!known(http::Method::POST, "/repos/acme/shop"));
        assert!(!known(http::Method::GET, "/repos/acme/shop/issues"));
        assert!(!known(http::Method::GET, "/repos/acme/shop/actions/runs/1/attempts/1/logs"));
    }

    /// Each call of the table is made by some file of this room.
    #[test]
    fn nothing_is_asked_for_that_is_not_used() {
        let mut sources = String::new();
        for file in std::fs::read_dir("src/github").unwrap() {
            let path = file.unwrap().path();
            let is_code = path.extension().is_some_and(|it| it == "rs");
            if is_code && !path.ends_with("permissions.rs") && !path.ends_with("tests.rs") {
                sources.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
        for Call(call, ..) in CALLS {
            let path = call.split_once(' ').map_or(*call, |(_, path)| path);
            for part in path.split('/').filter(|part| !part.starts_with('{')) {
                assert!(sources.contains(part), "{call}: nothing in src/github asks for {part}");
            }
        }
    }

    #[test]
    fn a_use_needs_the_most_that_any_of_its_calls_needs() {
        let files = permissions_for(&BTreeSet::from([Files]));
        assert_eq!(files.get("contents"), Some(&Write));
        assert_eq!(files.get("workflows"), None);
        let check = permissions_for(&BTreeSet::from([Checks]));
        assert_eq!(check.get("checks"), Some(&Read));
    }
}
