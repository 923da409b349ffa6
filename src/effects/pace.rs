//! What is created on GitHub goes out at the rate that it takes, in order, and is never sent twice
//! because nobody knew that it had been sent.

use std::time::Duration;

use crate::plan::Step;
use crate::store::{ClaimedStep, Rate, Turn};

use super::{Effects, Result, StepError};

/// GitHub's limits for what creates content are 80 a minute and 500 an hour, and its advice is a
/// second between writes
/// (<https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api>). A few an hour
/// are left for people, whose use of the web pages counts too.
const RATE: Rate = Rate { apart: Duration::from_secs(1), an_hour: 480 };

/// In the place of an account: no account has this name.
const NO_TURNS: &str = "";

impl Effects {
    /// Waits for the turn of a step that creates something. Whether an earlier attempt of it may
    /// have created it already.
    pub(super) async fn may_have_begun(&self, claimed: &ClaimedStep) -> Result<bool> {
        let Some(owner) = owner_of(claimed) else { return Ok(false) };
        let rate = match self.github.has_room(owner) {
            Ok(is_limited) => is_limited.then_some(RATE),
            Err(error) => return Err(self.not_sent(claimed, error.into()).await?),
        };
        match self.store.turn_to_write(claimed, owner, rate).await? {
            Turn::Now => Ok(false),
            Turn::Begun => Ok(true),
            Turn::At(until) => {
                Err(StepError::Limited { reason: format!("{owner} waits for its turn"), until })
            }
        }
    }

    /// Whether an earlier attempt of a step may have been sent, for one that needs no turn: what it
    /// makes asks for nobody's attention. It counts as begun from now on.
    pub(super) async fn has_begun(&self, claimed: &ClaimedStep) -> Result<bool> {
        Ok(self.store.turn_to_write(claimed, NO_TURNS, None).await? == Turn::Begun)
    }

    /// An error after which it is known that nothing was created gives the turn back. Answers the
    /// same error.
    pub(super) async fn not_sent(
        &self,
        claimed: &ClaimedStep,
        error: StepError,
    ) -> Result<StepError> {
        let until = match &error {
            StepError::Limited { until, .. } => Some(*until),
            StepError::Retry { .. } => None,
            StepError::Fail(_) | StepError::Unknown(_) => return Ok(error),
        };
        if let Some(owner) = owner_of(claimed) {
            self.store.give_back_turn(claimed, owner, until).await?;
        }
        Ok(error)
    }
}

/// The account for which a step creates something.
fn owner_of(claimed: &ClaimedStep) -> Option<&str> {
    match &claimed.step {
        Step::StoreSecret(secret) => Some(secret.repository.owner()),
        _ => claimed.run.repository().map(crate::domain::RepositoryName::owner),
    }
}
