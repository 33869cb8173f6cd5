//! What was left out of measurement, counted by reason (INV-6). It must not know where the counts are shown.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Why rows are in no window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Shed {
    /// Their window ended early, with too little in it to say anything.
    CutShort,
    /// They came after their window had been merged without them.
    Late,
    /// They do not fit the schema, or their label does not fit what was answered.
    Mismatch,
    /// No spec was in force yet.
    NoSpec,
    /// Champion or challenger changed before their paired window was full.
    PairChanged,
    /// Their label was known before the prediction was made, or nothing was predicted (INV-5).
    Unscorable,
}

impl Shed {
    /// The name used in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::CutShort => "cut_short",
            Self::Late => "late",
            Self::Mismatch => "mismatch",
            Self::NoSpec => "no_spec",
            Self::PairChanged => "pair_changed",
            Self::Unscorable => "unscorable",
        }
    }
}

/// Rows by reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ShedRows(BTreeMap<Shed, u64>);

impl ShedRows {
    /// Counts `rows` more.
    pub(crate) fn add(&mut self, reason: Shed, rows: u64) {
        if rows > 0 {
            *self.0.entry(reason).or_default() += rows;
        }
    }

    /// Every reason that occurred.
    pub(crate) fn all(&self) -> impl Iterator<Item = (Shed, u64)> + '_ {
        self.0.iter().map(|(reason, rows)| (*reason, *rows))
    }
}
