//! Until when GitHub takes nothing for an account. This process was told it, or another one.

use chrono::{DateTime, Utc};
use tokio::sync::watch;

use crate::domain::github_view::Limits;

/// What is known of it. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Closed(watch::Sender<Limits>);

impl Closed {
    pub(super) fn until(&self, owner: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.0.borrow().get(owner).copied().filter(|until| *until > now)
    }

    /// Takes in limits, of which the later one of an account holds.
    pub(super) fn keep_to(&self, limits: &Limits) {
        self.0.send_if_modified(|known| {
            let mut is_new = false;
            for (owner, until) in limits {
                if known.get(owner).is_none_or(|known| known < until) {
                    known.insert(owner.clone(), *until);
                    is_new = true;
                }
            }
            is_new
        });
    }

    pub(super) fn watched(&self) -> watch::Receiver<Limits> {
        self.0.subscribe()
    }
}
