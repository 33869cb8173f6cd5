//! What the predictor counts. Whatever is turned away or not logged has a counter with its reason (INV-6).

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use tidemill_domain::LoopId;
use tidemill_service::Metrics;
use tonic::Code;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByCode {
    code: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByReason {
    reason: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByFile {
    file: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByLoop {
    r#loop: String,
}

/// Why a prediction is not logged, or not by every model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shed {
    /// Too many wait in memory to be written down.
    QueueFull,
    /// The bus refuses them for good.
    Refused,
    /// A model that only scores failed; the answer is logged.
    ScorerFailed,
    /// What was written down cannot be read any more.
    SpoolDamaged,
    /// They cannot be written down.
    SpoolFailed,
    /// As much is written down as may be.
    SpoolFull,
}

/// What was found damaged in the data folder, and passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Damage {
    /// A model.
    Artefact,
    /// A route table.
    LoopFile,
    /// The mark up to where the bus has everything.
    SpoolMark,
}

/// The counters. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Counted {
    rows: Family<ByCode, Counter>,
    latency: Histogram,
    shed: Family<ByReason, Counter>,
    table: Family<ByLoop, Gauge>,
    pub(crate) models: Gauge,
    pub(crate) load_failures: Counter,
    pub(crate) read_failures: Counter,
    pub(crate) disk_failures: Counter,
    damaged: Family<ByFile, Counter>,
    pub(crate) queue: Gauge,
    pub(crate) spool_rows: Gauge,
    pub(crate) spool_bytes: Gauge,
    pub(crate) logged: Counter,
}

impl Counted {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        let counted = Self {
            rows: Family::default(),
            // 50 microseconds to 3 seconds.
            latency: Histogram::new(exponential_buckets(50e-6, 2.0, 17)),
            shed: Family::default(),
            table: Family::default(),
            models: Gauge::default(),
            load_failures: Counter::default(),
            read_failures: Counter::default(),
            disk_failures: Counter::default(),
            damaged: Family::default(),
            queue: Gauge::default(),
            spool_rows: Gauge::default(),
            spool_bytes: Gauge::default(),
            logged: Counter::default(),
        };
        let name = |what: &str| format!("predictor_{what}");
        metrics.register(&name("rows"), "Rows asked for, by gRPC code", counted.rows.clone());
        metrics.register(
            &name("request_seconds"),
            "Time that requests took in the service",
            counted.latency.clone(),
        );
        metrics.register(
            &name("log_shed"),
            "Predictions not logged in full, by reason",
            counted.shed.clone(),
        );
        metrics.register(&name("table_version"), "The route table in force", counted.table.clone());
        metrics.register(&name("models"), "Models loaded", counted.models.clone());
        metrics.register(
            &name("load_failures"),
            "Tries to load a model that failed",
            counted.load_failures.clone(),
        );
        metrics.register(
            &name("log_read_failures"),
            "Tries to read the loops' log that failed for good",
            counted.read_failures.clone(),
        );
        metrics.register(
            &name("disk_failures"),
            "Tries to use the data folder that failed",
            counted.disk_failures.clone(),
        );
        metrics.register(
            &name("damaged_files"),
            "Files of the data folder that were passed over because they are damaged",
            counted.damaged.clone(),
        );
        metrics.register(
            &name("log_queue"),
            "Predictions that wait in memory to be written down",
            counted.queue.clone(),
        );
        metrics.register(
            &name("spool_rows"),
            "Predictions on disk that wait for the bus",
            counted.spool_rows.clone(),
        );
        metrics.register(&name("spool_bytes"), "Bytes that the spool takes", counted.spool_bytes.clone());
        metrics.register(&name("logged"), "Predictions that the bus has", counted.logged.clone());
        counted
    }

    pub(crate) fn row(&self, code: Code) {
        self.rows.get_or_create(&ByCode { code: name(code) }).inc();
    }

    pub(crate) fn took(&self, time: Duration) {
        self.latency.observe(time.as_secs_f64());
    }

    pub(crate) fn shed(&self, why: Shed, rows: u64) {
        let reason = match why {
            Shed::QueueFull => "queue_full",
            Shed::Refused => "refused_by_bus",
            Shed::ScorerFailed => "scorer_failed",
            Shed::SpoolDamaged => "spool_damaged",
            Shed::SpoolFailed => "spool_failed",
            Shed::SpoolFull => "spool_full",
        };
        self.shed.get_or_create(&ByReason { reason }).inc_by(rows);
    }

    pub(crate) fn damaged(&self, what: Damage) {
        let file = match what {
            Damage::Artefact => "artefact",
            Damage::LoopFile => "loop",
            Damage::SpoolMark => "spool_mark",
        };
        self.damaged.get_or_create(&ByFile { file }).inc();
    }

    pub(crate) fn table(&self, loop_id: &LoopId, version: u64) {
        let label = ByLoop { r#loop: loop_id.to_string() };
        self.table.get_or_create(&label).set(i64::try_from(version).unwrap_or(i64::MAX));
    }
}

/// The codes that the predictor gives.
fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "ok",
        Code::InvalidArgument => "invalid_argument",
        Code::NotFound => "not_found",
        Code::FailedPrecondition => "failed_precondition",
        Code::ResourceExhausted => "resource_exhausted",
        Code::Unavailable => "unavailable",
        _ => "other",
    }
}
