//! What can go wrong with stored objects.

use tidemill_domain::{Code, ContentHash};

use crate::segment::Unreadable;

/// The result of most calls.
pub type Result<T> = std::result::Result<T, Error>;

/// Why an object could not be stored or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The name is no hash.
    #[error("{code} {0} is not named by a hash of 64 lower-case hexadecimal digits", code = Code::ObjectDamaged)]
    BadName(String),
    /// The file is no segment.
    #[error("{code} {object} is damaged", code = Code::ObjectDamaged)]
    Damaged {
        /// What was read.
        object: String,
        /// What is wrong with it.
        source: Unreadable,
    },
    /// The place did not do what was asked.
    #[error("{code} cannot {operation} {object}", code = Code::StoreFailed)]
    Io {
        /// What was asked.
        operation: &'static str,
        /// Of what.
        object: String,
        /// Why not.
        source: object_store::Error,
    },
    /// A segment has another number of rows than whoever refers to it says.
    #[error("{code} {object} has {found} rows, {said} are expected", code = Code::ObjectDamaged)]
    Length {
        /// What was read.
        object: String,
        /// How many rows it should have.
        said: u64,
        /// How many it has.
        found: u64,
    },
    /// It is not there.
    #[error("{code} {object} is not in the store", code = Code::ObjectMissing)]
    Missing {
        /// What was looked for.
        object: String,
    },
    /// The rows have no form in a file.
    #[error("{code} {object} cannot be written", code = Code::Defect)]
    NotWritable {
        /// What was to be written.
        object: String,
        /// Why not.
        source: Unreadable,
    },
    /// The place cannot be used.
    #[error("{code} cannot store anything at {url}", code = Code::StoreUnusable)]
    Place {
        /// The place.
        url: String,
        /// Why not.
        source: object_store::Error,
    },
    /// The segments given do not hold the rows asked for.
    #[error("{code} only {found} of the rows from {from} to {to} are in the segments given", code = Code::RowsMissing)]
    Range {
        /// The first row asked for.
        from: u64,
        /// The row after the last one asked for.
        to: u64,
        /// How many were found.
        found: u64,
    },
    /// The object is larger than anything that is stored.
    #[error("{code} {object} has {bytes} bytes, which no object of ours has", code = Code::ObjectDamaged)]
    TooLarge {
        /// What was looked at.
        object: String,
        /// Its size.
        bytes: u64,
    },
    /// Nobody knows how to store things there.
    #[error(
        "{code} cannot store anything at {url}: use file:///path, a plain path, or memory: (S3 and others are not built in)",
        code = Code::StoreUnsupported
    )]
    Unsupported {
        /// The place.
        url: String,
    },
    /// The content has another hash than its name says.
    #[error("{code} {object} has the content of {found}", code = Code::ObjectDamaged)]
    WrongContent {
        /// What was read, or was to be written.
        object: String,
        /// The hash of what was found.
        found: ContentHash,
    },
}

impl Error {
    /// Whether trying again may help. A missing object may be on its way in a place that is copied; a damaged one stays so.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Io { .. } | Self::Missing { .. } => true,
            Self::BadName(_)
            | Self::Damaged { .. }
            | Self::Length { .. }
            | Self::NotWritable { .. }
            | Self::Place { .. }
            | Self::Range { .. }
            | Self::TooLarge { .. }
            | Self::Unsupported { .. }
            | Self::WrongContent { .. } => false,
        }
    }
}
