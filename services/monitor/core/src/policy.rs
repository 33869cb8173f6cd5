//! What the spec in force asks of the windows of one partition: their extent, their metric, their share of false alarms.
//! It must not know which rows come.

use serde::{Deserialize, Serialize};
use tidemill_domain::spec::Window;
use tidemill_domain::{ContentHash, LoopSpec, Metric, Schema, Span};
use tidemill_events::model::{Profile, sketch_size};

/// No window is tested at a level outside of these: below, a test of a few hundred rows cannot speak; above, two windows
/// in a row would alarm by chance too often however seldom windows close.
const ALPHA: (f64, f64) = (1e-6, 0.01);

/// A paired window is a quarter of what a rollout step needs, so that a step is judged a few times on its way.
const PAIRED_PARTS: u64 = 4;

/// Fewer paired rows are not worth an event, unless the whole shadow is shorter.
const MIN_PAIRED: u64 = 25;

/// The spec, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Policy {
    schema: Schema,
    schema_hash: ContentHash,
    pub(crate) metric: Metric,
    pub(crate) window: Window,
    /// The extent of a paired window, in rows.
    pub(crate) paired: Window,
    false_alarm_every: Span,
}

impl Policy {
    pub(crate) fn of(spec: &LoopSpec) -> Self {
        let step = (spec.rollout.min_rows / PAIRED_PARTS).max(MIN_PAIRED);
        let rows = if spec.rollout.shadow > 0 { step.min(spec.rollout.shadow) } else { step };
        Self {
            schema: spec.schema.clone(),
            schema_hash: spec.schema.hash(),
            metric: spec.training.metric,
            window: spec.monitor.window,
            paired: Window::Rows(rows),
            false_alarm_every: spec.monitor.false_alarm_every,
        }
    }

    /// Whether rows measured under `self` still mean the same under `next`.
    pub(crate) fn agrees_with(&self, next: &Self) -> bool {
        self.schema_hash == next.schema_hash
            && self.metric == next.metric
            && self.window == next.window
            && self.paired == next.paired
    }

    /// Whether rows have the same columns under both.
    pub(crate) fn same_columns(&self, other: &Self) -> bool {
        self.schema_hash == other.schema_hash
    }

    /// The probability of a false alarm that a window of this duration may have.
    ///
    /// False alarms are budgeted as a Poisson process over windows: one in `false_alarm_every` on average, so each window
    /// may spend its share of that time. How long windows last is not known beforehand where they are counted in rows, so
    /// the duration is that of the window that closes.
    pub(crate) fn alpha(&self, duration: Span) -> f64 {
        if self.false_alarm_every.0 <= 0 {
            return ALPHA.1;
        }
        (duration.0 as f64 / self.false_alarm_every.0 as f64).clamp(ALPHA.0, ALPHA.1)
    }

    /// An empty profile for the rows.
    pub(crate) fn profile(&self) -> Profile {
        Profile::new(&self.schema, sketch_size(self.schema.features.len()))
    }

    /// The number of features of a row.
    pub(crate) fn features(&self) -> usize {
        self.schema.features.len()
    }

    /// The names of the features, in order.
    pub(crate) fn columns(&self) -> Vec<String> {
        self.schema.features.iter().map(|f| f.name.clone()).collect()
    }
}
