//! How much GitHub takes of one installation, as its answers tell it: what is left of each hourly
//! budget, until when nothing is taken at all, and one write at a time. What would be refused is
//! not sent; the error is the one that GitHub's refusal would have been.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use super::answer::Answer;
use super::call::{Call, Effect, Place};
use super::limits::Closed;
use crate::domain::github_view::Limits;
use crate::github::Error;

/// A part of each hourly budget, of which nothing new is begun: it is kept for following what is
/// open already. One in so many.
const KEPT_BACK: i64 = 10;
/// How long a write waits for the one before it (GitHub: a second between writes).
const BETWEEN_WRITES: TimeDelta = TimeDelta::seconds(1);
/// A budget is taken up again so long after its reset, which GitHub tells by its own clock.
const AFTER_RESET: TimeDelta = TimeDelta::seconds(1);

/// The pace of one installation. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Pace {
    owner: String,
    /// By a secondary limit.
    closed: Closed,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    budgets: HashMap<Api, Budget>,
    /// Whether there are limits at all, which GitHub Enterprise Server has not by default. Not
    /// known before the first answer.
    is_limited: Option<bool>,
    is_writing: bool,
}

/// Each has a budget of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Api {
    Rest,
    Graphql,
}

#[derive(Debug, Default)]
struct Budget {
    limit: i64,
    left: i64,
    resets_at: DateTime<Utc>,
    under_way: i64,
}

/// A call that may be sent, until its answer has come.
#[derive(Debug)]
pub(super) struct Admitted {
    pace: Pace,
    api: Api,
    is_write: bool,
}

impl Pace {
    /// Of an account, in lower case.
    pub(super) fn new(owner: &str, closed: Closed) -> Self {
        Self { owner: owner.to_owned(), closed, state: Arc::default() }
    }

    /// Lets a call go, or says until when it has to wait.
    pub(super) fn admit(&self, call: &Call, now: DateTime<Utc>) -> Result<Admitted, Error> {
        let limited = |until| Error::RateLimited { doing: call.doing.clone(), until };
        if let Some(until) = self.closed.until(&self.owner, now) {
            return Err(limited(until));
        }
        let mut state = self.state();
        let api = Api::of(&call.place);
        let budget = state.budgets.entry(api).or_default();
        if budget.left_at(now).is_some_and(|left| left <= 0) {
            return Err(limited(budget.opens_at()));
        }
        let is_write = call.effect == Effect::Write;
        if is_write && state.is_limited != Some(false) {
            if state.is_writing {
                return Err(limited(now + BETWEEN_WRITES));
            }
            state.is_writing = true;
        }
        state.budgets.entry(api).or_default().under_way += 1;
        Ok(Admitted { pace: self.clone(), api, is_write })
    }

    /// Whether something new may be begun. `Ok(false)`: there are no limits.
    pub(super) fn has_room(&self, now: DateTime<Utc>) -> Result<bool, DateTime<Utc>> {
        if let Some(until) = self.closed.until(&self.owner, now) {
            return Err(until);
        }
        let state = self.state();
        let is_low = |budget: &&Budget| {
            budget.left_at(now).is_some_and(|left| left <= budget.limit / KEPT_BACK)
        };
        match state.budgets.values().find(is_low) {
            Some(low) => Err(low.opens_at()),
            None => Ok(state.is_limited != Some(false)),
        }
    }

    /// Takes nothing more for as long as a refusal says. The end of an hourly budget closes one of
    /// the two APIs, which its headers have told already.
    pub(super) fn heed(&self, refusal: &Error, answer: &Answer) {
        if let Error::RateLimited { until, .. } = refusal
            && !answer.is_used_up()
        {
            self.closed.keep_to(&Limits::from([(self.owner.clone(), *until)]));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Api {
    fn of(place: &Place) -> Self {
        match place {
            Place::Rest(_) | Place::Web(_) => Self::Rest,
            Place::Graphql => Self::Graphql,
        }
    }

    /// By the name of its budget in `x-ratelimit-resource`. The others are none of ours.
    fn named(resource: &str) -> Option<Self> {
        match resource {
            "core" => Some(Self::Rest),
            "graphql" => Some(Self::Graphql),
            _ => None,
        }
    }
}

impl Budget {
    /// What is left beside what is under way; `None` where that is not known.
    fn left_at(&self, now: DateTime<Utc>) -> Option<i64> {
        (self.opens_at() > now && self.limit > 0).then_some(self.left - self.under_way)
    }

    fn opens_at(&self) -> DateTime<Utc> {
        self.resets_at + AFTER_RESET
    }
}

impl Admitted {
    /// Takes in what an answer tells of the budgets.
    pub(super) fn answered(&self, answer: &Answer) {
        let told = answer.budget();
        let mut state = self.pace.state();
        // A download from elsewhere tells nothing, and neither does a broken gateway.
        if told.is_some() || answer.status.is_success() {
            let known = state.is_limited.unwrap_or_default();
            state.is_limited = Some(known || told.is_some());
        }
        let Some((api, told)) = told.and_then(|told| Some((Api::named(told.resource)?, told)))
        else {
            return;
        };
        let budget = state.budgets.entry(api).or_default();
        (budget.limit, budget.left, budget.resets_at) = (told.limit, told.left, told.resets_at);
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let mut state = self.pace.state();
        state.budgets.entry(self.api).or_default().under_way -= 1;
        if self.is_write {
            state.is_writing = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use http::{HeaderMap, HeaderValue, Method, StatusCode};
    use serde_json::json;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    fn read() -> Call {
        Call::get("reading", "/x")
    }

    fn write() -> Call {
        Call::write(Method::POST, "writing", "/x", json!({}))
    }

    fn query() -> Call {
        Call::graphql("asking", Effect::Read, "query", &json!({}))
    }

    /// An answer of the REST API that leaves so much of 5000 for another hour.
    fn leaves(left: i64) -> Answer {
        let mut headers = HeaderMap::new();
        for (name, value) in [("limit", 5000), ("remaining", left), ("reset", at(3600).timestamp())]
        {
            let name = http::HeaderName::try_from(format!("x-ratelimit-{name}")).unwrap();
            headers.insert(name, HeaderValue::from(value));
        }
        headers.insert("x-ratelimit-resource", HeaderValue::from_static("core"));
        Answer { status: StatusCode::OK, headers, body: Bytes::new() }
    }

    fn without_limits() -> Answer {
        Answer { status: StatusCode::OK, headers: HeaderMap::new(), body: Bytes::new() }
    }

    fn until(admitted: &Result<Admitted, Error>) -> Option<DateTime<Utc>> {
        match admitted {
            Err(Error::RateLimited { until, .. }) => Some(*until),
            _ => None,
        }
    }

    fn after(answer: &Answer) -> Pace {
        let pace = Pace::default();
        pace.admit(&read(), at(0)).unwrap().answered(answer);
        pace
    }

    #[test]
    fn what_is_under_way_counts_and_an_empty_budget_is_left_alone_until_its_reset() {
        let pace = after(&leaves(2));
        let first = pace.admit(&read(), at(1)).unwrap();
        let second = pace.admit(&read(), at(1)).unwrap();
        assert_eq!(until(&pace.admit(&read(), at(1))), Some(at(3601)));
        assert_eq!(until(&pace.admit(&query(), at(1))), None, "GraphQL has a budget of its own");
        first.answered(&leaves(1));
        drop((first, second));
        assert_eq!(until(&pace.admit(&read(), at(2))), None);
        pace.admit(&read(), at(2)).unwrap().answered(&leaves(0));
        assert_eq!(until(&pace.admit(&read(), at(3600))), Some(at(3601)));
        assert_eq!(until(&pace.admit(&read(), at(3601))), None);
    }

    #[test]
    fn a_tenth_is_kept_back_for_what_is_open() {
        assert_eq!(after(&leaves(501)).has_room(at(1)), Ok(true));
        let low = after(&leaves(500));
        assert_eq!(low.has_room(at(1)), Err(at(3601)));
        assert_eq!(until(&low.admit(&read(), at(1))), None);
        assert_eq!(low.has_room(at(3601)), Ok(true));
    }

    #[test]
    fn one_writes_at_a_time_where_there_are_limits() {
        let pace = after(&leaves(4000));
        let first = pace.admit(&write(), at(0)).unwrap();
        assert_eq!(until(&pace.admit(&write(), at(0))), Some(at(1)));
        assert_eq!(until(&pace.admit(&read(), at(0))), None);
        drop(first);
        assert_eq!(until(&pace.admit(&write(), at(0))), None);

        let free = after(&without_limits());
        assert_eq!(free.has_room(at(0)), Ok(false));
        let _first = free.admit(&write(), at(0)).unwrap();
        assert_eq!(until(&free.admit(&write(), at(0))), None);
    }
}
