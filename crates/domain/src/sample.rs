//! The records that travel: a prediction as it was made, a label as it was given, a row as it was accepted.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::{ModelVersion, PredictionId};
use crate::time::Timestamp;
use crate::value::{Output, Value};

/// A prediction as its maker reports it; also a row without a prediction, where no model serves yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PredictionRecord {
    /// The id to which a label refers.
    pub prediction_id: PredictionId,
    /// Whom the row is about; traffic sticks by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entity: Option<String>,
    /// When the prediction was made.
    pub time: Timestamp,
    /// The features by name, as sent.
    pub features: BTreeMap<String, Value>,
    /// What each model said of the row; the first one is the answer that the client saw. Empty where none serves yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scored: Vec<Scored>,
}

/// What one model version said of a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scored {
    /// The model version.
    pub version: ModelVersion,
    /// Its output.
    pub output: Output,
}

/// A label as its source gives it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Label {
    /// The prediction that it is about.
    pub prediction_id: PredictionId,
    /// The truth: a class or a number.
    pub label: Value,
    /// Who says so.
    #[serde(default)]
    pub source: LabelSource,
    /// When it became known.
    pub time: Timestamp,
}

/// Who gave a label.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LabelSource {
    /// The producing application.
    #[default]
    Application,
    /// Feedback of an end user.
    Feedback,
    /// A person who labels.
    Human,
    /// A rule.
    Rule,
}

/// A row that the validator accepted: features in schema order, typed and within limits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CleanRow {
    /// The id of the prediction.
    pub prediction_id: PredictionId,
    /// Whom the row is about.
    pub entity: Option<String>,
    /// When the prediction was made.
    pub time: Timestamp,
    /// The features, in schema order.
    pub features: Vec<Value>,
    /// What each model said of the row; the first one is the answer that the client saw.
    pub scored: Vec<Scored>,
    /// The truth, once known: the name of a class, or a number.
    pub label: Option<CleanLabel>,
}

/// The truth of an accepted row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CleanLabel {
    /// The name of a class, or a number.
    pub value: Value,
    /// Who said so.
    pub source: LabelSource,
    /// When it became known.
    pub time: Timestamp,
}

impl CleanRow {
    /// Whether the label may score the predictions: it was not known when they were made (INV-5).
    #[must_use]
    pub fn is_scorable(&self) -> bool {
        self.label.as_ref().is_some_and(|l| l.time >= self.time) && !self.scored.is_empty()
    }

    /// The answer that the client saw.
    #[must_use]
    pub fn answer(&self) -> Option<&Scored> {
        self.scored.first()
    }

    /// What `version` said of the row.
    #[must_use]
    pub fn output_of(&self, version: &ModelVersion) -> Option<&Output> {
        self.scored.iter().find(|s| &s.version == version).map(|s| &s.output)
    }
}
