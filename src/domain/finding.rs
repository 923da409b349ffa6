//! What was found when settings, access and templates were held against each other.

use serde::Serialize;

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is about: `App`, `Webhook`, `acme/infrastructure`.
    pub about: String,
    /// How it stands.
    pub verdict: Verdict,
    /// What was found, in a sentence.
    pub says: String,
    /// What is to be done about it; nothing where it is well.
    pub remedy: Option<String>,
}

/// How a thing stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it should be.
    Good,
    /// It works, but something is missed, or could not be looked at.
    Warning,
    /// Something will fail.
    Bad,
}

impl Finding {
    /// As it should be.
    pub fn good(about: impl Into<String>, says: impl Into<String>) -> Self {
        Self { about: about.into(), verdict: Verdict::Good, says: says.into(), remedy: None }
    }

    /// Something is missed.
    pub fn warning(
        about: impl Into<String>,
        says: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let remedy = Some(remedy.into());
        Self { verdict: Verdict::Warning, remedy, ..Self::good(about, says) }
    }

    /// Something will fail.
    pub fn bad(
        about: impl Into<String>,
        says: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { verdict: Verdict::Bad, ..Self::warning(about, says, remedy) }
    }
}
