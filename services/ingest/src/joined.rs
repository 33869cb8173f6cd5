//! The core of ingest, in the hands of two: the shell folds with it, and the source keeps what it remembers.
//!
//! There is none before the source is opened, because only then it is known what of it is on this machine; and none after.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tidemill_domain::Timestamp;
use tidemill_events::Recorded;
use tidemill_events::core::{Core, Draft, NoJob};
use tidemill_ingest_core::Ingest;

use crate::local::Local;

/// The core, once it is there. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Joined(Arc<Mutex<Option<Ingest<Local>>>>);

impl Joined {
    /// The core, for a moment.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Option<Ingest<Local>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Core for Joined {
    type Job = NoJob;

    fn fold(&mut self, input: &Recorded) -> Vec<Draft> {
        self.lock().as_mut().map_or_else(Vec::new, |core| core.fold(input))
    }

    fn deadline(&self) -> Option<Timestamp> {
        self.lock().as_ref().and_then(Core::deadline)
    }
}
