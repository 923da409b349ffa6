//! `/runs/{id}/jobs`: the jobs of a run's workflow runs as they stand on GitHub. Asked for when
//! somebody looks, and never by itself: it costs some of GitHub's budget.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::Response;

use super::DashboardState;
use super::page::{Frame, Section};
use super::problem::Problem;
use super::view::GitHub;
use super::view::jobs::{Looked, view, workflow_runs};
use super::visitor::Visitor;
use crate::domain::RunId;

/// The jobs of a run.
pub(super) async fn page(
    State(state): State<DashboardState>,
    visitor: Visitor,
    name: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let Path(name) = name?;
    let missing = || Problem::missing("run", &name);
    let id = RunId::new(name.as_str()).map_err(|_| missing())?;
    let run = state.store.run(&id).await?.ok_or_else(missing)?;
    let parts = state.store.parts_of(&id).await?;
    let mut looked = Vec::new();
    for of in std::iter::once(&run).chain(&parts) {
        let Some(repository) = of.repository() else { continue };
        for workflow_run in workflow_runs(of) {
            let jobs = state.backstage.jobs(repository, workflow_run.id).await;
            let part = of.part_of().map(|_| repository.clone());
            looked.push(Looked { workflow_run, part, jobs });
        }
    }
    let frame = Frame::new("jobs.html", format!("Jobs of {}", run.request.title()), Section::Runs);
    Ok(frame.visited_by(&visitor).render(&view(&run, looked, GitHub(&state.github_url))))
}
