//! `/runs/{id}`: one run.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::Response;

use super::DashboardState;
use super::page::{Frame, Section};
use super::problem::Problem;
use super::view::GitHub;
use super::view::run::{May, view};
use super::visitor::Visitor;
use crate::domain::{Right, RunId};
use crate::plan;

/// The page of a run.
pub(super) async fn page(
    State(state): State<DashboardState>,
    visitor: Visitor,
    name: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let Path(name) = name?;
    let missing = || Problem::missing("run", &name);
    let id = RunId::new(name.as_str()).map_err(|_| missing())?;
    let run = state.store.run(&id).await?.ok_or_else(missing)?;
    let (events, steps, patches) = futures_util::try_join!(
        state.store.events(&id, 0),
        state.store.steps_of(&id),
        state.store.patches_of(&id)
    )?;
    let frame = Frame::new("run.html", run.request.title(), Section::Runs);
    let frame = frame.live(format!("/live?run={id}"));
    let entity = match run.request.entity_ref() {
        Some(entity) => state.store.entity(&entity).await?.map(|record| record.entity.entity),
        None => None,
    };
    let github = GitHub(&state.github_url);
    let mut view = view(&run, &events, &steps, &patches, entity.as_ref(), github);
    let may = visitor.may(Right::Administer);
    view.may = May { replay: may, cancel: may && plan::cannot_be_cancelled(&run).is_none() };
    Ok(frame.visited_by(&visitor).render(&view))
}
