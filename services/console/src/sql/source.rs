//! What the view is built from.

use tidemill_events::stream::{Role, Stream, filter};
use tidemill_events::{Partition, Topic};

/// A part of the log that is read by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The logs of all loops.
    Loops,
    /// The refused rows of a partition.
    Quarantine(Partition),
}

impl Source {
    /// Its name.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Loops => "loops".to_owned(),
            Self::Quarantine(partition) => format!("quarantine-{}", partition.0),
        }
    }

    /// The stream that holds it.
    #[must_use]
    pub fn stream(self) -> Stream {
        match self {
            Self::Loops => Stream::Loop,
            Self::Quarantine(_) => Stream::Samples,
        }
    }

    /// Its subjects.
    #[must_use]
    pub fn filter(self) -> String {
        match self {
            Self::Loops => Role::console().filter,
            Self::Quarantine(partition) => filter(Topic::Quarantine(partition)),
        }
    }
}
