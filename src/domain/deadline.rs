//! How long a run may stay at a stage of its life before that is said, and what follows.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::run::Stage;

/// A part of a run's life in which it waits for somebody or something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Wait {
    /// For a runner that takes up the workflow.
    Queued,
    /// For the end of the workflow.
    Running,
    /// For the approval of an environment.
    Approval,
    /// For its turn: another request for the same folder came first.
    Turn,
    /// For the merge of the pull request.
    Review,
    /// For the apply of what was merged.
    Apply,
}

impl Wait {
    /// Every one, in the order of a run.
    pub const ALL: [Self; 6] =
        [Self::Queued, Self::Running, Self::Approval, Self::Turn, Self::Review, Self::Apply];

    /// What a run at this stage waits for. At the other stages it has ended, or its own step is tried
    /// for a day at most.
    pub fn at(stage: Stage) -> Option<Self> {
        match stage {
            Stage::Dispatched => Some(Self::Queued),
            Stage::Running => Some(Self::Running),
            Stage::Waiting => Some(Self::Approval),
            Stage::Behind => Some(Self::Turn),
            Stage::Proposed => Some(Self::Review),
            Stage::Merged => Some(Self::Apply),
            Stage::Received | Stage::Refused | Stage::Declined | Stage::Done | Stage::Failed => {
                None
            }
        }
    }

    /// Its name in a template.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Approval => "approval",
            Self::Turn => "turn",
            Self::Review => "review",
            Self::Apply => "apply",
        }
    }

    /// How long it may last where the template says nothing. What people decide is only said; what
    /// nothing was heard of for a week after the merge ends the run, and a later success still
    /// reaches the catalog.
    pub fn usual(self) -> Deadline {
        let (after, ends) = match self {
            Self::Queued => (TimeDelta::hours(6), false),
            Self::Running => (TimeDelta::days(1), false),
            Self::Approval => (TimeDelta::days(7), false),
            Self::Turn => (TimeDelta::days(14), false),
            Self::Review => (TimeDelta::days(30), false),
            Self::Apply => (TimeDelta::days(7), true),
        };
        Deadline { after, ends }
    }
}

/// How long a wait may last, and whether its end is the run's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    /// How long it may last.
    pub after: TimeDelta,
    /// The run ends then. Else it says that it is late, once, and waits on.
    pub ends: bool,
}

/// The deadlines of a template's runs: those that it names, and the usual ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deadlines(BTreeMap<Wait, Deadline>);

impl Deadlines {
    /// With these, and the usual ones for the rest.
    pub fn new(named: impl IntoIterator<Item = (Wait, Deadline)>) -> Self {
        Self(named.into_iter().collect())
    }

    /// How long this may last.
    pub fn of(&self, wait: Wait) -> Deadline {
        self.0.get(&wait).copied().unwrap_or_else(|| wait.usual())
    }
}
