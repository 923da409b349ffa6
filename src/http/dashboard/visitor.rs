//! Who looks at the dashboard, and what they may do.

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::problem::Problem;
use super::{DashboardState, cookie};
use crate::domain::{Person, Right, User};

/// The cookie of a session.
pub(super) const SESSION: &str = "towpath";

/// How long a session lasts: a working day. What its person may do is asked for meanwhile.
pub(super) const LIFE: TimeDelta = TimeDelta::hours(10);

/// What a browser is given, signed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Session {
    /// Tells one session from another: forms belong to one.
    pub(super) id: String,
    /// Who has signed in; nobody, where there is no sign-in.
    pub(super) person: Option<Person>,
    /// When it ends.
    pub(super) until: DateTime<Utc>,
}

impl Session {
    /// A new one.
    pub(super) fn begin(person: Option<Person>, now: DateTime<Utc>) -> Self {
        Self { id: cookie::random(), person, until: now + LIFE }
    }

    /// The one that a browser has sent, if it was given it and it has not ended.
    pub(super) fn sent(state: &DashboardState, headers: &HeaderMap) -> Option<Self> {
        let session: Self = state.cookie_key.open(SESSION, cookie::sent(headers, SESSION)?)?;
        (session.until > state.clock.now()).then_some(session)
    }
}

/// Who asks. Put into each request by the door.
#[derive(Debug, Clone)]
pub(super) struct Visitor {
    /// Nobody in particular, where there is no sign-in.
    pub(super) person: Option<Person>,
    /// What they may do.
    pub(super) right: Right,
    /// The session that their forms belong to.
    pub(super) session: String,
    /// What their forms carry.
    pub(super) form_token: String,
}

impl Visitor {
    /// Whether they may do something.
    pub(super) fn may(&self, right: Right) -> bool {
        self.right >= right
    }

    /// Refuses whoever may not.
    pub(super) fn must(&self, right: Right) -> Result<(), Problem> {
        if self.may(right) { Ok(()) } else { Err(Problem::not_allowed(right)) }
    }

    /// Who they are in a run.
    pub(super) fn user(&self) -> User {
        let Some(person) = &self.person else { return User::default() };
        User {
            id: Some(person.login.clone()),
            email: person.email.clone(),
            name: person.name.clone().or_else(|| Some(person.login.clone())),
        }
    }
}

impl FromRequestParts<DashboardState> for Visitor {
    type Rejection = Problem;

    async fn from_request_parts(
        parts: &mut Parts,
        _state: &DashboardState,
    ) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(Problem::forbidden)
    }
}
