//! The service before it has a GitHub App: it shows the page on which one is registered, and goes
//! on with it without being started again.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::setup::register::{Keep, register};
use crate::clock::Clock;
use crate::config::{AppFile, Settings};
use crate::github::{Registry, web_address};
use crate::http::dashboard::setup::{Asked, SetupState};
use crate::http::first_start;
use crate::lifecycle::Lifecycle;

/// How often is looked whether an App is kept: here, or by `towpath setup` beside this process.
const LOOK: Duration = Duration::from_millis(500);
/// How long the last answers may take once an App is kept.
const LAST_ANSWERS: Duration = Duration::from_secs(2);

/// Serves the page until an App is kept, or the program is to stop.
pub(super) async fn until_registered(
    settings: &Settings,
    listener: TcpListener,
    lifecycle: &Lifecycle,
) -> anyhow::Result<()> {
    let api_url = &settings.github_api_url;
    let file = settings.app_file.clone();
    file.check_free().context("TOWPATH_APP_FILE")?;
    let asked = Asked {
        github_url: web_address(api_url),
        public_url: settings.public_url.clone(),
        ..Asked::default()
    };
    let registry = Registry::new(api_url, Clock::system()).context("GITHUB_API_URL")?;
    let page = SetupState::new(asked.clone(), register(registry, &asked, keep(&file, api_url)));
    let address = page.address(&origin(settings, &listener)?);
    tracing::warn!("no GitHub App is registered yet; register it at {address}");

    let over = CancellationToken::new();
    let page = first_start(page);
    let serving =
        axum::serve(listener, page).with_graceful_shutdown(over.clone().cancelled_owned());
    let registered = async {
        tokio::select! {
            () = kept(&file) => {}
            () = lifecycle.stopping() => {}
        }
        over.cancel();
        tokio::time::sleep(LAST_ANSWERS).await;
    };
    tokio::select! {
        served = async { serving.await } => served.context("serving the page"),
        () = registered => Ok(()),
    }
}

fn keep(file: &AppFile, api_url: &str) -> Keep {
    let (free, file, api_url) = (file.clone(), file.clone(), api_url.to_owned());
    Keep {
        prepare: Arc::new(move || free.check_free()),
        keep: Arc::new(move |app| file.write(&api_url, app)),
    }
}

async fn kept(file: &AppFile) {
    while !file.exists() {
        tokio::time::sleep(LOOK).await;
    }
}

/// Where a person opens the page.
fn origin(settings: &Settings, listener: &TcpListener) -> anyhow::Result<String> {
    if let Some(public) = &settings.public_url {
        return Ok(public.clone());
    }
    let address = listener.local_addr().context("the address to listen on")?;
    if address.ip().is_unspecified() {
        return Ok(format!("http://localhost:{}", address.port()));
    }
    Ok(format!("http://{address}"))
}
