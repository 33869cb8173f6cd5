//! What ingest knows beside its memory: little, whatever the horizon, so that all of it can be kept often.
//!
//! It has two parts, because one changes with every message and the other is large and changes seldom.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tidemill_domain::{LoopId, LoopSpec, Timestamp};

use crate::marks::Profiles;

/// Everything but the memory.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// What changes with every message.
    pub head: Head,
    /// The control of each loop.
    pub control: BTreeMap<LoopId, Control>,
}

/// What changes with every message.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Head {
    /// The time of the newest input.
    pub(crate) now: Timestamp,
    /// The place of the newest message; what is not beyond it was folded already (INV-1).
    pub(crate) last_intake: u64,
    /// How many deadlines were ever noted.
    pub(crate) noted: u64,
    /// How many ids are remembered.
    pub(crate) remembered: u64,
    /// When something was last written about each loop.
    pub(crate) last_out: BTreeMap<LoopId, Timestamp>,
    /// What became of each loop's rows.
    pub(crate) tallies: BTreeMap<LoopId, Tally>,
}

impl Head {
    pub(crate) fn tally(&mut self, loop_id: &LoopId) -> &mut Tally {
        self.tallies.entry(loop_id.clone()).or_default()
    }
}

/// The control of a loop.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Control {
    /// The spec in force.
    pub(crate) spec: Option<LoopSpec>,
    /// What was seen of models that may get traffic.
    pub(crate) profiles: Profiles,
    /// The place of the newest event of the loop's log.
    pub(crate) last: u64,
}

impl Control {
    /// The place of the newest event of the loop's log: where it is the same, all of this is the same.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.last
    }
}

/// What became of a loop's predictions and labels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tally {
    /// Predictions that await their label now.
    pub pending: u64,
    /// Predictions that got their label in time.
    pub matured: u64,
    /// Predictions whose label did not come in time.
    pub expired: u64,
    /// Predictions that got their label after that.
    pub late: u64,
    /// Labels that took the place of another one.
    pub corrected: u64,
    /// Labels that differ from the one that stands and did not take its place.
    pub overruled: u64,
    /// Labels that were known already.
    pub duplicate_labels: u64,
    /// Predictions that were known already.
    pub duplicate_predictions: u64,
    /// Predictions or labels given up before their time because of the bound on what is remembered.
    pub expired_early: u64,
}
