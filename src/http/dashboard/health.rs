//! `/health`: how the service does.

use axum::extract::State;
use axum::response::Response;

use super::page::{Frame, Section};
use super::problem::Problem;
use super::view::GitHub;
use super::view::health::{WaysIn, view};
use super::visitor::Visitor;
use super::{DashboardState, attention};

/// How many messages are shown that were left aside.
const MOST_MESSAGES: u32 = 20;

/// The state of the service.
pub(super) async fn page(
    State(state): State<DashboardState>,
    visitor: Visitor,
) -> Result<Response, Problem> {
    let counts = state.store.counts().await?;
    let parked = attention::parked(&state).await?;
    let ways_in = WaysIn {
        doors: state.backstage.doors(),
        heard: state.store.last_heard().await?,
        left_aside: state.store.parked_messages(MOST_MESSAGES).await?,
    };
    let frame = Frame::new("health.html", "Health", Section::Health).live("/live");
    Ok(frame.visited_by(&visitor).render(&view(
        &counts,
        &parked,
        state.backstage.budgets(),
        ways_in,
        state.clock.now(),
        GitHub(&state.github_url),
    )))
}
