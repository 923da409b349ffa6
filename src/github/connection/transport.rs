//! HTTP to GitHub by octocrab: time limits, redirects, no retries, no cache.
//!
//! The stack below octocrab is built here, because its ready-made one adds a second `User-Agent`
//! and its own authorisation. A request is sent once; whoever called decides what follows.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, IF_NONE_MATCH, USER_AGENT};
use http::{HeaderValue, Request, StatusCode, Uri};
use http_body_util::BodyExt as _;
use hyper_util::client::legacy::{Client, Error as HyperError};
use octocrab::{AuthState, OctoBody, Octocrab, OctocrabBuilder};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Semaphore;
use tower_http::follow_redirect::FollowRedirectLayer;
use tower_http::follow_redirect::policy::{
    Action, Attempt, FilterCredentials, Limited, Policy, PolicyExt as _, clone_body_fn,
};

use super::answer::{Answer, lost};
use super::call::{Call, Place, Reading};
use super::pace::Pace;
use crate::clock::Clock;
use crate::github::{Error, SetupError};

/// How long it may take to reach GitHub.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// How long a call may take from its first to its last byte. GitHub gives up after 10 s itself;
/// the rest is for downloads.
const TIME_LIMIT: Duration = Duration::from_secs(45);

/// How many requests are under way at once, the others wait. GitHub takes 100, of all processes
/// together
/// (<https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api>).
const AT_ONCE: usize = 32;

/// The version of the REST API whose dispatch takes `return_run_details`.
const API_VERSION: HeaderValue = HeaderValue::from_static("2022-11-28");

/// The one place from which requests go to GitHub.
#[derive(Debug)]
pub(in crate::github) struct Transport {
    octocrab: Octocrab,
    places: Semaphore,
    /// Without `/` at its end.
    rest: String,
    graphql: String,
    web: String,
    clock: Clock,
}

impl Transport {
    /// Prepares connections to the API at `base`; opens none. Needs a Tokio runtime.
    pub(in crate::github) fn new(base: &str, clock: Clock) -> Result<Self, SetupError> {
        let rest = base.trim_end_matches('/').to_owned();
        let bad = || SetupError::Address(base.to_owned());
        let uri: Uri = rest.parse().map_err(|_| bad())?;
        let with_scheme = matches!(uri.scheme_str(), Some("https" | "http"));
        if !with_scheme || uri.host().is_none() || uri.query().is_some() {
            return Err(bad());
        }
        Ok(Self {
            octocrab: stack()?,
            places: Semaphore::new(AT_ONCE),
            graphql: graphql_address(&rest),
            web: web_address(&rest),
            rest,
            clock,
        })
    }

    /// Sends a request of nobody's once: without proof of identity, and beside all limits.
    pub(in crate::github) async fn send_as_nobody(&self, call: &Call) -> Result<Answer, Error> {
        self.send(call, None, &Pace::default()).await
    }

    /// Sends a request once, if the limits let it go. An answer below 300 is `Ok`, and so is that
    /// what is known has not changed.
    #[tracing::instrument(name = "github", level = "debug", skip_all, fields(doing = %call.doing))]
    pub(super) async fn send(
        &self,
        call: &Call,
        authorization: Option<&SecretString>,
        pace: &Pace,
    ) -> Result<Answer, Error> {
        let _place = self.places.acquire().await;
        let admitted = pace.admit(call, self.clock.now())?;
        let request = self.request(call, authorization)?;
        let answer = tokio::time::timeout(TIME_LIMIT, self.exchange(call, request))
            .await
            .unwrap_or_else(|_| Err(call.lost(format!("nothing within {TIME_LIMIT:?}"))))?;
        admitted.answered(&answer);
        let is_unchanged = call.tag.is_some() && answer.status == StatusCode::NOT_MODIFIED;
        if answer.status.is_success() || is_unchanged {
            return Ok(answer);
        }
        let (status, request_id) = (answer.status.as_u16(), answer.request_id());
        tracing::info!(status, request_id, "GitHub refused: {}", call.doing);
        let error = answer.refusal(&call.doing, call.effect, self.clock.now());
        pace.heed(&error, &answer);
        Err(error)
    }

    fn request(
        &self,
        call: &Call,
        authorization: Option<&SecretString>,
    ) -> Result<Request<OctoBody>, Error> {
        let url = match &call.place {
            Place::Rest(path) => format!("{}{path}", self.rest),
            Place::Graphql => self.graphql.clone(),
            Place::Web(path) => format!("{}{path}", self.web),
        };
        let accept = match &call.place {
            Place::Web(_) => "application/json",
            Place::Rest(_) | Place::Graphql => "application/vnd.github+json",
        };
        let mut request = Request::builder()
            .method(&call.method)
            .uri(url)
            .header(ACCEPT, accept)
            .header("x-github-api-version", API_VERSION)
            .header(USER_AGENT, concat!("towpath/", env!("CARGO_PKG_VERSION")));
        if let Some(token) = authorization {
            let value = format!("Bearer {}", token.expose_secret());
            let mut value = HeaderValue::try_from(value)
                .map_err(|_| call.unexpected(&"a token that no header can carry"))?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        if let Some(tag) = &call.tag {
            request = request.header(IF_NONE_MATCH, tag);
        }
        let body = match &call.body {
            Some(body) => {
                request = request.header(CONTENT_TYPE, "application/json");
                OctoBody::from(body.to_string())
            }
            None => OctoBody::empty(),
        };
        request.body(body).map_err(|error| call.unexpected(&error))
    }

    async fn exchange(&self, call: &Call, request: Request<OctoBody>) -> Result<Answer, Error> {
        let response =
            self.octocrab.send(request).await.map_err(|error| match hyper_of(&error) {
                Some(hyper) if hyper.is_connect() => Error::Unavailable {
                    doing: call.doing.clone(),
                    reason: format!("no connection: {}", root_cause(hyper)),
                },
                _ => call.lost(root_cause(&error)),
            })?;
        let (head, mut body) = response.into_parts();
        let mut kept = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| call.lost(root_cause(&error)))?;
            if let Some(data) = frame.data_ref() {
                keep(&mut kept, data, call)?;
            }
        }
        Ok(Answer { status: head.status, headers: head.headers, body: kept.freeze() })
    }
}

impl Call {
    fn lost(&self, reason: String) -> Error {
        lost(self.doing.clone(), self.effect, reason)
    }

    fn unexpected(&self, reason: &impl ToString) -> Error {
        Error::Unexpected { doing: self.doing.clone(), reason: reason.to_string() }
    }
}

fn keep(kept: &mut BytesMut, data: &Bytes, call: &Call) -> Result<(), Error> {
    kept.extend_from_slice(data);
    match call.reading {
        Reading::Whole(most) if kept.len() > most => {
            Err(call.unexpected(&format!("more than {most} bytes")))
        }
        // Thrown away in large pieces, so that not each frame moves the whole tail.
        Reading::Tail(least) if kept.len() > 2 * least => {
            let _ = kept.split_to(kept.len() - least);
            Ok(())
        }
        _ => Ok(()),
    }
}

fn stack() -> Result<Octocrab, SetupError> {
    let https = hyper_rustls::HttpsConnectorBuilder::new()
        .with_native_roots()?
        .https_or_http()
        .enable_http1()
        .build();
    let mut connector = hyper_timeout::TimeoutConnector::new(https);
    connector.set_connect_timeout(Some(CONNECT_LIMIT));
    let client: Client<_, OctoBody> =
        Client::builder(hyper_util::rt::TokioExecutor::new()).build(connector);
    // A renamed repository answers a write with 307: the body goes along.
    let redirects = Limited::new(5)
        .and::<_, OctoBody, HyperError>(FilterCredentials::new())
        .and::<_, OctoBody, HyperError>(DownloadsWithoutToken::default())
        .and::<_, OctoBody, HyperError>(clone_body_fn(OctoBody::try_clone));
    let built = OctocrabBuilder::new_empty()
        .with_service(client)
        .with_layer(&FollowRedirectLayer::with_policy(redirects))
        .with_auth(AuthState::None)
        .build();
    match built {
        Ok(octocrab) => Ok(octocrab),
        Err(never) => match never {},
    }
}

/// Logs and artifacts are answered with 302, and lie where a second proof of identity beside the
/// signed address is refused: mostly on another host, on some GHES on the same one.
#[derive(Clone, Default)]
struct DownloadsWithoutToken {
    is_download: bool,
}

impl<B, E> Policy<B, E> for DownloadsWithoutToken {
    fn redirect(&mut self, attempt: &Attempt<'_>) -> Result<Action, E> {
        self.is_download |= attempt.status() == StatusCode::FOUND;
        Ok(Action::Follow)
    }

    fn on_request(&mut self, request: &mut Request<B>) {
        if self.is_download {
            request.headers_mut().remove(AUTHORIZATION);
        }
    }
}

/// GHES has its GraphQL beside its REST API, every other host below it.
fn graphql_address(rest: &str) -> String {
    match rest.strip_suffix("/api/v3") {
        Some(host) => format!("{host}/api/graphql"),
        None => format!("{rest}/graphql"),
    }
}

/// GitHub's address for people, by that of its REST API; without a slash at its end.
pub fn web_address(rest: &str) -> String {
    let host = rest.trim_end_matches('/');
    let host = host.strip_suffix("/api/v3").unwrap_or(host);
    match host.strip_prefix("https://api.") {
        Some(host) => format!("https://{host}"),
        None => host.to_owned(),
    }
}

type Cause<'a> = &'a (dyn std::error::Error + 'static);

/// An error and what caused it, outermost first.
fn causes(error: Cause<'_>) -> impl Iterator<Item = Cause<'_>> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let error = next?;
        next = error.source();
        Some(error)
    })
}

fn hyper_of(error: &octocrab::Error) -> Option<&HyperError> {
    causes(error).find_map(|error| error.downcast_ref::<HyperError>())
}

/// The innermost cause: the outer ones only say that a request failed.
fn root_cause(error: Cause<'_>) -> String {
    causes(error).last().map(ToString::to_string).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn graphql_is_where_each_kind_of_host_has_it() {
        for (rest, graphql) in [
            ("https://api.github.com", "https://api.github.com/graphql"),
            ("https://api.acme.ghe.com", "https://api.acme.ghe.com/graphql"),
            ("https://git.acme.example/api/v3", "https://git.acme.example/api/graphql"),
            ("http://127.0.0.1:7000", "http://127.0.0.1:7000/graphql"),
        ] {
            assert_eq!(graphql_address(rest), graphql);
        }
    }

    #[test]
    fn people_sign_in_where_each_kind_of_host_has_it() {
        for (rest, web) in [
            ("https://api.github.com", "https://github.com"),
            ("https://api.acme.ghe.com/", "https://acme.ghe.com"),
            ("https://git.acme.example/api/v3", "https://git.acme.example"),
            ("http://127.0.0.1:7000", "http://127.0.0.1:7000"),
        ] {
            assert_eq!(web_address(rest), web);
        }
    }

    #[tokio::test]
    async fn an_address_that_is_none_is_refused() {
        for bad in ["", "api.github.com", "ftp://x", "https://", "https://x/?a=b"] {
            assert!(Transport::new(bad, Clock::system()).is_err(), "{bad:?}");
        }
        assert!(Transport::new("https://git.acme.example/api/v3/", Clock::system()).is_ok());
    }
}
