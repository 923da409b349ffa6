//! Registering an App by its manifest, and installing it: the pages that a person clicks through,
//! and the code that becomes the App's secrets once.
//!
//! <https://docs.github.com/apps/sharing-github-apps/registering-a-github-app-from-a-manifest>

use std::collections::BTreeSet;

use axum::http::Method;
use serde_json::{Value, json};

use super::{Answer, Body, Call, Route, created, route};
use crate::sandbox::github::admin::Installed;
use crate::sandbox::github::auth::{Access::Anybody, SANDBOX_APP_KEY};
use crate::sandbox::github::body::with;
use crate::sandbox::github::refusal::{Answered, Refusal};
use crate::sandbox::github::state::{AccountKind, Pending, World};

/// How long a code is good.
const CODE_LIFE: chrono::TimeDelta = chrono::TimeDelta::hours(1);
/// GitHub's longest name of an App.
const LONGEST_NAME: usize = 34;

/// The permission that an event asks for, each with its least level. From the summaries in GitHub's
/// description of its webhooks.
const EVENTS: [(&str, &str); 15] = [
    ("check_run", "checks"),
    ("check_suite", "checks"),
    ("create", "contents"),
    ("delete", "contents"),
    ("deployment", "deployments"),
    ("deployment_status", "deployments"),
    ("merge_group", "merge_queues"),
    ("pull_request", "pull_requests"),
    ("pull_request_review", "pull_requests"),
    ("push", "contents"),
    ("repository", "metadata"),
    ("status", "statuses"),
    ("workflow_dispatch", "contents"),
    ("workflow_job", "actions"),
    ("workflow_run", "actions"),
];

pub(super) fn routes() -> Vec<Route> {
    vec![
        route(Method::POST, "/settings/apps/new", Anybody, form),
        route(Method::POST, "/organizations/{org}/settings/apps/new", Anybody, form),
        route(Method::POST, "/settings/apps", Anybody, make),
        route(Method::POST, "/app-manifests/{code}/conversions", Anybody, convert),
        route(Method::GET, "/apps/{app_slug}/installations/new", Anybody, installation_form),
        route(Method::POST, "/apps/{app_slug}/installations", Anybody, install),
    ]
}

/// What GitHub shows for a manifest: the name, to be changed, and a button.
fn form(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let manifest = call.required("manifest")?;
    let parsed = checked(manifest)?;
    let owner = match call.parameter("org") {
        "" => world.login(world.app.owner).to_owned(),
        org => {
            let found = world.find_account(org);
            let found = found.filter(|it| it.kind == AccountKind::Organization);
            found.ok_or_else(Refusal::not_found)?.login.clone()
        }
    };
    let hidden = [
        ("manifest", manifest),
        ("owner", owner.as_str()),
        ("state", call.query("state").unwrap_or_default()),
    ];
    let name = escaped(parsed["name"].as_str().unwrap_or_default());
    let fields = format!("<label>App name <input name=\"name\" value=\"{name}\"></label>");
    let button = format!("Create GitHub App for {owner}");
    Ok(page("/settings/apps", &hidden, &fields, &button))
}

/// The person has agreed: back to whoever sent them, with a code.
fn make(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let mut manifest = checked(call.required("manifest")?)?;
    let name = call.text("name").filter(|name| !name.is_empty());
    if let Some(name) = name {
        manifest["name"] = json!(name);
    }
    let owner = world.find_account(call.required("owner")?).ok_or_else(Refusal::not_found)?.id;
    let redirect = manifest["redirect_url"].as_str().unwrap_or_default().to_owned();
    let code = random_text(40);
    let until = world.now() + CODE_LIFE;
    world.pending.insert(code.clone(), Pending { manifest, owner, until });
    let state = super::encoded(call.text("state").unwrap_or_default());
    Ok(Answer::redirect(format!("{redirect}?code={code}&state={state}")))
}

/// The code becomes the App: the one of this sandbox from now on, installed nowhere.
fn convert(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let now = world.now();
    let pending = world.pending.remove(call.parameter("code"));
    let pending = pending.filter(|it| it.until > now).ok_or_else(Refusal::not_found)?;
    let manifest = &pending.manifest;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let permissions = manifest["default_permissions"].as_object().into_iter().flatten();
    let (id, webhook_secret) = (world.fresh_id(), random_text(40));
    let app = &mut world.app;
    app.id = id;
    app.client_id = format!("Iv23li{}", random_text(14));
    app.slug = slug(&text(&manifest["name"]));
    app.owner = pending.owner;
    app.permissions = permissions.map(|(name, level)| (name.clone(), text(level))).collect();
    app.setup_url = manifest["setup_url"].as_str().map(str::to_owned);
    let (slug, client_secret) = (app.slug.clone(), random_text(40));
    let hook = &manifest["hook_attributes"];
    let is_active = hook["active"].as_bool().unwrap_or(true);
    world.hooks.url = hook["url"].as_str().filter(|_| is_active).map(str::to_owned);
    world.hooks.secret = Some(webhook_secret.clone());
    let events = manifest["default_events"].as_array().into_iter().flatten();
    world.hooks.events = events.map(text).collect();
    world.app.bot = world.account(&format!("{slug}[bot]"), AccountKind::Bot);
    world.installations.clear();
    world.tokens.clear();
    created(with(
        world.app_body(),
        json!({
            "client_secret": client_secret,
            "webhook_secret": webhook_secret,
            "pem": SANDBOX_APP_KEY,
        }),
    ))
}

fn installation_form(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    of_this_app(world, call)?;
    let organizations = world.accounts.iter().filter(|it| it.kind == AccountKind::Organization);
    let option = |login: &str| format!("<option>{}</option>", escaped(login));
    let options = organizations.map(|it| option(&it.login)).collect::<Vec<_>>().concat();
    let fields = format!("<label>Where <select name=\"target\">{options}</select></label>");
    let action = format!("/apps/{}/installations", world.app.slug);
    Ok(page(&action, &[], &fields, "Install"))
}

fn install(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    of_this_app(world, call)?;
    let target = world.find_account(call.required("target")?).ok_or_else(Refusal::not_found)?;
    let login = target.login.clone();
    let id = world.install(&login, Installed::All);
    let page = match &world.app.setup_url {
        Some(setup) => format!("{setup}?installation_id={id}&setup_action=install"),
        None => format!("{}/settings/installations/{id}", world.base_url),
    };
    Ok(Answer::redirect(page))
}

fn of_this_app(world: &World, call: &Call<'_>) -> Answered<()> {
    let is_this = call.parameter("app_slug") == world.app.slug;
    if is_this { Ok(()) } else { Err(Refusal::not_found()) }
}

/// A manifest that GitHub would take, or what it says of one that it does not.
fn checked(manifest: &str) -> Answered<Value> {
    let wrong = |what: &str| Refusal::unprocessable(format!("Invalid GitHub App manifest: {what}"));
    let found: Value = serde_json::from_str(manifest).map_err(|_| wrong("not JSON"))?;
    let text = |name: &str| found[name].as_str().filter(|text| !text.is_empty());
    if text("name").is_some_and(|name| name.chars().count() > LONGEST_NAME) {
        return Err(wrong("name is too long (maximum is 34 characters)"));
    }
    for name in ["url", "redirect_url"] {
        text(name).ok_or_else(|| wrong(&format!("{name} is missing")))?;
    }
    if found["hook_attributes"].is_object() && !found["hook_attributes"]["url"].is_string() {
        return Err(wrong("hook_attributes.url is missing"));
    }
    let permissions = &found["default_permissions"];
    for (name, level) in permissions.as_object().into_iter().flatten() {
        let known = super::super::PERMISSIONS.iter().any(|(known, _)| known == name);
        if !known || !matches!(level.as_str(), Some("read" | "write" | "admin")) {
            return Err(wrong(&format!("default_permissions: {name}: {level}")));
        }
    }
    let events = found["default_events"].as_array().into_iter().flatten();
    let unsupported: BTreeSet<&str> = events
        .filter_map(Value::as_str)
        .filter(|event| {
            let needs = EVENTS.iter().find(|(known, _)| known == event).map(|(_, needs)| *needs);
            needs.is_none_or(|needs| permissions.get(needs).is_none())
        })
        .collect();
    if !unsupported.is_empty() {
        return Err(wrong(&format!(
            "default_events are not supported by permissions: {unsupported:?}"
        )));
    }
    Ok(found)
}

fn page(action: &str, hidden: &[(&str, &str)], fields: &str, button: &str) -> Answer {
    let input = |(name, value): &(&str, &str)| {
        format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">", escaped(value))
    };
    let hidden = hidden.iter().map(input).collect::<Vec<_>>().concat();
    let html = format!(
        "<!doctype html><html lang=\"en\"><title>{button}</title><h1>{button}</h1>\
         <form method=\"post\" action=\"{action}\">{hidden}{fields} <button>{button}</button></form>"
    );
    let body = Body::Bytes("text/html; charset=utf-8", html.into_bytes());
    Answer { status: 200, body, headers: Vec::new() }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;")
}

fn slug(name: &str) -> String {
    name.to_ascii_lowercase().replace(|letter: char| !letter.is_ascii_alphanumeric(), "-")
}

fn random_text(length: usize) -> String {
    std::iter::repeat_with(fastrand::alphanumeric).take(length).collect()
}
