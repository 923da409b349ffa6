//! What the program says about itself: log lines on standard error, and numbers for Prometheus.

mod traces;

use std::io::IsTerminal as _;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer as _};

use crate::config::LogFormat;

pub use traces::{Traces, message_span, step_span};

/// Durations of steps and calls in seconds, from a fast query to a slow API.
const BUCKETS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];

/// Starts the log, and traces where they are sent somewhere. `filter` is `TOWPATH_LOG`, which traces
/// do not depend on. To be called once, before there is a runtime.
pub fn start_log(
    filter: &str,
    format: LogFormat,
    otlp_endpoint: Option<&str>,
) -> anyhow::Result<Traces> {
    let filter = EnvFilter::try_new(filter).map_err(|error| {
        anyhow::anyhow!(
            "TOWPATH_LOG is {filter:?}, which is no filter ({error}); use a level, as info."
        )
    })?;
    let (spans, traces) = traces::start(otlp_endpoint)?;
    let registry = tracing_subscriber::registry().with(spans);
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    match format {
        LogFormat::Text => registry.with(lines.with_filter(filter)).try_init()?,
        LogFormat::Json => {
            registry.with(lines.json().flatten_event(true).with_filter(filter)).try_init()?;
        }
    }
    Ok(traces)
}

/// Starts to count. The handle renders `/metrics`. To be called once.
pub fn start_metrics() -> anyhow::Result<PrometheusHandle> {
    Ok(PrometheusBuilder::new().set_buckets(&BUCKETS)?.install_recorder()?)
}
