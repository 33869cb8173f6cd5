//! Lists as they are answered, and the lists of a loop that are more than their records.

use serde::{Deserialize, Serialize};
use tidemill_domain::{ContentHash, DatasetId};

use crate::newest::Newest;
use crate::record::{At, DatasetRecord};

/// Segments that are kept with a dataset version.
const MAX_SEGMENTS: usize = 20;

/// Some items of a list, newest first unless asked otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// How many there are to choose from.
    pub total: u64,
    /// How many older ones are on the log but no longer here.
    pub gone: u64,
}

impl<T> Page<T> {
    /// The first `limit` of `all`.
    pub(crate) fn of(all: impl Iterator<Item = T>, limit: usize, gone: u64) -> Self {
        let mut total = 0;
        let mut items = Vec::new();
        for item in all {
            total += 1;
            if items.len() < limit {
                items.push(item);
            }
        }
        Self { items, total, gone }
    }

    /// The newest `limit` of a list.
    pub(crate) fn newest(list: &Newest<T>, limit: usize) -> Self
    where
        T: Clone,
    {
        let items = list.iter().rev().take(limit).cloned().collect();
        Self { items, total: list.len() as u64, gone: list.gone() }
    }
}

/// A segment of the newest dataset version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentRecord {
    /// Where the dataset version that added it is on the log.
    pub at: At,
    /// That version.
    pub dataset: DatasetId,
    /// The hash of its rows.
    pub hash: ContentHash,
    /// How many they are.
    pub rows: u64,
    /// The number of its first row, in dataset order.
    pub first_row: u64,
}

/// A dataset version with its newest segments.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Held {
    pub(crate) version: DatasetRecord,
    pub(crate) segments: Vec<SegmentRecord>,
}

impl Held {
    /// The version, with as many segments as are kept, newest first.
    pub(crate) fn of(datasets: &Newest<DatasetRecord>, id: &DatasetId) -> Option<Self> {
        let version = datasets.iter().rev().find(|d| &d.dataset == id)?.clone();
        let segments = segments(datasets, id).take(MAX_SEGMENTS).collect();
        Some(Self { version, segments })
    }
}

/// The segments of a dataset version, newest first, as far as its parents are known.
pub(crate) fn segments<'a>(
    datasets: &'a Newest<DatasetRecord>,
    id: &DatasetId,
) -> impl Iterator<Item = SegmentRecord> + 'a {
    let mut wanted = Some(id.clone());
    // A version comes after its parent, so one walk back meets them all.
    let chain = datasets.iter().rev().filter(move |d| {
        let is_next = wanted.as_ref() == Some(&d.dataset);
        if is_next {
            wanted.clone_from(&d.parent);
        }
        is_next
    });
    chain.flat_map(|d| {
        let mut end = d.rows;
        d.added.iter().rev().map(move |segment| {
            end = end.saturating_sub(segment.rows);
            SegmentRecord {
                at: d.at.clone(),
                dataset: d.dataset.clone(),
                hash: segment.hash.clone(),
                rows: segment.rows,
                first_row: end,
            }
        })
    })
}
