//! `/catalog` and below: what the runs have made.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::Response;

use super::DashboardState;
use super::page::{Frame, Section};
use super::problem::Problem;
use super::runs::known_of;
use super::view::GitHub;
use super::view::actions::on_entity;
use super::view::catalog::{self as view, Shelf};
use super::visitor::Visitor;
use crate::domain::{BlueprintId, EntityId, EntityRef};
use crate::store::{Error, RunFilter};

/// How many of its runs an entity's page lists.
const RUNS: u32 = 20;

/// All blueprints.
pub(super) async fn overview(
    State(state): State<DashboardState>,
    visitor: Visitor,
) -> Result<Response, Problem> {
    let shelves = shelves(&state).await?;
    let frame = Frame::new("catalog.html", "Catalog", Section::Catalog).live("/live");
    Ok(frame.visited_by(&visitor).render(&view::overview(&shelves, GitHub(&state.github_url))))
}

/// One blueprint with all its entities.
pub(super) async fn blueprint(
    State(state): State<DashboardState>,
    visitor: Visitor,
    name: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let Path(name) = name?;
    let missing = || Problem::missing("blueprint", &name);
    let blueprint = BlueprintId::new(name.as_str()).map_err(|_| missing())?;
    let records = state.store.entities(&blueprint).await?;
    if records.is_empty() && !(state.blueprints)().contains(&blueprint) {
        return Err(missing());
    }
    let frame = Frame::new("blueprint.html", name, Section::Catalog).live("/live");
    Ok(frame
        .visited_by(&visitor)
        .render(&view::blueprint(&(blueprint, records), GitHub(&state.github_url))))
}

/// One entity.
pub(super) async fn entity(
    State(state): State<DashboardState>,
    visitor: Visitor,
    names: Result<Path<(String, String)>, PathRejection>,
) -> Result<Response, Problem> {
    let Path((blueprint, identifier)) = names?;
    let missing = || Problem::missing("entity", &identifier);
    let entity = EntityRef {
        blueprint: BlueprintId::new(blueprint.as_str()).map_err(|_| missing())?,
        identifier: EntityId::new(identifier.as_str()).map_err(|_| missing())?,
    };
    let record = state.store.entity(&entity).await?.ok_or_else(missing)?;
    let mut shelves = shelves(&state).await?;
    if !(state.blueprints)().contains(&entity.blueprint) {
        let records = state.store.entities(&entity.blueprint).await?;
        shelves.push((entity.blueprint.clone(), records));
    }
    let actions = on_entity(&(state.templates)(), &entity, &visitor);
    let filter = RunFilter { entity: Some(entity), limit: RUNS, ..RunFilter::default() };
    let runs = state.store.runs(&filter).await?;
    let known = known_of(&state, runs.iter()).await?;
    let title = record.entity.title.clone().unwrap_or_else(|| identifier.clone());
    let frame = Frame::new("entity.html", title, Section::Catalog).live("/live");
    Ok(frame.visited_by(&visitor).render(&view::entity(
        &record,
        &shelves,
        view::Around { actions, runs: &runs, known },
        GitHub(&state.github_url),
    )))
}

async fn shelves(state: &DashboardState) -> Result<Vec<Shelf>, Error> {
    let blueprints = (state.blueprints)();
    let mut shelves = Vec::with_capacity(blueprints.len());
    for blueprint in &blueprints {
        shelves.push((blueprint.clone(), state.store.entities(blueprint).await?));
    }
    Ok(shelves)
}
