//! What is remembered of each prediction id, and what is due when: the part of ingest that grows with its horizon.
//!
//! A core decides on what a memory tells it and knows nothing of where that is kept. Here it is kept in memory, for the
//! simulator; the service keeps it on disk. It must not know what is done with what is remembered.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::error::Error;
use std::fmt::Debug;

use serde::{Deserialize, Serialize};
use tidemill_domain::{Label, LoopId, PredictionId, PredictionRecord, Timestamp};

/// What is known of a prediction id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Known {
    /// A prediction awaits its label.
    Pending(Box<PredictionRecord>),
    /// A label awaits its prediction.
    Early(Label),
    /// Both came; kept because the label may be corrected.
    Labelled {
        /// The prediction.
        record: Box<PredictionRecord>,
        /// The label that stands.
        label: Label,
        /// The labels that it corrected, oldest first.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        earlier: Vec<Label>,
        /// Whether the first label came after the horizon.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        late: bool,
    },
    /// No label came in time; kept because it may come all the same.
    Expired(Box<PredictionRecord>),
}

/// When something is due; the number orders what is due at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Due {
    /// The time.
    pub at: Timestamp,
    /// Counts what was ever noted.
    pub nth: u64,
}

/// Remembers ids and deadlines. What it is told it answers, in whatever way it keeps it.
pub trait Memory: Debug + Send {
    /// Why it cannot remember. Whoever gets one stops before anything that followed from it is written.
    type Error: Error + Send + Sync + 'static;

    /// What is known of an id.
    ///
    /// # Errors
    /// When what is kept cannot be read.
    fn get(&mut self, loop_id: &LoopId, id: &PredictionId) -> Result<Option<Known>, Self::Error>;

    /// Remembers what is known of an id from now on.
    ///
    /// # Errors
    /// When it cannot be kept.
    fn set(&mut self, loop_id: &LoopId, id: &PredictionId, known: Known) -> Result<(), Self::Error>;

    /// Forgets an id.
    fn forget(&mut self, loop_id: &LoopId, id: &PredictionId);

    /// Notes that something about an id is due.
    fn note(&mut self, due: Due, loop_id: &LoopId, id: &PredictionId);

    /// What is due next.
    ///
    /// # Errors
    /// When what is kept cannot be read.
    fn next(&mut self) -> Result<Option<Due>, Self::Error>;

    /// Takes what is due next.
    ///
    /// # Errors
    /// When what is kept cannot be read.
    fn take_next(&mut self) -> Result<Option<(LoopId, PredictionId)>, Self::Error>;
}

/// Keeps everything in memory.
#[derive(Clone, Debug, Default)]
pub struct InMemory {
    known: BTreeMap<LoopId, BTreeMap<PredictionId, Known>>,
    due: BTreeMap<Due, (LoopId, PredictionId)>,
}

impl Memory for InMemory {
    type Error = Infallible;

    fn get(&mut self, loop_id: &LoopId, id: &PredictionId) -> Result<Option<Known>, Infallible> {
        Ok(self.known.get(loop_id).and_then(|known| known.get(id)).cloned())
    }

    fn set(&mut self, loop_id: &LoopId, id: &PredictionId, known: Known) -> Result<(), Infallible> {
        match self.known.get_mut(loop_id) {
            Some(of_loop) => _ = of_loop.insert(id.clone(), known),
            None => _ = self.known.insert(loop_id.clone(), BTreeMap::from([(id.clone(), known)])),
        }
        Ok(())
    }

    fn forget(&mut self, loop_id: &LoopId, id: &PredictionId) {
        if let Some(known) = self.known.get_mut(loop_id) {
            known.remove(id);
        }
    }

    fn note(&mut self, due: Due, loop_id: &LoopId, id: &PredictionId) {
        self.due.insert(due, (loop_id.clone(), id.clone()));
    }

    fn next(&mut self) -> Result<Option<Due>, Infallible> {
        Ok(self.due.keys().next().copied())
    }

    fn take_next(&mut self) -> Result<Option<(LoopId, PredictionId)>, Infallible> {
        Ok(self.due.pop_first().map(|(_, key)| key))
    }
}
