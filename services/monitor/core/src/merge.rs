//! The core that brings the windows of all partitions together, of all loops.
//!
//! It publishes each whole window's figures, and an alert where those of the watched model change its state. It must not
//! see rows: whatever it says follows from mergeable sums.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tidemill_domain::LoopId;
use tidemill_events::core::{Core, Draft, NoJob};
use tidemill_events::envelope::Recorded;
use tidemill_events::event::Event;
use tidemill_events::snapshot::{self, BadSnapshot};
use tidemill_events::subject::{Log, Subject};

use crate::alarms::Alarms;
use crate::figures::figures;
use crate::gather::Gather;
use crate::shed::{Shed, ShedRows};
use crate::whole::whole;

/// Folds `window.*` into `log.window` and `log.alert`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Merge {
    partitions: usize,
    loops: BTreeMap<LoopId, Watched>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Watched {
    gather: Gather,
    alarms: Alarms,
    shed: ShedRows,
}

impl Merge {
    /// Nothing merged yet; a window has one part in each of `partitions`.
    #[must_use]
    pub fn new(partitions: u16) -> Self {
        Self { partitions: usize::from(partitions.max(1)), loops: BTreeMap::new() }
    }

    /// Rows that are in no merged window, by loop and reason.
    pub fn shed(&self) -> impl Iterator<Item = (&LoopId, Shed, u64)> + '_ {
        self.loops.iter().flat_map(|(id, w)| w.shed.all().map(move |(reason, rows)| (id, reason, rows)))
    }
}

impl Core for Merge {
    type Job = NoJob;

    fn let_go(&self) -> Vec<(LoopId, &'static str, u64)> {
        self.shed().map(|(loop_id, reason, rows)| (loop_id.clone(), reason.name(), rows)).collect()
    }

    fn fold(&mut self, input: &Recorded) -> Vec<Draft> {
        let Event::PartWindow(part) = &input.event else { return Vec::new() };
        let loop_id = &input.subject.loop_id;
        let watched = self.loops.entry(loop_id.clone()).or_default();
        let gathered = watched.gather.take((**part).clone(), self.partitions);
        watched.shed.add(Shed::Late, gathered.late);
        let mut drafts = Vec::new();
        for sum in gathered.wholes.into_iter().filter_map(whole) {
            let window = figures(&sum);
            let alert = watched.alarms.fold(&window, &sum.policy);
            drafts.push(Draft::new(
                Subject::log(loop_id.clone(), Log::Window),
                Event::Window(Box::new(window)),
            ));
            let to = Subject::log(loop_id.clone(), Log::Alert);
            drafts.extend(alert.map(|alert| Draft::new(to, Event::Alert(alert))));
        }
        drafts
    }

    fn save(&self) -> Option<Vec<u8>> {
        snapshot::save(self)
    }

    fn load(&mut self, bytes: &[u8]) -> Result<(), BadSnapshot> {
        let state: Self = snapshot::load(bytes)?;
        if state.partitions != self.partitions {
            return Err(BadSnapshot::OtherSetup);
        }
        *self = state;
        Ok(())
    }
}
