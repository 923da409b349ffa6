//! The door of the dashboard. Without a sign-in it opens to whoever sits at this machine; with one,
//! to those whom the settings name.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::header;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::problem::Problem;
use super::visitor::{LIFE, SESSION, Session, Visitor};
use super::{DashboardState, cookie};
use crate::domain::Right;
use crate::http::guard::is_local;

/// Lets in whom it may, says to the pages who it is, and gives a browser that has none a session.
pub(super) async fn admit(
    State(state): State<DashboardState>,
    request: Request,
    next: Next,
) -> Response {
    let (mut parts, body) = request.into_parts();
    let known = Session::sent(&state, &parts.headers);
    let is_new = known.is_none();
    let session = known.unwrap_or_else(|| Session::begin(None, state.clock.now()));
    let right = match right(&parts) {
        Ok(right) => right,
        Err(refusal) => return refusal.into_response(),
    };
    parts.extensions.insert(Visitor {
        form_token: state.cookie_key.form_token(&session.id),
        session: session.id.clone(),
        person: session.person.clone(),
        right,
    });
    let mut response = next.run(Request::from_parts(parts, body)).await;
    if is_new {
        let signed = state.cookie_key.sign(SESSION, &session);
        let cookie = cookie::set(SESSION, &signed, LIFE, false);
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

fn right(parts: &Parts) -> Result<Right, Problem> {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    // A server that does not tell the peer lets nobody in.
    if peer.is_some_and(|ConnectInfo(peer)| is_local(peer.ip(), &parts.headers)) {
        return Ok(Right::Administer);
    }
    Err(Problem::forbidden())
}
