//! The fold of the log of all loops, and the questions that it answers.

use std::collections::BTreeMap;

use tidemill_domain::{LoopId, Timestamp};
use tidemill_events::event::SpecApplied;
use tidemill_events::{Event, Recorded};

use crate::loops::LoopState;
use crate::refused::Refused;
use crate::status::{LoopSummary, Status};
use crate::why::{self, Node, Past};

/// What the log says, in bounded memory.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct View {
    last: u64,
    time: Timestamp,
    loops: BTreeMap<LoopId, LoopState>,
    /// Events of loops without a spec, and of types that this version does not know.
    passed_over: u64,
}

impl View {
    /// A view that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next event of the log; one that was taken already changes nothing (INV-1).
    pub fn fold(&mut self, input: &Recorded) {
        if input.sequence <= self.last {
            return;
        }
        self.last = input.sequence;
        self.time = self.time.max(input.time);
        let loop_id = &input.subject.loop_id;
        if let Event::Spec(applied) = &input.event {
            self.loops.entry(loop_id.clone()).or_insert_with(|| LoopState::new(applied.spec.clone()));
        }
        let known = self.loops.get_mut(loop_id);
        if matches!(input.event, Event::Unknown { .. })
            || (known.is_none() && !matches!(input.event, Event::Claimed(_)))
        {
            self.passed_over += 1;
        }
        if let Some(state) = known {
            state.fold(input);
        }
    }

    /// The place of the newest event.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.last
    }

    /// The time of the newest event.
    #[must_use]
    pub fn time(&self) -> Timestamp {
        self.time
    }

    /// Events of loops without a spec, and of types that this version does not know.
    #[must_use]
    pub fn passed_over(&self) -> u64 {
        self.passed_over
    }

    /// The loops, by name.
    #[must_use]
    pub fn loops(&self) -> Vec<LoopSummary> {
        self.loops.iter().map(|(id, state)| LoopSummary::of(id, state)).collect()
    }

    /// How a loop is.
    ///
    /// # Errors
    /// When there is no such loop.
    pub fn status(&self, loop_id: &LoopId) -> Result<Status, Refused> {
        Ok(Status::of(loop_id, self.known(loop_id)?, self.last, self.time))
    }

    /// The spec of a loop that is in force, with its version; none if there is no such loop.
    #[must_use]
    pub fn spec(&self, loop_id: &LoopId) -> Option<SpecApplied> {
        let state = self.loops.get(loop_id)?;
        let record = state.specs.last()?;
        let (version, hash, by) = (record.version, record.hash.clone(), record.by.clone());
        Some(SpecApplied { version, hash, spec: state.spec.clone(), by })
    }

    /// The causal chain of a model version, or of the champion for [`why::LIVE`]; the beginning of a version is enough.
    ///
    /// # Errors
    /// When there is no such loop or model.
    pub fn why(&self, loop_id: &LoopId, version: &str) -> Result<Node, Refused> {
        why::tree(loop_id, self.known(loop_id)?, version)
    }

    /// The causal chain of a model whose turn is no longer in this memory, from what is kept of it elsewhere.
    ///
    /// # Errors
    /// When there is no such loop.
    pub fn why_past(&self, loop_id: &LoopId, past: Past) -> Result<Node, Refused> {
        Ok(why::past_tree(self.known(loop_id)?, past))
    }

    /// Whether there is such a loop.
    ///
    /// # Errors
    /// When there is not; the refusal names those that there are.
    pub fn has(&self, loop_id: &LoopId) -> Result<(), Refused> {
        self.known(loop_id).map(|_| ())
    }

    pub(crate) fn known(&self, loop_id: &LoopId) -> Result<&LoopState, Refused> {
        self.loops.get(loop_id).ok_or_else(|| {
            let names: Vec<&str> = self.loops.keys().map(LoopId::as_str).collect();
            let remedy = match names.as_slice() {
                [] => "there is none yet: put a loop in force with `tidemill apply -f loop.yaml`".to_owned(),
                names => format!("there is {}", names.join(", ")),
            };
            Refused::not_found(format!("there is no loop \"{loop_id}\""), remedy)
        })
    }
}
