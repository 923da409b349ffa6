//! What a call to Port can come to, as the worker needs to know it.

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde_json::Value;

/// Why a call had no good answer. Each variant asks for another behaviour of the worker.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Too many calls: nothing happened, and nothing will before this time.
    #[error("the portal takes no more calls until {until}")]
    RateLimited {
        /// When it is worth trying again.
        until: DateTime<Utc>,
    },
    /// The run has ended there: it takes no status, no log line and no entity any more.
    #[error("the run has ended in the portal")]
    Exhausted,
    /// The portal does not know the run, the entity or the blueprint.
    #[error("the portal does not know it: {0}")]
    NotFound(String),
    /// The request was understood and refused; the same request will be refused again.
    #[error("the portal refused it ({status} {code}): {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// Port's name of the error (`blueprint_schema_mismatch`).
        code: String,
        /// Port's own words, cleaned and shortened.
        message: String,
    },
    /// The credentials are wrong, or were taken away.
    #[error("the portal refuses the client id and secret")]
    Unauthorized,
    /// The portal could not be reached, or could not answer a question: nothing was changed.
    #[error("the portal cannot be reached: {0}")]
    Unavailable(String),
    /// The request was sent and its answer lost: it may have been done. Look before repeating it.
    #[error("the portal's answer was lost: {0}")]
    Unclear(String),
}

/// Whether a call changes something, and so whether a lost answer matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// A question: asking again is harmless.
    Read,
    /// A change.
    Write,
}

impl Effect {
    /// The error for a call whose answer did not arrive.
    pub(super) fn lost(self, why: String) -> Error {
        match self {
            Self::Read => Error::Unavailable(why),
            Self::Write => Error::Unclear(why),
        }
    }
}

/// How long to wait where a 429 does not say it.
const DEFAULT_WAIT: TimeDelta = TimeDelta::seconds(60);

/// The longest wait that is believed.
const LONGEST_WAIT: TimeDelta = TimeDelta::hours(1);

/// Above this, a number is a time (Unix seconds), below it a wait in seconds: the line that Port's
/// own client draws (ocean, `port_ocean/helpers/retry.py`).
const EPOCH_FROM: i64 = 10_000;

/// What an answer that is no success means.
pub(super) fn classify(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    effect: Effect,
    now: DateTime<Utc>,
) -> Error {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    let code = clean(text("error"));
    let message = clean(text("message"));
    match status {
        StatusCode::TOO_MANY_REQUESTS => Error::RateLimited { until: wait_until(headers, now) },
        // 422 on reports, 400 on entities: Port's API reference of 2024.
        _ if code == "run_exhausted" => Error::Exhausted,
        StatusCode::UNAUTHORIZED => Error::Unauthorized,
        StatusCode::NOT_FOUND => Error::NotFound(message),
        // A gateway's 5xx may hide a request that was carried out.
        _ if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT => {
            effect.lost(format!("{status} {message}").trim_end().to_owned())
        }
        _ => Error::Refused { status: status.as_u16(), code, message },
    }
}

/// When a rate limit ends: `Retry-After` (seconds or a date), else `x-ratelimit-reset`.
fn wait_until(headers: &HeaderMap, now: DateTime<Utc>) -> DateTime<Utc> {
    let header = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let said = header(RETRY_AFTER.as_str())
        .and_then(|value| moment(value, now))
        .or_else(|| header("x-ratelimit-reset").and_then(|value| moment(value, now)));
    said.unwrap_or(now + DEFAULT_WAIT).clamp(now, now + LONGEST_WAIT)
}

fn moment(value: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    if let Ok(number) = value.parse::<i64>() {
        return match number {
            ..0 => None,
            0..EPOCH_FROM => Some(now + TimeDelta::seconds(number)),
            _ => DateTime::from_timestamp(number, 0),
        };
    }
    DateTime::parse_from_rfc2822(value).ok().map(|date| date.to_utc())
}

/// The longest text of Port's that is passed on, in characters.
const LONGEST_TEXT: usize = 500;

/// Somebody else's text, on one line, without control characters, not longer than is read.
fn clean(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control());
    let line = words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    if line.chars().count() <= LONGEST_TEXT {
        return line;
    }
    line.chars().take(LONGEST_TEXT - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    fn error(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Error {
        let headers = headers.iter().map(|(name, value)| {
            ((*name).parse().unwrap(), reqwest::header::HeaderValue::from_static(value))
        });
        let status = StatusCode::from_u16(status).unwrap();
        classify(status, &headers.collect(), body.as_bytes(), Effect::Write, now())
    }

    fn limited(seconds: i64) -> Error {
        Error::RateLimited { until: now() + TimeDelta::seconds(seconds) }
    }

    #[test]
    fn a_rate_limit_says_until_when() {
        assert_eq!(error(429, &[("retry-after", "7")], ""), limited(7));
        assert_eq!(error(429, &[("x-ratelimit-reset", "30")], ""), limited(30));
        assert_eq!(error(429, &[("x-ratelimit-reset", "1800000090")], ""), limited(90));
        assert_eq!(error(429, &[("retry-after", "Fri, 15 Jan 2027 08:00:05 GMT")], ""), limited(5));
        assert_eq!(error(429, &[], ""), limited(60));
        assert_eq!(error(429, &[("retry-after", "soon")], ""), limited(60));
        assert_eq!(error(429, &[("retry-after", "1800900000")], ""), limited(3600));
        assert_eq!(error(429, &[("x-ratelimit-reset", "1700000000")], ""), limited(0));
    }

    #[test]
    fn an_ended_run_is_recognised_by_port_s_word_for_it() {
        let body = r#"{"ok":false,"error":"run_exhausted","message":"x"}"#;
        assert_eq!(error(422, &[], body), Error::Exhausted);
        assert_eq!(error(400, &[], body), Error::Exhausted);
    }

    #[test]
    fn a_refusal_keeps_port_s_words_on_one_line() {
        let body = r#"{"ok":false,"error":"blueprint_schema_mismatch","message":"size\n\u001b[1m must be  number"}"#;
        assert_eq!(
            error(422, &[], body),
            Error::Refused {
                status: 422,
                code: "blueprint_schema_mismatch".into(),
                message: "size [1m must be number".into()
            }
        );
        let long = format!(r#"{{"error":"e","message":"{}"}}"#, "é".repeat(2_000));
        let Error::Refused { message, .. } = error(403, &[], &long) else { panic!() };
        assert_eq!(message.chars().count(), LONGEST_TEXT);
    }

    #[test]
    fn a_failing_server_leaves_a_change_unclear_and_a_question_unanswered() {
        assert_eq!(error(502, &[], "<html>"), Error::Unclear("502 Bad Gateway".into()));
        let read = classify(
            StatusCode::INTERNAL_SERVER_ERROR,
            &HeaderMap::new(),
            b"",
            Effect::Read,
            now(),
        );
        assert_eq!(read, Error::Unavailable("500 Internal Server Error".into()));
    }

    #[test]
    fn a_body_that_is_no_json_is_still_an_answer() {
        assert_eq!(error(404, &[], "gone"), Error::NotFound(String::new()));
        assert_eq!(error(401, &[], "[1]"), Error::Unauthorized);
    }
}
