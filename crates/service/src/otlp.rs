//! Spans to a collector, over OTLP with gRPC, if one is configured. A queue of bounded size lies between the work and the
//! collector: nobody waits for it, and what does not fit in it is dropped and counted.
//!
//! What is a span is said by [`tidemill_bus::spans`]; their ids are those of the headers on the bus, so that the spans of
//! all services make one trace. This must not know what the spans mean.

use std::sync::{LazyLock, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanExporter as _, SpanLinks};
use prometheus_client::metrics::counter::Counter;
use tidemill_domain::Code;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber, warn};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// The variables that name the collector, the more special one first. Others that OpenTelemetry defines hold too.
pub(crate) const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
/// Spans that wait for the collector.
const WAITING: usize = 8_192;
/// Spans in one message.
const BATCH: usize = 512;
/// How long a span waits for others.
const HELD: Duration = Duration::from_millis(500);
/// How long the last spans of a process may take.
const LAST: Duration = Duration::from_secs(2);

/// What became of spans, in the whole process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) exported: Counter,
    pub(crate) dropped: Counter,
    pub(crate) failed: Counter,
}

/// The counts of the process: there is one exporter, and it begins before anything that could own them.
pub(crate) static COUNTS: LazyLock<Counts> = LazyLock::new(Counts::default);
static QUEUE: OnceLock<mpsc::Sender<Item>> = OnceLock::new();

#[derive(Debug)]
enum Item {
    Span(Box<SpanData>),
    Flush(oneshot::Sender<()>),
}

/// Where the environment says that spans go.
pub(crate) fn endpoint() -> Option<String> {
    let is_off = std::env::var("OTEL_SDK_DISABLED").is_ok_and(|off| off.eq_ignore_ascii_case("true"));
    let named = || ENDPOINTS.iter().filter_map(|name| std::env::var(name).ok()).find(|url| !url.is_empty());
    if is_off { None } else { named() }
}

/// Takes spans.
#[derive(Debug)]
pub(crate) struct Spans {
    queue: mpsc::Sender<Item>,
}

/// Brings spans to the collector.
#[derive(Debug)]
pub(crate) struct Courier {
    items: mpsc::Receiver<Item>,
    queue: mpsc::Sender<Item>,
    endpoint: String,
}

/// The two ends of the queue to the collector at `endpoint`.
pub(crate) fn queue(endpoint: String) -> (Spans, Courier) {
    let (queue, items) = mpsc::channel(WAITING);
    (Spans { queue: queue.clone() }, Courier { items, queue, endpoint })
}

impl<S: Subscriber> Layer<S> for Spans {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let Some(span) = fields.span() else { return };
        if self.queue.try_send(Item::Span(Box::new(span))).is_err() {
            COUNTS.dropped.inc();
        }
    }
}

/// Waits until what was told so far is with the collector, for a short while.
pub(crate) async fn flush() {
    let Some(queue) = QUEUE.get() else { return };
    let (done, is_done) = oneshot::channel();
    let flushed = async {
        if queue.send(Item::Flush(done)).await.is_ok() {
            // The courier went away: then there is nobody to wait for.
            let _ = is_done.await;
        }
    };
    if timeout(LAST, flushed).await.is_err() {
        warn!("the collector does not answer, the last spans are given up");
    }
}

impl Courier {
    /// Starts, on a thread of its own: it outlives every runtime of the process.
    pub(crate) fn start(self) {
        let _ = QUEUE.set(self.queue.clone());
        let endpoint = self.endpoint.clone();
        let started = std::thread::Builder::new().name("otlp".into()).spawn(move || self.run());
        if let Err(error) = started {
            warn!(endpoint, %error, "spans are not exported");
        }
    }

    fn run(self) {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return warn!(%error, "spans are not exported"),
        };
        runtime.block_on(self.bring());
    }

    async fn bring(mut self) {
        let exporter = SpanExporter::builder().with_tonic().with_endpoint(&self.endpoint).build();
        let mut exporter = match exporter {
            Ok(exporter) => exporter,
            Err(error) => {
                warn!(endpoint = self.endpoint, %error, "{} spans are not exported", Code::Collector);
                return;
            }
        };
        exporter.set_resource(&resource());
        drop(self.queue);
        while let Some((spans, waiting)) = next(&mut self.items).await {
            let n_spans = spans.len() as u64;
            if n_spans > 0 {
                match exporter.export(spans).await {
                    Ok(()) => _ = COUNTS.exported.inc_by(n_spans),
                    Err(error) => {
                        COUNTS.failed.inc_by(n_spans);
                        warn!(endpoint = self.endpoint, n_spans, %error, "{} spans were not taken", Code::Collector);
                    }
                }
            }
            for flushed in waiting {
                // Whoever asked may have gone.
                let _ = flushed.send(());
            }
        }
    }
}

/// The next spans, as many as come within a short while, and who waits for them to be brought.
async fn next(items: &mut mpsc::Receiver<Item>) -> Option<(Vec<SpanData>, Vec<oneshot::Sender<()>>)> {
    let (mut spans, mut waiting) = (Vec::new(), Vec::new());
    let mut item = items.recv().await?;
    let until = Instant::now() + HELD;
    loop {
        match item {
            Item::Span(span) => spans.push(*span),
            Item::Flush(done) => waiting.push(done),
        }
        if !waiting.is_empty() || spans.len() >= BATCH {
            break;
        }
        match timeout_at(until, items.recv()).await {
            Ok(Some(next)) => item = next,
            Ok(None) | Err(_) => break,
        }
    }
    Some((spans, waiting))
}

/// Who we are: what the environment says, else the name of the program.
fn resource() -> Resource {
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let builder = Resource::builder().with_attribute(version);
    if std::env::var_os("OTEL_SERVICE_NAME").is_some() {
        return builder.build();
    }
    let program = std::env::current_exe().ok();
    let name = program.as_deref().and_then(|p| p.file_stem()).map(|n| n.to_string_lossy().into_owned());
    builder.with_service_name(name.unwrap_or_else(|| "tidemill".into())).build()
}

/// The fields of an event that tells of a span.
#[derive(Default)]
struct Fields {
    name: String,
    trace: String,
    span: String,
    parent: String,
    began: i64,
    ended: i64,
    attributes: Vec<KeyValue>,
}

impl Visit for Fields {
    fn record_i64(&mut self, field: &Field, value: i64) {
        match field.name() {
            "began" => self.began = value,
            "ended" => self.ended = value,
            _ => {}
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let attribute = match field.name() {
            "name" => return self.name = value.to_owned(),
            "trace_id" => return self.trace = value.to_owned(),
            "span_id" => return self.span = value.to_owned(),
            "parent_id" => return self.parent = value.to_owned(),
            "role" => "tidemill.role",
            "subject" => "messaging.destination.name",
            "id" => "messaging.message.id",
            "turn" => "tidemill.turn",
            _ => return,
        };
        if !value.is_empty() {
            self.attributes.push(KeyValue::new(attribute, value.to_owned()));
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}

impl Fields {
    fn span(self) -> Option<SpanData> {
        let trace = TraceId::from_hex(&self.trace).ok()?;
        let own = SpanId::from_hex(&self.span).ok()?;
        let parent = SpanId::from_hex(&self.parent).unwrap_or(SpanId::INVALID);
        let (start_time, end_time) = (time(self.began), time(self.ended.max(self.began)));
        Some(SpanData {
            span_context: SpanContext::new(trace, own, TraceFlags::SAMPLED, false, TraceState::default()),
            parent_span_id: parent,
            parent_span_is_remote: parent != SpanId::INVALID,
            span_kind: SpanKind::Producer,
            name: self.name.into(),
            start_time,
            end_time,
            attributes: self.attributes,
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: InstrumentationScope::builder("tidemill").build(),
        })
    }
}

fn time(micros: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}
