//! The lines of a run's history.

use serde::{Deserialize, Serialize};

/// A line of a run's history. What the portal's log shows is the same text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// What kind of line.
    pub kind: EventKind,
    /// A sentence for the person who pressed the button.
    pub message: String,
}

impl Event {
    /// A line that tells how far the run is.
    pub fn progress(message: impl Into<String>) -> Self {
        Self { kind: EventKind::Progress, message: message.into() }
    }

    /// A line that asks for attention and ends nothing.
    pub fn warning(message: impl Into<String>) -> Self {
        Self { kind: EventKind::Warning, message: message.into() }
    }

    /// A line that tells why the run ended ill.
    pub fn failure(message: impl Into<String>) -> Self {
        Self { kind: EventKind::Failure, message: message.into() }
    }
}

/// What kind of line of a run's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// How far the run is.
    Progress,
    /// Something that asks for attention and ends nothing.
    Warning,
    /// Why the run ended ill.
    Failure,
}

impl EventKind {
    /// As it is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Progress => "progress",
            Self::Warning => "warning",
            Self::Failure => "failure",
        }
    }
}
