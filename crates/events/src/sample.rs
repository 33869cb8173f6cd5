//! Rows on their way through the data services, and the marks between them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tidemill_domain::{CleanRow, Label, ModelVersion, PredictionId, PredictionRecord, Timestamp};

use crate::event::SpecApplied;
use crate::intake::Refused;
use crate::model::Profile;
use crate::rollout::RouteTable;

/// What ingest puts on `sample.<p>`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum SampleItem {
    /// No label came within the horizon.
    Expired {
        /// The prediction that will never be labelled.
        prediction_id: PredictionId,
        /// When it was made.
        time: Timestamp,
    },
    /// A prediction with its label.
    Labelled {
        /// The prediction.
        record: PredictionRecord,
        /// The label.
        label: Label,
        /// Whether it came after the horizon, when the prediction had been given up.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        late: bool,
        /// The labels that it corrects, oldest first; none for the first label of a prediction.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        earlier: Vec<Label>,
    },
    /// Control reached the data.
    Mark(Mark),
    /// A prediction, its label still unknown.
    Observed(PredictionRecord),
    /// What could not be read or joined.
    Refused(Refused),
}

impl SampleItem {
    /// A prediction with its first label, in time.
    #[must_use]
    pub fn labelled(record: PredictionRecord, label: Label) -> Self {
        Self::Labelled { record, label, late: false, earlier: Vec::new() }
    }
}

/// Something that every reader of the rows shall see at the same place among them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "mark", rename_all = "snake_case")]
pub enum Mark {
    /// Traffic is routed by this table from here on.
    Routes {
        /// The place of the event in the loop's log.
        sequence: u64,
        /// The table.
        table: Box<RouteTable>,
        /// The training distribution of each model in the table.
        profiles: BTreeMap<ModelVersion, Profile>,
    },
    /// This spec is in force from here on.
    Spec {
        /// The place of the event in the loop's log.
        sequence: u64,
        /// The spec.
        applied: Box<SpecApplied>,
    },
    /// Time passed without rows.
    Tick,
}

/// What validator puts on `clean.<p>`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum CleanItem {
    /// No label came within the horizon.
    Expired {
        /// The prediction that will never be labelled.
        prediction_id: PredictionId,
    },
    /// A row with its label.
    Labelled(CleanRow),
    /// Control reached the data.
    Mark(Mark),
    /// A row, its label still unknown.
    Observed(CleanRow),
}

/// A row that does not teach, with the reasons; it can be replayed once they are mended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quarantined {
    /// The prediction, where it could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prediction_id: Option<PredictionId>,
    /// What was sent, as text.
    pub payload: String,
    /// What is wrong, each with what would be right.
    pub reasons: Vec<String>,
    /// Whether the row was labelled when it was refused.
    pub labelled: bool,
}
