//! Small outputs of one subject are joined into one message: by size, by number, or after a short while.
//!
//! A joined message bears the id and the position of its last part, which cover those before it.

use std::collections::BTreeMap;
use std::time::Duration;

use tidemill_events::emit::Outgoing;
use tidemill_events::sample::SampleItem;
use tidemill_events::wire::{BATCH_BYTES, Weigh, split};
use tidemill_events::{Draft, Event, Subject};
use tokio::time::Instant;

/// A message of this size is not held back any longer.
const GOOD_BYTES: usize = 64 << 10;
/// A message of so many items is not held back any longer.
const GOOD_ITEMS: usize = 1_000;
/// How long items are held back.
const HELD: Duration = Duration::from_millis(20);

/// Outputs that wait for others.
#[derive(Debug, Default)]
pub(crate) struct Batches {
    open: BTreeMap<Subject, Open>,
}

#[derive(Debug)]
struct Open {
    event: Outgoing,
    items: Vec<SampleItem>,
    bytes: usize,
    since: Instant,
}

impl Open {
    fn close(self) -> Outgoing {
        Outgoing { event: Event::Sample(self.items), ..self.event }
    }
}

/// Cuts drafts that would not fit into a message, so that each part gets a position of its own.
pub(crate) fn cut(drafts: Vec<Draft>) -> Vec<Draft> {
    let mut out = Vec::with_capacity(drafts.len());
    for Draft { to, event, turn, content } in drafts {
        match event {
            Event::Sample(items) => {
                let part = |items| Draft {
                    to: to.clone(),
                    event: Event::Sample(items),
                    turn: turn.clone(),
                    content: None,
                };
                out.extend(split(items).into_iter().map(part));
            }
            event => out.push(Draft { to, event, turn, content }),
        }
    }
    out
}

impl Batches {
    /// Takes an output; gives what is full.
    pub(crate) fn add(&mut self, mut output: Outgoing, now: Instant, out: &mut Vec<Outgoing>) {
        let mut items = match std::mem::replace(&mut output.event, Event::Sample(Vec::new())) {
            Event::Sample(items) => items,
            event => return out.push(Outgoing { event, ..output }),
        };
        let subject = output.subject.clone();
        let bytes: usize = items.iter().map(Weigh::weigh).sum();
        let is_too_much =
            |open: &Open| open.bytes + bytes > BATCH_BYTES || open.items.len() + items.len() > GOOD_ITEMS;
        if self.open.get(&subject).is_some_and(is_too_much) {
            out.extend(self.open.remove(&subject).map(Open::close));
        }
        let is_full = match self.open.get_mut(&subject) {
            Some(open) => {
                open.event = output;
                open.items.append(&mut items);
                open.bytes += bytes;
                open.bytes >= GOOD_BYTES || open.items.len() >= GOOD_ITEMS
            }
            None => {
                let is_full = bytes >= GOOD_BYTES || items.len() >= GOOD_ITEMS;
                self.open.insert(subject.clone(), Open { event: output, items, bytes, since: now });
                is_full
            }
        };
        if is_full {
            out.extend(self.open.remove(&subject).map(Open::close));
        }
    }

    /// Gives everything, in the order of positions.
    pub(crate) fn flush(&mut self, out: &mut Vec<Outgoing>) {
        let mut all: Vec<_> = std::mem::take(&mut self.open).into_values().map(Open::close).collect();
        all.sort_by_key(|event| event.meta.upto);
        out.append(&mut all);
    }

    /// Gives what was held back for long enough.
    pub(crate) fn ripe(&mut self, now: Instant) -> Vec<Outgoing> {
        let ripe = self.open.extract_if(.., |_, open| now >= open.since + HELD);
        let mut all: Vec<_> = ripe.map(|(_, open)| open.close()).collect();
        all.sort_by_key(|event| event.meta.upto);
        all
    }

    /// Whether nothing is held back.
    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// When something will be ripe.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.open.values().map(|open| open.since + HELD).min()
    }
}

#[cfg(test)]
#[path = "tests/batch.rs"]
mod tests;
