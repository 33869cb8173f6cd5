//! What is due when: predictions whose label is awaited, and labels whose prediction is.

use std::collections::BTreeMap;

use tidemill_domain::{LoopId, PredictionId, Timestamp};

/// Deadlines in the order in which they pass.
#[derive(Clone, Debug, Default)]
pub(crate) struct Expiry {
    due: BTreeMap<(Timestamp, u64), (LoopId, PredictionId)>,
    added: u64,
}

impl Expiry {
    /// Notes that something about `id` is due at `at`.
    pub(crate) fn add(&mut self, at: Timestamp, loop_id: LoopId, id: PredictionId) {
        self.added += 1;
        self.due.insert((at, self.added), (loop_id, id));
    }

    /// Takes the next that is due by `now`.
    pub(crate) fn pop(&mut self, now: Timestamp) -> Option<(LoopId, PredictionId)> {
        let entry = self.due.first_entry()?;
        (entry.key().0 <= now).then(|| entry.remove())
    }

    /// Takes the earliest, due or not.
    pub(crate) fn pop_earliest(&mut self) -> Option<(LoopId, PredictionId)> {
        self.due.pop_first().map(|(_, entry)| entry)
    }

    /// When the next is due.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.due.keys().next().map(|k| k.0)
    }
}
