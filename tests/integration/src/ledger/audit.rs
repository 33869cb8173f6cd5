//! Keeps the books up to date with the bus, and waits until they are exact.

use std::time::Duration;

use tidemill_bus::{Bus, Item, ReadFrom, Reader};
use tidemill_events::Event;
use tidemill_events::stream::Stream;
use tidemill_store::Store;

use crate::ledger::Ledger;
use crate::{HarnessError, wait};

/// The streams, the one that others refer to first.
const STREAMS: [Stream; 3] = [Stream::Intake, Stream::Samples, Stream::Loop];

/// Reads everything, and goes on where it stopped.
pub struct Auditor {
    bus: Bus,
    store: Store,
    readers: Vec<(Stream, Reader)>,
    /// What it found.
    pub ledger: Ledger,
}

impl Auditor {
    /// Begins at the first message of each stream.
    ///
    /// # Errors
    /// When the broker does not answer.
    pub async fn open(bus: Bus, store: Store) -> Result<Self, HarnessError> {
        let mut readers = Vec::new();
        for stream in STREAMS {
            // Without a filter: the whole stream.
            let reader = Reader::open(&bus, ReadFrom::first(stream, "")).await.map_err(HarnessError::Bus)?;
            readers.push((stream, reader));
        }
        Ok(Self { bus, store, readers, ledger: Ledger::default() })
    }

    /// Reads what is on the log by now.
    ///
    /// # Errors
    /// When the broker does not answer, or a sealed segment cannot be read.
    pub async fn read(&mut self) -> Result<(), HarnessError> {
        let Self { bus, store, readers, ledger } = self;
        for (stream, reader) in readers {
            let end = bus.extent(*stream).await.map_err(HarnessError::Bus)?;
            let mut idle = 0;
            while !end.is_empty() && reader.next_sequence() <= end.last && idle < 20 {
                let items = reader.next_batch(256, Duration::from_millis(500)).await;
                let items = items.map_err(HarnessError::Bus)?;
                idle = if items.is_empty() { idle + 1 } else { 0 };
                for item in items {
                    let Item::Event(received) = item else {
                        ledger.unreadable();
                        continue;
                    };
                    let recorded = received.event;
                    if let Event::Segment(sealed) = &recorded.event {
                        let rows = store.segment(&sealed.segment.hash).await.map_err(HarnessError::Store)?;
                        ledger.sealed(&recorded.subject.loop_id, sealed, &rows);
                    }
                    ledger.fold(&recorded);
                }
            }
        }
        Ok(())
    }

    /// Waits until nothing is missing any more and `also` has nothing to say against it.
    ///
    /// # Errors
    /// With what is wrong, at once, or with what is still missing after `ceiling`.
    pub async fn exact(
        &mut self,
        ceiling: Duration,
        mut also: impl FnMut(&Ledger) -> Vec<String>,
    ) -> Result<(), String> {
        let end = tokio::time::Instant::now() + ceiling;
        loop {
            let read = self.read().await.err().map(|e| tidemill_bus::chain(&e).to_string());
            let wrong = self.ledger.wrong();
            if !wrong.is_empty() {
                return Err(format!("wrong:\n  {}", wrong.join("\n  ")));
            }
            let mut missing = self.ledger.missing();
            missing.extend(also(&self.ledger));
            missing.extend(read);
            if missing.is_empty() {
                return Ok(());
            }
            if tokio::time::Instant::now() > end {
                let account = self.ledger.account();
                return Err(format!("after {ceiling:?} ({account}):\n  {}", missing.join("\n  ")));
            }
            tokio::time::sleep(wait::EVERY).await;
        }
    }
}
