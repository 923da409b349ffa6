//! REST: the table of endpoints with the permission that each asks for, and the way into it.

#![expect(clippy::unnecessary_wraps, reason = "all handlers have one signature")]

mod actions;
mod app;
mod checks;
mod contents;
mod environments;
mod git_data;
mod new_repositories;
mod pulls;
mod registration;
mod repositories;
mod sign_in;

use std::collections::HashMap;

use axum::http::{HeaderMap, Method};
use serde_json::{Map, Value, json};

use super::auth::{Access, Caller};
use super::refusal::{Answered, Refusal};
use super::server::Incoming;
use super::state::{Id, World};

/// One endpoint.
pub(crate) struct Route {
    pub(crate) method: Method,
    /// `{name}` is one segment, `{name...}` one or more.
    pub(crate) template: &'static str,
    access: Access,
    handler: Handler,
}

type Handler = fn(&mut World, &Call<'_>) -> Answered<Answer>;
type Parameters = HashMap<&'static str, String>;

/// A request that found its endpoint.
pub(crate) struct Call<'a> {
    pub(crate) caller: &'a Caller,
    pub(crate) parameters: Parameters,
    pub(crate) query: HashMap<String, String>,
    pub(crate) body: Value,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) version: &'a str,
    prefix: &'static str,
    path: &'a str,
}

/// What goes back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Body,
    pub(crate) headers: Vec<(&'static str, String)>,
}

pub(crate) enum Body {
    Nothing,
    Json(Value),
    Bytes(&'static str, Vec<u8>),
}

/// All endpoints, first match first.
fn routes() -> &'static [Route] {
    static ROUTES: std::sync::OnceLock<Vec<Route>> = std::sync::OnceLock::new();
    ROUTES.get_or_init(|| {
        let groups = [
            app::routes(),
            registration::routes(),
            repositories::routes(),
            new_repositories::routes(),
            git_data::routes(),
            contents::routes(),
            pulls::routes(),
            actions::routes(),
            environments::routes(),
            checks::routes(),
            sign_in::routes(),
        ];
        groups.into_iter().flatten().collect()
    })
}

fn route(method: Method, template: &'static str, access: Access, handler: Handler) -> Route {
    Route { method, template, access, handler }
}

/// The endpoint for a method and a path, and what its template captured.
pub(crate) fn find(method: &Method, path: &str) -> Option<(&'static Route, Parameters)> {
    let fits = |it: &'static Route| Some((it, captured(it.template, path)?));
    routes().iter().filter(|it| it.method == *method).find_map(fits)
}

fn captured(template: &'static str, path: &str) -> Option<Parameters> {
    let wanted: Vec<&'static str> = template.trim_matches('/').split('/').collect();
    let given: Vec<&str> = path.trim_matches('/').split('/').collect();
    let mut parameters = Parameters::new();
    let (mut at, mut index) = (0, 0);
    while index < wanted.len() {
        let segment = wanted[index];
        let name = segment.strip_prefix('{').and_then(|it| it.strip_suffix('}'));
        // What stands behind a part of many segments belongs to the template, not to it.
        let behind = wanted.len() - index - 1;
        match name.map(|name| (name.strip_suffix("..."), name)) {
            None if given.get(at) == Some(&segment) => at += 1,
            None => return None,
            Some((Some(name), _)) => {
                let end = given.len().checked_sub(behind).filter(|end| *end > at)?;
                parameters.insert(name, decoded(&given[at..end].join("/")));
                at = end;
            }
            Some((None, name)) => {
                parameters.insert(name, decoded(given.get(at).filter(|it| !it.is_empty())?));
                at += 1;
            }
        }
        index += 1;
    }
    (at == given.len()).then_some(parameters)
}

/// Percent-decoding, of paths and queries.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        let byte = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        at += if byte.is_some() { 3 } else { 1 };
        out.push(byte.unwrap_or(bytes[at - 1]));
    }
    String::from_utf8_lossy(&out).into_owned()
}

pub(crate) fn answer(
    world: &mut World,
    caller: &Caller,
    incoming: &Incoming,
    version: &str,
) -> Answer {
    let mut answer = try_answer(world, caller, incoming, version)
        .unwrap_or_else(|refusal| Answer::refused(&refusal));
    if version != "2022-11-28"
        && let Body::Json(body) = &mut answer.body
    {
        drop_removed_fields(body);
    }
    answer
}

fn try_answer(
    world: &mut World,
    caller: &Caller,
    incoming: &Incoming,
    version: &str,
) -> Answered<Answer> {
    let (route, parameters) =
        find(&incoming.method, &incoming.path).ok_or_else(Refusal::not_found)?;
    // An invisible repository is not there, whatever was asked about it.
    if let (Some(owner), Some(name)) = (parameters.get("owner"), parameters.get("repo"))
        && matches!(route.access, Access::Needs(_))
        && caller.installation().is_some()
    {
        world.visible(caller, &format!("{owner}/{name}"))?;
    }
    World::authorize(caller, route.access)?;
    let body = match incoming.body.as_ref() {
        [] => Value::Null,
        bytes if is_form(&incoming.headers) => form_body(bytes),
        bytes => serde_json::from_slice(bytes)
            .map_err(|_| Refusal::bad_request("Problems parsing JSON"))?,
    };
    let call = Call {
        caller,
        parameters,
        query: parse_query(&incoming.query),
        body,
        headers: &incoming.headers,
        version,
        prefix: incoming.prefix,
        path: &incoming.path,
    };
    (route.handler)(world, &call)
}

/// What a browser sends from a form.
fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get("content-type").and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"))
}

fn form_body(bytes: &[u8]) -> Value {
    let fields = parse_query(&String::from_utf8_lossy(bytes)).into_iter();
    Value::Object(fields.map(|(name, value)| (name, Value::String(value))).collect())
}

fn parse_query(query: &str) -> HashMap<String, String> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name), decoded(&value.replace('+', " ")))
        })
        .collect()
}

/// REST 2026-03-10 no longer has these fields.
fn drop_removed_fields(value: &mut Value) {
    const REMOVED: [&str; 5] =
        ["merge_commit_sha", "assignee", "has_downloads", "use_squash_pr_title_as_default", "rate"];
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !REMOVED.contains(&name.as_str()));
            fields.values_mut().for_each(drop_removed_fields);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_removed_fields),
        _ => {}
    }
}

impl Answer {
    pub(crate) fn json(status: u16, body: Value) -> Self {
        Self { status, body: Body::Json(body), headers: Vec::new() }
    }

    pub(crate) fn empty(status: u16) -> Self {
        Self { status, body: Body::Nothing, headers: Vec::new() }
    }

    pub(crate) fn refused(refusal: &Refusal) -> Self {
        Self::json(refusal.status, refusal.body())
    }

    pub(crate) fn redirect(location: String) -> Self {
        Self { status: 302, body: Body::Nothing, headers: vec![("location", location)] }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        match &self.body {
            Body::Nothing => Vec::new(),
            Body::Json(value) => value.to_string().into_bytes(),
            Body::Bytes(_, bytes) => bytes.clone(),
        }
    }

    pub(crate) fn content_type(&self) -> Option<&'static str> {
        match &self.body {
            Body::Nothing => None,
            Body::Json(_) => Some("application/json; charset=utf-8"),
            Body::Bytes(kind, _) => Some(kind),
        }
    }
}

fn ok(body: Value) -> Answered<Answer> {
    Ok(Answer::json(200, body))
}

fn created(body: Value) -> Answered<Answer> {
    Ok(Answer::json(201, body))
}

impl Call<'_> {
    fn parameter(&self, name: &str) -> &str {
        self.parameters.get(name).map_or("", String::as_str)
    }

    fn number(&self, name: &str) -> Answered<u64> {
        self.parameter(name).parse().map_err(|_| Refusal::not_found())
    }

    fn query(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.body[name].as_str()
    }

    fn required(&self, name: &str) -> Answered<&str> {
        self.text(name).ok_or_else(|| {
            Refusal::unprocessable(format!("Invalid request.\n\n\"{name}\" wasn't supplied."))
        })
    }

    fn object(&self, name: &str) -> Map<String, Value> {
        self.body[name].as_object().cloned().unwrap_or_default()
    }

    fn repository(&self, world: &World) -> Answered<usize> {
        let name = format!("{}/{}", self.parameter("owner"), self.parameter("repo"));
        world.visible(self.caller, &name)
    }

    /// Who acts: the App's bot.
    #[expect(clippy::unused_self, reason = "reads as what it says: who calls")]
    fn actor(&self, world: &World) -> Id {
        world.app.bot
    }

    fn per_page(&self) -> usize {
        self.query("per_page").and_then(|it| it.parse().ok()).unwrap_or(30).clamp(1, 100)
    }

    /// An absolute link to this endpoint with other query parameters.
    fn link(&self, changes: &[(&str, String)]) -> String {
        let host = self.headers.get("host").and_then(|it| it.to_str().ok()).unwrap_or("localhost");
        let mut query: Vec<(String, String)> = self.query.clone().into_iter().collect();
        query.retain(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
        query.extend(changes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        query.sort();
        let query: Vec<String> =
            query.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        format!("http://{host}{}{}?{}", self.prefix, self.path, query.join("&"))
    }

    /// One page of a list, with GitHub's `Link` header.
    fn page(&self, all: Vec<Value>) -> (Vec<Value>, Vec<(&'static str, String)>) {
        let page: usize = self.query("page").and_then(|it| it.parse().ok()).unwrap_or(1).max(1);
        let size = self.per_page();
        let last = all.len().div_ceil(size).max(1);
        let to = |page: usize, relation: &str| {
            format!("<{}>; rel=\"{relation}\"", self.link(&[("page", page.to_string())]))
        };
        let mut links = Vec::new();
        if page > 1 {
            links.push(to(page - 1, "prev"));
        }
        if page < last {
            links.push(to(page + 1, "next"));
            links.push(to(last, "last"));
        }
        if page > 1 {
            links.push(to(1, "first"));
        }
        let headers = if links.is_empty() { Vec::new() } else { vec![("link", links.join(", "))] };
        (all.into_iter().skip((page - 1) * size).take(size).collect(), headers)
    }

    fn list(&self, all: Vec<Value>) -> Answered<Answer> {
        let (items, headers) = self.page(all);
        Ok(Answer { status: 200, body: Body::Json(Value::Array(items)), headers })
    }

    /// A list with `total_count` beside it.
    fn counted_list(&self, name: &str, all: Vec<Value>) -> Answered<Answer> {
        let total = all.len();
        let (items, headers) = self.page(all);
        let mut body = json!({"total_count": total});
        body[name] = Value::Array(items);
        Ok(Answer { status: 200, body: Body::Json(body), headers })
    }
}

fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            _ => out.extend(["%".to_owned(), hex::encode_upper([byte])]),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_with_slashes_is_one_parameter() {
        let path = "/repos/acme/infra/git/ref/heads/towpath/create/1";
        let (route, parameters) = find(&Method::GET, path).unwrap();
        assert_eq!(route.template, "/repos/{owner}/{repo}/git/ref/{ref...}");
        assert_eq!(parameters["ref"], "heads/towpath/create/1");
    }

    #[test]
    fn what_stands_behind_a_reference_is_not_part_of_it() {
        let (route, parameters) = find(&Method::GET, "/repos/a/b/commits/x%2Fy/status").unwrap();
        assert_eq!(route.template, "/repos/{owner}/{repo}/commits/{ref...}/status");
        assert_eq!(parameters["ref"], "x/y");
    }
}
