//! The names of things: runs, repositories, entities, and what is seen of them on GitHub.
//!
//! Pure data and the rules that hold for it. No I/O, no async, no clock.
//! Does not know about: anything else in this crate.

pub mod action_run;
pub mod app;
pub mod check;
pub mod deadline;
mod door;
pub mod entity;
pub mod finding;
pub mod github_view;
pub mod ids;
pub mod observation;
pub mod parts;
pub mod person;
pub mod report;
pub mod repository;
pub mod run;
pub mod standing;

pub use action_run::{ActionRun, Delivery, Invocation, Operation, User, WorkflowInvocation};
pub use app::RegisteredApp;
pub use door::Door;
pub use entity::{EntityRef, EntityUpsert};
pub use finding::{Finding, Verdict};
pub use ids::{
    ActionId, BlueprintId, DeliveryId, EntityId, PullRequestNumber, RunId, TargetName,
    TemplateName, WorkflowRunId,
};
pub use observation::{Link, Observation};
pub use person::{Group, Person, Right, Rules};
pub use report::{Explanation, PlanSummary, Progress};
pub use repository::{BranchName, CommitSha, RepositoryName};
pub use run::{Event, EventKind, Run, Stage, Status};
