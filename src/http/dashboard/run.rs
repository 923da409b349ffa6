//! `/runs/{id}`: one run.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};

use super::DashboardState;
use super::page::{Frame, Section};
use super::problem::Problem;
use super::view::run::{Known, May, Recorded, view};
use super::view::told::entities_of;
use super::view::{GitHub, run_href};
use super::visitor::Visitor;
use crate::domain::{Right, Run, RunId};
use crate::plan;
use crate::store;

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
    if let Some(part) = run.part_of() {
        return Ok(Redirect::to(&run_href(&part.whole)).into_response());
    }
    let (events, parts) =
        futures_util::try_join!(state.store.events(&id, 0), state.store.parts_of(&id))?;
    let frame = Frame::new("run.html", run.request.title(), Section::Runs);
    let frame = frame.live(format!("/live?run={id}"));
    let github = GitHub(&state.github_url);
    let recorded = recorded_of(&state, run).await?;
    let mut of_parts = Vec::with_capacity(parts.len());
    for part in parts {
        of_parts.push(recorded_of(&state, part).await?);
    }
    let named = entities_of(&recorded.steps).cloned();
    let named = named.chain(recorded.run.request.entity_ref()).collect();
    let entities = state.store.known_entities(named).await?;
    let templates = (state.templates)();
    let known = Known { entities: &entities, templates: &templates };
    let mut view = view(&recorded, &of_parts, &events, &known, github);
    let may = visitor.may(Right::Administer);
    let is_open = plan::cannot_be_cancelled(&recorded.run).is_none();
    view.may = May { replay: may, cancel: may && is_open };
    Ok(frame.visited_by(&visitor).render(&view))
}

async fn recorded_of(state: &DashboardState, run: Run) -> Result<Recorded, store::Error> {
    let (steps, patches) =
        futures_util::try_join!(state.store.steps_of(&run.id), state.store.patches_of(&run.id))?;
    Ok(Recorded { run, steps, patches })
}
