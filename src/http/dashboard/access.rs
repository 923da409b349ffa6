//! Who may see the dashboard: until there is a sign-in, whoever sits at this machine.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, Request};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::problem::Problem;

/// What a proxy adds. Behind one, every peer is the proxy: its address says nothing.
const PROXY_HEADERS: [HeaderName; 5] = [
    header::FORWARDED,
    header::VIA,
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-real-ip"),
];

/// Lets nobody in but people at this machine. A sign-in will take the place of this function.
pub(super) async fn require_access(request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let peer = peer.map(|ConnectInfo(address)| address.ip());
    match refusal(peer, request.uri(), request.headers()) {
        Some(reason) => Problem::forbidden(reason).into_response(),
        None => next.run(request).await,
    }
}

/// Why a request is not let in, if it is not.
fn refusal(peer: Option<IpAddr>, uri: &Uri, headers: &HeaderMap) -> Option<&'static str> {
    if !peer.is_some_and(|peer| peer.to_canonical().is_loopback()) {
        return Some("Your request came from another machine.");
    }
    if PROXY_HEADERS.iter().any(|name| headers.contains_key(name)) {
        return Some("Your request came through a proxy.");
    }
    // A foreign page can have its own name resolve to this machine, and then read what is served
    // here (DNS rebinding). It cannot change the name that the browser sends.
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let host = host.or_else(|| uri.authority().map(Authority::as_str));
    if !host.is_some_and(names_this_machine) {
        return Some("Your request was for another host name than this machine's.");
    }
    None
}

fn names_this_machine(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let name = name.to_ascii_lowercase();
    let is_loopback = name
        .parse::<IpAddr>()
        .is_ok_and(|address| address.is_loopback());
    is_loopback || name == "localhost" || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_let_in(peer: &str, headers: &[(&'static str, &'static str)]) -> bool {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect();
        refusal(
            Some(peer.parse().unwrap()),
            &Uri::from_static("/"),
            &headers,
        )
        .is_none()
    }

    #[test]
    fn people_at_this_machine_are_let_in() {
        for host in [
            "localhost:8080",
            "127.0.0.1",
            "[::1]:8080",
            "towpath.localhost",
            "LOCALHOST",
        ] {
            assert!(is_let_in("127.0.0.1", &[("host", host)]), "{host}");
        }
        assert!(is_let_in("::1", &[("host", "localhost")]));
        assert!(is_let_in("::ffff:127.0.0.1", &[("host", "localhost")]));
    }

    #[test]
    fn others_are_not() {
        assert!(!is_let_in("10.0.0.7", &[("host", "localhost")]));
        assert!(!is_let_in("127.0.0.1", &[]));
        for host in [
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "",
        ] {
            assert!(!is_let_in("127.0.0.1", &[("host", host)]), "{host}");
        }
        for proxied in ["x-forwarded-for", "forwarded", "via", "x-real-ip"] {
            assert!(
                !is_let_in("127.0.0.1", &[("host", "localhost"), (proxied, "x")]),
                "{proxied}"
            );
        }
        assert!(refusal(None, &Uri::from_static("/"), &HeaderMap::new()).is_some());
    }
}
