//! Traces: what a run went through, from its message to its last report, in any number of processes.
//!
//! The trace's id is made of the run's: so all that is done for a run is in one trace, and nothing has
//! to be carried along.

use std::time::Duration;

use anyhow::Context as _;
use opentelemetry::Context;
use opentelemetry::trace::{
    SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState, TracerProvider as _,
};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use sha2::{Digest as _, Sha256};
use tracing::field::Empty;
use tracing::{Span, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::{Layer, Registry};

use crate::domain::RunId;

/// How long the end of the program waits for the last traces to be taken.
const LAST: Duration = Duration::from_secs(5);

/// Sends spans, where an endpoint is set.
#[must_use]
pub struct Traces(Option<SdkTracerProvider>);

impl Traces {
    /// Sends what is left. To be called when the runtime has ended: it waits.
    pub fn end(self) {
        let Some(provider) = self.0 else { return };
        if let Err(error) = provider.shutdown_with_timeout(LAST) {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

type SpanLayer = Box<dyn Layer<Registry> + Send + Sync>;

/// Starts to send the program's own spans to `<endpoint>/v1/traces`.
pub(super) fn start(endpoint: Option<&str>) -> anyhow::Result<(Option<SpanLayer>, Traces)> {
    let Some(endpoint) = endpoint else { return Ok((None, Traces(None))) };
    let exporter = SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
        .build()
        .with_context(|| format!("OTEL_EXPORTER_OTLP_ENDPOINT is {endpoint:?}"))?;
    let provider = SdkTracerProvider::builder()
        .with_resource(Resource::builder().with_service_name("towpath").build())
        .with_batch_exporter(exporter)
        .build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("towpath"));
    let own = filter_fn(|meta| meta.is_span() && meta.target().starts_with("towpath"));
    Ok((Some(layer.with_filter(own).boxed()), Traces(Some(provider))))
}

/// The span in which the message of a run is written down.
pub fn message_span(run: &RunId) -> Span {
    in_trace_of(run, info_span!("message", run.id = %run))
}

/// The span in which a step is done. Log lines within it carry the run's id.
pub fn step_span(run: &RunId, step: &'static str, attempt: u32) -> Span {
    let span = info_span!("step", otel.name = step, run.id = %run, attempt, decision = Empty);
    in_trace_of(run, span)
}

fn in_trace_of(run: &RunId, span: Span) -> Span {
    let digest: [u8; 32] = Sha256::digest(run.as_str()).into();
    let (mut trace, mut parent) = ([0; 16], [0; 8]);
    trace.copy_from_slice(&digest[..16]);
    parent.copy_from_slice(&digest[16..24]);
    let run = SpanContext::new(
        TraceId::from_bytes(trace),
        SpanId::from_bytes(parent),
        TraceFlags::SAMPLED,
        true,
        TraceState::default(),
    );
    // Where no traces are sent, there is nothing that could have a parent.
    let _is_traced = span.set_parent(Context::new().with_remote_span_context(run));
    span
}
