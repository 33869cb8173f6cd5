//! When the parts of a window make a whole: as soon as every partition delivered its part, or when those that did are so
//! far ahead that waiting longer would hold too much (INV-8). It must not know what is in a window.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tidemill_domain::ModelVersion;
use tidemill_events::monitor::{PartWindow, WindowKind};
use tidemill_events::subject::Partition;

/// A window waits for slow partitions until one of them is this many windows ahead.
const PATIENCE: u64 = 8;

/// Series at most; when more appear, the one that was idle longest is given up with what had come of it.
const MAX_SERIES: usize = 64;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Waiting {
    /// The number of the next window; those before it are merged.
    next: u64,
    touched: u64,
    parts: BTreeMap<u64, BTreeMap<Partition, PartWindow>>,
}

/// What one part led to.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Gathered {
    /// The parts of each window that is whole now, by partition; windows in order.
    pub(crate) wholes: Vec<Vec<PartWindow>>,
    /// Rows of a part that came too late, or again.
    pub(crate) late: u64,
}

/// The parts that wait for others.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Gather {
    touches: u64,
    series: BTreeMap<(WindowKind, Option<ModelVersion>), Waiting>,
}

impl Gather {
    /// Takes a part, where a whole has `partitions` of them.
    pub(crate) fn take(&mut self, part: PartWindow, partitions: usize) -> Gathered {
        let mut gathered = Gathered::default();
        let whose = (part.key.kind, part.key.version.clone());
        if !self.series.contains_key(&whose) && self.series.len() >= MAX_SERIES {
            gathered.wholes = self.give_up_idle();
        }
        self.touches += 1;
        let waiting = self.series.entry(whose).or_default();
        waiting.touched = self.touches;
        let (index, partition) = (part.key.index, part.partition);
        let known = waiting.parts.get(&index).is_some_and(|parts| parts.contains_key(&partition));
        if index < waiting.next || known {
            gathered.late = part.rows;
            return gathered;
        }
        waiting.parts.entry(index).or_default().insert(partition, part);
        while let Some(first) = waiting.parts.first_entry() {
            let oldest = *first.key();
            let complete = first.get().len() >= partitions;
            if !complete && index < oldest.saturating_add(PATIENCE) {
                break;
            }
            gathered.wholes.push(first.remove().into_values().collect());
            waiting.next = oldest + 1;
        }
        gathered
    }

    fn give_up_idle(&mut self) -> Vec<Vec<PartWindow>> {
        let idle = self.series.iter().min_by_key(|(_, w)| w.touched).map(|(whose, _)| whose.clone());
        let waiting = idle.and_then(|whose| self.series.remove(&whose)).unwrap_or_default();
        waiting.parts.into_values().map(|parts| parts.into_values().collect()).collect()
    }
}
