//! The action run: what the portal asks for, in one form whatever form it came in.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::entity::EntityRef;
use super::ids::{ActionId, BlueprintId, EntityId, RunId};
use super::repository::RepositoryName;

/// What a person asked for by pressing a button in the portal. Secret inputs are in it only as the
/// portal's ciphertext: what arrives in clear is sealed at the door.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ActionRun {
    /// The portal's id of the run.
    pub id: RunId,
    /// Where its reports go: an action run, or a node of a portal workflow (`wfnr_…`).
    pub kind: RunKind,
    /// Which action.
    pub action: ActionId,
    /// The action's title, where the message has one.
    pub action_title: Option<String>,
    /// What the portal says the action does to its entity, where it says it.
    pub operation: Option<Operation>,
    /// What the person filled in.
    pub inputs: Map<String, Value>,
    /// What the action ran on: the portal's entity, at least with `identifier`.
    pub entity: Option<Value>,
    /// Who pressed the button.
    pub user: User,
    /// The portal's organisation.
    pub organization: Option<String>,
    /// Names of the inputs that hold ciphertext.
    pub encrypted: Vec<String>,
    /// What is to happen.
    pub invocation: Invocation,
}

impl ActionRun {
    /// The identifier of the entity that the action ran on.
    pub fn entity_identifier(&self) -> Option<EntityId> {
        let identifier = self.entity.as_ref()?.get("identifier")?.as_str()?;
        EntityId::new(identifier).ok()
    }

    /// What the action ran on, where the message says of which blueprint it is.
    pub fn entity_ref(&self) -> Option<EntityRef> {
        let blueprint = self.entity.as_ref()?.get("blueprint")?.as_str()?;
        let blueprint = BlueprintId::new(blueprint).ok()?;
        Some(EntityRef { blueprint, identifier: self.entity_identifier()? })
    }

    /// The title that people read: the message's, else the identifier in title case.
    pub fn title(&self) -> String {
        self.action_title.clone().unwrap_or_else(|| {
            let words = self.action.as_str().split(['_', '-', '.', ' ']).filter(|w| !w.is_empty());
            let capitalised = words.map(|word| {
                let mut letters = word.chars();
                let first = letters.next().map(|c| c.to_uppercase().to_string());
                first.unwrap_or_default() + letters.as_str()
            });
            capitalised.collect::<Vec<_>>().join(" ")
        })
    }
}

/// Which of the portal's two kinds of run, or none of the portal's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunKind {
    /// A run of a self-service action or an automation.
    Action,
    /// A run of one node of a portal workflow.
    WorkflowNode,
    /// Asked for at this program itself. No portal knows of it, and none is told.
    Own,
}

/// What an action does to the thing it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operation {
    /// Makes it.
    #[serde(rename = "create", alias = "CREATE")]
    Create,
    /// Changes it.
    #[serde(rename = "day-2", alias = "DAY-2")]
    Day2,
    /// Removes it.
    #[serde(rename = "delete", alias = "DELETE")]
    Delete,
}

impl Operation {
    /// `create`, `day-2` or `delete`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Day2 => "day-2",
            Self::Delete => "delete",
        }
    }
}

/// Who pressed the button.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The portal's id.
    pub id: Option<String>,
    /// `trigger.by.user.email`.
    pub email: Option<String>,
    /// First and last name.
    pub name: Option<String>,
}

impl User {
    /// The best name there is, for people to read.
    pub fn shown(&self) -> &str {
        let known = self.name.as_deref().or(self.email.as_deref()).or(self.id.as_deref());
        known.unwrap_or("somebody")
    }
}

/// What a message wants done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Invocation {
    /// What the template of this action says.
    Template,
    /// The workflow that the message itself names (`GITHUB`, or `INTEGRATION_ACTION` with
    /// `dispatch_workflow`).
    Workflow(WorkflowInvocation),
    /// What a template of this action says; without one, the message is delivered to the address
    /// that it names (`WEBHOOK` with `agent: true`, `GITLAB`).
    Delivery(Delivery),
    /// An invocation that this program does not carry out, by its name.
    Unsupported(String),
}

/// A message for an address inside the network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    /// The message as Port's agent hands it to its mapping file, without Port's signature: the
    /// message itself, with `payload.action.invocationMethod` and `context.runId` in it.
    pub message: Value,
}

impl Delivery {
    /// Whether the answer is the end of the run. If not, whoever got the message reports it.
    pub fn is_synchronous(&self) -> bool {
        let said = &self.message["payload"]["action"]["invocationMethod"]["synchronized"];
        said == true || said == "true"
    }
}

/// A workflow that the portal's message names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkflowInvocation {
    /// Where it lies.
    pub repository: RepositoryName,
    /// File name or id.
    pub workflow: String,
    /// The inputs of the workflow, complete, and not yet text. `ref` is taken out of them.
    pub inputs: Map<String, Value>,
    /// Branch or tag; the repository's default branch where the message names none.
    pub reference: Option<String>,
    /// Whether the end of the workflow is the end of the run. If not, the workflow reports it.
    pub report_status: bool,
}
