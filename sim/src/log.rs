//! A stream of the log in memory.

use std::collections::VecDeque;
use std::sync::Arc;

use tidemill_domain::Timestamp;
use tidemill_events::envelope::Meta;
use tidemill_events::{Event, Recorded, Subject};

/// Messages in order, numbered from 1 as on the broker; old ones may be let go.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    let_go: u64,
    records: VecDeque<Arc<Recorded>>,
}

impl Stream {
    /// Appends an event.
    pub fn append(&mut self, subject: Subject, meta: Meta, event: Event, time: Timestamp) -> Arc<Recorded> {
        let sequence = self.last() + 1;
        let recorded = Arc::new(Recorded { sequence, time, subject, meta, event });
        self.records.push_back(Arc::clone(&recorded));
        recorded
    }

    /// The number of the last message; 0 for an empty stream.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.let_go + self.records.len() as u64
    }

    /// The message of a number, if it is there.
    #[must_use]
    pub fn get(&self, sequence: u64) -> Option<&Arc<Recorded>> {
        let index = usize::try_from(sequence.checked_sub(self.let_go + 1)?).ok()?;
        self.records.get(index)
    }

    /// Every message that is there.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Recorded>> {
        self.records.iter()
    }

    /// Lets go of the messages up to `sequence`.
    pub(crate) fn trim(&mut self, sequence: u64) {
        while self.let_go < sequence && self.records.pop_front().is_some() {
            self.let_go += 1;
        }
    }
}
