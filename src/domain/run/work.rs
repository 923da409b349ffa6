//! What a run does: a workflow that it dispatches, a change that it proposes, a message that it
//! delivers, or parts that it has done.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Attempt, PullRequestWork};
use crate::domain::entity::EntityRef;
use crate::domain::ids::WorkflowRunId;
use crate::domain::observation::Conclusion;
use crate::domain::parts::PartsWork;
use crate::domain::repository::RepositoryName;

/// What a run does on GitHub.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Work {
    /// Dispatches a workflow and follows it.
    Workflow(Box<WorkflowWork>),
    /// Proposes a change and follows it until it is applied.
    PullRequest(Box<PullRequestWork>),
    /// Nothing on GitHub: delivers its message to an address inside the network.
    Delivery(DeliveryWork),
    /// Has its parts done, each by a run of its own.
    Parts(Box<PartsWork>),
}

/// A message that is delivered inside the network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryWork {
    /// The outside's name of what was begun there.
    pub external_run_id: Option<String>,
    /// Whoever got the message reports the end of the run.
    pub is_left_to_receiver: bool,
}

/// A dispatched workflow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkflowWork {
    /// Where.
    pub repository: RepositoryName,
    /// File name or id.
    pub workflow: String,
    /// On which branch or tag; the default branch, where none was named.
    pub reference: Option<String>,
    /// The inputs, as text.
    pub inputs: Map<String, Value>,
    /// Whether its end is the run's end.
    pub report_status: bool,
    /// What becomes of the catalog after a success.
    pub entity: Option<EntityPlan>,
    /// The names and values in which the entity is rendered.
    pub context: Value,
    /// The template's own meaning of conclusions (`neutral: failure`), by GitHub's word.
    #[serde(default)]
    pub conclusions: Vec<(Conclusion, bool)>,
    /// The workflow run, once it is known.
    pub workflow_run: Option<WorkflowRunFacts>,
}

/// What is known of a workflow run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkflowRunFacts {
    /// Kept by a re-run.
    pub id: WorkflowRunId,
    /// Its page.
    pub html_url: String,
    /// How far its latest attempt is.
    #[serde(flatten)]
    pub latest: Attempt,
}

/// What becomes of the catalog when the work has gone well.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "then", rename_all = "snake_case")]
pub enum EntityPlan {
    /// The entity is written: the template's mapping, rendered when the outputs are known.
    Upsert {
        /// `entity` of `template.yml`, as it stands there.
        mapping: Value,
    },
    /// The entity is deleted.
    Delete {
        /// Which one.
        entity: EntityRef,
    },
}
