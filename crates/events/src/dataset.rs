//! Segments and dataset versions: labelled rows, sealed, named by their content.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tidemill_domain::hash::unit_of;
use tidemill_domain::{CleanRow, ContentHash, DatasetId, LabelSource, PredictionId, Timestamp};
use tidemill_stats::sketch::Counts;

use crate::subject::Partition;

/// The share of rows that never teaches and so can judge any model on old data.
pub const RESERVED_SHARE: f64 = 0.05;

/// Whether a row is reserved for judging: by the hash of its id, so that everybody agrees without a list (INV-5).
#[must_use]
pub fn is_reserved(id: &PredictionId) -> bool {
    unit_of(&format!("reserve/{id}")) < RESERVED_SHARE
}

/// The hash of rows: of their canonical JSON, one line a row, whatever the file format that holds them.
#[must_use]
pub fn segment_hash(rows: &[CleanRow]) -> ContentHash {
    let mut text = Vec::new();
    for row in rows {
        // Writing plain data to memory cannot fail; a row that did would still change the hash by its empty line.
        let _ = serde_json::to_writer(&mut text, row);
        text.push(b'\n');
    }
    ContentHash::of(&text)
}

/// A segment as others refer to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentRef {
    /// The hash of its rows.
    pub hash: ContentHash,
    /// How many they are.
    pub rows: u64,
}

/// A segment was sealed: its rows are stored and never change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SegmentSealed {
    /// Its name and size.
    #[serde(flatten)]
    pub segment: SegmentRef,
    /// The partition that it comes from.
    pub partition: Partition,
    /// The hash of the schema of its rows.
    pub schema: ContentHash,
    /// The earliest prediction in it.
    pub from: Timestamp,
    /// The latest prediction in it.
    pub to: Timestamp,
    /// Rows by source of their labels.
    pub sources: BTreeMap<LabelSource, u64>,
    /// Rows by class; nothing where the target is a number.
    #[serde(default)]
    pub classes: Counts,
}

/// A dataset version: its parent's segments and more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DatasetCreated {
    /// Its id, derived from parent and segments.
    pub dataset: DatasetId,
    /// The version that it extends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<DatasetId>,
    /// The segments that it adds.
    pub added: Vec<SegmentRef>,
    /// Rows in all.
    pub rows: u64,
    /// Segments in all.
    pub segments: u64,
    /// The hash of the schema of its rows.
    pub schema: ContentHash,
    /// The earliest prediction in it.
    pub from: Timestamp,
    /// The latest prediction in it.
    pub to: Timestamp,
    /// Rows by source of their labels.
    pub sources: BTreeMap<LabelSource, u64>,
    /// Rows by class; nothing where the target is a number.
    #[serde(default)]
    pub classes: Counts,
}

/// Some rows of a dataset, counted in dataset order: from `from` up to but not including `to`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowRange {
    /// The first row.
    pub from: u64,
    /// The row after the last.
    pub to: u64,
}

impl RowRange {
    /// How many rows.
    #[must_use]
    pub fn rows(self) -> u64 {
        self.to.saturating_sub(self.from)
    }
}

/// Where to find rows: the segments that hold them, and the number of the first row of the first one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Located {
    /// The number, in dataset order, of the first row of the first segment.
    pub start: u64,
    /// The segments, in dataset order.
    pub segments: Vec<SegmentRef>,
}

/// The segments of the newest dataset version of a loop, in order: a fold over [`DatasetCreated`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Catalogue {
    /// The newest version.
    pub dataset: Option<DatasetId>,
    /// Its rows.
    pub rows: u64,
    /// Its segments, each with the number of its first row.
    pub segments: Vec<(u64, SegmentRef)>,
    /// How many classes its labels name; 0 where the target is a number.
    pub classes: u64,
    /// How many rows are predicted between a prediction and its label, as far as the times of the newest version tell.
    pub label_lag: u64,
}

impl Catalogue {
    /// Takes the next version.
    pub fn fold(&mut self, created: &DatasetCreated) {
        if created.parent != self.dataset {
            // A dataset that does not extend the newest one begins anew (after a change of schema).
            *self = Self::default();
        }
        for segment in &created.added {
            self.segments.push((self.rows, segment.clone()));
            self.rows += segment.rows;
        }
        self.dataset = Some(created.dataset.clone());
        self.classes = created.classes.named().len() as u64;
    }

    /// Learns from a version that was made at `now` how late labels come.
    pub fn note_lag(&mut self, created: &DatasetCreated, now: Timestamp) {
        let (span, lag) = ((created.to - created.from).as_seconds(), (now - created.to).as_seconds());
        let share = if span > 0.0 { (lag / span).clamp(0.0, 1.0) } else { 0.0 };
        self.label_lag = (share * self.rows as f64).round() as u64;
    }

    /// Where the rows of `range` lie.
    #[must_use]
    pub fn locate(&self, range: RowRange) -> Located {
        let mut hits = self
            .segments
            .iter()
            .filter(|(start, s)| start + s.rows > range.from && *start < range.to)
            .peekable();
        let start = hits.peek().map_or(range.from, |(start, _)| *start);
        Located { start, segments: hits.map(|(_, s)| s.clone()).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_located_by_number() {
        let mut catalogue = Catalogue::default();
        for i in 0..3_u8 {
            let segment = SegmentRef { hash: ContentHash::of(&[i]), rows: 10 };
            catalogue.segments.push((catalogue.rows, segment));
            catalogue.rows += 10;
        }
        let found = catalogue.locate(RowRange { from: 12, to: 20 });
        assert_eq!((found.start, found.segments.len()), (10, 1));
        let found = catalogue.locate(RowRange { from: 9, to: 21 });
        assert_eq!((found.start, found.segments.len()), (0, 3));
    }

    #[test]
    fn one_row_in_twenty_is_reserved() {
        let reserved = (0..20_000).filter(|i| is_reserved(&PredictionId::new(i.to_string()))).count();
        assert!((900..1_100).contains(&reserved), "{reserved}");
    }
}
