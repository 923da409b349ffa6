//! Tells open pages that something has changed. They then fetch themselves again.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::{Stream, StreamExt as _};
use serde::Deserialize;
use tokio_stream::wrappers::BroadcastStream;

use super::DashboardState;
use crate::domain::RunId;

/// How often a page that heard nothing is told that the line stands: within the minute after which
/// common proxies cut a silent one.
const KEEP_ALIVE: Duration = Duration::from_secs(25);

/// What a page listens for.
#[derive(Debug, Deserialize)]
pub(super) struct Subject {
    /// Only this run; else every run.
    run: Option<RunId>,
}

/// A stream of `changed` events.
pub(super) async fn changes(
    State(state): State<DashboardState>,
    Query(subject): Query<Subject>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let changes = BroadcastStream::new(state.store.changes()).filter_map(move |change| {
        // Where some were missed, any run may have been among them.
        let changed = change.ok();
        let concerns = match (&changed, &subject.run) {
            (Some(changed), Some(run)) => changed == run,
            _ => true,
        };
        // Browsers drop an event without data.
        let name = changed.as_ref().map_or("*", RunId::as_str);
        let event = Event::default().event("changed").data(name);
        std::future::ready(concerns.then_some(Ok(event)))
    });
    let stream = changes.take_until(state.stop.cancelled_owned());
    Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
}
