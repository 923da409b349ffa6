//! By what an observation finds the runs that it concerns.

use serde::{Deserialize, Serialize};

use super::Observation;
use crate::domain::ids::{PullRequestNumber, WorkflowRunId};
use crate::domain::repository::{BranchName, CommitSha, RepositoryName};

/// What a delivery and a run have in common: one indexed look-up by it decides whether a delivery
/// concerns a run.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Link(String);

impl Link {
    /// A workflow run that was dispatched, or that plans or applies.
    pub fn workflow_run(repository: &RepositoryName, id: WorkflowRunId) -> Self {
        Self::of("workflow_run", repository, &[&id.to_string()])
    }

    /// A pull request.
    pub fn pull_request(repository: &RepositoryName, number: PullRequestNumber) -> Self {
        Self::of("pull_request", repository, &[&number.to_string()])
    }

    /// A commit: the head of a pull request, or what a merge made of it.
    pub fn commit(repository: &RepositoryName, sha: &CommitSha) -> Self {
        Self::of("commit", repository, &[sha.as_str()])
    }

    /// A run's own branch.
    pub fn branch(repository: &RepositoryName, branch: &BranchName) -> Self {
        Self::of("branch", repository, &[branch.as_str()])
    }

    /// A folder on a branch.
    pub fn folder(repository: &RepositoryName, branch: &BranchName, path: &str) -> Self {
        Self::of("folder", repository, &[branch.as_str(), path])
    }

    /// What is to apply a merged change: a workflow file on the base branch, or the name of a
    /// status, a check or an environment (`*` for the branch).
    pub fn apply(repository: &RepositoryName, base: &str, name: &str) -> Self {
        Self::of("apply", repository, &[base, name])
    }

    /// A workflow that was dispatched, before GitHub has answered with the id of the run.
    pub fn awaited_dispatch(repository: &RepositoryName, file: &str) -> Self {
        Self::of("awaited_dispatch", repository, &[file])
    }

    /// The same for the jobs of that run, whose events do not name the workflow's file.
    pub fn awaited_jobs(repository: &RepositoryName) -> Self {
        Self::of("awaited_jobs", repository, &[])
    }

    /// The same as [`Link::apply`], before the merge was seen.
    pub fn awaited_apply(repository: &RepositoryName, base: &str, name: &str) -> Self {
        Self::of("awaited_apply", repository, &[base, name])
    }

    /// Each delivery makes several: so without a formatter.
    fn of(kind: &str, repository: &RepositoryName, rest: &[&str]) -> Self {
        Self([&[kind, &repository.key()], rest].concat().join(":"))
    }

    /// As it is stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Observation {
    /// Every link by which this may concern a run.
    pub fn links(&self) -> Vec<Link> {
        match self {
            Self::WorkflowRun(run) => {
                let mut links = vec![
                    Link::workflow_run(&run.repository, run.id),
                    Link::commit(&run.repository, &run.head_sha),
                ];
                if let Some(branch) = &run.branch {
                    links.push(Link::apply(&run.repository, branch, &run.file));
                }
                let branch = run.branch.as_ref().and_then(|name| BranchName::new(name).ok());
                links.extend(branch.map(|branch| Link::branch(&run.repository, &branch)));
                links
            }
            Self::WorkflowJob(job) => vec![Link::workflow_run(&job.repository, job.workflow_run)],
            Self::PullRequest(pull) => vec![
                Link::pull_request(&pull.repository, pull.number),
                Link::branch(&pull.repository, &pull.head),
            ],
            Self::Review(review) => vec![Link::pull_request(&review.repository, review.number)],
            Self::Signal(signal) => vec![
                Link::commit(&signal.repository, &signal.sha),
                Link::apply(&signal.repository, "*", &signal.name),
            ],
            Self::Push(push) => {
                let of = |path: &String| Link::folder(&push.repository, &push.branch, path);
                let branch = Link::branch(&push.repository, &push.branch);
                std::iter::once(branch).chain(push.folders.iter().map(of)).collect()
            }
            Self::RenderAgain(asked) => vec![Link::pull_request(&asked.repository, asked.number)],
            // All checks of a commit: the one on a run's pull request is among them. A single one
            // that is asked for like this is of no run.
            Self::CheckAgain(asked) if asked.check.is_none() => {
                vec![Link::commit(&asked.repository, &asked.commit)]
            }
            Self::CheckAgain(_) => Vec::new(),
        }
    }

    /// Links by which a run may yet claim this: it was dispatched and has no id yet, or its merge
    /// was not seen yet. Where one of them is known, the observation is kept for a while under
    /// [`Observation::links`].
    pub fn may_yet_concern(&self) -> Vec<Link> {
        match self {
            Self::WorkflowRun(run) if run.event == "workflow_dispatch" => {
                vec![Link::awaited_dispatch(&run.repository, &run.file)]
            }
            Self::WorkflowRun(run) => {
                let branch = run.branch.as_deref().unwrap_or_default();
                vec![Link::awaited_apply(&run.repository, branch, &run.file)]
            }
            Self::WorkflowJob(job) => vec![Link::awaited_jobs(&job.repository)],
            Self::Signal(signal) => {
                vec![Link::awaited_apply(&signal.repository, "*", &signal.name)]
            }
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A database has links of older versions.
    #[test]
    fn a_link_is_stored_as_it_always_was() {
        let repository: RepositoryName = "Acme/Shop".parse().unwrap();
        let main = BranchName::new("Main").unwrap();
        let sha = CommitSha::new("a".repeat(40)).unwrap();
        for (link, stored) in [
            (Link::workflow_run(&repository, WorkflowRunId(7)), "workflow_run:acme/shop:7"),
            (Link::pull_request(&repository, PullRequestNumber(8)), "pull_request:acme/shop:8"),
            (Link::commit(&repository, &sha), &*format!("commit:acme/shop:{sha}")),
            (Link::branch(&repository, &main), "branch:acme/shop:Main"),
            (Link::folder(&repository, &main, "a/B"), "folder:acme/shop:Main:a/B"),
            (Link::apply(&repository, "*", "CI"), "apply:acme/shop:*:CI"),
            (Link::awaited_dispatch(&repository, "d.yml"), "awaited_dispatch:acme/shop:d.yml"),
            (Link::awaited_jobs(&repository), "awaited_jobs:acme/shop"),
            (Link::awaited_apply(&repository, "*", "CI"), "awaited_apply:acme/shop:*:CI"),
        ] {
            assert_eq!(link.as_str(), stored);
        }
    }
}
