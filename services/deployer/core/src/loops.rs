//! The deployer as a core: which loop an input concerns, what time it is, and whether the input is new.
//!
//! It must not know what a step means; each kind of input is handed to the module that decides on it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tidemill_domain::{LoopId, Timestamp};
use tidemill_events::core::{Core, Draft, NoJob, Now};
use tidemill_events::envelope::Recorded;
use tidemill_events::event::Event;
use tidemill_events::snapshot::{self, BadSnapshot};

use crate::state::LoopState;

/// The deployer: folds the log of all loops and moves their traffic.
///
/// Its own events come back to it on the log and are passed over: what it decides follows from the other inputs alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Deployer {
    now: Now,
    loops: BTreeMap<LoopId, LoopState>,
    /// The place of the newest input; anything not beyond it was folded already (INV-1).
    last: Option<u64>,
}

impl Deployer {
    /// A deployer that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Core for Deployer {
    type Job = NoJob;

    fn fold(&mut self, input: &Recorded) -> Vec<Draft> {
        if self.last.is_some_and(|last| input.sequence <= last) {
            return Vec::new();
        }
        self.last = Some(input.sequence);
        let now = self.now.advance(input.time);
        // A tick says that its deadline passed, even if the log's clock is a little behind.
        let reached = match &input.event {
            Event::Tick(tick) => now.max(tick.due),
            _ => now,
        };
        let mut drafts: Vec<Draft> =
            self.loops.values_mut().filter_map(|state| state.expire(reached)).collect();
        let loop_id = &input.subject.loop_id;
        match self.loops.get_mut(loop_id) {
            Some(state) => drafts.extend(decide(state, &input.event, now)),
            None => {
                if let Event::Spec(applied) = &input.event {
                    self.loops.insert(loop_id.clone(), LoopState::new(loop_id.clone(), applied));
                }
            }
        }
        drafts
    }

    fn deadline(&self) -> Option<Timestamp> {
        self.loops.values().filter_map(|state| state.watch.as_ref()).map(|watch| watch.until).min()
    }

    fn save(&self) -> Option<Vec<u8>> {
        snapshot::save(self)
    }

    fn load(&mut self, bytes: &[u8]) -> Result<(), BadSnapshot> {
        *self = snapshot::load(bytes)?;
        Ok(())
    }
}

fn decide(state: &mut LoopState, event: &Event, now: Timestamp) -> Vec<Draft> {
    match event {
        Event::Alert(alert) => state.heed(alert),
        Event::Command(command) => state.obey(command, now),
        Event::Dataset(created) => state.extend(created),
        Event::Spec(applied) => state.apply(applied),
        Event::Verdict(verdict) => state.admit(verdict, now),
        Event::Window(window) => window.paired.iter().flat_map(|paired| state.weigh(paired, now)).collect(),
        Event::Candidate(_)
        | Event::Claimed(_)
        | Event::Clean(_)
        | Event::Dead(_)
        | Event::Intake(_)
        | Event::PartWindow(_)
        | Event::Quarantined(_)
        | Event::Report(_)
        | Event::Rollout(_)
        | Event::Sample(_)
        | Event::Segment(_)
        | Event::Tick(_)
        | Event::Trial(_)
        | Event::Trigger(_)
        | Event::Unknown { .. }
        | Event::Work(_) => Vec::new(),
    }
}
