//! `/doctor`: what is granted, reachable and configured, beside what the templates need.

use axum::extract::State;
use axum::response::Response;

use super::DashboardState;
use super::page::{Frame, Section};
use super::view::GitHub;
use super::view::doctor::view;
use super::visitor::Visitor;

/// The findings, looked at for this page.
pub(super) async fn page(State(state): State<DashboardState>, visitor: Visitor) -> Response {
    let found = state.backstage.examine().await;
    let frame = Frame::new("doctor.html", "Doctor", Section::Health);
    frame.visited_by(&visitor).render(&view(found, GitHub(&state.github_url)))
}
