//! What a process tells while it runs: its log, to standard error, as text or JSON; and its spans, to a collector if one is
//! configured.

use std::io::IsTerminal;

use tracing_subscriber::filter::{Directive, ParseError, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

use crate::config::LogFormat;
use crate::otlp;

/// Begins to log, and to export spans if `OTEL_EXPORTER_OTLP_ENDPOINT` says whereto. Only the first call in a process has an
/// effect, so that tests and `tidemill up` may call it again.
///
/// # Errors
/// When the filter cannot be read.
pub fn start(filter: &str, format: LogFormat) -> Result<(), ParseError> {
    start_with(filter, format, otlp::endpoint())
}

/// The same with the address of a collector, whatever the environment says.
///
/// # Errors
/// When the filter cannot be read.
pub fn start_with(filter: &str, format: LogFormat, collector: Option<String>) -> Result<(), ParseError> {
    // Spans are told as events; they are nothing to read.
    let no_spans: Directive = format!("{}=off", tidemill_bus::spans::TARGET).parse()?;
    let filter = filter.parse::<EnvFilter>()?.add_directive(no_spans);
    let (spans, courier) = collector.map(otlp::queue).unzip();
    let is_span = filter_fn(|metadata| metadata.target() == tidemill_bus::spans::TARGET);
    let spans = spans.map(|spans| spans.with_filter(is_span));
    let log = fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    let registry = tracing_subscriber::registry().with(spans);
    // A second subscriber is refused, and the first one stays.
    let started = match format {
        LogFormat::Json => registry.with(log.json().flatten_event(true).with_filter(filter)).try_init(),
        LogFormat::Text => registry.with(log.with_filter(filter)).try_init(),
    };
    if let (Ok(()), Some(courier)) = (started, courier) {
        courier.start();
    }
    Ok(())
}

/// Waits until the spans told so far are with the collector, for two seconds at most.
pub async fn flush() {
    otlp::flush().await;
}
