//! The books over the log: what became of every prediction that was sent, whether segments hold each labelled row once, and
//! whether decisions and routes were legal at every step.
//!
//! It reads the log and the stored segments only, and shares no code with the services that wrote them. What may still come
//! ([`Ledger::missing`]) is told from what can never become right again ([`Ledger::wrong`]).

mod audit;
mod decisions;
mod order;
mod rows;

#[cfg(test)]
mod tests;

pub use audit::Auditor;
pub use rows::Account;

use tidemill_domain::{CleanRow, LoopId, PredictionId};
use tidemill_events::dataset::SegmentSealed;
use tidemill_events::{Event, Recorded};

use decisions::Decisions;
use order::Order;
use rows::Rows;

/// How many findings of a kind are told.
const SHOWN: usize = 12;

/// The books.
#[derive(Debug, Default)]
pub struct Ledger {
    rows: Rows,
    decisions: Decisions,
    order: Order,
    unreadable: u64,
}

impl Ledger {
    /// These were sent, and their producer was told that they are taken.
    pub fn expect(&mut self, loop_id: &LoopId, ids: impl IntoIterator<Item = PredictionId>) {
        self.rows.expect(loop_id, ids);
    }

    /// Takes the next event of any stream.
    pub fn fold(&mut self, recorded: &Recorded) {
        self.order.fold(recorded);
        self.rows.fold(recorded);
        self.decisions.fold(recorded);
    }

    /// Takes the rows that a sealed segment holds.
    pub fn sealed(&mut self, loop_id: &LoopId, segment: &SegmentSealed, rows: &[CleanRow]) {
        self.rows.sealed(loop_id, segment, rows);
    }

    /// A message on the log was no event.
    pub fn unreadable(&mut self) {
        self.unreadable += 1;
    }

    /// Whether a prediction is on the intake.
    #[must_use]
    pub fn has(&self, loop_id: &LoopId, id: &PredictionId) -> bool {
        self.rows.has(loop_id, id)
    }

    /// What became of the rows.
    #[must_use]
    pub fn account(&self) -> Account {
        self.rows.account()
    }

    /// Turns that were accepted so far.
    #[must_use]
    pub fn turns(&self) -> usize {
        self.decisions.accepted()
    }

    /// Turns of which the end is not on the log.
    #[must_use]
    pub fn open_turns(&self) -> usize {
        self.decisions.open()
    }

    /// The version of the newest route table of a loop.
    #[must_use]
    pub fn table(&self, loop_id: &LoopId) -> u64 {
        self.decisions.table(loop_id)
    }

    /// How often a replica claimed any subject.
    #[must_use]
    pub fn claims(&self) -> u64 {
        self.order.claims()
    }

    /// What is not there yet.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        let mut missing = self.rows.missing();
        missing.extend(self.decisions.missing());
        missing.truncate(SHOWN);
        missing
    }

    /// What is wrong, whatever still comes.
    #[must_use]
    pub fn wrong(&self) -> Vec<String> {
        let mut wrong = self.order.wrong().to_vec();
        wrong.extend(self.decisions.wrong());
        wrong.extend(self.rows.wrong());
        if self.unreadable > 0 {
            wrong.push(format!("{} messages on the log are no events", self.unreadable));
        }
        wrong.truncate(SHOWN);
        wrong
    }
}

/// Whether anybody could have written this: a claim says nothing about rows or decisions.
fn is_claim(recorded: &Recorded) -> bool {
    matches!(recorded.event, Event::Claimed(_))
}
