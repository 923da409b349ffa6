//! Which runs somebody should look at: those that wait for a review or an approval, failed lately,
//! or have a step that was put aside.
//!
//! How many there are is counted first, so that the search ends at the oldest of them and does not
//! go through the whole history.

use chrono::TimeDelta;

use super::DashboardState;
use super::view::runs::Urgent;
use crate::domain::{Run, Stage, Status};
use crate::store::{Counts, Error, ParkedStep, RunFilter};

/// How many open runs are looked through.
const MOST_OPEN: u64 = 200;
/// How many runs of each kind are shown.
const MOST_SHOWN: usize = 10;
/// For how long a failure is news.
const RECENT: TimeDelta = TimeDelta::days(3);
/// How many parked steps are looked at.
const MOST_PARKED: u32 = 50;

/// The runs that need somebody, the most urgent kind first: parked, waiting, failed.
pub(super) async fn runs(state: &DashboardState) -> Result<Vec<Urgent>, Error> {
    let counts = state.store.counts().await?;
    let open = open(state, &counts).await?;
    let failed = failed(state, &counts).await?;
    let mut parked: Vec<Run> = Vec::new();
    for (run, _) in self::parked(state).await? {
        if !parked.iter().any(|known| known.id == run.id) {
            parked.push(run);
        }
    }

    let is_waiting = |run: &&Run| {
        matches!(run.stage, Stage::Proposed | Stage::Waiting)
            || run.status == Status::WaitingForApproval
    };
    let waiting = open.iter().filter(is_waiting).take(MOST_SHOWN);
    let rest = waiting.chain(failed.iter().take(MOST_SHOWN));
    let rest = rest.filter(|run| !parked.iter().any(|parked| parked.id == run.id));
    let rest = rest.map(|run| Urgent { run: run.clone(), is_parked: false });
    let parked = parked.iter().take(MOST_SHOWN);
    let urgent = parked.map(|run| Urgent { run: run.clone(), is_parked: true });
    Ok(urgent.chain(rest).collect())
}

/// Steps that were put aside, the newest first, each with its run.
pub(super) async fn parked(state: &DashboardState) -> Result<Vec<(Run, ParkedStep)>, Error> {
    let mut parked = Vec::new();
    for step in state.store.parked_steps(None, MOST_PARKED).await? {
        if let Some(run) = state.store.run(&step.run).await? {
            parked.push((run, step));
        }
    }
    Ok(parked)
}

async fn open(state: &DashboardState, counts: &Counts) -> Result<Vec<Run>, Error> {
    let is_open = |stage: Stage| {
        !matches!(stage, Stage::Done | Stage::Failed | Stage::Refused | Stage::Declined)
    };
    let limit = count(counts, is_open).min(MOST_OPEN);
    let mut open = with_status(state, Status::InProgress, limit).await?;
    // A run that waits for the portal's approver has not begun: it is at the first stage.
    let received = count(counts, |stage| stage == Stage::Received).min(MOST_OPEN);
    open.extend(with_status(state, Status::WaitingForApproval, received).await?);
    Ok(open)
}

async fn failed(state: &DashboardState, counts: &Counts) -> Result<Vec<Run>, Error> {
    // The portal calls all three a failure; only the first needs somebody.
    let has_failed =
        |stage: Stage| matches!(stage, Stage::Failed | Stage::Refused | Stage::Declined);
    let since = state.clock.now() - RECENT;
    let limit = count(counts, has_failed).min(MOST_OPEN / 4);
    let mut failed = with_status(state, Status::Failure, limit).await?;
    failed.retain(|run| {
        run.stage == Stage::Failed && !run.was_cancelled() && run.updated_at >= since
    });
    Ok(failed)
}

async fn with_status(
    state: &DashboardState,
    status: Status,
    limit: u64,
) -> Result<Vec<Run>, Error> {
    if limit == 0 {
        return Ok(Vec::new());
    }
    let limit = u32::try_from(limit).unwrap_or(u32::MAX);
    state.store.runs(&RunFilter { status: Some(status), limit, ..RunFilter::default() }).await
}

fn count(counts: &Counts, is_it: impl Fn(Stage) -> bool) -> u64 {
    counts.runs.iter().filter(|(stage, _)| is_it(*stage)).map(|(_, runs)| runs).sum()
}
