//! A pull request: who opens, reviews, merges and closes it.

use super::SandboxRepository;
use crate::sandbox::github::MergeMethod;
use crate::sandbox::github::pulls::NewPull;
use crate::sandbox::github::refusal::{Answered, Refusal};
use crate::sandbox::github::state::{AccountKind, Mergeable, PullState, World};

/// One pull request, as a handle.
#[derive(Clone)]
pub struct SandboxPull {
    repository: SandboxRepository,
    /// Its number in the repository.
    pub number: u64,
}

/// What a pull request looks like now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullRequest {
    /// Its number in the repository.
    pub number: u64,
    /// The title.
    pub title: String,
    /// The text, empty if there is none.
    pub body: String,
    /// Still open.
    pub is_open: bool,
    /// Closed by a merge.
    pub is_merged: bool,
    /// A draft.
    pub is_draft: bool,
    /// The branch it comes from.
    pub head: String,
    /// The commit it comes from.
    pub head_sha: String,
    /// The branch it goes to.
    pub base: String,
    /// The test merge while open, the merge once merged.
    pub merge_commit: Option<String>,
    /// The names of its labels.
    pub labels: Vec<String>,
    /// The people who are asked for a review.
    pub reviewers: Vec<String>,
    /// The teams that are asked for a review.
    pub team_reviewers: Vec<String>,
    /// The comments, oldest first.
    pub comments: Vec<String>,
}

/// The pull requests of a repository.
impl SandboxRepository {
    /// The numbers of all pull requests, oldest first.
    pub fn pull_numbers(&self) -> Vec<u64> {
        self.with(|world, index| {
            Ok(world.repositories[index].pulls.iter().map(|it| it.number).collect())
        })
    }

    /// A pull request by its number.
    pub fn pull_request(&self, number: u64) -> SandboxPull {
        self.with(|world, index| world.repositories[index].pull(number).map(drop));
        SandboxPull { repository: self.clone(), number }
    }

    /// The one pull request there is.
    pub fn only_pull_request(&self) -> SandboxPull {
        let numbers = self.pull_numbers();
        assert_eq!(numbers.len(), 1, "expected one pull request, there are {numbers:?}");
        self.pull_request(numbers[0])
    }

    /// A person opens a pull request into the default branch.
    pub fn open_pull_request(&self, person: &str, branch: &str, title: &str) -> SandboxPull {
        let number = self.with(|world, index| {
            let author = world.account(person, AccountKind::User);
            let base = world.repositories[index].default_branch.clone();
            let new = NewPull {
                title: title.to_owned(),
                body: None,
                head: branch.to_owned(),
                base,
                draft: false,
            };
            world.open_pull(index, new, author)
        });
        self.pull_request(number)
    }
}

/// What people do with a pull request.
impl SandboxPull {
    fn with<T>(&self, work: impl FnOnce(&mut World, usize, u64) -> Answered<T>) -> T {
        self.repository.with(|world, index| work(world, index, self.number))
    }

    /// What it looks like now.
    pub fn now(&self) -> PullRequest {
        self.with(|world, index, number| world.describe_pull(index, number))
    }

    /// A collaborator approves it.
    pub fn approve(&self, person: &str) {
        self.review(person, "APPROVED", "");
    }

    /// A collaborator asks for changes.
    pub fn request_changes(&self, person: &str, why: &str) {
        self.review(person, "CHANGES_REQUESTED", why);
    }

    fn review(&self, person: &str, state: &'static str, body: &str) {
        self.with(|world, index, number| {
            let person = world.account(person, AccountKind::User);
            world.repositories[index].collaborators.entry(person).or_insert("write");
            world.review(index, number, (state, body), person).map(drop)
        });
    }

    /// Somebody takes the newest review of a person away.
    pub fn dismiss_review_of(&self, person: &str, by: &str) {
        self.with(|world, index, number| {
            let person = world.account(person, AccountKind::User);
            let by = world.account(by, AccountKind::User);
            let reviews = &world.repositories[index].pull(number)?.reviews;
            let newest = reviews.iter().rev().find(|it| it.author == person).map(|it| it.id);
            world.dismiss_review(index, number, newest.ok_or_else(Refusal::not_found)?, by)
        });
    }

    /// A person merges it; returns the commit that the base moved to.
    pub fn merge(&self, person: &str, method: MergeMethod) -> String {
        self.try_merge(person, method).unwrap_or_else(|why| panic!("the sandbox refuses: {why}"))
    }

    /// A person tries to merge it; GitHub's words if that is refused.
    pub fn try_merge(&self, person: &str, method: MergeMethod) -> Result<String, String> {
        self.with(|world, index, number| {
            let person = world.account(person, AccountKind::User);
            if world.repositories[index].merge_queue {
                return Ok(Err("Changes must be made through the merge queue".to_owned()));
            }
            Ok(world.merge_pull(index, number, method, None, person).map_err(|it| it.message))
        })
    }

    /// A person puts it into the merge queue; returns the merge group's commit.
    pub fn enqueue(&self, person: &str) -> String {
        self.with(|world, index, number| {
            let person = world.account(person, AccountKind::User);
            world.enqueue_pull(index, number, person)
        })
    }

    /// The merge queue merges it.
    pub fn merge_from_queue(&self) -> String {
        self.with(|world, index, number| {
            let queue = world.account("github-merge-queue[bot]", AccountKind::Bot);
            world.merge_from_queue(index, number, queue)
        })
    }

    /// The merge queue gives it up; `reason` is GitHub's word, e.g. `CI_FAILURE`.
    pub fn drop_from_queue(&self, reason: &str) {
        self.with(|world, index, number| {
            let queue = world.account("github-merge-queue[bot]", AccountKind::Bot);
            world.dequeue_pull(index, number, reason, queue)
        });
    }

    /// A person closes it without a merge.
    pub fn close(&self, person: &str) {
        self.with(|world, index, number| {
            let person = world.account(person, AccountKind::User);
            world.close_pull(index, number, person)
        });
    }

    /// A person opens it again.
    pub fn reopen(&self, person: &str) {
        self.with(|world, index, number| {
            let person = world.account(person, AccountKind::User);
            world.reopen_pull(index, number, person)
        });
    }

    /// A person comments.
    pub fn comment(&self, person: &str, body: &str) {
        self.with(|world, index, number| {
            let person = world.account(person, AccountKind::User);
            world.add_comment(index, number, body, person).map(drop)
        });
    }
}

impl World {
    fn describe_pull(&self, index: usize, number: u64) -> Answered<PullRequest> {
        let found = &self.repositories[index];
        let pull = found.pull(number)?;
        let labels = found.labels.iter().filter(|it| pull.labels.contains(&it.id));
        let comments = found.comments.iter().filter(|it| it.number == number);
        Ok(PullRequest {
            number,
            title: pull.title.clone(),
            body: pull.body.clone().unwrap_or_default(),
            is_open: pull.state == PullState::Open,
            is_merged: pull.state == PullState::Merged,
            is_draft: pull.draft,
            head: pull.head_ref.clone(),
            head_sha: pull.head_sha.clone(),
            base: pull.base_ref.clone(),
            merge_commit: pull.merge_commit.clone().filter(|_| pull.mergeable != Mergeable::No),
            labels: labels.map(|it| it.name.clone()).collect(),
            reviewers: pull.reviewers.iter().map(|it| self.login(*it).to_owned()).collect(),
            team_reviewers: pull
                .team_reviewers
                .iter()
                .filter_map(|it| Some(self.team(*it)?.slug.clone()))
                .collect(),
            comments: comments.map(|it| it.body.clone()).collect(),
        })
    }
}
