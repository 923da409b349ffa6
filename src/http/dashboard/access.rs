//! Who may see the dashboard: until there is a sign-in, whoever sits at this machine.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::problem::Problem;
use crate::http::guard::is_local;

/// Lets nobody in but people at this machine. A sign-in will take the place of this function.
pub(super) async fn require_access(request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    // A server that does not tell the peer lets nobody in.
    if peer.is_some_and(|ConnectInfo(peer)| is_local(peer.ip(), request.headers())) {
        return next.run(request).await;
    }
    Problem::forbidden().into_response()
}
