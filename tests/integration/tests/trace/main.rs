//! One trace across the bus, as a collector gets it over OTLP: from the label of a prediction to the promotion that it tipped
//! off. A program of its own, because a process has one exporter.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value as AnyValue;
use opentelemetry_proto::tonic::trace::v1::Span;
use tidemill::producer::Row;
use tidemill_bus::TraceParent;
use tidemill_domain::{LoopId, PredictionId, Value};
use tidemill_integration::{TestSystem, wait};
use tidemill_service::LogFormat;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

/// A loop that makes its first model quickly.
const LOOP: &str = "\
apiVersion: tidemill.dev/v1
kind: Loop
metadata: { name: traced }
spec:
  schema:
    features: [{ name: a, type: numeric }, { name: b, type: numeric }]
    target: { name: y, type: categorical }
  triggers: [{ new_labels: 100 }]
  training: { algorithms: [linear], budget: { trials: 2, time: 10s, workers: 1 }, cooldown: 0s }
  evaluation: { min_rows: 20, max_regression: 50% }
  rollout: { shadow: 0, steps: [100%], min_rows: 4000 }
";
const ROWS: usize = 300;
/// What happens between a label and a promotion, by the types of the events.
const STAGES: [&str; 13] = [
    "dev.tidemill.intake.received.v1",
    "dev.tidemill.rows.joined.v1",
    "dev.tidemill.rows.accepted.v1",
    "dev.tidemill.segment.sealed.v1",
    "dev.tidemill.dataset.created.v1",
    "dev.tidemill.trigger.decided.v1",
    "dev.tidemill.trial.changed.v1",
    "dev.tidemill.trial.requested.v1",
    "trial",
    "dev.tidemill.job.reported.v1",
    "dev.tidemill.candidate.chosen.v1",
    "dev.tidemill.verdict.given.v1",
    "dev.tidemill.rollout.moved.v1",
];

/// Takes spans as a collector does.
#[derive(Clone, Default)]
struct Collector {
    spans: Arc<Mutex<Vec<Span>>>,
    services: Arc<Mutex<Vec<String>>>,
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        for resource in request.into_inner().resource_spans {
            let attributes = resource.resource.map(|r| r.attributes).unwrap_or_default();
            let name = attributes.into_iter().find(|a| a.key == "service.name").and_then(|a| a.value?.value);
            if let Some(AnyValue::StringValue(name)) = name {
                self.services.lock().unwrap().push(name);
            }
            let spans = resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
            self.spans.lock().unwrap().extend(spans);
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Collector {
    async fn start() -> (Self, String) {
        let collector = Self::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let service = TraceServiceServer::new(collector.clone());
        let serving = tonic::transport::Server::builder().add_service(service);
        tokio::spawn(serving.serve_with_incoming(TcpIncoming::from(listener)));
        (collector, url)
    }

    fn spans(&self) -> Vec<Span> {
        self.spans.lock().unwrap().clone()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The turn that a span says it belongs to.
fn turn(span: &Span) -> String {
    let turn = span.attributes.iter().find(|attribute| attribute.key == "tidemill.turn");
    match turn.and_then(|attribute| attribute.value.as_ref()?.value.as_ref()) {
        Some(AnyValue::StringValue(turn)) => turn.clone(),
        other => panic!("{} has no turn: {other:?}", span.name),
    }
}

fn row(index: usize) -> (Row, Value) {
    let scramble = |salt: u64| tidemill_domain::hash::unit_of(&format!("{salt}/{index}")) * 6.0 - 3.0;
    let (a, b) = (scramble(1), scramble(2));
    let label = if a + 0.5 * b > 0.0 { "yes" } else { "no" };
    let features = vec![("a".to_owned(), Value::Number(a)), ("b".to_owned(), Value::Number(b))];
    let id = PredictionId::new(format!("row-{index}"));
    (Row { id, entity: None, features }, Value::Text(label.to_owned()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promotion_is_in_the_trace_of_the_prediction_that_tipped_it_off() {
    let (collector, url) = Collector::start().await;
    tidemill_service::start_telemetry_with("warn", LogFormat::Text, Some(url)).unwrap();
    let system = TestSystem::start().await.unwrap();
    let console = system.system.console_url();
    let client = reqwest::Client::new();
    let applied = client.put(format!("{console}/v1/loops")).body(LOOP).send().await.unwrap();
    assert!(applied.status().is_success(), "{}", applied.text().await.unwrap());
    let loop_id = LoopId::new("traced").unwrap();
    let producer = system.producer(loop_id.clone()).unwrap();
    for index in 0..ROWS {
        let (row, label) = row(index);
        producer.predict(&row).await.unwrap();
        producer.label(&row.id, label).await.unwrap();
    }
    let promoted = || async {
        let status =
            client.get(format!("{console}/v1/loops/traced")).send().await.map_err(|e| e.to_string())?;
        let status: serde_json::Value = status.json().await.map_err(|e| e.to_string())?;
        status["models"][0]["version"].as_str().map(drop).ok_or_else(|| format!("no model serves: {status}"))
    };
    wait::until(Duration::from_secs(120), promoted).await.unwrap();
    let metrics = system.system.context().metrics.clone();
    system.stop().await;
    tidemill_service::flush_telemetry().await;

    let spans = collector.spans();
    let rollout = spans.iter().find(|span| span.name == "dev.tidemill.rollout.moved.v1");
    let trace = hex(&rollout.expect("a rollout is among the spans").trace_id);
    let of_row = |index: &usize| {
        TraceParent::of_prediction(&loop_id, &PredictionId::new(format!("row-{index}"))).trace_id() == trace
    };
    assert!((0..ROWS).any(|index| of_row(&index)), "the trace {trace} is that of no prediction");
    let own: Vec<&Span> = spans.iter().filter(|span| hex(&span.trace_id) == trace).collect();
    for stage in STAGES {
        assert!(own.iter().any(|span| span.name == stage), "{stage} is missing in the trace");
    }
    let mut by_turn: BTreeMap<String, String> = BTreeMap::new();
    for rollout in spans.iter().filter(|span| span.name == STAGES[12]) {
        let (turn, trace) = (turn(rollout), hex(&rollout.trace_id));
        assert_eq!(by_turn.entry(turn).or_insert_with(|| trace.clone()), &trace, "a turn is one trace");
    }
    // From the promotion back to what a producer sent, span by span.
    let by_id: BTreeMap<&[u8], &Span> = own.iter().map(|span| (span.span_id.as_slice(), *span)).collect();
    let mut span = rollout.unwrap();
    let mut way = vec![span.name.as_str()];
    while let Some(parent) = by_id.get(span.parent_span_id.as_slice()) {
        assert!(parent.start_time_unix_nano <= span.end_time_unix_nano);
        span = parent;
        way.push(&span.name);
    }
    assert_eq!(way.last(), Some(&STAGES[0]), "{way:?}");
    // Whoever exports says who it is, and counts.
    assert!(collector.services.lock().unwrap().iter().all(|name| name.starts_with("trace")));
    assert!(metrics.text().contains("tidemill_spans_exported_total"));
}
