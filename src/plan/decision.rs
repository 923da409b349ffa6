//! What a decision is, as data, and the answers from which the next one is made.

use serde_json::{Map, Value};

use super::step::{After, Explanation, PlanSummary, Step};
use crate::domain::RunId;
use crate::domain::observation::Link;
use crate::domain::repository::CommitSha;
use crate::domain::run::{Event, Run};

/// What a decision makes of a run: its new state, the lines of its history, what it is to be
/// found by, and the steps that follow. Stored in one transaction.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The run as it is now.
    pub run: Run,
    /// New lines of its history.
    pub events: Vec<Event>,
    /// By what it can be found from now on.
    pub links: Vec<Link>,
    /// By what it is no longer looked for.
    pub unlinks: Vec<Link>,
    /// What is to be done, in this order within each lane.
    pub steps: Vec<Step>,
    /// What other runs have to do by it: the whole of a part, or parts of the whole.
    pub others: Vec<(RunId, Step)>,
    /// Runs that are made by it: its parts, as they are written down first.
    pub parts: Vec<Decision>,
}

impl Decision {
    /// Nothing has changed, and nothing follows.
    pub fn unchanged(run: Run) -> Self {
        Self {
            run,
            events: Vec::new(),
            links: Vec::new(),
            unlinks: Vec::new(),
            steps: Vec::new(),
            others: Vec::new(),
            parts: Vec::new(),
        }
    }

    /// This, and then what was decided on the run as this leaves it.
    pub(super) fn and(mut self, next: Self) -> Self {
        self.run = next.run;
        self.events.extend(next.events);
        self.links.extend(next.links);
        self.unlinks.extend(next.unlinks);
        self.steps.extend(next.steps);
        self.others.extend(next.others);
        self.parts.extend(next.parts);
        self
    }
}

/// The answers of steps that only read, as they are handed to `plan::outcome`.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// To [`Compare`](super::step::Compare).
    Contains {
        /// The commit of the candidate.
        head: CommitSha,
        /// Whether it contains the merged change.
        contains: bool,
    },
    /// To [`Explain`](super::step::Explain).
    Explained {
        /// Job, step and the tail of the log, cleaned of known secrets.
        explanation: Explanation,
        /// What the failure means for the run.
        then: After,
    },
    /// To [`ReadPlan`](super::step::ReadPlan): `None` where neither artifact nor log tells.
    Planned(Option<PlanSummary>),
    /// To [`ReadOutputs`](super::step::ReadOutputs): Terraform's outputs, without sensitive ones.
    Outputs(Map<String, Value>),
    /// To [`Upsert`](super::step::Upsert) and [`Delete`](super::step::Delete): done, or why
    /// the catalog refuses it.
    Catalog(Result<(), String>),
}
