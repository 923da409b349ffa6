//! The life of the process: tasks that a stop can wait for, and the signals that ask for it.

use std::future::Future;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};
use tokio_util::task::TaskTracker;

/// Every long task of the program, and the word to stop. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Lifecycle {
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// Whether every task came to its end in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    /// All did.
    Complete,
    /// So many did not.
    Cut(usize),
}

impl Lifecycle {
    /// With nothing running.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts a task that a stop waits for. It should end soon once [`Self::stopping`] is done.
    #[expect(clippy::disallowed_methods, reason = "the one place that spawns")]
    pub fn spawn<F>(&self, task: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        tokio::spawn(self.tasks.track_future(task))
    }

    /// Done when the program is to stop.
    pub fn stopping(&self) -> WaitForCancellationFuture<'_> {
        self.stop.cancelled()
    }

    /// Whether the program is to stop.
    pub fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// A token that is cancelled when the program is to stop.
    pub fn token(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Asks everything to stop.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Waits for every task. What is not done by then has its steps taken up after the next start.
    pub async fn drain(&self, at_most: Duration) -> Drained {
        self.tasks.close();
        match tokio::time::timeout(at_most, self.tasks.wait()).await {
            Ok(()) => Drained::Complete,
            Err(_) => Drained::Cut(self.tasks.len()),
        }
    }

    /// Asks everything to stop at the first SIGINT or SIGTERM, and ends the process at the second.
    pub fn listen_for_signals(&self) -> std::io::Result<()> {
        let mut signals = Signals::new()?;
        let lifecycle = self.clone();
        // Not tracked: it waits for a second signal for as long as the process lives.
        #[expect(clippy::disallowed_methods, reason = "a stop must not wait for this task")]
        tokio::spawn(async move {
            signals.next().await;
            tracing::info!("stopping; a second signal ends at once");
            lifecycle.stop();
            signals.next().await;
            std::process::exit(130);
        });
        Ok(())
    }
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let interrupt = signal(SignalKind::interrupt())?;
        Ok(Self { interrupt, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    #[expect(clippy::unnecessary_wraps, reason = "on Unix it can fail")]
    fn new() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        // An error means that no signal will ever come.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stop_waits_for_tasks_that_end() {
        let lifecycle = Lifecycle::new();
        let inside = lifecycle.clone();
        let task = lifecycle.spawn(async move {
            inside.stopping().await;
            "ended in order"
        });
        lifecycle.stop();
        assert_eq!(lifecycle.drain(Duration::from_mins(1)).await, Drained::Complete);
        assert_eq!(task.await.unwrap(), "ended in order");
    }

    #[tokio::test]
    async fn a_task_that_does_not_end_is_left_behind() {
        let lifecycle = Lifecycle::new();
        lifecycle.spawn(std::future::pending::<()>());
        lifecycle.stop();
        assert_eq!(lifecycle.drain(Duration::from_millis(1)).await, Drained::Cut(1));
    }
}
