//! `/health`: how the service does.

use axum::extract::State;
use axum::response::Response;

use super::page::{Frame, Section};
use super::problem::Problem;
use super::view::health::view;
use super::visitor::Visitor;
use super::{DashboardState, attention};

/// The state of the service.
pub(super) async fn page(
    State(state): State<DashboardState>,
    visitor: Visitor,
) -> Result<Response, Problem> {
    let counts = state.store.counts().await?;
    let parked = attention::parked(&state).await?;
    let frame = Frame::new("health.html", "Health", Section::Health).live("/live");
    Ok(frame.visited_by(&visitor).render(&view(
        &counts,
        &parked,
        state.backstage.budgets(),
        state.clock.now(),
    )))
}
