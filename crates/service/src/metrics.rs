//! What is counted, as Prometheus reads it. Anything that is dropped, refused or passed over has a counter (INV-6).

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Metric, Registry};
use tidemill_bus::Bus;
use tidemill_domain::LoopId;

use crate::health::Health;
use crate::otlp;
use crate::watched::{self, Watched};

/// What every name begins with.
const PREFIX: &str = "tidemill";

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RoleLabel {
    role: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct LetGoLabels {
    role: String,
    r#loop: String,
    reason: &'static str,
}

/// The counters of a process. Clones share them.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Mutex<Named>>,
    families: Families,
    let_go: Family<LetGoLabels, Gauge>,
}

/// A metric, as it is to be explained.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Described {
    /// Its name as Prometheus shows it.
    pub name: String,
    /// Its type: `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// What it says.
    pub help: String,
}

/// The registry, which does not tell what is in it while it is empty, and what is in it.
struct Named {
    registry: Registry,
    described: Vec<Described>,
}

impl Named {
    fn register(&mut self, name: &str, help: &str, metric: impl Metric) {
        self.describe(name, help, metric.metric_type());
        self.registry.register(name, help, metric);
    }

    fn describe(&mut self, name: &str, help: &str, kind: MetricType) {
        let (kind, ending) = match kind {
            MetricType::Counter => ("counter", "_total"),
            MetricType::Gauge => ("gauge", ""),
            MetricType::Histogram => ("histogram", ""),
            MetricType::Info | MetricType::Unknown => ("unknown", ""),
        };
        let name = format!("{PREFIX}_{name}{ending}");
        self.described.push(Described { name, kind, help: help.to_owned() });
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

macro_rules! families {
    ($($(#[doc = $help:literal])+ $name:ident: $kind:ty;)+) => {
        #[derive(Clone, Default)]
        struct Families {
            $($name: Family<RoleLabel, $kind>,)+
        }

        impl Families {
            fn register(&self, registry: &mut Named) {
                $(registry.register(stringify!($name), concat!($($help),+).trim(), self.$name.clone());)+
            }

            fn of(&self, role: &str) -> RoleMetrics {
                let label = RoleLabel { role: role.to_owned() };
                RoleMetrics { $($name: self.$name.get_or_create_owned(&label),)+ }
            }
        }

        /// The counters of one role.
        #[derive(Clone, Debug)]
        pub struct RoleMetrics {
            $($(#[doc = $help])+ pub $name: $kind,)+
        }
    };
}

families! {
    /// Inputs folded
    events_folded: Counter;
    /// Events that were on the log already when they were published
    events_known: Counter;
    /// Messages that are no events; they were passed over
    events_poison: Counter;
    /// Events published
    events_published: Counter;
    /// Inputs refused and put into quarantine
    events_refused: Counter;
    /// Outputs left out because the log had them before the role started
    events_suppressed: Counter;
    /// Events of a type that this version does not know; they were passed over
    events_unknown: Counter;
    /// How often a newer owner was met
    fenced: Counter;
    /// Jobs that gave a result
    jobs_finished: Counter;
    /// Tries of jobs that failed and are repeated
    jobs_retried: Counter;
    /// Jobs running
    jobs_running: Gauge;
    /// Jobs wanted that do not run for want of room
    jobs_waiting: Gauge;
    /// Inputs still to be read
    lag_events: Gauge;
    /// Whether this replica holds the lease
    lease_held: Gauge;
    /// When the log took the newest input that was folded, in seconds since 1970
    newest_input_seconds: Gauge;
    /// Snapshots that could not be written or used
    snapshots_failed: Counter;
    /// Starts that went on from a snapshot
    snapshots_used: Counter;
    /// Snapshots written
    snapshots_written: Counter;
    /// Ticks asked for
    ticks: Counter;
}

impl Default for Metrics {
    fn default() -> Self {
        let families = Families::default();
        let mut registry = Named { registry: Registry::with_prefix(PREFIX), described: Vec::new() };
        families.register(&mut registry);
        let spans = &*otlp::COUNTS;
        registry.register("spans_exported", "Spans that the collector has", spans.exported.clone());
        registry.register("spans_dropped", "Spans dropped because too many waited", spans.dropped.clone());
        registry.register("spans_failed", "Spans that the collector did not take", spans.failed.clone());
        let let_go = Family::default();
        registry.register(
            "rows_let_go",
            "Rows left out of measurement since the log began, by reason",
            let_go.clone(),
        );
        Self { registry: Arc::new(Mutex::new(registry)), families, let_go }
    }
}

impl Metrics {
    /// The counters of a role.
    #[must_use]
    pub fn role(&self, role: &str) -> RoleMetrics {
        self.families.of(role)
    }

    /// Shows what the core of a role let go.
    pub(crate) fn show_let_go(&self, role: &str, let_go: Vec<(LoopId, &'static str, u64)>) {
        for (loop_id, reason, rows) in let_go {
            let labels = LetGoLabels { role: role.to_owned(), r#loop: loop_id.to_string(), reason };
            self.let_go.get_or_create(&labels).set(i64::try_from(rows).unwrap_or(i64::MAX));
        }
    }

    /// Adds a metric of a service's own, named without the prefix `tidemill_`.
    pub fn register(&self, name: &str, help: &str, metric: impl Metric) {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner).register(name, help, metric);
    }

    /// Shows also how the connection to the broker fares, which parts are ready, and what the process uses.
    pub fn watch(&self, bus: &Bus, health: &Health) {
        let mut named = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        for figure in watched::FIGURES {
            named.describe(figure.name, figure.help, figure.kind);
        }
        named.registry.register_collector(Box::new(Watched::new(bus.clone(), health.clone())));
    }

    /// What there is to see, also where nothing was counted yet, by name.
    #[must_use]
    pub fn described(&self) -> Vec<Described> {
        let named = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        let mut described = named.described.clone();
        described.sort();
        described.dedup();
        described
    }

    /// Everything in the text format of OpenMetrics.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail; if it did, what is there is better than nothing.
        let _ = encode(&mut text, &self.registry.lock().unwrap_or_else(PoisonError::into_inner).registry);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_carry_their_role() {
        let metrics = Metrics::default();
        metrics.role("validator-0").events_folded.inc_by(3);
        let text = metrics.text();
        assert!(text.contains("tidemill_events_folded_total{role=\"validator-0\"} 3"), "{text}");
    }

    #[test]
    fn what_was_never_counted_is_described_too() {
        let metrics = Metrics::default();
        metrics.register("table_version", "The table", Gauge::<i64>::default());
        let described = metrics.described();
        let kind = |name: &str| described.iter().find(|d| d.name == name).map(|d| d.kind);
        assert_eq!(kind("tidemill_fenced_total"), Some("counter"));
        assert_eq!(kind("tidemill_lag_events"), Some("gauge"));
        assert_eq!(kind("tidemill_table_version"), Some("gauge"));
    }
}
