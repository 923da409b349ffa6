//! Registering the GitHub App: a page that sends the manifest to GitHub, and the address to which
//! GitHub sends the browser back with a code.
//!
//! Whoever has the one-time token gets in, and it is worth nothing once an App is registered. What
//! is done with the code is handed in. Does not know about: GitHub's API, where an App is kept.

mod manifest;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use futures_util::future::BoxFuture;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::page::{Frame, Section};
use super::problem::Problem;
use super::{HEADERS, asset};
pub use manifest::{Addresses, manifest};

/// Does what is to be done with a code: the page on which the App is installed, or a sentence that
/// says what went wrong and the way out.
pub type Register = Arc<dyn Fn(String) -> BoxFuture<'static, Result<String, String>> + Send + Sync>;

/// What the page is made from. Clones are the same page.
#[derive(Clone)]
pub struct SetupState(Arc<Inner>);

struct Inner {
    asked: Asked,
    token: SecretString,
    /// Comes back from GitHub beside the code: the browser was sent by this page.
    state: SecretString,
    register: Register,
}

/// What is known before the page is opened.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// GitHub's address for people, without a slash at its end.
    pub github_url: String,
    /// The organisation that is to own the App; `None` for the person's own account.
    pub organization: Option<String>,
    /// The service's address for browsers and for GitHub.
    pub public_url: Option<String>,
    /// GitHub cannot reach the service: no webhooks.
    pub is_unreachable: bool,
}

/// The form, as it is sent. An empty field is none.
#[derive(Debug, Deserialize)]
struct Form {
    #[serde(default)]
    token: String,
    organization: Option<String>,
    public_url: Option<String>,
    /// `yes` or `no`.
    reach: Option<String>,
}

/// What GitHub sends back.
#[derive(Debug, Deserialize)]
struct Back {
    #[serde(default)]
    code: String,
    #[serde(default)]
    state: String,
}

#[derive(Debug, Serialize)]
struct View {
    token: String,
    organization: String,
    public_url: String,
    is_unreachable: bool,
    failure: Option<String>,
    /// `None` while something is still to be filled in.
    offer: Option<Offer>,
}

/// What is sent to GitHub, and what it amounts to.
#[derive(Debug, Serialize)]
struct Offer {
    action: String,
    manifest: String,
    owner: String,
    webhooks: String,
    /// `contents: write`.
    permissions: Vec<String>,
    events: Vec<String>,
}

impl SetupState {
    /// A page with a token of its own.
    pub fn new(asked: Asked, register: Register) -> Self {
        let (token, state) = (random_text(), random_text());
        Self(Arc::new(Inner { asked, token, state, register }))
    }

    /// The address of the page at this origin, token and all.
    pub fn address(&self, origin: &str) -> String {
        format!("{origin}/setup?token={}", self.0.token.expose_secret())
    }
}

/// 256 bits that nobody guesses, in hexadecimal.
fn random_text() -> SecretString {
    let mut bytes = [0; 32];
    dryoc::rng::copy_randombytes(&mut bytes);
    hex::encode(bytes).into()
}

/// The page for any other address, until there is an App.
pub(in crate::http) async fn waiting(reason: &str) -> Response {
    super::with_headers(Problem::waiting(reason).into_response()).await
}

/// The page's routes.
pub fn router(state: SetupState) -> Router {
    let headers = {
        let github = state.0.asked.github_url.clone();
        move |response: Response| std::future::ready(with_headers(response, &github))
    };
    Router::new()
        .route("/setup", get(page))
        .route("/setup/registered", get(registered))
        .route("/assets/{name}", get(asset::serve))
        .layer(axum::middleware::map_response(headers))
        .with_state(state)
}

async fn page(
    State(SetupState(setup)): State<SetupState>,
    headers: HeaderMap,
    Query(form): Query<Form>,
) -> Result<Response, Problem> {
    if !same(&form.token, &setup.token) {
        return Err(Problem::no_token());
    }
    Ok(show(&setup, &asked_now(&setup.asked, form), &headers, None))
}

/// The browser is back from GitHub.
async fn registered(
    State(SetupState(setup)): State<SetupState>,
    headers: HeaderMap,
    Query(back): Query<Back>,
) -> Result<Response, Problem> {
    if !same(&back.state, &setup.state) {
        return Err(Problem::no_token());
    }
    if back.code.is_empty() {
        let failure = "GitHub sent no code: nothing was registered. Start again.".to_owned();
        return Ok(show(&setup, &setup.asked, &headers, Some(failure)));
    }
    match (setup.register)(back.code).await {
        Ok(installation_page) => Ok(Redirect::to(&installation_page).into_response()),
        Err(failure) => Ok(show(&setup, &setup.asked, &headers, Some(failure))),
    }
}

/// What was filled in, over what was known.
fn asked_now(known: &Asked, form: Form) -> Asked {
    let text = |sent: Option<String>, known: &Option<String>| match sent {
        Some(sent) => Some(sent.trim().to_owned()).filter(|text| !text.is_empty()),
        None => known.clone(),
    };
    Asked {
        github_url: known.github_url.clone(),
        is_unreachable: form.reach.map_or(known.is_unreachable, |reach| reach == "no"),
        organization: text(form.organization, &known.organization),
        public_url: text(form.public_url, &known.public_url),
    }
}

fn show(
    setup: &Inner,
    asked: &Asked,
    headers: &HeaderMap,
    mut failure: Option<String>,
) -> Response {
    let offer = offer(setup, asked, headers).unwrap_or_else(|wrong| {
        failure.get_or_insert(wrong);
        None
    });
    let view = View {
        token: setup.token.expose_secret().to_owned(),
        organization: asked.organization.clone().unwrap_or_default(),
        public_url: asked.public_url.clone().unwrap_or_default(),
        is_unreachable: asked.is_unreachable,
        failure,
        offer,
    };
    Frame::new("setup.html", "Register the GitHub App", Section::None).render(&view)
}

/// What can be sent to GitHub now, or a sentence about what cannot.
fn offer(setup: &Inner, asked: &Asked, headers: &HeaderMap) -> Result<Option<Offer>, String> {
    let Some(public_url) = &asked.public_url else { return Ok(None) };
    let public = checked_address(public_url)?;
    let redirect = format!("{}/setup/registered", own_origin(&public, headers));
    let addresses =
        Addresses { public: &public, redirect: &redirect, is_reachable: !asked.is_unreachable };
    let manifest = manifest(addresses).map_err(|error| format!("{error:#}"))?;
    let owner = asked.organization.as_deref().map(checked_organization).transpose()?;
    let github = &asked.github_url;
    let action = match owner {
        Some(owner) => format!("{github}/organizations/{owner}/settings/apps/new"),
        None => format!("{github}/settings/apps/new"),
    };
    let owner =
        owner.map_or("your own account".to_owned(), |owner| format!("organisation {owner}"));
    let webhooks = if asked.is_unreachable {
        "none: GitHub is asked instead, every minute".to_owned()
    } else {
        format!("{public}/hooks/github")
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let permissions = manifest["default_permissions"].as_object().into_iter().flatten();
    Ok(Some(Offer {
        action: format!("{action}?state={}", setup.state.expose_secret()),
        owner: format!("{owner} at {github}"),
        webhooks,
        permissions: permissions.map(|(name, level)| format!("{name}: {}", text(level))).collect(),
        events: manifest["default_events"].as_array().into_iter().flatten().map(text).collect(),
        manifest: manifest.to_string(),
    }))
}

/// An address that GitHub can send browsers and webhooks to.
fn checked_address(text: &str) -> Result<String, String> {
    let address: Option<Uri> = text.parse().ok();
    let is_web = |uri: &Uri| matches!(uri.scheme_str(), Some("https" | "http"));
    match address.filter(|uri| is_web(uri) && uri.host().is_some() && uri.query().is_none()) {
        Some(_) => Ok(text.trim_end_matches('/').to_owned()),
        None => Err(format!(
            "“{text}” is no address of a service: it starts with https:// and has a host, as \
             https://towpath.acme.example."
        )),
    }
}

/// GitHub's rule for names of accounts: letters, digits and hyphens, at most 39.
fn checked_organization(name: &str) -> Result<&str, String> {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if (1..=39).contains(&name.len()) && name.bytes().all(is_name) {
        return Ok(name);
    }
    Err(format!(
        "“{name}” is no organisation's name: it is what stands behind the host in addresses."
    ))
}

/// Where the browser sees this page: behind a proxy at the public address, else by plain HTTP at
/// the host that it named.
fn own_origin(public: &str, headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let is_public = public.parse::<Uri>().is_ok_and(|uri| {
        uri.authority().is_some_and(|authority| authority.as_str().eq_ignore_ascii_case(host))
    });
    if is_public || host.is_empty() { public.to_owned() } else { format!("http://{host}") }
}

/// Digests take the same time to compare, whatever differs in the texts.
fn same(sent: &str, known: &SecretString) -> bool {
    Sha256::digest(sent) == Sha256::digest(known.expose_secret())
}

/// The dashboard's headers, but the form goes to GitHub, and from there perhaps to where an
/// organisation signs in.
fn with_headers(mut response: Response, github: &str) -> Response {
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    let policy = format!(
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
         form-action 'self' https: {github}; base-uri 'none'; frame-ancestors 'none'"
    );
    if let Ok(policy) = HeaderValue::try_from(policy) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setup(asked: Asked) -> Inner {
        let register: Register = Arc::new(|_| Box::pin(async { Err("no".to_owned()) }));
        Inner { asked, token: "t".into(), state: "s".into(), register }
    }

    fn asked(github: &str, public_url: &str, organization: Option<&str>) -> Asked {
        Asked {
            github_url: github.to_owned(),
            organization: organization.map(str::to_owned),
            public_url: Some(public_url.to_owned()),
            is_unreachable: false,
        }
    }

    fn at(host: &str) -> HeaderMap {
        [(header::HOST, HeaderValue::try_from(host).unwrap())].into_iter().collect()
    }

    #[test]
    fn the_app_is_registered_where_it_was_asked_for_and_the_browser_comes_back_here() {
        for (github, public, organization, host, action, redirect) in [
            (
                "https://acme.ghe.com",
                "https://towpath.acme.example/",
                Some("acme"),
                "127.0.0.1:4711",
                "https://acme.ghe.com/organizations/acme/settings/apps/new?state=s",
                "http://127.0.0.1:4711/setup/registered",
            ),
            (
                "https://github.com",
                "https://towpath.acme.example",
                None,
                "towpath.acme.example",
                "https://github.com/settings/apps/new?state=s",
                "https://towpath.acme.example/setup/registered",
            ),
            (
                "https://git.acme.example",
                "https://towpath.acme.example",
                Some("acme"),
                "towpath.acme.example",
                "https://git.acme.example/organizations/acme/settings/apps/new?state=s",
                "https://towpath.acme.example/setup/registered",
            ),
        ] {
            let asked = asked(github, public, organization);
            let offer = offer(&setup(asked.clone()), &asked, &at(host)).unwrap().unwrap();
            assert_eq!(offer.action, action);
            let manifest: Value = serde_json::from_str(&offer.manifest).unwrap();
            assert_eq!(manifest["redirect_url"], redirect);
            assert_eq!(manifest["url"], "https://towpath.acme.example");
        }
    }

    #[test]
    fn what_is_no_address_and_no_organisation_is_said_and_nothing_is_offered() {
        for (public, organization) in [
            ("towpath.acme.example", None),
            ("https://", None),
            ("javascript:alert(1)", None),
            ("https://towpath.acme.example", Some("acme/../x")),
            ("https://towpath.acme.example", Some("acme?x=")),
        ] {
            let asked = asked("https://github.com", public, organization);
            assert!(offer(&setup(asked.clone()), &asked, &at("localhost")).is_err(), "{public}");
        }
        let nothing = Asked::default();
        assert!(offer(&setup(nothing.clone()), &nothing, &at("localhost")).unwrap().is_none());
    }
}
