//! A change that was made and merged before its own run knew of it: the answer that opened the pull
//! request was lost.

use super::proposal::{Ground, context_at};
use crate::domain::run::Work;
use crate::domain::{Operation, Run};
use crate::template::{ActionOf, change};

/// The run with the values of what stands now: those that it would have proposed.
pub fn made_already(run: &Run, action: &ActionOf, ground: Ground<'_>) -> Run {
    let mut known = run.clone();
    let Some(Work::PullRequest(work)) = &mut known.work else { return known };
    work.path = Some(ground.path.to_owned());
    work.base = Some(ground.standing.base.clone());
    let manifest = change::manifest_of(ground.path, &ground.standing.files);
    // What is made has its values from the request, and what is deleted needs none.
    if let (Operation::Day2, Some(Ok(manifest))) = (action.action.operation, manifest) {
        work.context = context_at(run, action, &manifest.inputs, &manifest, ground.run_page);
    }
    known
}
