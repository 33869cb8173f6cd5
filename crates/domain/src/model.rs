//! How a model is made and named: algorithm, parameters, adaptation strategy.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::hash::ContentHash;
use crate::ids::ModelVersion;

/// A family of learners.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Algorithm {
    /// Gradient boosted trees.
    Boosting,
    /// Several models that answer together; made of the best trials, not searched for.
    Ensemble,
    /// Logistic regression for classes, ridge regression for numbers.
    Linear,
    /// A multi-layer perceptron.
    Mlp,
}

impl Algorithm {
    /// Those that a search tries, in order.
    pub const ALL: [Self; 3] = [Self::Boosting, Self::Linear, Self::Mlp];

    /// The name used in files and on screens.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Boosting => "boosting",
            Self::Ensemble => "ensemble",
            Self::Linear => "linear",
            Self::Mlp => "mlp",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Hyper-parameters by name; what each means and its range is the business of the learner.
pub type Parameters = BTreeMap<String, f64>;

/// What a model learns from as the stream goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Strategy {
    /// All rows that are kept.
    All,
    /// The newest rows only.
    Window {
        /// How many rows.
        rows: u64,
    },
}

impl Strategy {
    /// How many of `available` rows it learns from.
    #[must_use]
    pub fn rows_of(self, available: u64) -> u64 {
        match self {
            Self::All => available,
            Self::Window { rows } => rows.min(available),
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all rows"),
            Self::Window { rows } => write!(f, "last {rows}"),
        }
    }
}

/// A trained model: its version, where its bytes lie and what kind it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelRef {
    /// The version, derived from the artefact.
    pub version: ModelVersion,
    /// The hash under which the artefact is stored.
    pub artefact: ContentHash,
    /// The family of its learner: its lineage.
    pub algorithm: Algorithm,
}
