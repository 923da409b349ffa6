//! One value each: the text of a setting to what it means, or a sentence that names the setting.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;

use super::{Checked, LogFormat, wrong};

/// The fewest characters of a token that opens the API to other machines.
const SHORTEST_TOKEN: usize = 24;

const MILLIS_PER_DAY: u64 = 86_400_000;

/// A text with something in it: deployments set variables to nothing.
pub(super) fn given(text: Option<String>) -> Option<String> {
    text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

pub(super) fn split(list: Option<&str>) -> impl Iterator<Item = &str> {
    list.unwrap_or_default().split(',').map(str::trim).filter(|item| !item.is_empty())
}

pub(super) fn parse_listen(text: &str) -> Checked<SocketAddr> {
    text.parse().or_else(|_| {
        wrong(format!("TOWPATH_LISTEN is {text:?}; use an address and a port, as 127.0.0.1:8080."))
    })
}

pub(super) fn parse_url(name: &str, text: &str) -> Checked<String> {
    let url = reqwest::Url::parse(text).ok();
    match url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host()) {
        Some(_) => Ok(text.trim_end_matches('/').to_owned()),
        None => wrong(format!("{name} is {text:?}; use an address that starts with https://.")),
    }
}

pub(super) fn parse_database_url(text: String) -> Checked<SecretString> {
    let known = ["sqlite:", "postgres://", "postgresql://"];
    if known.iter().any(|scheme| text.starts_with(scheme)) {
        return Ok(text.into());
    }
    // The value may hold a password, and is not repeated.
    wrong("TOWPATH_DATABASE_URL has to start with sqlite:// or postgres://.")
}

/// Long enough that it cannot be guessed.
pub(super) fn parse_api_token(token: Option<String>) -> Checked<Option<SecretString>> {
    match given(token) {
        Some(token) if token.len() < SHORTEST_TOKEN => wrong(format!(
            "TOWPATH_API_TOKEN has fewer than {SHORTEST_TOKEN} characters; use a longer one, as `openssl rand -hex 32` makes it."
        )),
        token => Ok(token.map(SecretString::from)),
    }
}

pub(super) fn parse_log_format(text: &str) -> Checked<LogFormat> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        other => wrong(format!("TOWPATH_LOG_FORMAT is {other:?}; use text or json.")),
    }
}

/// `10s`, `5m`, `1h`, `500ms`; at least a tenth of a second.
pub(super) fn parse_duration(name: &str, text: &str) -> Checked<Duration> {
    let millis = millis(text);
    if (100..=MILLIS_PER_DAY).contains(&millis) {
        return Ok(Duration::from_millis(millis));
    }
    wrong(format!("{name} is {text:?}; use a number and a unit, as 10s, 5m or 1h, up to a day."))
}

/// Not so short that a process loses its steps because the machine is busy.
pub(super) fn parse_lease(text: &str) -> Checked<Duration> {
    let lease = parse_duration("TOWPATH_LEASE", text)?;
    if lease >= Duration::from_secs(1) {
        return Ok(lease);
    }
    wrong(format!("TOWPATH_LEASE is {text:?}; use at least a second, as 10s."))
}

/// Not less than a run may still be heard of: GitHub re-runs a workflow for 30 days, and the same
/// message of the portal must find its run.
pub(super) fn parse_keep_runs(text: &str) -> Checked<Duration> {
    let millis = millis(text);
    if (30 * MILLIS_PER_DAY..=100_000 * MILLIS_PER_DAY).contains(&millis) {
        return Ok(Duration::from_millis(millis));
    }
    wrong(format!("TOWPATH_KEEP_RUNS is {text:?}; use a number of days from 30d on, as 365d."))
}

/// A number and a unit; 0 for anything else.
fn millis(text: &str) -> u64 {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let millis_per_unit = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => MILLIS_PER_DAY,
        _ => 0,
    };
    number.parse::<u64>().unwrap_or(0).saturating_mul(millis_per_unit)
}

/// A private key that is given itself or by its file: the settings' names, and what they hold.
pub(super) fn key_of(
    (name, key): (&str, Option<&String>),
    (file_name, file): (&str, Option<&PathBuf>),
) -> Checked<Option<SecretString>> {
    let file = file.filter(|file| !file.as_os_str().is_empty());
    match (given(key.cloned()), file) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => wrong(format!("{name} and {file_name} are both set; keep one.")),
        (Some(key), None) => parse_key(name, &key).map(Some),
        (None, Some(file)) => {
            let key = std::fs::read_to_string(file).or_else(|error| {
                wrong(format!(
                    "{file_name} is {}, which cannot be read ({error}); check path and permissions.",
                    file.display()
                ))
            })?;
            parse_key(file_name, &key).map(Some)
        }
    }
}

/// The PEM, also where it came in base64 or with `\n` for its line breaks.
pub(super) fn parse_key(name: &str, text: &str) -> Checked<SecretString> {
    let text = text.trim();
    if text.starts_with("-----BEGIN") {
        return Ok(text.replace("\\n", "\n").into());
    }
    let compact: String = text.split_whitespace().collect();
    let decoded = STANDARD.decode(compact).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    match decoded.filter(|pem| pem.trim_start().starts_with("-----BEGIN")) {
        Some(pem) => Ok(pem.trim().into()),
        None => wrong(format!(
            "{name} is no PEM and no PEM in base64; use the .pem file of the private key."
        )),
    }
}
