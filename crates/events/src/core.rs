//! The shape of a service's decisions: events in, events and wanted jobs out.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tidemill_domain::{CleanRow, ContentHash, LoopId, Schema, Timestamp, TurnId};

use crate::envelope::Recorded;
use crate::event::Event;
use crate::snapshot::BadSnapshot;
use crate::subject::Subject;

/// What a service decides. Total and deterministic: no clock, no I/O, no randomness but seeds derived from ids.
///
/// State is a fold: feeding the same inputs in the same order to a new core leads to the same state and the same drafts.
pub trait Core: Send {
    /// Work that takes time or touches the world, done by a shell.
    type Job: Clone + Send + 'static;

    /// The version of what this core makes of its inputs, part of the name of its snapshots. Whoever changes the state or
    /// what is decided from it counts it up: then a start folds the log again, as if there were no snapshot.
    const FOLD: u32 = 1;

    /// Takes one input of the log and says what follows from it, in order.
    fn fold(&mut self, input: &Recorded) -> Vec<Draft>;

    /// The jobs that are wanted now, each with a name that stays the same until its report is folded.
    ///
    /// A level, not an edge: a shell that starts sees here whatever was left undone.
    fn jobs(&self) -> Vec<(String, Self::Job)> {
        Vec::new()
    }

    /// When the core wants to be woken by a tick if nothing else comes.
    fn deadline(&self) -> Option<Timestamp> {
        None
    }

    /// Rows that were let go so far, by loop and reason, for whoever watches (INV-6). They are part of the fold, so whoever
    /// takes over says the same.
    fn let_go(&self) -> Vec<(LoopId, &'static str, u64)> {
        Vec::new()
    }

    /// The state as bytes, from which [`Core::load`] makes one that goes on exactly as this one would; none if the core
    /// keeps no snapshots.
    fn save(&self) -> Option<Vec<u8>> {
        None
    }

    /// Takes the state of a snapshot in place of what was folded so far, which is nothing.
    ///
    /// # Errors
    /// When the bytes are no such state. The core must not be used then.
    fn load(&mut self, _bytes: &[u8]) -> Result<(), BadSnapshot> {
        Err(BadSnapshot::NotKept)
    }
}

/// A core that wants no jobs says so with this type, which has no values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoJob {}

/// An event that a core wants on the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// Where it goes.
    pub to: Subject,
    /// What happened.
    pub event: Event,
    /// The turn that it belongs to.
    pub turn: Option<TurnId>,
    /// What must be stored before the event is published, so that no event names what does not exist.
    pub content: Option<Content>,
}

impl Draft {
    /// An event outside of any turn.
    #[must_use]
    pub fn new(to: Subject, event: Event) -> Self {
        Self { to, event, turn: None, content: None }
    }

    /// The same within a turn.
    #[must_use]
    pub fn in_turn(mut self, turn: TurnId) -> Self {
        self.turn = Some(turn);
        self
    }

    /// The same, once `content` is stored.
    #[must_use]
    pub fn after_storing(mut self, content: Content) -> Self {
        self.content = Some(content);
        self
    }
}

/// Content that is stored beside the log, under its hash.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// The rows of a sealed segment.
    Segment {
        /// The hash of the rows: see [`crate::dataset::segment_hash`].
        hash: ContentHash,
        /// Their shape.
        schema: Arc<Schema>,
        /// The rows, in the order in which their labels came.
        rows: Arc<Vec<CleanRow>>,
    },
}

/// The time inside a core: that of the newest input, never going back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Now(Timestamp);

impl Now {
    /// Moves on to `time`, unless that lies in the past, and returns the time that it is.
    pub fn advance(&mut self, time: Timestamp) -> Timestamp {
        self.0 = self.0.max(time);
        self.0
    }

    /// The time that it is.
    #[must_use]
    pub fn get(self) -> Timestamp {
        self.0
    }
}
