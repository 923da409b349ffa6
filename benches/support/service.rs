//! The whole service, as `towpath serve` puts it together.

use std::path::Path;

use clap::Parser;
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::net::TcpListener;
use towpath::cli::service::{Service, Surroundings};
use towpath::clock::Clock;
use towpath::config::RawSettings;
use towpath::lifecycle::Lifecycle;
use towpath::sandbox::github::{SANDBOX_APP_KEY, SANDBOX_CLIENT_ID};
use towpath::template::Templates;

/// What webhooks are signed with.
pub(crate) const SECRET: &str = "the secret of the bench's webhooks";

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    settings: RawSettings,
}

/// A service that receives, and whose worker runs only when it is told to.
pub(crate) async fn receive(database: &Path, github: &str, templates: Templates) -> Service {
    let database = format!("sqlite://{}", database.display());
    let line = Line::parse_from([
        "bench",
        "--database-url",
        &database,
        "--github-api-url",
        github,
        "--github-app-id",
        SANDBOX_CLIENT_ID,
        "--github-app-private-key",
        SANDBOX_APP_KEY,
        "--github-webhook-secret",
        SECRET,
    ]);
    let settings = line.settings.check().expect("settings that are right");
    let surroundings = Surroundings {
        listener: TcpListener::bind("127.0.0.1:0").await.expect("a free port"),
        clock: Clock::system(),
        lifecycle: Lifecycle::new(),
        metrics: PrometheusBuilder::new().build_recorder().handle(),
    };
    let lifecycle = surroundings.lifecycle.clone();
    let service = Service::receive(&settings, templates, surroundings).await.expect("it starts");
    lifecycle.spawn(service.store.clone().keep_checkpointing(lifecycle.token()));
    service
}
