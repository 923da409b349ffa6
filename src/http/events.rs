//! The history of a run as it happens: first what was, then what comes, until the run has ended.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::Stream;
use futures_util::stream::unfold;
use serde_json::json;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::AppState;
use super::answer::Failure;
use super::runs::{find, shown_event};
use crate::domain::{RunId, Status};

/// How long to wait before looking without having heard of a change: another process may have made
/// one.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

struct Following {
    state: Arc<AppState>,
    run: RunId,
    changes: Receiver<RunId>,
    seen: u64,
    waiting: VecDeque<Event>,
    over: bool,
}

/// `GET /api/v1/runs/{id}/events`. With `Last-Event-ID`, what came after it.
pub(super) async fn stream(
    State(state): State<Arc<AppState>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Failure> {
    // Before the first look, so that nothing falls between the two.
    let changes = state.store.changes();
    let run = find(&state, &id).await?.id;
    let seen = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let seen = seen.unwrap_or(0);
    let waiting = VecDeque::new();
    let following = Following { state, run, changes, seen, waiting, over: false };
    let events = unfold(following, |mut following| async move {
        let event = following.next().await?;
        Some((Ok(event), following))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}

impl Following {
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Some(event);
            }
            if self.over {
                return None;
            }
            self.look().await?;
            if self.waiting.is_empty() {
                self.wait().await?;
            }
        }
    }

    /// Takes in what is new. The run is read before its events: when it has ended, they are all
    /// there. `None` ends the stream; the reader comes back with the last id that it got.
    async fn look(&mut self) -> Option<()> {
        let run = self.state.store.run(&self.run).await.ok()??;
        for event in self.state.store.events(&self.run, self.seen).await.ok()? {
            self.seen = event.seq;
            let data = shown_event(&event).to_string();
            self.waiting.push_back(Event::default().id(event.seq.to_string()).data(data));
        }
        if run.ended_at.is_some() {
            self.over = true;
            self.waiting.push_back(end_of(run.status, &run.label));
        }
        Some(())
    }

    async fn wait(&mut self) -> Option<()> {
        let look_again = tokio::time::sleep(LOOK_AGAIN);
        tokio::pin!(look_again);
        loop {
            tokio::select! {
                () = self.state.stopping.cancelled() => return None,
                () = &mut look_again => return Some(()),
                changed = self.changes.recv() => match changed {
                    Ok(run) if run != self.run => {}
                    Ok(_) | Err(RecvError::Lagged(_)) => return Some(()),
                    Err(RecvError::Closed) => return None,
                },
            }
        }
    }
}

fn end_of(status: Status, label: &str) -> Event {
    Event::default().event("end").data(json!({"status": status, "label": label}).to_string())
}
