//! The core that measures the rows of one partition, of all loops.
//!
//! Rows are grouped into windows by the version that answered, in three kinds: observed rows (how they are distributed),
//! labelled rows (how good the answers were) and paired rows (champion against challenger on the same rows). A window
//! closes after the rows or the time that the spec says; one that loses its version earlier still counts from a quarter of
//! its extent on. The core must not know of other partitions, nor judge what it measures.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tidemill_domain::LoopId;
use tidemill_events::core::{Core, Draft, NoJob, Now};
use tidemill_events::envelope::Recorded;
use tidemill_events::event::Event;
use tidemill_events::snapshot::{self, BadSnapshot};
use tidemill_events::subject::{Partition, Subject, Topic};

use crate::shed::Shed;
use crate::stream::Stream;

/// Folds `clean.<p>` into `window.<p>`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    partition: Partition,
    now: Now,
    loops: BTreeMap<LoopId, Followed>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Followed {
    stream: Stream,
    /// The place of the last input; what lies before it came again (INV-1).
    sequence: u64,
}

impl Measure {
    /// Nothing measured yet.
    #[must_use]
    pub fn new(partition: Partition) -> Self {
        Self { partition, now: Now::default(), loops: BTreeMap::new() }
    }

    /// Rows that are in no window, by loop and reason.
    pub fn shed(&self) -> impl Iterator<Item = (&LoopId, Shed, u64)> + '_ {
        self.loops
            .iter()
            .flat_map(|(id, f)| f.stream.shed.all().map(move |(reason, rows)| (id, reason, rows)))
    }
}

impl Core for Measure {
    type Job = NoJob;

    fn let_go(&self) -> Vec<(LoopId, &'static str, u64)> {
        self.shed().map(|(loop_id, reason, rows)| (loop_id.clone(), reason.name(), rows)).collect()
    }

    fn fold(&mut self, input: &Recorded) -> Vec<Draft> {
        let now = self.now.advance(input.time);
        let Event::Clean(items) = &input.event else { return Vec::new() };
        let loop_id = &input.subject.loop_id;
        let followed = match self.loops.get_mut(loop_id) {
            Some(followed) if input.sequence <= followed.sequence => return Vec::new(),
            Some(followed) => followed,
            None => {
                let first = Followed { stream: Stream::new(self.partition), sequence: 0 };
                self.loops.entry(loop_id.clone()).or_insert(first)
            }
        };
        followed.sequence = input.sequence;
        let mut windows = followed.stream.expire(now);
        for item in items {
            windows.extend(followed.stream.take(item, now));
        }
        let to = Subject::new(loop_id.clone(), Topic::Window(self.partition));
        windows.into_iter().map(|w| Draft::new(to.clone(), Event::PartWindow(Box::new(w)))).collect()
    }

    fn save(&self) -> Option<Vec<u8>> {
        snapshot::save(self)
    }

    fn load(&mut self, bytes: &[u8]) -> Result<(), BadSnapshot> {
        let state: Self = snapshot::load(bytes)?;
        if state.partition != self.partition {
            return Err(BadSnapshot::OtherSetup);
        }
        *self = state;
        Ok(())
    }
}
