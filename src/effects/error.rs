//! What became of a step that did not go well, as the worker needs to know it.

use chrono::{DateTime, Utc};

use crate::seal::Secrets;
use crate::{github, listener, portal, store};

/// Why a step is not done.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// Not now: nothing was done, or doing it again does no harm.
    #[error("{reason}")]
    Retry {
        /// What stands in the way.
        reason: String,
        /// Not before this moment, where the other side has said it.
        until: Option<DateTime<Utc>>,
    },
    /// Not before this moment: a limit of GitHub's. Nothing was done.
    #[error("{reason}")]
    Limited {
        /// What is limited.
        reason: String,
        /// Not before.
        until: DateTime<Utc>,
    },
    /// Never: the same would be refused again. The sentence is for the person.
    #[error("{0}")]
    Fail(String),
    /// It may have been done: the step looks before it acts again.
    #[error("{0}")]
    Unknown(String),
}

impl StepError {
    /// The same without these.
    pub(super) fn cleaned(self, secrets: &Secrets) -> Self {
        match self {
            Self::Retry { reason, until } => Self::Retry { reason: secrets.clean(&reason), until },
            Self::Limited { reason, until } => {
                Self::Limited { reason: secrets.clean(&reason), until }
            }
            Self::Fail(reason) => Self::Fail(secrets.clean(&reason)),
            Self::Unknown(reason) => Self::Unknown(secrets.clean(&reason)),
        }
    }
}

impl From<github::Error> for StepError {
    fn from(error: github::Error) -> Self {
        match &error {
            github::Error::RateLimited { until, .. } => {
                Self::Limited { reason: error.to_string(), until: *until }
            }
            github::Error::Unavailable { .. } | github::Error::Conflict { .. } => {
                Self::Retry { reason: error.to_string(), until: None }
            }
            github::Error::Unclear { .. } => Self::Unknown(error.to_string()),
            _ => Self::Fail(error.sentence()),
        }
    }
}

impl From<portal::Error> for StepError {
    fn from(error: portal::Error) -> Self {
        match &error {
            portal::Error::RateLimited { until } => {
                Self::Retry { reason: error.to_string(), until: Some(*until) }
            }
            // Wrong credentials are mended by whoever runs the service; nothing is to be lost by then.
            portal::Error::Unavailable(_) | portal::Error::Unauthorized => {
                Self::Retry { reason: error.to_string(), until: None }
            }
            portal::Error::Unclear(_) => Self::Unknown(error.to_string()),
            portal::Error::Exhausted
            | portal::Error::NotFound(_)
            | portal::Error::Refused { .. } => Self::Fail(error.to_string()),
        }
    }
}

impl From<listener::Error> for StepError {
    fn from(error: listener::Error) -> Self {
        match &error {
            listener::Error::Unavailable { until, .. } => {
                Self::Retry { reason: error.to_string(), until: *until }
            }
            listener::Error::Refused(_) => Self::Fail(error.to_string()),
        }
    }
}

impl From<store::Error> for StepError {
    fn from(error: store::Error) -> Self {
        Self::Retry { reason: error.to_string(), until: None }
    }
}
