//! What GitHub answered, and what a refusal means.

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::call::Effect;
use crate::github::Error;

/// How long to wait after a secondary rate limit that names no time (GitHub: at least a minute).
const UNTOLD_WAIT: TimeDelta = TimeDelta::seconds(60);

/// An answer that was read to its end.
#[derive(Debug)]
pub(in crate::github) struct Answer {
    pub(in crate::github) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(in crate::github) body: Bytes,
}

/// An hourly budget, as the headers tell it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told<'a> {
    /// `core`, `graphql`, `search`, …
    pub(super) resource: &'a str,
    pub(super) limit: i64,
    pub(super) left: i64,
    pub(super) resets_at: DateTime<Utc>,
}

impl Answer {
    /// Reads the body as JSON.
    pub(in crate::github) fn json<T: DeserializeOwned>(&self, doing: &str) -> Result<T, Error> {
        let mut reader = serde_json::Deserializer::from_slice(&self.body);
        serde_path_to_error::deserialize(&mut reader).map_err(|error| Error::Unexpected {
            doing: doing.to_owned(),
            // Where and what kind, without the value: it may be anything.
            reason: format!("not the JSON that was expected, at `{}`", error.path()),
        })
    }

    /// The number in a header.
    fn number(&self, header: &str) -> Option<i64> {
        self.headers.get(header)?.to_str().ok()?.trim().parse().ok()
    }

    fn text(&self, header: &str) -> Option<&str> {
        self.headers.get(header)?.to_str().ok()
    }

    /// When it was sent, by the sender's clock.
    pub(in crate::github) fn date(&self) -> Option<DateTime<Utc>> {
        DateTime::parse_from_rfc2822(self.text("date")?).ok().map(|date| date.to_utc())
    }

    /// The budget that the call was taken from, where there is one.
    pub(super) fn budget(&self) -> Option<Told<'_>> {
        Some(Told {
            resource: self.text("x-ratelimit-resource")?,
            limit: self.number("x-ratelimit-limit")?,
            left: self.number("x-ratelimit-remaining")?,
            resets_at: DateTime::from_timestamp(self.number("x-ratelimit-reset")?, 0)?,
        })
    }

    /// Whether it was the last of an hourly budget, which alone is closed by that.
    pub(in crate::github) fn is_used_up(&self) -> bool {
        self.budget().is_some_and(|told| told.left == 0) && self.number("retry-after").is_none()
    }

    /// The cursor of the next page, from the `Link` header. Only the cursor: the address before it
    /// is not ours to follow with a token.
    pub(in crate::github) fn next_cursor(&self) -> Option<String> {
        let links = self.text("link")?;
        let next = links.split(',').find(|link| link.contains("rel=\"next\""))?;
        let (_, cursor) = next.split_once("cursor=")?;
        let end = cursor.find(['&', '>']).unwrap_or(cursor.len());
        Some(cursor[..end].to_owned())
    }

    /// The id under which GitHub's support finds the request.
    pub(super) fn request_id(&self) -> &str {
        self.text("x-github-request-id").unwrap_or("-")
    }

    /// Until when the headers ask us to wait, in GitHub's order: `retry-after`, then the reset of a
    /// budget that is used up.
    fn told_wait(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if let Some(seconds) = self.number("retry-after") {
            return Some(now + TimeDelta::try_seconds(seconds.clamp(0, 86_400))?);
        }
        if self.number("x-ratelimit-remaining") != Some(0) {
            return None;
        }
        DateTime::from_timestamp(self.number("x-ratelimit-reset")?, 0)
    }

    /// Until when to wait after an answer that is known to be a rate limit.
    pub(super) fn wait(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        self.told_wait(now).unwrap_or(now + UNTOLD_WAIT)
    }

    /// What a status of 300 and above means.
    pub(super) fn refusal(&self, doing: &str, effect: Effect, now: DateTime<Utc>) -> Error {
        let doing = doing.to_owned();
        let message = message_of(&self.body).unwrap_or_else(|| self.status.to_string());
        match self.status.as_u16() {
            401 => Error::Unauthorized { doing, message },
            403 | 429 if self.status == 429 || self.is_rate_limit(&message, now) => {
                Error::RateLimited { doing, until: self.wait(now) }
            }
            403 | 451 => {
                let needs = self.text("x-accepted-github-permissions").map(ToOwned::to_owned);
                Error::Forbidden { doing, message, needs: needs.filter(|n| !n.trim().is_empty()) }
            }
            404 | 410 => Error::NotFound { doing },
            409 => Error::Conflict { doing, message },
            400 | 413 | 422 => Error::Invalid { doing, message },
            408 | 500..=599 => lost(doing, effect, format!("GitHub answered {}", self.status)),
            status => Error::Unexpected { doing, reason: format!("status {status}: {message}") },
        }
    }

    fn is_rate_limit(&self, message: &str, now: DateTime<Utc>) -> bool {
        self.told_wait(now).is_some() || speaks_of_a_rate_limit(message)
    }
}

/// The failure of a call of which it is not known whether it arrived.
pub(super) fn lost(doing: String, effect: Effect, reason: String) -> Error {
    match effect {
        Effect::Read => Error::Unavailable { doing, reason },
        Effect::Write => Error::Unclear { doing, reason },
    }
}

/// GitHub's words for its limits; GraphQL has them in a 200.
pub(super) fn speaks_of_a_rate_limit(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    ["rate limit", "submitted too quickly", "abuse detection"]
        .iter()
        .any(|words| message.contains(words))
}

#[derive(Deserialize)]
struct Refusal {
    message: String,
    #[serde(default)]
    errors: serde_json::Value,
}

/// GitHub's words: the message, and those of the single errors that add something to it.
fn message_of(body: &[u8]) -> Option<String> {
    let refusal: Refusal = serde_json::from_slice(body).ok()?;
    let mut message = refusal.message;
    for error in refusal.errors.as_array().into_iter().flatten() {
        let words = match error.get("message").unwrap_or(error) {
            serde_json::Value::String(words) => words.clone(),
            _ => ["field", "code"]
                .iter()
                .filter_map(|key| error.get(key)?.as_str())
                .collect::<Vec<_>>()
                .join(" "),
        };
        if !words.is_empty() && !message.contains(&words) {
            message = format!("{message}: {words}");
        }
    }
    Some(message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn answer(status: u16, headers: &[(&'static str, &str)], body: &str) -> Answer {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, HeaderValue::from_str(value).unwrap());
        }
        let status = StatusCode::from_u16(status).unwrap();
        Answer { status, headers: map, body: Bytes::from(body.to_owned()) }
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    fn until(answer: &Answer) -> Option<DateTime<Utc>> {
        match answer.refusal("x", Effect::Write, at(0)) {
            Error::RateLimited { until, .. } => Some(until),
            _ => None,
        }
    }

    #[test]
    fn rate_limits_are_known_by_header_or_by_words_and_end_when_github_says() {
        let secondary = r#"{"message":"You have exceeded a secondary rate limit."}"#;
        assert_eq!(until(&answer(403, &[("retry-after", "7")], secondary)), Some(at(7)));
        assert_eq!(until(&answer(403, &[], secondary)), Some(at(60)));
        assert_eq!(until(&answer(429, &[], "")), Some(at(60)));
        let primary = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1800000900")];
        assert_eq!(until(&answer(403, &primary, "{}")), Some(at(900)));
        let plenty = [("x-ratelimit-remaining", "12"), ("x-ratelimit-reset", "1800000900")];
        assert_eq!(until(&answer(403, &plenty, r#"{"message":"no"}"#)), None);
    }

    #[test]
    fn a_server_error_leaves_a_write_unclear_and_a_read_repeatable() {
        let broken = answer(502, &[], "<html>");
        assert!(matches!(broken.refusal("x", Effect::Write, at(0)), Error::Unclear { .. }));
        assert!(matches!(broken.refusal("x", Effect::Read, at(0)), Error::Unavailable { .. }));
    }

    #[test]
    fn a_refusal_carries_github_words_and_the_missing_permission() {
        let body = r#"{"message":"Validation Failed","errors":[{"message":"A pull request already exists for a:b."},{"field":"name","code":"missing"},"plain"]}"#;
        let Error::Invalid { message, .. } =
            answer(422, &[], body).refusal("x", Effect::Write, at(0))
        else {
            panic!("not invalid");
        };
        assert_eq!(
            message,
            "Validation Failed: A pull request already exists for a:b.: name missing: plain"
        );
        let forbidden = answer(403, &[("x-accepted-github-permissions", "actions=write")], "{}");
        let Error::Forbidden { needs, .. } = forbidden.refusal("x", Effect::Write, at(0)) else {
            panic!("not forbidden");
        };
        assert_eq!(needs.as_deref(), Some("actions=write"));
    }
}
