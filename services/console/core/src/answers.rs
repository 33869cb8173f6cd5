//! Lists as they are answered, and the lists of a loop that are more than their records.

use serde::{Deserialize, Serialize};
use tidemill_domain::{ContentHash, DatasetId, ModelVersion, Timestamp, TrialId, TurnId};
use tidemill_events::training::Choice;

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
    /// How many older ones are known to have been, and are on no log any more.
    pub gone: u64,
    /// Where the next page begins; none after the last.
    pub next: Option<String>,
    /// Where the answer begins on the log, if what is older was gone already when it was read.
    pub since: Option<Since>,
}

/// Where a log begins whose older messages are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Since {
    /// The first message that there was.
    pub sequence: u64,
    /// When the log took the first event from there on.
    pub time: Timestamp,
}

/// A segment of a dataset.
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

/// A place on the leaderboard of a turn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// Where the candidate is on the log whose event carries the leaderboard.
    pub at: At,
    /// The turn.
    pub turn: TurnId,
    /// The model that the turn proposed.
    pub candidate: ModelVersion,
    /// Counts the places, from 1.
    pub place: u64,
    /// The trial.
    pub trial: TrialId,
    /// What was tried.
    pub choice: Choice,
    /// Its mean loss; smaller is better.
    pub score: f64,
    /// Whether the candidate repeats it.
    pub won: bool,
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
        Some(Self::new(version, segments(datasets, id)))
    }

    pub(crate) fn new(version: DatasetRecord, segments: impl IntoIterator<Item = SegmentRecord>) -> Self {
        Self { version, segments: segments.into_iter().take(MAX_SEGMENTS).collect() }
    }
}

/// The segments of a dataset version, newest first, as far as its parents are known.
fn segments<'a>(
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
    chain.flat_map(DatasetRecord::segments)
}
