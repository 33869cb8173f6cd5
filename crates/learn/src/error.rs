//! What can go wrong when a model is made or read.

use thiserror::Error;
use tidemill_domain::Algorithm;

/// Why no model came of the rows.
#[derive(Debug, Error)]
pub enum FitError {
    /// There is no row with a positive weight.
    #[error("no rows to learn from")]
    NoRows,
    /// A row is not as wide as the schema.
    #[error("row {row} has {found} features, the schema has {expected}")]
    WrongWidth {
        /// Position of the row, from 0.
        row: usize,
        /// Its features.
        found: usize,
        /// The features of the schema.
        expected: usize,
    },
    /// A target is not of the type that the schema gives.
    #[error("the target of row {row} is {found}, {expected} is expected")]
    WrongTarget {
        /// Position of the row, from 0.
        row: usize,
        /// What it holds, in words.
        found: String,
        /// What was expected, in words.
        expected: &'static str,
    },
    /// Parameters that the algorithm does not have, or out of their range.
    #[error("parameters of {algorithm}: {}", reasons.join("; "))]
    BadParameter {
        /// The algorithm.
        algorithm: Algorithm,
        /// Every mistake.
        reasons: Vec<String>,
    },
    /// There is no model with a positive weight to join.
    #[error("no models to join")]
    NoMembers,
    /// The models to be joined have other schemas, or one answers with classes and one with a number.
    #[error("the models to be joined answer different questions")]
    Unlike,
    /// The fit ended in numbers that are not finite.
    #[error("{algorithm} diverged: its parameters are not finite")]
    Diverged {
        /// The algorithm.
        algorithm: Algorithm,
    },
    /// The library underneath failed.
    #[error("the library under {algorithm} failed")]
    Library {
        /// The algorithm.
        algorithm: Algorithm,
        /// What the library said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Why bytes are not a model, or a model does not become bytes.
#[derive(Debug, Error)]
pub enum BundleError {
    /// Not JSON, or not of the right shape.
    #[error("not the JSON of a model")]
    Malformed(#[from] serde_json::Error),
    /// A format of another release.
    #[error("model format {found} is not supported, {expected} is")]
    Format {
        /// The format found.
        found: u32,
        /// The format that this release reads and writes.
        expected: u32,
    },
    /// The right shape, but the parts do not fit each other.
    #[error("inconsistent model: {0}")]
    Inconsistent(String),
}
