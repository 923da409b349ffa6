//! Proof of where a message comes from. All comparisons take the same time, whatever differs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;

use super::json_text::{Letters, Members, compact};

/// How far the time of a message may be from ours, either way. The five minutes of Port's examples.
const WINDOW: TimeDelta = TimeDelta::minutes(5);
/// A time above this counts milliseconds: in seconds it would be the year 5138.
const MILLIS_FROM: i64 = 100_000_000_000;

/// Why a message is not believed. For the log; a sender is not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No secret is configured: nothing can be proved.
    #[error("no secret is configured")]
    NoSecret,
    /// A header is missing or has not the form it must have.
    #[error("the signature or its time is missing or malformed")]
    Malformed,
    /// The message's time is too far from ours.
    #[error("the signature is older than five minutes, or in the future")]
    Stale,
    /// The signature is of something else, or by somebody else.
    #[error("the signature does not match")]
    Mismatch,
}

/// Proves a delivery of GitHub by `X-Hub-Signature-256`, with any of the secrets: two are valid
/// while one is being replaced.
pub fn verify_github(
    secrets: &[SecretString],
    signature: Option<&str>,
    body: &[u8],
) -> Result<(), Refusal> {
    if secrets.is_empty() {
        return Err(Refusal::NoSecret);
    }
    let digits =
        signature.and_then(|text| text.strip_prefix("sha256=")).ok_or(Refusal::Malformed)?;
    let expected = hex::decode(digits).map_err(|_| Refusal::Malformed)?;
    let proves = |secret| is_mac_of(secret, &[body], &expected);
    if secrets.iter().any(proves) { Ok(()) } else { Err(Refusal::Mismatch) }
}

/// Proves a message of the portal by `X-Port-Signature` and `X-Port-Timestamp`. Port signs the
/// bytes, or the JSON as it would write it itself.
pub fn verify_portal(
    key: &SecretString,
    signature: Option<&str>,
    timestamp: Option<&str>,
    body: &[u8],
    now: DateTime<Utc>,
) -> Result<(), Refusal> {
    let expected = decoded(signature)?;
    let timestamp = timestamp.ok_or(Refusal::Malformed)?;
    let sent_at = time_of(timestamp).ok_or(Refusal::Malformed)?;
    if (now - sent_at).abs() > WINDOW {
        return Err(Refusal::Stale);
    }

    let proves = |text: &[u8]| is_mac_of(key, &[timestamp.as_bytes(), b".", text], &expected);
    if proves(body) {
        return Ok(());
    }
    let source = std::str::from_utf8(body).map_err(|_| Refusal::Mismatch)?;
    let rewritten = [Letters::Plain, Letters::Escaped]
        .into_iter()
        .filter_map(|letters| compact(source, letters))
        .any(|text| proves(text.as_bytes()));
    if rewritten { Ok(()) } else { Err(Refusal::Mismatch) }
}

/// Proves a message from Kafka, which carries its signature inside itself: in `headers`, which was
/// signed without the two entries. Its time is not held against it: what lay in the topic while
/// this program was away is still to be done, and a run is done once.
pub fn verify_kafka(key: &SecretString, message: &[u8]) -> Result<(), Refusal> {
    let source = std::str::from_utf8(message).map_err(|_| Refusal::Malformed)?;
    let members = Members::of(source).ok_or(Refusal::Malformed)?;
    let headers = members.get("headers").and_then(Members::of).ok_or(Refusal::Malformed)?;
    let text_of = |name| headers.get(name).map(unquoted).ok_or(Refusal::Malformed);
    let (signature, timestamp) = (text_of("X-Port-Signature")?, text_of("X-Port-Timestamp")?);
    let expected = decoded(Some(&signature))?;

    let signed = signed_text(&members, &headers).ok_or(Refusal::Malformed)?;
    let parts = [timestamp.as_bytes(), b".", signed.as_bytes()];
    if is_mac_of(key, &parts, &expected) { Ok(()) } else { Err(Refusal::Mismatch) }
}

/// The message as it was before it was signed. Of a `GITLAB` one, the whole `headers` were added by
/// the signing.
fn signed_text(members: &Members<'_>, headers: &Members<'_>) -> Option<String> {
    let is_signature = |name: &str| matches!(name, "X-Port-Signature" | "X-Port-Timestamp");
    let mut parts = Vec::new();
    for (name, value) in &members.0 {
        let value = match name.as_str() {
            "headers" if is_for_gitlab(members) => continue,
            "headers" => {
                let left = headers.0.iter().filter(|(name, _)| !is_signature(name));
                let left = left.map(|(name, value)| member(name, value.get()));
                format!("{{{}}}", left.collect::<Option<Vec<_>>>()?.join(","))
            }
            _ => value.get().to_owned(),
        };
        parts.push(member(name, &value)?);
    }
    Some(format!("{{{}}}", parts.join(",")))
}

fn member(name: &str, value: &str) -> Option<String> {
    let name = serde_json::to_string(name).ok()?;
    Some(format!("{name}:{}", compact(value, Letters::Plain)?))
}

fn is_for_gitlab(members: &Members<'_>) -> bool {
    let within = |object: &str, name: &str| {
        Members::of(object).and_then(|members| members.get(name).map(str::to_owned))
    };
    let method = members
        .get("payload")
        .and_then(|payload| within(payload, "action"))
        .and_then(|action| within(&action, "invocationMethod"))
        .and_then(|method| within(&method, "type"));
    method.is_some_and(|kind| unquoted(&kind) == "GITLAB")
}

/// A string's text, or a number as it is written.
fn unquoted(source: &str) -> String {
    serde_json::from_str(source).unwrap_or_else(|_| source.to_owned())
}

fn decoded(signature: Option<&str>) -> Result<Vec<u8>, Refusal> {
    let text = signature.and_then(|text| text.strip_prefix("v1,")).ok_or(Refusal::Malformed)?;
    BASE64.decode(text).map_err(|_| Refusal::Malformed)
}

fn time_of(timestamp: &str) -> Option<DateTime<Utc>> {
    let number: i64 = timestamp.parse().ok()?;
    if number > MILLIS_FROM {
        return DateTime::from_timestamp_millis(number);
    }
    DateTime::from_timestamp(number, 0)
}

fn is_mac_of(key: &SecretString, parts: &[&[u8]], expected: &[u8]) -> bool {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.expose_secret().as_bytes()) else {
        return false;
    };
    for part in parts {
        mac.update(part);
    }
    mac.verify_slice(expected).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> SecretString {
        SecretString::from(text.to_owned())
    }

    #[test]
    fn githubs_own_example_is_proved() {
        // docs.github.com, "Validating webhook deliveries".
        let secrets = [secret("old"), secret("It's a Secret to Everybody")];
        let signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        assert_eq!(verify_github(&secrets, Some(signature), b"Hello, World!"), Ok(()));

        let refused =
            |secrets: &[_], signature, body: &[u8]| verify_github(secrets, signature, body);
        assert_eq!(refused(&secrets, Some(signature), b"Hello, World?"), Err(Refusal::Mismatch));
        assert_eq!(
            refused(&secrets[..1], Some(signature), b"Hello, World!"),
            Err(Refusal::Mismatch)
        );
        assert_eq!(refused(&secrets, Some("sha1=00"), b"Hello, World!"), Err(Refusal::Malformed));
        assert_eq!(
            refused(&secrets, Some("sha256=7571"), b"Hello, World!"),
            Err(Refusal::Mismatch)
        );
        assert_eq!(refused(&secrets, None, b"Hello, World!"), Err(Refusal::Malformed));
        assert_eq!(refused(&[], Some(signature), b"Hello, World!"), Err(Refusal::NoSecret));
    }

    #[test]
    fn a_time_is_in_seconds_or_in_milliseconds() {
        assert_eq!(time_of("1713277889"), time_of("1713277889000"));
        for broken in ["", "soon", "1.5", "99999999999999999999"] {
            assert_eq!(time_of(broken), None, "{broken}");
        }
    }
}
