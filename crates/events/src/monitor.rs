//! What the monitor measures and what it warns of.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tidemill_domain::spec::AlertKind;
use tidemill_domain::{Metric, ModelVersion, Scores, Timestamp};
use tidemill_stats::sketch::Moments;

use crate::model::Profile;
use crate::subject::Partition;

/// What a window is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WindowKind {
    /// Labelled rows, by the time at which their labels came.
    Labelled,
    /// Predictions, labelled or not.
    Observed,
    /// Labelled rows that champion and challenger both scored.
    Paired,
}

/// The rows that a window holds, and since when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WindowKey {
    /// What it is made of.
    pub kind: WindowKind,
    /// The model that answered; none before there is one.
    pub version: Option<ModelVersion>,
    /// Counts the windows of this kind and version, from 0.
    pub index: u64,
}

/// What a challenger's losses are against the champion's on the same rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Paired {
    /// The champion.
    pub champion: ModelVersion,
    /// The challenger.
    pub challenger: ModelVersion,
    /// Champion's loss minus challenger's, row by row: positive is good for the challenger.
    pub difference: Moments,
    /// The champion's losses.
    pub champion_loss: Moments,
}

/// What one partition saw in a window; windows of the same key merge.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PartWindow {
    /// Which window.
    pub key: WindowKey,
    /// The partition.
    pub partition: Partition,
    /// Rows seen.
    pub rows: u64,
    /// The time of the first input in it.
    pub from: Timestamp,
    /// The time of the last input in it.
    pub to: Timestamp,
    /// How the rows are distributed; only of observed rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Profile>,
    /// The training distribution of the model, against which to compare.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Profile>,
    /// How good the answers were; only of labelled rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scores: Option<Scores>,
    /// The losses of the answers, row by row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<Moments>,
    /// The paired comparison; only of paired rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paired: Option<Paired>,
    /// What alerts need of the spec in force.
    pub policy: AlertPolicy,
}

/// What the spec in force says about alerts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AlertPolicy {
    /// The probability of a false alarm that each closed window may have, over all its tests.
    pub alpha: f64,
    /// The names of the features, in schema order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// The metric whose loss of one row the windows measure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<Metric>,
    /// The model that alerts are about: the champion, or where no table routes traffic the one that began to answer last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watched: Option<ModelVersion>,
}

/// A window of the loop, as it is kept for ever: figures, no sketches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoopWindow {
    /// Which window.
    pub key: WindowKey,
    /// Rows seen.
    pub rows: u64,
    /// The time of the first input in it.
    pub from: Timestamp,
    /// The time of the last input in it.
    pub to: Timestamp,
    /// Metrics by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, f64>,
    /// The losses of the answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<Moments>,
    /// Distance from the training distribution, column by column.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drift: Vec<ColumnDrift>,
    /// The paired comparison.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paired: Option<Paired>,
}

/// How far one column moved from the training distribution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColumnDrift {
    /// The feature, or `prediction`.
    pub column: String,
    /// The test: `kolmogorov_smirnov` or `chi_square`.
    pub test: String,
    /// Its statistic.
    pub statistic: f64,
    /// Its p-value.
    pub p_value: f64,
    /// The p-value adjusted for the number of columns (Holm).
    pub p_adjusted: f64,
    /// The population stability index.
    pub psi: f64,
    /// The share of rows without a value.
    pub missing_ratio: f64,
    /// Whether both the test and the size of the effect say that it moved.
    pub drifted: bool,
}

/// How sure an alert is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertState {
    /// One window says so.
    Suspected,
    /// The next window said so too.
    Detected,
    /// Windows are calm again.
    Cleared,
}

/// An alert changed its state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// What it is about.
    pub alert: AlertKind,
    /// How sure it is.
    pub state: AlertState,
    /// The model that answered.
    pub version: Option<ModelVersion>,
    /// The window that says so.
    pub window: WindowKey,
    /// What was measured, by name.
    pub evidence: BTreeMap<String, f64>,
    /// The columns that moved.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// The finding in a sentence.
    pub summary: String,
}
