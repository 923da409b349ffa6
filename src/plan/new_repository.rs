//! A run that makes a repository: it is made, its first commit has the files, and that commit is
//! applied as a merge would be.

use chrono::{DateTime, Utc};

use crate::domain::observation::Link;
use crate::domain::run::{Event, PullRequestWork, Run, Stage, Work};
use crate::domain::standing::Standing;
use crate::domain::{BranchName, CommitSha, RepositoryName, RunId};
use crate::template::change;

use super::begin::Refusal;
use super::decision::Decision;
use super::draft::Draft;
use super::pull_request;
use super::step::Step;

/// The description of a repository while a run makes it: who finds it knows whose it is.
pub fn being_made_by(run: &RunId) -> String {
    format!("Being made by Towpath, run {run}")
}

/// Why nothing is done where the repository is there already, and is not the run's own.
pub fn name_taken(name: &RepositoryName) -> Refusal {
    Refusal::because(format!(
        "The repository {name} exists already, perhaps where the App may not see it. Nothing was \
         written to it. Choose another name."
    ))
}

/// The run's repository is there, with nothing of the template in it yet.
pub fn repository_made(run: Run, base: &BranchName, page: &str, now: DateTime<Utc>) -> Decision {
    let go_on = |draft: &mut Draft, work: &mut PullRequestWork| {
        work.base = Some(base.clone());
        draft.run.add_link(page);
        // The first commit starts what applies it.
        if let Some((on, name)) = pull_request::awaited(work) {
            draft.link(Link::awaited_apply(&work.repository, &on, &name));
        }
        draft.stage(Stage::Received, "Repository made");
        draft.say(Event::progress(format!("The repository {} is made: {page}.", work.repository)));
        draft.then(Step::FirstCommit);
    };
    Draft::of(run).on_pull_request(go_on).finish(now)
}

/// Whether the run's files stand in its repository already.
pub fn has_first_commit(run: &Run, standing: &Standing) -> bool {
    let manifest = change::manifest_of("", &standing.files).and_then(Result::ok);
    manifest.is_some_and(|manifest| manifest.run == run.id)
}

/// The run's files stand in its repository, with this commit.
pub fn first_committed(run: Run, commit: &CommitSha, now: DateTime<Utc>) -> Decision {
    let go_on = |draft: &mut Draft, work: &mut PullRequestWork| {
        let Some(new) = &mut work.new_repository else { return };
        if new.first_commit.is_some() {
            return;
        }
        new.first_commit = Some(commit.clone());
        draft.link(Link::commit(&work.repository, commit));
        draft.stage(Stage::Merged, "Applying");
        let files = format!("Its files are written, with commit {}.", commit.short());
        draft.say(Event::progress(files));
        pull_request::begin_apply(draft, work);
    };
    Draft::of(run).on_pull_request(go_on).finish(now)
}

/// The repository that a run makes: how, and who it is.
pub fn new_repository(run: &Run) -> Option<&PullRequestWork> {
    match &run.work {
        Some(Work::PullRequest(work)) if work.new_repository.is_some() => Some(work),
        _ => None,
    }
}
