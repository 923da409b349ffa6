//! One request to Port: address, token, timeouts, and what its answer means. Sends nothing twice,
//! except a call that was refused for an old token.

use std::time::Duration;

use reqwest::{Client, Method, Response, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::error::{Effect, Error, classify};
use super::limit;
use super::token::{Fetched, TokenCache};
use crate::clock::Clock;

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a call may take. Port's own client waits 60 s (ocean, `CLIENT_TIMEOUT`); a report that
/// takes longer than this is looked for instead.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// How many requests are under way at once, the others wait. Port names no such limit: as many as one
/// process sends to GitHub.
const AT_ONCE: usize = 32;

/// The largest answer that is read, in bytes: 50 log lines of the longest kind fit.
const LARGEST_ANSWER: usize = 8 * 1024 * 1024;

/// How this program calls itself.
const USER_AGENT: &str = concat!("towpath/", env!("CARGO_PKG_VERSION"));

pub(super) struct Transport {
    client: Client,
    places: Semaphore,
    base: Url,
    client_id: String,
    client_secret: SecretString,
    token: TokenCache,
    clock: Clock,
}

/// One call below `/v1`.
pub(super) struct Call<'a> {
    method: Method,
    path: Vec<&'a str>,
    query: Vec<(&'static str, &'a str)>,
    body: Option<Value>,
    reserved: bool,
}

impl<'a> Call<'a> {
    /// A call of a path, given in segments, which may hold any character.
    pub(super) fn new(method: Method, path: impl IntoIterator<Item = &'a str>) -> Self {
        let path = path.into_iter().collect();
        Self { method, path, query: Vec::new(), body: None, reserved: false }
    }

    /// With a parameter.
    pub(super) fn query(mut self, name: &'static str, value: &'a str) -> Self {
        self.query.push((name, value));
        self
    }

    /// With `run_id`, where there is a run: only while the portal has it in progress.
    pub(super) fn for_run(self, run: Option<&'a crate::domain::RunId>) -> Self {
        match run {
            Some(run) => self.query("run_id", run.as_str()),
            None => self,
        }
    }

    /// With a JSON body.
    pub(super) fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    /// Of those that Port keeps for its own clients, which say so.
    pub(super) fn reserved(mut self) -> Self {
        self.reserved = true;
        self
    }

    fn effect(&self) -> Effect {
        if self.method == Method::GET { Effect::Read } else { Effect::Write }
    }
}

impl Transport {
    pub(super) fn new(
        base_url: &str,
        client_id: String,
        client_secret: SecretString,
        clock: Clock,
    ) -> Result<Self, Error> {
        let base = Url::parse(base_url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let base = base.ok_or_else(|| {
            Error::Unavailable(format!("{base_url:?} is no address of the form https://host"))
        })?;
        let client = Client::builder()
            .user_agent(USER_AGENT)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(CALL_TIMEOUT)
            // The token goes to the configured host and to no other.
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .build()
            .map_err(|error| Error::Unavailable(reason(&error)))?;
        let token = TokenCache::new(clock.clone());
        Ok(Self {
            client,
            places: Semaphore::new(AT_ONCE),
            base,
            client_id,
            client_secret,
            token,
            clock,
        })
    }

    /// Sends a change, and says whether it was made. What the answer holds is not read: a success
    /// is one as soon as its status is known.
    pub(super) async fn write(&self, call: Call<'_>) -> Result<(), Error> {
        self.send(&call).await.map(drop)
    }

    /// Sends, and gives the answer. Of a change, an answer that cannot be read is a lost one.
    pub(super) async fn read<T: for<'de> Deserialize<'de>>(
        &self,
        call: Call<'_>,
    ) -> Result<T, Error> {
        let effect = call.effect();
        let response = self.send(&call).await?;
        parse(&whole(response, effect).await?, effect)
    }

    async fn send(&self, call: &Call<'_>) -> Result<Response, Error> {
        let token = self.token.get(None, async || self.fetch_token().await).await?;
        match self.send_with(call, &token).await {
            Err(Error::Unauthorized) => {
                let token = self.token.get(Some(&token), async || self.fetch_token().await).await?;
                self.send_with(call, &token).await
            }
            answered => answered,
        }
    }

    #[tracing::instrument(name = "portal", level = "debug", skip_all, fields(method = %call.method))]
    async fn send_with(&self, call: &Call<'_>, token: &SecretString) -> Result<Response, Error> {
        let mut request = self
            .client
            .request(call.method.clone(), self.url(call))
            .bearer_auth(token.expose_secret());
        if call.reserved {
            request = request.header("x-port-reserved-usage", "true");
        }
        if let Some(body) = &call.body {
            let body = body.to_string();
            if !limit::body_fits(body.len()) {
                return Err(too_large(body.len()));
            }
            request = request.header("content-type", "application/json").body(body);
        }
        self.answer(request, call.effect()).await
    }

    async fn answer(
        &self,
        request: reqwest::RequestBuilder,
        effect: Effect,
    ) -> Result<Response, Error> {
        let _place = self.places.acquire().await;
        let response = request.send().await.map_err(|error| {
            if error.is_connect() || error.is_builder() {
                return Error::Unavailable(reason(&error));
            }
            effect.lost(reason(&error))
        })?;
        if response.status().is_success() {
            return Ok(response);
        }
        let (status, headers) = (response.status(), response.headers().clone());
        let body = whole(response, effect).await.unwrap_or_default();
        Err(classify(status, &headers, &body, effect, self.clock.now()))
    }

    async fn fetch_token(&self) -> Result<Fetched, Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Granted {
            access_token: String,
            expires_in: f64,
        }
        let call = Call::new(Method::POST, ["auth", "access_token"]);
        let credentials =
            json!({"clientId": self.client_id, "clientSecret": self.client_secret.expose_secret()});
        let request = self.client.post(self.url(&call)).json(&credentials);
        let response = match self.answer(request, Effect::Read).await {
            // Port answers so for an unknown id, as for a wrong secret.
            Err(Error::NotFound(_) | Error::Refused { .. }) => return Err(Error::Unauthorized),
            answered => answered?,
        };
        let granted: Granted = parse(&whole(response, Effect::Read).await?, Effect::Read)?;
        let expires_in = Duration::try_from_secs_f64(granted.expires_in).unwrap_or_default();
        Ok(Fetched { token: granted.access_token.into(), expires_in })
    }

    fn url(&self, call: &Call<'_>) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push("v1").extend(&call.path);
        }
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&call.query);
        }
        url
    }
}

/// The whole answer, as far as it is reasonable.
async fn whole(mut response: Response, effect: Effect) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    loop {
        match response.chunk().await {
            Ok(None) => return Ok(bytes),
            Ok(Some(chunk)) if bytes.len() + chunk.len() <= LARGEST_ANSWER => {
                bytes.extend_from_slice(&chunk);
            }
            Ok(Some(_)) => return Err(effect.lost("its answer is too long".to_owned())),
            Err(error) => return Err(effect.lost(reason(&error))),
        }
    }
}

fn parse<T: for<'de> Deserialize<'de>>(bytes: &[u8], effect: Effect) -> Result<T, Error> {
    serde_json::from_slice(bytes)
        .map_err(|error| effect.lost(format!("its answer cannot be read: {error}")))
}

fn too_large(bytes: usize) -> Error {
    Error::Refused {
        status: StatusCode::PAYLOAD_TOO_LARGE.as_u16(),
        code: "payload_too_large".to_owned(),
        message: format!("the request has {bytes} bytes, the portal takes 1 MiB"),
    }
}

/// What went wrong, without the address, which holds identifiers.
fn reason(error: &reqwest::Error) -> String {
    let mut source: &dyn std::error::Error = error;
    while let Some(deeper) = source.source() {
        source = deeper;
    }
    if error.is_timeout() { "no answer in time".to_owned() } else { source.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(base: &str, call: &Call<'_>) -> String {
        let secret = SecretString::from("s");
        Transport::new(base, "id".into(), secret, Clock::system()).unwrap().url(call).into()
    }

    #[test]
    fn identifiers_are_one_segment_whatever_they_hold() {
        let call = Call::new(Method::GET, ["blueprints", "a/b\\c", "entities", "é:1=x+y"]);
        assert_eq!(
            url("https://api.port.io", &call),
            "https://api.port.io/v1/blueprints/a%2Fb%5Cc/entities/%C3%A9:1=x+y"
        );
    }

    #[test]
    fn the_base_may_have_a_path_and_a_slash() {
        let call = Call::new(Method::GET, ["runs"]).query("run_id", "a b&c");
        assert_eq!(url("http://h:1/port/", &call), "http://h:1/port/v1/runs?run_id=a+b%26c");
        let secret = SecretString::from("s");
        assert!(Transport::new("api.port.io", "i".into(), secret, Clock::system()).is_err());
    }
}
