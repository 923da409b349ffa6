//! Has a step that was put aside done once more, when an administrator says so.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};

use super::DashboardState;
use super::problem::Problem;
use super::submitted::Submitted;
use super::view::run_href;
use crate::domain::Right;
use crate::store::StepId;

/// The step goes back into its lane, and the browser to the page of its run.
pub(super) async fn again(
    State(state): State<DashboardState>,
    step: Result<Path<String>, PathRejection>,
    Submitted { visitor, .. }: Submitted,
) -> Result<Response, Problem> {
    visitor.must(Right::Administer)?;
    let Path(step) = step?;
    let missing = || Problem::missing("step that was put aside", &step);
    let id: StepId = step.parse().map_err(|_| missing())?;
    let run = state.store.replay(id).await?.ok_or_else(missing)?;
    tracing::info!(run.id = %run, step = %id, by = visitor.user().shown(), "a step is done again");
    Ok(Redirect::to(&run_href(&run)).into_response())
}
