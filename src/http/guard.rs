//! Who may use the API: whoever sits at this machine, and whoever has the token.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use super::AppState;
use super::answer::Failure;

/// Headers by which a proxy on this machine tells that somebody else asks.
const FORWARDED: [&str; 3] = ["x-forwarded-for", "forwarded", "x-real-ip"];

pub(super) async fn guard(
    State(state): State<Arc<AppState>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Result<Response, Failure> {
    if !request.method().is_safe() && is_sent_by_another_site(request.headers()) {
        let message = "A page of another site may not change anything here.";
        return Err(Failure::new(StatusCode::FORBIDDEN, message));
    }
    let has_token =
        state.api_token.as_ref().is_some_and(|token| has_token(request.headers(), token));
    if has_token || is_local(peer.ip(), request.headers()) {
        return Ok(next.run(request).await);
    }
    let message = "The API answers at 127.0.0.1 on its own machine, and elsewhere to the token of \
                   TOWPATH_API_TOKEN, sent as `Authorization: Bearer …`.";
    Err(Failure::new(StatusCode::UNAUTHORIZED, message))
}

fn has_token(headers: &HeaderMap, token: &SecretString) -> bool {
    let sent = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let sent = sent.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    // Digests take the same time to compare, whatever differs in the texts.
    Sha256::digest(sent) == Sha256::digest(token.expose_secret())
}

/// Browsers name the page's site with everything that may change something; other programs name
/// none.
pub(super) fn is_sent_by_another_site(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let Some(origin) = text(header::ORIGIN) else { return false };
    let site = origin.split_once("://").map(|(_, site)| site);
    site.is_none() || site != text(header::HOST)
}

/// From this machine, through no proxy, and to a name that cannot be a stranger's: a page elsewhere
/// may have its own host name point here, to have a browser read for it.
pub(super) fn is_local(peer: IpAddr, headers: &HeaderMap) -> bool {
    let forwarded = FORWARDED.iter().any(|name| headers.contains_key(*name));
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    peer.to_canonical().is_loopback() && !forwarded && is_own_name(host)
}

fn is_own_name(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(peer: &str, headers: &[(&'static str, &str)]) -> bool {
        let headers = headers
            .iter()
            .map(|(name, value)| (header::HeaderName::from_static(name), value.parse().unwrap()));
        is_local(peer.parse().unwrap(), &headers.collect())
    }

    #[test]
    fn the_token_opens_and_nothing_else_does() {
        let token = SecretString::from("a token that nobody guesses");
        let opens = |sent: &str| {
            let headers = [(header::AUTHORIZATION, sent.parse().unwrap())];
            has_token(&headers.into_iter().collect(), &token)
        };
        assert!(opens("Bearer a token that nobody guesses"));
        assert!(!opens("Bearer a token that nobody guesse"));
        assert!(!opens("a token that nobody guesses"));
        assert!(!opens("Bearer "));
        assert!(!has_token(&HeaderMap::new(), &token));
    }

    #[test]
    fn a_page_of_another_site_changes_nothing() {
        let foreign = |origin: Option<&'static str>| {
            let host = (header::HOST, header::HeaderValue::from_static("127.0.0.1:8080"));
            let origin = origin.map(|it| (header::ORIGIN, header::HeaderValue::from_static(it)));
            is_sent_by_another_site(&std::iter::once(host).chain(origin).collect())
        };
        assert!(!foreign(None) && !foreign(Some("http://127.0.0.1:8080")));
        for other in ["https://evil.example", "http://127.0.0.1:9090", "null", ""] {
            assert!(foreign(Some(other)), "{other}");
        }
    }

    #[test]
    fn only_a_direct_caller_on_this_machine_is_local() {
        let here = ("host", "127.0.0.1:8080");
        assert!(local("127.0.0.1", &[here]));
        assert!(local("::1", &[("host", "[::1]:8080")]));
        assert!(local("::ffff:127.0.0.1", &[("host", "localhost")]));
        assert!(!local("10.0.0.7", &[here]));
        assert!(!local("127.0.0.1", &[here, ("x-forwarded-for", "10.0.0.7")]));
        assert!(!local("127.0.0.1", &[("host", "evil.example:8080")]));
        assert!(!local("127.0.0.1", &[]));
    }
}
