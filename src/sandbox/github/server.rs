//! The way of every request: read, identified, troubled if a fault waits for it, authenticated,
//! counted, answered, recorded.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri};
use axum::response::Response;
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;

use super::auth::Caller;
use super::connection::{BreakableListener, Breaker};
use super::faults::Fault;
use super::limits::{Cost, secondary};
use super::refusal::{Answered, Refusal};
use super::requests::RecordedRequest;
use super::rest::{self, Answer};
use super::{SandboxGitHub, graphql};

/// GitHub takes about 40 MB of content in one commit; base64 makes that a third more.
const LARGEST_BODY: usize = 64 << 20;
/// The API versions in service; the first is meant when none is named.
const VERSIONS: [&str; 2] = ["2022-11-28", "2026-03-10"];

static REQUEST_NUMBER: AtomicU64 = AtomicU64::new(1);

/// A request, taken apart.
pub(crate) struct Incoming {
    pub(crate) method: Method,
    pub(crate) path: String,
    /// `/api/v3` or nothing: what a link back needs in front.
    pub(crate) prefix: &'static str,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

pub(crate) async fn serve(github: SandboxGitHub, listener: TcpListener) {
    let stop = github.inner().stop.clone();
    let router = Router::new().fallback(handle).with_state(github);
    let service = router.into_make_service_with_connect_info::<Breaker>();
    let server = axum::serve(BreakableListener(listener), service);
    tokio::select! {
        result = async { server.await } => {
            if let Err(error) = result {
                tracing::error!("sandbox GitHub stopped serving: {error}");
            }
        }
        () = stop.cancelled() => {}
    }
}

async fn handle(
    State(github): State<SandboxGitHub>,
    ConnectInfo(breaker): ConnectInfo<Breaker>,
    request: Request<Body>,
) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, LARGEST_BODY).await else {
        return respond(&Answer::refused(&Refusal::unprocessable("Body too large")));
    };
    let (prefix, path) = without_prefix(&parts.uri);
    let incoming = Incoming {
        method: parts.method,
        path,
        prefix,
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        body,
    };
    let (template, fields) = identify(&incoming);
    let operation = format!("{} {template}", incoming.method);
    let asker = github.with(|world| {
        let asker = world.asker(&incoming)?;
        world.told.came(asker, &operation, world.clock.now());
        Some(asker)
    });
    let fault = github.inner().faults().take(&operation, &fields);
    if let Some(Fault::Delay(delay)) = fault {
        tokio::time::sleep(delay).await;
    }
    let mut released = github.inner().released.subscribe();
    let mut answer = match &fault {
        Some(Fault::AnswerBefore(status)) => trouble(*status),
        Some(Fault::SecondaryLimit(wait)) => secondary(403, wait.as_secs(), fields.first()),
        Some(Fault::TooManyRequests(wait)) => secondary(429, wait.as_secs(), fields.first()),
        _ => answer(&github, &incoming).await,
    };
    if let Some(Fault::AnswerAfter(status)) = fault {
        answer = trouble(status);
    }
    let lost = fault == Some(Fault::LoseAnswer);
    // Who did not hear it was told nothing.
    if let Some(asker) = asker.filter(|_| !lost) {
        github.with(|world| world.told.answered(asker, &answer, world.clock.now()));
    }
    if fault == Some(Fault::HoldAnswer) {
        // The sender lives as long as the sandbox that is handling this request.
        let _released = released.changed().await;
    }
    let status = if lost { 0 } else { answer.status };
    github.inner().requests().push(RecordedRequest {
        method: incoming.method.to_string(),
        path: template,
        graphql: fields,
        status,
    });
    if lost {
        breaker.break_off();
    }
    respond(&answer)
}

fn without_prefix(uri: &Uri) -> (&'static str, String) {
    let path = uri.path();
    if path == "/api/graphql" {
        return ("", "/graphql".to_owned());
    }
    match path.strip_prefix("/api/v3") {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => ("/api/v3", rest.to_owned()),
        _ => ("", path.to_owned()),
    }
}

/// The path template, and the root fields if it is GraphQL.
fn identify(incoming: &Incoming) -> (String, Vec<String>) {
    if incoming.path == "/graphql" {
        return ("/graphql".to_owned(), graphql::root_fields(&incoming.body));
    }
    let route = rest::find(&incoming.method, &incoming.path);
    (
        route.map_or_else(|| incoming.path.clone(), |(route, _)| route.template.to_owned()),
        Vec::new(),
    )
}

async fn answer(github: &SandboxGitHub, incoming: &Incoming) -> Answer {
    if let Some(key) = incoming.path.strip_prefix("/_downloads/") {
        return download(github, incoming, key).unwrap_or_else(|refusal| Answer::refused(&refusal));
    }
    let version = match checked_headers(&incoming.headers) {
        Ok(version) => version,
        Err(refusal) => return Answer::refused(&refusal),
    };
    let authorization = incoming.headers.get("authorization").and_then(|it| it.to_str().ok());
    let caller = match github.with(|world| world.authenticate(authorization)) {
        Ok(caller) => caller,
        Err(refusal) => return Answer::refused(&refusal),
    };
    let is_graphql = incoming.path == "/graphql";
    let cost = Cost::of(incoming, is_graphql);
    let counted = match github.with(|world| world.count(&caller, cost)) {
        Ok(counted) => counted,
        Err(answer) => return *answer,
    };
    let mut answer = if is_graphql {
        graphql::answer(github, &caller, incoming).await
    } else {
        github.with(|world| rest::answer(world, &caller, incoming, version))
    };
    if incoming.method == Method::GET && answer.status == 200 {
        answer = conditional(answer, &incoming.headers);
    }
    // A 304 is free. <https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api>
    let limits = github.with(|world| world.settle_count(&counted, answer.status == 304));
    answer.headers.extend(limits);
    answer.headers.push(("x-github-api-version-selected", version.to_owned()));
    answer
}

fn checked_headers(headers: &HeaderMap) -> Answered<&'static str> {
    if headers.get("user-agent").is_none_or(HeaderValue::is_empty) {
        return Err(Refusal::forbidden(
            "Request forbidden by administrative rules. Please make sure your request has a User-Agent header",
        ));
    }
    let Some(wanted) = headers.get("x-github-api-version") else {
        return Ok(VERSIONS[0]);
    };
    let found = VERSIONS.into_iter().find(|version| wanted == version);
    found.ok_or_else(|| Refusal::gone("This version of the API is not supported"))
}

/// What a redirect led to: no token wanted here, and none taken.
fn download(github: &SandboxGitHub, incoming: &Incoming, key: &str) -> Answered<Answer> {
    if incoming.headers.contains_key("authorization") {
        return Err(Refusal::bad_request("Only one auth mechanism allowed"));
    }
    github.with(|world| {
        let now = world.now();
        let found = world.downloads.get(key).filter(|it| it.expires_at > now);
        let found = found
            .ok_or_else(|| Refusal::forbidden("Signature not valid in the specified time frame"))?;
        Ok(Answer {
            status: 200,
            body: Body200::Bytes(found.content_type, found.bytes.clone()),
            headers: Vec::new(),
        })
    })
}

pub(crate) use super::rest::Body as Body200;

fn conditional(mut answer: Answer, headers: &HeaderMap) -> Answer {
    let tag = format!("W/\"{}\"", hex::encode(Sha256::digest(answer.bytes())));
    let is_same = headers
        .get("if-none-match")
        .and_then(|it| it.to_str().ok())
        .is_some_and(|given| given.split(',').any(|it| it.trim() == tag || it.trim() == &tag[2..]));
    if is_same {
        answer = Answer::empty(304);
    }
    answer.headers.push(("etag", tag));
    answer
}

fn trouble(status: u16) -> Answer {
    let reason = StatusCode::from_u16(status).ok().and_then(|it| it.canonical_reason());
    Answer::json(status, json!({"message": reason.unwrap_or("Server Error")}))
}

fn respond(answer: &Answer) -> Response {
    let mut response = Response::new(Body::from(answer.bytes()));
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    let number = REQUEST_NUMBER.fetch_add(1, Ordering::Relaxed);
    headers.insert("x-github-request-id", HeaderValue::from(number));
    headers.insert("server", HeaderValue::from_static("github.com"));
    if let Some(kind) = answer.content_type() {
        headers.insert("content-type", HeaderValue::from_static(kind));
    }
    for (name, value) in &answer.headers {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    response
}

impl Caller {
    pub(crate) fn installation(&self) -> Option<u64> {
        match self {
            Self::Installation { id, .. } => Some(*id),
            _ => None,
        }
    }
}
