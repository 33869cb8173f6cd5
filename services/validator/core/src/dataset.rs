//! Dataset versions: each sealed segment, of whatever partition, extends the loop's dataset by one version.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tidemill_domain::{DatasetId, LoopId};
use tidemill_events::core::{Core, Draft, NoJob};
use tidemill_events::dataset::{DatasetCreated, SegmentSealed};
use tidemill_events::event::Event;
use tidemill_events::snapshot::{self, BadSnapshot};
use tidemill_events::{Log, Recorded, Subject};
use tidemill_stats::sketch::Counts;

/// The core of the one role that makes dataset versions out of the segments of all partitions.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Datasets {
    last: u64,
    newest: BTreeMap<LoopId, DatasetCreated>,
}

impl Datasets {
    /// A core that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

/// The version that follows when `sealed` extends `newest`; a change of schema begins a dataset anew.
fn extend(newest: Option<&DatasetCreated>, sealed: &SegmentSealed) -> DatasetCreated {
    let parent = newest.filter(|d| d.schema == sealed.schema);
    let mut sources = parent.map_or_else(BTreeMap::new, |p| p.sources.clone());
    for (source, rows) in &sealed.sources {
        *sources.entry(*source).or_default() += rows;
    }
    let mut classes = parent.map_or_else(Counts::default, |p| p.classes.clone());
    classes.merge(&sealed.classes);
    let parent_id = parent.map(|p| p.dataset.clone());
    DatasetCreated {
        dataset: DatasetId::of(parent_id.as_ref(), [&sealed.segment.hash]),
        parent: parent_id,
        added: vec![sealed.segment.clone()],
        rows: parent.map_or(0, |p| p.rows) + sealed.segment.rows,
        segments: parent.map_or(0, |p| p.segments) + 1,
        schema: sealed.schema.clone(),
        from: parent.map_or(sealed.from, |p| p.from.min(sealed.from)),
        to: parent.map_or(sealed.to, |p| p.to.max(sealed.to)),
        sources,
        classes,
    }
}

impl Core for Datasets {
    type Job = NoJob;

    fn fold(&mut self, input: &Recorded) -> Vec<Draft> {
        let Event::Segment(sealed) = &input.event else { return Vec::new() };
        if input.sequence <= self.last {
            return Vec::new();
        }
        self.last = input.sequence;
        let loop_id = &input.subject.loop_id;
        let created = extend(self.newest.get(loop_id), sealed);
        self.newest.insert(loop_id.clone(), created.clone());
        vec![Draft::new(Subject::log(loop_id.clone(), Log::Dataset), Event::Dataset(created))]
    }

    fn save(&self) -> Option<Vec<u8>> {
        snapshot::save(self)
    }

    fn load(&mut self, bytes: &[u8]) -> Result<(), BadSnapshot> {
        *self = snapshot::load(bytes)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tidemill_domain::{ContentHash, Timestamp};
    use tidemill_events::Partition;
    use tidemill_events::dataset::SegmentRef;

    use super::*;

    fn sealed(content: &[u8], schema: &[u8]) -> SegmentSealed {
        SegmentSealed {
            segment: SegmentRef { hash: ContentHash::of(content), rows: 10 },
            partition: Partition(0),
            schema: ContentHash::of(schema),
            from: Timestamp(i64::from(content[0])),
            to: Timestamp(i64::from(content[0]) + 5),
            sources: BTreeMap::new(),
            classes: Counts::default(),
        }
    }

    #[test]
    fn segments_extend_and_a_new_schema_begins_anew() {
        let first = extend(None, &sealed(b"a", b"x"));
        let second = extend(Some(&first), &sealed(b"b", b"x"));
        assert_eq!((second.parent.as_ref(), second.rows, second.segments), (Some(&first.dataset), 20, 2));
        assert_eq!((second.from, second.to), (first.from, Timestamp(i64::from(b'b') + 5)));
        let anew = extend(Some(&second), &sealed(b"c", b"y"));
        assert_eq!((anew.parent, anew.rows), (None, 10));
    }
}
