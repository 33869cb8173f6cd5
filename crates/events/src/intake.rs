//! What producers send, decoded: good records, and what could not be read with the reasons.

mod encode;
mod fields;
mod json;
mod label;
mod limits;
mod node;
mod prediction;
pub(crate) mod source;

use serde::{Deserialize, Serialize};
use tidemill_domain::{Label, PredictionRecord};

pub(crate) use encode::encode_batch;
pub use encode::{encode_label, encode_prediction};
pub(crate) use json::too_large;
pub use json::{decode_json, refused};
pub use limits::{
    MAX_FEATURES, MAX_NAME, MAX_REASONS, MAX_RECORDS, MAX_SHOWN, PROBABILITY_SLACK, check_label,
    check_prediction,
};

/// The records of one message.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct IntakeBatch {
    /// In the order in which they were sent.
    pub items: Vec<IntakeItem>,
}

/// One record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum IntakeItem {
    /// A label.
    Label(Label),
    /// A prediction, or a row without one.
    Prediction(PredictionRecord),
    /// What could not be read.
    Unreadable(Refused),
}

/// Something that was refused, with everything that is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// What was sent, as text, cut at 16 KiB; bytes that are no UTF-8 are replaced.
    pub payload: String,
    /// What is wrong, each with what would be right.
    pub reasons: Vec<String>,
}
