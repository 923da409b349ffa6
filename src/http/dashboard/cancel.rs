//! Has a run cancelled, when an administrator says so.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};

use super::DashboardState;
use super::problem::Problem;
use super::submitted::Submitted;
use super::view::run_href;
use crate::domain::{Right, RunId};
use crate::plan;

/// It is written down that the run is to be cancelled, and the browser goes back to its page.
pub(super) async fn cancel(
    State(state): State<DashboardState>,
    name: Result<Path<String>, PathRejection>,
    Submitted { visitor, .. }: Submitted,
) -> Result<Response, Problem> {
    visitor.must(Right::Administer)?;
    let Path(name) = name?;
    let missing = || Problem::missing("run", &name);
    let id = RunId::new(name.as_str()).map_err(|_| missing())?;
    let run = state.store.run(&id).await?.ok_or_else(missing)?;
    if let Some(reason) = plan::cannot_be_cancelled(&run) {
        return Err(Problem::not_cancelled(reason));
    }
    let user = visitor.user();
    let by = if visitor.person.is_some() { user.shown() } else { "Somebody at the dashboard" };
    state.store.request_cancel(&id, by).await?;
    tracing::info!(run.id = %id, by, "a run is to be cancelled");
    Ok(Redirect::to(&run_href(&id)).into_response())
}
