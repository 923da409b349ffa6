//! What somebody may do, as GitHub's groups say. Asked for again while they are here, so that who
//! leaves a team loses its rights within minutes, and not with the session.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use super::identity::Identity;
use crate::clock::Clock;
use crate::domain::{Person, Right, Rules};

/// For how long an answer is believed.
const BELIEVED: TimeDelta = TimeDelta::minutes(5);
/// For how long it is believed while GitHub does not answer.
const BELIEVED_IN_NEED: TimeDelta = TimeDelta::minutes(30);
/// How many people's rights are kept; with more, those that are too old are dropped.
const MOST_KEPT: usize = 10_000;

/// How people sign in, and what they may do then. Clones are the same.
#[derive(Clone)]
pub struct SignIn {
    /// Knows who people are.
    pub identity: Arc<dyn Identity>,
    /// Who may do what.
    pub rules: Rules,
    /// The address at which browsers reach this service, without a slash at its end.
    pub public_url: String,
    /// What was answered last.
    known: Arc<Mutex<HashMap<u64, Known>>>,
}

#[derive(Clone, Copy)]
struct Known {
    right: Option<Right>,
    at: DateTime<Utc>,
}

impl SignIn {
    /// By these rules.
    pub fn new(identity: Arc<dyn Identity>, rules: Rules, public_url: String) -> Self {
        Self { identity, rules, public_url, known: Arc::default() }
    }

    /// Whether cookies go by TLS alone.
    pub(super) fn is_secure(&self) -> bool {
        self.public_url.starts_with("https://")
    }

    /// The farthest right that a person has; `None` where they have none. Else a sentence that says
    /// why it cannot be told.
    pub(super) async fn right_of(
        &self,
        person: &Person,
        clock: &Clock,
    ) -> Result<Option<Right>, String> {
        let now = clock.now();
        let known = self.known().get(&person.id).copied();
        if let Some(known) = known.filter(|known| now - known.at < BELIEVED) {
            return Ok(known.right);
        }
        match self.ask(person).await {
            Ok(right) => {
                let mut all = self.known();
                if all.len() >= MOST_KEPT {
                    all.retain(|_, known| now - known.at < BELIEVED_IN_NEED);
                }
                all.insert(person.id, Known { right, at: now });
                Ok(right)
            }
            Err(reason) => {
                let known = known.filter(|known| now - known.at < BELIEVED_IN_NEED);
                known.map(|known| known.right).ok_or(reason)
            }
        }
    }

    async fn ask(&self, person: &Person) -> Result<Option<Right>, String> {
        for (right, groups) in self.rules.by_right() {
            for group in groups {
                if self.identity.belongs(person, group).await? {
                    return Ok(Some(right));
                }
            }
        }
        Ok(None)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
