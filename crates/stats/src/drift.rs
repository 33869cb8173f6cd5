//! Change detectors: told one number at a time, they say when its level has changed.
//!
//! Both follow River (0.26) step by step, so a stream gives the same detections as there, and both start anew on the
//! value after a detection. Values that are not finite are passed over. Their state is part of a snapshot. They must not
//! know what the number is (a loss, a residual, a rate) nor what a change should cause.

mod adwin;
mod page_hinkley;

use serde::{Deserialize, Serialize};

pub use adwin::{Adwin, AdwinConfig};
pub use page_hinkley::{Direction, PageHinkley, PageHinkleyConfig};

/// What a detector says of the value it was just given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Nothing to report.
    None,
    /// The level has changed; the next value starts a new search.
    Detected,
}
