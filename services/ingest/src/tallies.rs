//! What became of the rows of each loop, as Prometheus reads it.

use std::collections::HashMap;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use tidemill_domain::LoopId;
use tidemill_ingest_core::Tally;
use tidemill_service::Metrics;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByLoop {
    role: String,
    r#loop: String,
}

/// The counters of a process. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Tallies {
    pending: Family<ByLoop, Gauge>,
    counted: [(Family<ByLoop, Counter>, fn(&Tally) -> u64); COUNTED.len()],
}

/// Name, help, and which of the numbers.
const COUNTED: [(&str, &str, fn(&Tally) -> u64); 8] = [
    ("ingest_matured", "Predictions that got their label in time", |t| t.matured),
    ("ingest_expired", "Predictions whose label did not come in time", |t| t.expired),
    ("ingest_late", "Predictions that got their label after that", |t| t.late),
    ("ingest_corrected", "Labels that took the place of another one", |t| t.corrected),
    ("ingest_overruled", "Labels that differ from the one that stands and were passed over", |t| t.overruled),
    ("ingest_duplicate_labels", "Labels that were known already", |t| t.duplicate_labels),
    ("ingest_duplicate_predictions", "Predictions that were known already", |t| t.duplicate_predictions),
    ("ingest_expired_early", "What was given up before its time because too much is remembered", |t| {
        t.expired_early
    }),
];

impl Tallies {
    /// Adds them to the metrics of a process, once.
    pub(crate) fn register(metrics: &Metrics) -> Self {
        let pending = Family::default();
        metrics.register("ingest_pending", "Predictions that await their label", pending.clone());
        let counted = COUNTED.map(|(name, help, of)| {
            let family = Family::default();
            metrics.register(name, help, family.clone());
            (family, of)
        });
        Self { pending, counted }
    }
}

/// The counters of one role while it is active. What was counted before, also by others, is not counted again.
#[derive(Debug)]
pub(crate) struct RoleTallies {
    tallies: Tallies,
    role: String,
    shown: HashMap<LoopId, Tally>,
}

impl RoleTallies {
    /// Begins to count, from `before` on.
    pub(crate) fn new<'a>(
        tallies: Tallies,
        role: &str,
        before: impl Iterator<Item = (&'a LoopId, &'a Tally)>,
    ) -> Self {
        let shown = before.map(|(loop_id, tally)| (loop_id.clone(), *tally)).collect();
        Self { tallies, role: role.to_owned(), shown }
    }

    /// Shows what there is now.
    pub(crate) fn show<'a>(&mut self, now: impl Iterator<Item = (&'a LoopId, &'a Tally)>) {
        for (loop_id, tally) in now {
            let label = ByLoop { role: self.role.clone(), r#loop: loop_id.to_string() };
            let pending = i64::try_from(tally.pending).unwrap_or(i64::MAX);
            self.tallies.pending.get_or_create(&label).set(pending);
            let shown = self.shown.entry(loop_id.clone()).or_default();
            for (family, of) in &self.tallies.counted {
                family.get_or_create(&label).inc_by(of(tally).saturating_sub(of(shown)));
            }
            *shown = *tally;
        }
    }
}

impl Drop for RoleTallies {
    /// Whoever has the role now shows what is pending.
    fn drop(&mut self) {
        for loop_id in self.shown.keys() {
            let label = ByLoop { role: self.role.clone(), r#loop: loop_id.to_string() };
            self.tallies.pending.remove(&label);
        }
    }
}
