//! What the dashboard has others do: it knows neither GitHub nor how a change is made.

use std::pin::Pin;

use futures_util::future::BoxFuture;

use crate::domain::github_view::{Budget, JobView};
use crate::domain::{ActionRun, Door, Finding, RepositoryName, WorkflowRunId};
use crate::plan::Preview;

/// An answer that takes its time; else, in a sentence, why there is none.
pub type Awaited<T> = Pin<Box<dyn Future<Output = Result<T, String>> + Send>>;

/// What is behind the dashboard.
pub trait Backstage: Send + Sync {
    /// What would come of a request. Nothing is done.
    fn preview(&self, request: ActionRun) -> Awaited<Preview>;

    /// What is granted, reachable and configured, looked at anew.
    fn examine(&self) -> BoxFuture<'static, Vec<Finding>>;

    /// The jobs of a workflow run as they stand, with the tails of their logs.
    fn jobs(&self, repository: &RepositoryName, run: WorkflowRunId) -> Awaited<Vec<JobView>>;

    /// What each installation may still ask of GitHub, as far as it was heard.
    fn budgets(&self) -> Vec<Budget>;

    /// The ways in.
    fn doors(&self) -> Vec<Door> {
        Vec::new()
    }
}
