//! What goes on by itself: deliveries go out, one after another, and runs are handed to the runner.

use std::time::{Duration, Instant};

use super::runner::RunReporter;
use super::webhooks::{Outcome, Outgoing};
use super::{SandboxGitHub, lock};

/// GitHub gives up on a delivery after ten seconds.
/// <https://docs.github.com/webhooks/using-webhooks/best-practices-for-using-webhooks>
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) async fn run(github: SandboxGitHub) {
    let client = reqwest::Client::builder().timeout(PATIENCE).build().unwrap_or_default();
    loop {
        start_runs(&github);
        let outgoing = lock(&github.inner().world).next_outgoing();
        if let Some(outgoing) = outgoing {
            tokio::select! {
                () = deliver(&github, &client, outgoing) => {}
                () = github.inner().stop.cancelled() => return,
            }
            continue;
        }
        github.inner().changed.notify_waiters();
        tokio::select! {
            () = github.inner().work.notified() => {}
            () = github.inner().stop.cancelled() => return,
        }
    }
}

async fn deliver(github: &SandboxGitHub, client: &reqwest::Client, outgoing: Outgoing) {
    tokio::time::sleep(outgoing.delay).await;
    let started = Instant::now();
    let mut request = client.post(&outgoing.url).body(outgoing.payload);
    for (name, value) in outgoing.headers {
        request = request.header(name, value);
    }
    let mut outcome = match request.send().await {
        Ok(answer) => {
            let status = answer.status();
            let reason =
                if status.is_success() { "OK" } else { status.canonical_reason().unwrap_or("") };
            let response = answer.text().await.unwrap_or_default();
            Outcome {
                status_code: status.as_u16(),
                status: reason.to_owned(),
                seconds: 0.0,
                response,
            }
        }
        Err(error) if error.is_timeout() => {
            Outcome { status: "timed out".to_owned(), status_code: 504, ..Outcome::unreachable() }
        }
        Err(_) => Outcome::unreachable(),
    };
    outcome.seconds = started.elapsed().as_secs_f64();
    lock(&github.inner().world).record_outcome(outgoing.delivery, outcome);
}

fn start_runs(github: &SandboxGitHub) {
    let Some(runner) = github.inner().runner.clone() else {
        return;
    };
    let mut world = lock(&github.inner().world);
    for (repository, run) in std::mem::take(&mut world.unstarted) {
        let Some(index) = world.repository_index(repository) else {
            continue;
        };
        let request = match world.prepare_run(index, run) {
            Ok(request) => request,
            Err(refusal) => {
                tracing::warn!(run.id = run, "run does not start: {}", refusal.message);
                let _ = world.run_completed(index, run, "startup_failure");
                continue;
            }
        };
        let attempt = request.attempt;
        let report = RunReporter { github: github.clone(), repository, run, attempt };
        let work = runner.run(request, report);
        let stop = github.inner().stop.clone();
        github.inner().tasks.spawn(async move {
            tokio::select! {
                () = work => {}
                () = stop.cancelled() => {}
            }
        });
    }
}
