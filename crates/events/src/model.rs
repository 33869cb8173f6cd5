//! A model in production terms: which one, how far it has learned, and how its training rows were distributed.

use serde::{Deserialize, Serialize};
use tidemill_domain::{CleanRow, FeatureKind, ModelRef, Output, Schema, TurnId, Value};
use tidemill_stats::sketch::{Counts, Quantiles};

/// A model and what must be known to give it traffic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Deployed {
    /// The model.
    pub model: ModelRef,
    /// The turn that made it.
    pub turn: TurnId,
    /// The number of the first labelled row of the loop that it has not learned from; rows are counted in dataset order.
    pub trained_to: u64,
}

/// How the values of one column are distributed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ColumnProfile {
    /// Names and how often each was seen.
    Categorical {
        /// The tallies.
        counts: Counts,
    },
    /// Numbers.
    Numeric {
        /// Their quantiles.
        quantiles: Quantiles,
        /// Rows without a value.
        missing: u64,
    },
}

impl ColumnProfile {
    /// Adds one cell.
    pub fn add(&mut self, value: &Value) {
        match self {
            Self::Categorical { counts } => counts.insert(value.category().as_deref()),
            Self::Numeric { quantiles, missing } => match value.number() {
                Some(x) => quantiles.insert(x),
                None => *missing += 1,
            },
        }
    }

    /// Adds the cells of another profile; profiles of different types stay as they are and `false` is returned.
    pub fn merge(&mut self, other: &Self) -> bool {
        match (self, other) {
            (Self::Categorical { counts }, Self::Categorical { counts: theirs }) => counts.merge(theirs),
            (Self::Numeric { quantiles, missing }, Self::Numeric { quantiles: theirs, missing: more }) => {
                quantiles.merge(theirs);
                *missing += more;
            }
            _ => return false,
        }
        true
    }
}

/// How rows are distributed: each feature, and what a model said of them. Profiles of disjoint rows merge.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// Rows seen.
    pub rows: u64,
    /// A column for each feature, in schema order.
    pub features: Vec<ColumnProfile>,
    /// The model's answers: classes, or numbers.
    pub prediction: ColumnProfile,
}

/// The sketch size that keeps two profiles of `features` columns below the size of a message: a sketch of size k keeps
/// about 3k numbers of about 18 characters.
#[must_use]
pub fn sketch_size(features: usize) -> u16 {
    u16::try_from((7_000 / features.max(1)).clamp(16, 256)).unwrap_or(256)
}

impl Profile {
    /// An empty profile for rows of this schema, with quantile sketches of size `k`.
    #[must_use]
    pub fn new(schema: &Schema, k: u16) -> Self {
        let numeric = || ColumnProfile::Numeric { quantiles: Quantiles::new(k), missing: 0 };
        let categorical = || ColumnProfile::Categorical { counts: Counts::default() };
        let features = schema
            .features
            .iter()
            .map(|f| match f.kind {
                FeatureKind::Numeric { .. } => numeric(),
                FeatureKind::Categorical { .. } => categorical(),
            })
            .collect();
        let prediction = if schema.is_regression() { numeric() } else { categorical() };
        Self { rows: 0, features, prediction }
    }

    /// Adds a row and what the model said of it.
    pub fn add(&mut self, features: &[Value], output: Option<&Output>) {
        self.rows += 1;
        for (column, value) in self.features.iter_mut().zip(features) {
            column.add(value);
        }
        if let Some(output) = output {
            self.prediction.add(&output.point());
        }
    }

    /// Adds a row of the stream, with what its client was answered.
    pub fn add_row(&mut self, row: &CleanRow) {
        self.add(&row.features, row.answer().map(|s| &s.output));
    }

    /// Adds the rows of another profile.
    pub fn merge(&mut self, other: &Self) {
        self.rows += other.rows;
        for (mine, theirs) in self.features.iter_mut().zip(&other.features) {
            mine.merge(theirs);
        }
        self.prediction.merge(&other.prediction);
    }
}
