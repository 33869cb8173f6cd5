//! What is on the log already: at which place control took effect among the rows, and how far the rows go.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tidemill_bus::{Bus, Error, Item, ReadFrom, Reader};
use tidemill_domain::Timestamp;
use tidemill_events::emit::Upto;
use tidemill_events::sample::{Mark, SampleItem};
use tidemill_events::stream::{Stream, filter};
use tidemill_events::{Event, Partition, Recorded, Topic};

const BATCH: usize = 256;
const WAIT: Duration = Duration::from_secs(1);

/// The record of an earlier order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Places {
    /// The position of the mark of each control event, by its place in the loops' log.
    marks: BTreeMap<u64, Upto>,
    /// The last position on any subject.
    tail: Upto,
    /// When the last rows or marks were written.
    newest: Option<Timestamp>,
    /// Since when everything is there, where older messages grew old and are gone.
    kept_since: Option<Timestamp>,
}

/// Where a control event belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// After the producers' message of this sequence and before the next one.
    After(u64),
    /// After everything that is on the log.
    New,
}

impl Places {
    /// Reads what the partition has on its subjects, over all loops.
    pub(crate) async fn read(bus: &Bus, partition: Partition) -> Result<Self, Error> {
        let is_whole = bus.extent(Stream::Samples).await?.first <= 1;
        Self::default().read_on(bus, partition, 0, is_whole).await
    }

    /// Reads what lies beyond `sequence`; what lies before it is known.
    pub(crate) async fn read_after(
        self,
        bus: &Bus,
        partition: Partition,
        sequence: u64,
    ) -> Result<Self, Error> {
        self.read_on(bus, partition, sequence, true).await
    }

    async fn read_on(
        self,
        bus: &Bus,
        partition: Partition,
        sequence: u64,
        is_whole: bool,
    ) -> Result<Self, Error> {
        let mut places = self;
        let from = ReadFrom::first(Stream::Samples, filter(Topic::Sample(partition)));
        let mut reader = Reader::open(bus, ReadFrom { sequence: sequence + 1, ..from }).await?;
        while !reader.caught_up() {
            for item in reader.next_batch(BATCH, WAIT).await? {
                if let Item::Event(received) = item {
                    places.add(&received.event, is_whole);
                }
            }
        }
        Ok(places)
    }

    /// Adds the next message of one of the subjects.
    pub(crate) fn add(&mut self, message: &Recorded, is_whole: bool) {
        let upto = message.meta.upto.unwrap_or_default();
        self.tail = self.tail.max(upto);
        if !is_whole {
            self.kept_since.get_or_insert(message.time);
        }
        let Event::Sample(items) = &message.event else { return };
        self.newest = self.newest.max(Some(message.time));
        for item in items {
            if let SampleItem::Mark(Mark::Routes { sequence, .. } | Mark::Spec { sequence, .. }) = item {
                self.marks.insert(*sequence, upto);
            }
        }
    }

    /// Where the control event of this sequence and time belongs.
    pub(crate) fn of(&self, sequence: u64, time: Timestamp) -> Place {
        match self.marks.get(&sequence) {
            Some(upto) => Place::After(upto.sequence),
            // Its mark is gone, and so are the rows before it.
            None if self.kept_since.is_some_and(|since| time < since) => Place::After(0),
            None => Place::New,
        }
    }

    /// The same without the places of control that was given, and with what was written since.
    pub(crate) fn beyond(&self, control: u64, written: Upto) -> Self {
        Self {
            marks: self.marks.range(control + 1..).map(|(sequence, upto)| (*sequence, *upto)).collect(),
            tail: self.tail.max(written),
            ..*self
        }
    }

    /// The last position on any subject.
    pub(crate) fn tail(&self) -> Upto {
        self.tail
    }

    /// Whether something as old as `time` may be on the log.
    pub(crate) fn reach(&self, time: Timestamp) -> bool {
        self.newest.is_some_and(|newest| time <= newest)
    }
}
