//! The door of the dashboard. Without a sign-in it opens to whoever sits at this machine; with one,
//! to those whom the settings name.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::request::Parts;
use axum::http::{Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::problem::Problem;
use super::visitor::{LIFE, SESSION, Session, Visitor};
use super::{DashboardState, SignIn, cookie, sign_in};
use crate::domain::{Person, Right};
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
    let admitted = match &state.sign_in {
        None => at_this_machine(&parts).map_err(IntoResponse::into_response),
        Some(sign_in) => signed_in(&state, sign_in, &parts, session.person.as_ref()).await,
    };
    let right = match admitted {
        Ok(right) => right,
        Err(refusal) => return refusal,
    };
    parts.extensions.insert(Visitor {
        form_token: state.cookie_key.form_token(&session.id),
        session: session.id.clone(),
        person: session.person.clone().filter(|_| state.sign_in.is_some()),
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

fn at_this_machine(parts: &Parts) -> Result<Right, Problem> {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    // A server that does not tell the peer lets nobody in.
    if peer.is_some_and(|ConnectInfo(peer)| is_local(peer.ip(), &parts.headers)) {
        return Ok(Right::Administer);
    }
    Err(Problem::forbidden())
}

async fn signed_in(
    state: &DashboardState,
    sign_in: &SignIn,
    parts: &Parts,
    person: Option<&Person>,
) -> Result<Right, Response> {
    let Some(person) = person else {
        let asked_for = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let is_get = parts.method == Method::GET;
        return Err(sign_in::needed(&parts.headers, asked_for, is_get));
    };
    match sign_in.right_of(person, &state.clock).await {
        Ok(Some(right)) => Ok(right),
        Ok(None) => Err(Problem::not_allowed(Right::View).into_response()),
        Err(reason) => Err(Problem::rights_unknown(reason).into_response()),
    }
}
