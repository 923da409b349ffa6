//! What a part tells the whole, where another run would tell the portal.

use crate::domain::Event;
use crate::domain::parts::{PartOf, PartOutcome, PartPullRequest, PartReport, PartState};
use crate::domain::run::{PullRequestWork, Run, Stage, Work};
use crate::plan::pull_request;

/// What a decision on a part changes for the whole; nothing of a run that is no part. Counts it in
/// the part, so that no older report can come over it.
pub(crate) fn report(before: &Run, after: &mut Run, events: &[Event]) -> Option<PartReport> {
    after.part_of()?;
    let state = state(after)?;
    let links = (after.links != before.links).then(|| after.links.clone());
    let known = self::state(before);
    if Some(&state) == known.as_ref() && links.is_none() && events.is_empty() {
        return None;
    }
    // With which values it was rendered is certain once it has landed.
    let lands = state.has_landed && known.is_none_or(|known| !known.has_landed);
    let context = work(after).filter(|_| lands).map(|work| work.context.clone());
    let (run, repository) = (after.id.clone(), after.repository()?.clone());
    let part = part_mut(after)?;
    part.told += 1;
    let (number, events) = (part.told, events.to_vec());
    Some(PartReport { run, number, repository, state, links, events, context })
}

fn work(run: &Run) -> Option<&PullRequestWork> {
    match &run.work {
        Some(Work::PullRequest(work)) => Some(work),
        _ => None,
    }
}

fn part_mut(run: &mut Run) -> Option<&mut PartOf> {
    match &mut run.work {
        Some(Work::PullRequest(work)) => work.part.as_mut(),
        _ => None,
    }
}

fn state(run: &Run) -> Option<PartState> {
    let work = work(run)?;
    let unchanged = (run.stage == Stage::Done).then_some(PartOutcome::Unchanged);
    let outcome = pull_request::outcome(work).or(unchanged);
    Some(PartState {
        stage: run.stage,
        status: run.status,
        label: run.label.clone(),
        pull_request: work.pull_request.as_ref().map(|facts| PartPullRequest {
            number: facts.number,
            html_url: facts.html_url.clone(),
            state: facts.state,
        }),
        path: work.path.clone(),
        has_landed: work.landed().is_some(),
        outcome,
    })
}
