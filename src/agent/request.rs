//! One request: signed as Port's agent signs, sent once, its answer read up to a limit.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, Response, StatusCode, Url, redirect};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use sha2::Sha256;

use super::mapping::Mapped;
use super::network::{Network, forbidden_by};
use super::{Settings, Undeliverable};
use crate::domain::RunId;
use crate::seal::Secrets;

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest answer that is read, in bytes. The portal takes a request of 1 MiB, which holds the
/// answer, escaped.
const LONGEST_ANSWER: usize = 256 * 1024;
/// How many redirects are followed.
const REDIRECTS: usize = 5;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendError {
    /// It was not sent: nothing was done.
    NotSent(String),
    /// It was sent, or a part of it: it may have been done.
    Lost(String),
    /// It may not be sent. A sentence for the person who pressed the button.
    Forbidden(String),
}

impl SendError {
    pub(super) fn cleaned(self, secrets: &Secrets) -> Self {
        match self {
            Self::NotSent(reason) => Self::NotSent(secrets.clean(&reason)),
            Self::Lost(reason) => Self::Lost(secrets.clean(&reason)),
            Self::Forbidden(reason) => Self::Forbidden(secrets.clean(&reason)),
        }
    }
}

/// A request that is complete but for its signature.
pub(super) struct Request {
    method: Method,
    pub(super) url: Url,
    headers: HeaderMap,
    /// What is sent and signed. `None`: nothing.
    body: Option<String>,
}

/// An answer, as far as it was read.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
    /// It was longer, or ended early.
    pub(super) cut: bool,
}

/// A client that connects to nothing that the network forbids.
pub(super) fn client(settings: &Settings, network: &Network) -> Result<Client, String> {
    let mut builder = Client::builder()
        .user_agent(concat!("towpath/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(settings.timeout)
        .dns_resolver(std::sync::Arc::new(network.clone()))
        // A proxy would connect to addresses that nobody has looked at.
        .no_proxy()
        .redirect(redirect::Policy::custom(within_the_origin))
        .retry(reqwest::retry::never())
        .tls_danger_accept_invalid_certs(!settings.verify_certificates);
    if let Some(file) = &settings.authorities {
        let wrong = |error: String| format!("REQUESTS_CA_BUNDLE is {}: {error}", file.display());
        let bundle = std::fs::read(file).map_err(|error| wrong(error.to_string()))?;
        let bundle = reqwest::Certificate::from_pem_bundle(&bundle);
        let bundle = bundle.map_err(|error| wrong(error.to_string()))?;
        builder = builder.tls_certs_merge(bundle);
    }
    builder.build().map_err(|error| format!("the agent's HTTP client: {error}"))
}

/// Where an answer sends on is followed only to the same scheme, host and port: the address was
/// looked at, and what is signed is meant for it.
fn within_the_origin(attempt: redirect::Attempt<'_>) -> redirect::Action {
    let last = attempt.previous().last();
    let is_same = last.is_some_and(|last| last.origin() == attempt.url().origin());
    if is_same && attempt.previous().len() <= REDIRECTS { attempt.follow() } else { attempt.stop() }
}

impl Request {
    /// Of what the mapping has made.
    pub(super) fn of(mapped: &Mapped, run: &RunId) -> Result<Self, Undeliverable> {
        let wrong = |what: &str, value: &Value| {
            Undeliverable(format!(
                "The agent's mapping gives {what} for this action, where there should be one: \
                 {}. Correct the action in the portal, or the mapping file.",
                kind(value)
            ))
        };
        let method = mapped.method.as_str().unwrap_or("POST").to_ascii_uppercase();
        let method = Method::from_bytes(method.as_bytes())
            .map_err(|_| wrong("no method", &mapped.method))?;
        let url = mapped.url.as_str().and_then(|url| Url::parse(url.trim()).ok());
        let mut url = url.ok_or_else(|| wrong("no address", &mapped.url))?;
        for (name, value) in pairs(&mapped.query) {
            url.query_pairs_mut().append_pair(&name, &value);
        }
        let mut headers = HeaderMap::new();
        // The same however often it is sent, so that who receives it can tell.
        headers.insert("idempotency-key", header(run.as_str())?);
        for (name, value) in pairs(&mapped.headers) {
            let name = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| Undeliverable(format!("{name:?} is no name of a header.")))?;
            headers.insert(name, header(&value)?);
        }
        let body = (!mapped.body.is_null()).then(|| ascii(&mapped.body.to_string()));
        if body.is_some() && !headers.contains_key(CONTENT_TYPE) {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        Ok(Self { method, url, headers, body })
    }

    /// Whether doing it twice is doing it once (RFC 9110, 9.2.2).
    pub(super) fn is_idempotent(&self) -> bool {
        self.method.is_idempotent()
    }

    /// For people: without what may be secret in an address.
    pub(super) fn shown(&self) -> String {
        let mut url = self.url.clone();
        url.set_query(None);
        url.set_fragment(None);
        // Only an address without a host has no place for them.
        let _ = (url.set_username(""), url.set_password(None));
        format!("{} {url}", self.method)
    }

    pub(super) async fn send(
        &self,
        client: &Client,
        key: Option<&SecretString>,
        now: DateTime<Utc>,
    ) -> Result<Answer, SendError> {
        let mut request =
            client.request(self.method.clone(), self.url.clone()).headers(self.headers.clone());
        if let Some(key) = key {
            let timestamp = now.timestamp();
            // Port's agent signs what its language writes for nothing.
            let signed = self.body.as_deref().unwrap_or("null");
            request = request
                .header("x-port-timestamp", timestamp)
                .header("x-port-signature", signature(key, timestamp, signed));
        }
        if let Some(body) = &self.body {
            request = request.body(body.clone());
        }
        match request.send().await {
            Ok(response) => Ok(read(response).await),
            Err(error) => Err(classify(&error)),
        }
    }
}

fn classify(error: &reqwest::Error) -> SendError {
    if let Some(forbidden) = forbidden_by(error) {
        return SendError::Forbidden(forbidden.to_string());
    }
    let reason = reason(error);
    if error.is_connect() || error.is_builder() {
        return SendError::NotSent(reason);
    }
    SendError::Lost(reason)
}

/// What went wrong, without the address, which may hold a secret.
fn reason(error: &reqwest::Error) -> String {
    let mut source: &dyn std::error::Error = error;
    while let Some(deeper) = source.source() {
        source = deeper;
    }
    if error.is_timeout() { "no answer in time".to_owned() } else { source.to_string() }
}

/// The status counts; of what follows, as much as there is.
async fn read(mut response: Response) -> Answer {
    let (status, headers) = (response.status(), response.headers().clone());
    let mut bytes = Vec::new();
    let cut = loop {
        match response.chunk().await {
            Ok(None) => break false,
            Ok(Some(chunk)) if bytes.len() + chunk.len() <= LONGEST_ANSWER => {
                bytes.extend_from_slice(&chunk);
            }
            _ => break true,
        }
    };
    Answer { status, headers, text: String::from_utf8_lossy(&bytes).into_owned(), cut }
}

/// `X-Port-Signature` of a body.
fn signature(key: &SecretString, timestamp: i64, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.expose_secret().as_bytes())
        .expect("HMAC takes a key of any length");
    mac.update(format!("{timestamp}.{body}").as_bytes());
    format!("v1,{}", BASE64.encode(mac.finalize().into_bytes()))
}

/// JSON with every letter beyond ASCII escaped: what Port's agent signs. It is also what is sent,
/// so that a signature over the bytes is right, too.
fn ascii(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for letter in json.chars() {
        if letter.is_ascii() && letter != '\u{7f}' {
            escaped.push(letter);
            continue;
        }
        for unit in letter.encode_utf16(&mut [0; 2]) {
            escaped.push_str(&format!("\\u{unit:04x}"));
        }
    }
    escaped
}

/// Names and texts of an object. What is null is left out; a list is its name several times.
fn pairs(of: &Value) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    for (name, value) in of.as_object().into_iter().flatten() {
        match value {
            Value::Null => {}
            Value::Array(items) => {
                pairs.extend(items.iter().map(|item| (name.clone(), plain(item))));
            }
            value => pairs.push((name.clone(), plain(value))),
        }
    }
    pairs
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn header(text: &str) -> Result<HeaderValue, Undeliverable> {
    let mut value = HeaderValue::from_str(text).map_err(|_| {
        Undeliverable("The agent's mapping gives a header with a line break in it.".to_owned())
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// What kind of thing it is, for people: the thing itself may be secret.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "it is null",
        Value::String(_) => "it is a text that is none",
        _ => "it is no text",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn mapped() -> Mapped {
        Mapped {
            method: "put".into(),
            url: "https://user:secret@a.local:8443/x?token=secret".into(),
            body: json!({"name": "é漢😀"}),
            headers: json!({"X-Count": 3, "X-None": null}),
            query: json!({"q": ["a b", 1], "none": null}),
        }
    }

    fn request(mapped: &Mapped) -> Result<Request, Undeliverable> {
        Request::of(mapped, &RunId::new("r_1").unwrap())
    }

    #[test]
    fn a_request_is_made_of_what_the_mapping_gives() {
        let request = request(&mapped()).unwrap();
        assert_eq!(request.shown(), "PUT https://a.local:8443/x");
        assert_eq!(request.url.query(), Some("token=secret&q=a+b&q=1"));
        assert_eq!(request.body.as_deref(), Some(r#"{"name":"\u00e9\u6f22\ud83d\ude00"}"#));
        assert_eq!(request.headers["x-count"], "3");
        assert_eq!(request.headers["idempotency-key"], "r_1");
        assert_eq!(request.headers["content-type"], "application/json");
        assert_eq!(request.headers.len(), 3);
        assert!(request.is_idempotent());
    }

    #[test]
    fn what_is_no_request_is_refused_without_showing_it() {
        for wrong in [
            Mapped { url: Value::Null, ..mapped() },
            Mapped { url: "secret".into(), ..mapped() },
            Mapped { method: "se cret".into(), ..mapped() },
            Mapped { headers: json!({"X": "se\ncret"}), ..mapped() },
        ] {
            let Err(Undeliverable(reason)) = request(&wrong) else { panic!() };
            assert!(!reason.contains("cret"), "{reason}");
        }
    }

    #[test]
    fn the_signature_is_the_one_of_port_s_agent() {
        // tests/it/fixtures/port/crypto-vectors.json, "agent outbound signature".
        let key = SecretString::from("test-client-secret-0123456789abcdefghijklmnopqrstuvwxyz");
        let body = "{\"context\":{\"runId\":\"r_abc\"},\"name\":\"é漢\",\"n\":1.0,\
                    \"big\":12345678901234567890,\"url\":\"https://x/y?a=1&b=<2>\"}";
        assert_eq!(
            signature(&key, 1_713_277_889, &ascii(body)),
            "v1,bkEZFbFVpfljhd4aUst42Kmr44ZDrIMgZeBopCvClQE="
        );
    }
}
