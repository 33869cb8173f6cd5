//! The order in which ingest saw what it merges: producers' messages, the loop's log and the passing of time.
//!
//! Ingest alone reads two streams. Its place in both is recorded by what it writes: the position counts producers'
//! messages, and what follows from control or time takes the next ordinals after the last message. Folding the same
//! messages with the same control at the same places gives the same positions again.

use serde::{Deserialize, Serialize};
use tidemill_events::emit::{Emitter, Outgoing, Upto};
use tidemill_events::{Draft, Recorded, Topic};

/// The position of ingest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    at: Upto,
}

impl Order {
    /// Gives what follows from `input` its ids and positions.
    pub fn emit(&mut self, emitter: &mut Emitter, input: &Recorded, drafts: Vec<Draft>) -> Vec<Outgoing> {
        if matches!(input.subject.topic, Topic::Intake(_)) && input.sequence > self.at.sequence {
            self.at = Upto { sequence: input.sequence, ordinal: 0 };
        }
        let n_drafts = u32::try_from(drafts.len()).unwrap_or(u32::MAX);
        let out = emitter.emit_at(self.at, input, drafts);
        self.at.ordinal = self.at.ordinal.saturating_add(n_drafts);
        out
    }

    /// Goes on after `upto` if that lies ahead. Producers' messages grow old before the rows that followed from them: what
    /// is folded without them is numbered after everything that was written.
    pub fn advance_to(&mut self, upto: Upto) {
        self.at = self.at.max(upto);
    }

    /// The sequence of the last producers' message that was seen.
    #[must_use]
    pub fn intake_sequence(&self) -> u64 {
        self.at.sequence
    }
}
