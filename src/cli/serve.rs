//! `towpath serve`.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use secrecy::ExposeSecret as _;
use tokio::net::TcpListener;

use crate::cli::service::{Service, Surroundings};
use crate::cli::{first_start, folder};
use crate::clock::Clock;
use crate::config::{RawSettings, Settings};
use crate::lifecycle::{Drained, Lifecycle};
use crate::source::{self, Origin};
use crate::telemetry;
use crate::template::Templates;

/// How long a stop waits for what is under way. Kubernetes waits 30 seconds by default.
const DRAIN: Duration = Duration::from_secs(25);

/// Runs the service until it is told to stop.
pub fn run(raw: RawSettings) -> anyhow::Result<ExitCode> {
    let settings = raw.clone().check()?;
    let endpoint = settings.otlp_endpoint.as_deref();
    let traces = telemetry::start_log(&settings.log, settings.log_format, endpoint)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("starting the runtime")?;
    let served = runtime.block_on(serve(raw, settings));
    drop(runtime);
    traces.end();
    served
}

async fn serve(raw: RawSettings, mut settings: Settings) -> anyhow::Result<ExitCode> {
    let templates = templates(&settings)?;
    let lifecycle = Lifecycle::new();
    lifecycle.listen_for_signals().context("listening for signals")?;
    let listener = TcpListener::bind(settings.listen)
        .await
        .with_context(|| format!("TOWPATH_LISTEN: {} cannot be listened on", settings.listen))?;
    let (listener, for_the_page) = twice(listener)?;
    if may_be_set_up_here(&settings) {
        first_start::until_registered(&settings, for_the_page, &lifecycle).await?;
        if lifecycle.is_stopping() {
            return Ok(ExitCode::SUCCESS);
        }
        settings = raw.check()?;
    }
    let surroundings = Surroundings {
        listener,
        clock: Clock::system(),
        lifecycle: lifecycle.clone(),
        metrics: telemetry::start_metrics()?,
    };
    let service = Service::start(&settings, templates, surroundings).await?;
    tracing::info!(address = %service.address, "ready");
    lifecycle.stopping().await;
    let drained = lifecycle.drain(DRAIN).await;
    service.store.close().await;
    match drained {
        Drained::Complete => Ok(ExitCode::SUCCESS),
        Drained::Cut(tasks) => {
            tracing::warn!(
                tasks,
                "stopped before everything had ended; it goes on at the next start"
            );
            Ok(ExitCode::FAILURE)
        }
    }
}

/// Without an App a page waits for one. Not where several replicas would each get one of their own.
fn may_be_set_up_here(settings: &Settings) -> bool {
    let is_wanted = settings.github_app.is_none() && !settings.agent.needs_no_app;
    is_wanted && settings.database_url.expose_secret().starts_with("sqlite:")
}

/// One socket for two servers, one after the other: whoever comes in between waits in its queue.
fn twice(listener: TcpListener) -> anyhow::Result<(TcpListener, TcpListener)> {
    let first = listener.into_std().context("the socket")?;
    let second = first.try_clone().context("the socket")?;
    Ok((TcpListener::from_std(first)?, TcpListener::from_std(second)?))
}

/// The templates of the folders that the settings name. Where the default folder is not there, there
/// are none: messages that name a workflow themselves need none.
pub(super) fn templates(settings: &Settings) -> anyhow::Result<Templates> {
    let origins = source::origins(&settings.templates).map_err(anyhow::Error::msg);
    let mut sets = Vec::new();
    for origin in origins.context("TOWPATH_TEMPLATES")? {
        let Origin::Folder(path) = origin else { continue };
        let shown = path.display().to_string();
        if shown == "templates" && !path.exists() {
            tracing::warn!(
                "there is no folder `templates`; only messages that name a workflow can be run"
            );
            continue;
        }
        let files = folder::read(&path).context("TOWPATH_TEMPLATES")?;
        let set = folder::load(&files).with_context(|| format!("TOWPATH_TEMPLATES: {shown}"))?;
        sets.push((shown, set));
    }
    let sets = sets.iter().map(|(shown, set)| (shown.as_str(), set.clone()));
    Templates::joined(sets).map_err(anyhow::Error::msg).context("TOWPATH_TEMPLATES")
}
