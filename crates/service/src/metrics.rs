//! What is counted, as Prometheus reads it. Anything that is dropped, refused or passed over has a counter (INV-6).

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Metric, Registry};

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RoleLabel {
    role: String,
}

/// The counters of a process. Clones share them.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Mutex<Registry>>,
    families: Families,
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
            fn register(&self, registry: &mut Registry) {
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
    /// Inputs still to be read
    lag_events: Gauge;
    /// Whether this replica holds the lease
    lease_held: Gauge;
    /// Ticks asked for
    ticks: Counter;
}

impl Default for Metrics {
    fn default() -> Self {
        let families = Families::default();
        let mut registry = Registry::with_prefix("tidemill");
        families.register(&mut registry);
        Self { registry: Arc::new(Mutex::new(registry)), families }
    }
}

impl Metrics {
    /// The counters of a role.
    #[must_use]
    pub fn role(&self, role: &str) -> RoleMetrics {
        self.families.of(role)
    }

    /// Adds a metric of a service's own, named without the prefix `tidemill_`.
    pub fn register(&self, name: &str, help: &str, metric: impl Metric) {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner).register(name, help, metric);
    }

    /// Everything in the text format of OpenMetrics.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail; if it did, what is there is better than nothing.
        let _ = encode(&mut text, &self.registry.lock().unwrap_or_else(PoisonError::into_inner));
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
}
