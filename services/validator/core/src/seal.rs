//! When accepted labelled rows become a segment.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tidemill_domain::{CleanRow, LoopId, Schema, Span, Timestamp};
use tidemill_events::core::{Content, Draft};
use tidemill_events::dataset::{SegmentRef, SegmentSealed, segment_hash};
use tidemill_events::event::Event;
use tidemill_events::{Partition, Subject, Topic};
use tidemill_stats::sketch::Counts;

/// A segment that is not full is sealed at this age all the same, so that slow streams teach too.
const MAX_AGE: Span = Span::minutes(10);

/// The rows of the segment that is being filled.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Open {
    #[serde(with = "tidemill_events::snapshot::shared")]
    schema: Arc<Schema>,
    rows: Vec<CleanRow>,
    since: Timestamp,
}

impl Open {
    pub(crate) fn new(schema: Arc<Schema>) -> Self {
        Self { schema, rows: Vec::new(), since: Timestamp::default() }
    }

    pub(crate) fn push(&mut self, row: CleanRow, now: Timestamp) {
        if self.rows.is_empty() {
            self.since = now;
        }
        self.rows.push(row);
    }

    /// Puts a corrected row in the place of the one that has its id; `false` where that was sealed already.
    pub(crate) fn correct(&mut self, row: CleanRow) -> bool {
        let found = self.rows.iter_mut().rev().find(|r| r.prediction_id == row.prediction_id);
        let is_open = found.is_some();
        if let Some(found) = found {
            *found = row;
        }
        is_open
    }

    /// Whether the segment is full, or too old to wait any longer.
    pub(crate) fn is_ripe(&self, full: u64, now: Timestamp) -> bool {
        self.rows.len() as u64 >= full || (!self.rows.is_empty() && now - self.since >= MAX_AGE)
    }

    /// Seals what there is; `None` without rows.
    pub(crate) fn seal(&mut self, loop_id: &LoopId, partition: Partition) -> Option<Draft> {
        let rows = std::mem::take(&mut self.rows);
        let from = rows.iter().map(|r| r.time).min()?;
        let to = rows.iter().map(|r| r.time).max()?;
        let hash = segment_hash(&rows);
        let mut sources = BTreeMap::new();
        let mut classes = Counts::default();
        for label in rows.iter().filter_map(|r| r.label.as_ref()) {
            *sources.entry(label.source).or_default() += 1;
            if let Some(class) = label.value.text() {
                classes.insert(Some(class));
            }
        }
        let sealed = SegmentSealed {
            segment: SegmentRef { hash: hash.clone(), rows: rows.len() as u64 },
            partition,
            schema: self.schema.hash(),
            from,
            to,
            sources,
            classes,
        };
        let content = Content::Segment { hash, schema: Arc::clone(&self.schema), rows: Arc::new(rows) };
        let to = Subject::new(loop_id.clone(), Topic::Segment(partition));
        Some(Draft::new(to, Event::Segment(sealed)).after_storing(content))
    }
}
