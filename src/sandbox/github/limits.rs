//! How much the sandbox GitHub takes: an hourly budget of each API, as every answer tells it, and,
//! where a test asks for it, the secondary limits that are told only when they are passed.
//! <https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api>

use std::collections::{HashMap, VecDeque};

use axum::http::Method;
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::auth::Caller;
use super::graphql::root_fields;
use super::rest::Answer;
use super::server::Incoming;
use super::state::{Id, Installation, Time, World};

/// How late a request may come that was under way when another was told to wait.
const UNDER_WAY: TimeDelta = TimeDelta::seconds(2);
/// What creates content: so many in a minute and in an hour.
const CREATED: [(usize, TimeDelta); 2] = [(80, TimeDelta::minutes(1)), (500, TimeDelta::hours(1))];
/// Points in a minute: of REST, of GraphQL.
const POINTS: [u64; 2] = [900, 2_000];

/// Which limits hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limits {
    /// None, and answers tell of none: GitHub Enterprise Server as it comes.
    None,
    /// The hourly budgets.
    Hourly,
    /// The secondary limits as well.
    All,
}

/// The hourly budgets: requests of an installation, and points of GraphQL likewise. A simulation has
/// a short hour with little in it, so that its end is met often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hourly {
    /// How much an installation may use in an hour.
    pub budget: u64,
    /// How long an hour is.
    pub hour: TimeDelta,
}

impl Default for Hourly {
    fn default() -> Self {
        Self { budget: 5_000, hour: TimeDelta::hours(1) }
    }
}

/// How those who met a limit have kept what they were told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Patience {
    /// How many answers said how long to wait.
    pub told: usize,
    /// The requests that came sooner, of those who were told: what was asked, and by how much too
    /// soon.
    pub impatient: Vec<String>,
}

/// Whom GitHub holds to its limits, whoever asks for them: the App itself, or its installation on an
/// account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Asker {
    App,
    Installation(Id),
}

/// Those who were told to wait: when, and until when.
#[derive(Default)]
pub(crate) struct Told {
    askers: HashMap<Asker, (Time, Time)>,
    pub(crate) kept: Patience,
}

impl Told {
    /// Takes note of a request.
    pub(crate) fn came(&mut self, asker: Asker, operation: &str, now: Time) {
        let Some((told, until)) = self.askers.get(&asker) else { return };
        if *told + UNDER_WAY < now && now < *until {
            let since = (now - told).num_milliseconds();
            let left = (*until - now).num_milliseconds();
            let early = format!("{operation} of {asker:?}, told {since} ms before, {left} ms left");
            self.kept.impatient.push(early);
        }
    }

    /// Takes note of what a request was answered.
    pub(crate) fn answered(&mut self, asker: Asker, answer: &Answer, now: Time) {
        let wait = answer.headers.iter().find(|(name, _)| *name == "retry-after");
        let Some(seconds) = wait.and_then(|(_, seconds)| seconds.parse().ok()) else { return };
        self.kept.told += 1;
        self.askers.insert(asker, (now, now + TimeDelta::seconds(seconds)));
    }
}

/// What an installation has used.
#[derive(Default)]
pub(crate) struct Used {
    pub(crate) rest: u64,
    pub(crate) graphql: u64,
    pub(crate) window_ends: Time,
    /// When content was created, the oldest first.
    created: VecDeque<Time>,
    /// Points of REST and of GraphQL, and when.
    points: [VecDeque<(Time, u64)>; 2],
}

/// What a request counts for.
#[derive(Clone, Copy)]
pub(crate) struct Cost {
    is_graphql: bool,
    is_free: bool,
    points: u64,
    creates: bool,
}

/// Whose budget a request was charged to.
pub(crate) struct Counted {
    installation: Option<Id>,
    is_graphql: bool,
}

impl Cost {
    pub(crate) fn of(incoming: &Incoming, is_graphql: bool) -> Self {
        let fields = if is_graphql { root_fields(&incoming.body) } else { Vec::new() };
        let text = String::from_utf8_lossy(&incoming.body);
        let is_mutation = is_graphql && text.contains("\"query\":\"mutation");
        let is_write = is_mutation || (!is_graphql && incoming.method != Method::GET);
        let creates_by_rest = incoming.method == Method::POST
            && ["/pulls", "/dispatches", "/git/refs", "/issues", "/comments"]
                .iter()
                .any(|end| incoming.path.ends_with(end));
        Self {
            is_graphql,
            is_free: incoming.path == "/rate_limit",
            points: if is_write { 5 } else { 1 },
            creates: creates_by_rest
                || is_mutation && fields.iter().any(|field| field.starts_with("create")),
        }
    }
}

impl Used {
    pub(crate) fn since(now: Time, hourly: Hourly) -> Self {
        Self { window_ends: now + hourly.hour, ..Self::default() }
    }

    pub(crate) fn but_for(left: u64, now: Time, hourly: Hourly) -> Self {
        let used = hourly.budget.saturating_sub(left);
        Self { rest: used, graphql: used, ..Self::since(now, hourly) }
    }

    /// In how many seconds the secondary limits take this request, if not now.
    fn too_soon(&mut self, cost: Cost, now: Time) -> Option<u64> {
        let mut free_at: Option<Time> = None;
        self.created.retain(|at| *at + CREATED[1].1 > now);
        for (most, window) in CREATED.into_iter().filter(|_| cost.creates) {
            let nth_last = self.created.len().checked_sub(most).map(|index| self.created[index]);
            free_at = free_at.max(nth_last.map(|at| at + window).filter(|at| *at > now));
        }
        let points = &mut self.points[usize::from(cost.is_graphql)];
        points.retain(|(at, _)| *at + TimeDelta::minutes(1) > now);
        let used: u64 = points.iter().map(|(_, points)| points).sum();
        if used + cost.points > POINTS[usize::from(cost.is_graphql)] {
            free_at = free_at.max(points.front().map(|(at, _)| *at + TimeDelta::minutes(1)));
        }
        let wait = (free_at? - now).num_milliseconds();
        Some(u64::try_from(wait).unwrap_or_default().div_ceil(1000))
    }

    fn remember(&mut self, cost: Cost, now: Time) {
        if cost.creates {
            self.created.push_back(now);
        }
        self.points[usize::from(cost.is_graphql)].push_back((now, cost.points));
    }
}

impl World {
    /// Who asks, as far as that can be told by a look.
    pub(crate) fn asker(&self, incoming: &Incoming) -> Option<Asker> {
        let given = incoming.headers.get("authorization")?.to_str().ok()?;
        let (_, credential) = given.split_once(' ')?;
        if credential.starts_with("gh") {
            return self
                .tokens
                .get(credential)
                .map(|token| Asker::Installation(token.installation));
        }
        Some(Asker::App)
    }

    pub(crate) fn count(&mut self, caller: &Caller, cost: Cost) -> Result<Counted, Box<Answer>> {
        let (now, limits, is_graphql) = (self.now(), self.limits, cost.is_graphql);
        let hourly = self.hourly;
        let installation = caller.installation();
        let found = self.installations.iter_mut().find(|it| Some(it.id) == installation);
        let Some(found) = found.filter(|_| limits != Limits::None && !cost.is_free) else {
            return Ok(Counted { installation: None, is_graphql });
        };
        if found.used.window_ends <= now {
            (found.used.rest, found.used.graphql) = (0, 0);
            found.used.window_ends = now + hourly.hour;
        }
        let too_soon = found.used.too_soon(cost, now).filter(|_| limits == Limits::All);
        if let Some(wait) = too_soon {
            let field = is_graphql.then(|| "createPullRequest".to_owned());
            let mut answer = secondary(403, wait, field.as_ref());
            answer.headers.extend(limit_headers(found, hourly, is_graphql));
            return Err(Box::new(answer));
        }
        let used = if is_graphql { &mut found.used.graphql } else { &mut found.used.rest };
        if *used >= hourly.budget {
            return Err(Box::new(used_up(found, hourly, is_graphql)));
        }
        *used += 1;
        found.used.remember(cost, now);
        Ok(Counted { installation, is_graphql })
    }

    pub(crate) fn settle_count(
        &mut self,
        counted: &Counted,
        is_free: bool,
    ) -> Vec<(&'static str, String)> {
        let hourly = self.hourly;
        let found = self.installations.iter_mut().find(|it| Some(it.id) == counted.installation);
        let Some(found) = found else {
            return Vec::new();
        };
        if is_free {
            found.used.rest = found.used.rest.saturating_sub(1);
        }
        limit_headers(found, hourly, counted.is_graphql)
    }
}

fn used_up(installation: &Installation, hourly: Hourly, is_graphql: bool) -> Answer {
    let message = format!("API rate limit exceeded for installation ID {}.", installation.id);
    let mut answer = if is_graphql {
        Answer::json(200, json!({"errors": [{"type": "RATE_LIMITED", "message": message}]}))
    } else {
        Answer::json(
            403,
            json!({"message": message, "documentation_url": "https://docs.github.com/rest"}),
        )
    };
    answer.headers.extend(limit_headers(installation, hourly, is_graphql));
    answer
}

/// A secondary limit in GitHub's words; of GraphQL with HTTP 200, at the field that it names.
pub(crate) fn secondary(status: u16, seconds: u64, field: Option<&String>) -> Answer {
    if let Some(field) = field {
        let message = format!("was submitted too quickly ({field})");
        return Answer::json(
            200,
            json!({"data": null, "errors": [{"type": "UNPROCESSABLE", "path": [field], "message": message}]}),
        );
    }
    let message =
        "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.";
    let mut answer = Answer::json(
        status,
        json!({"message": message, "documentation_url": "https://docs.github.com/rest"}),
    );
    answer.headers.push(("retry-after", seconds.to_string()));
    answer
}

fn limit_headers(
    installation: &Installation,
    hourly: Hourly,
    is_graphql: bool,
) -> Vec<(&'static str, String)> {
    let used = if is_graphql { installation.used.graphql } else { installation.used.rest };
    vec![
        ("x-ratelimit-limit", hourly.budget.to_string()),
        ("x-ratelimit-remaining", hourly.budget.saturating_sub(used).to_string()),
        ("x-ratelimit-used", used.to_string()),
        ("x-ratelimit-reset", installation.used.window_ends.timestamp().to_string()),
        ("x-ratelimit-resource", if is_graphql { "graphql" } else { "core" }.to_owned()),
    ]
}

pub(crate) fn limit_body(
    installation: Option<&Installation>,
    hourly: Hourly,
    is_graphql: bool,
    now: i64,
) -> Value {
    let used = installation.map_or(0, |it| if is_graphql { it.used.graphql } else { it.used.rest });
    let reset = installation.map_or(now + 3600, |it| it.used.window_ends.timestamp());
    json!({"limit": hourly.budget, "used": used, "remaining": hourly.budget.saturating_sub(used), "reset": reset})
}
