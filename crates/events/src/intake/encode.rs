//! Records as JSON, as the predictor and the command line send them: what is written here is read back as the same record.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use tidemill_domain::{Label, Output, PredictionRecord, Scored, Timestamp, Value};

use super::{IntakeBatch, IntakeItem, decode_json, source};
use crate::subject::Intake;

/// The record of a prediction.
#[must_use]
pub fn encode_prediction(record: &PredictionRecord) -> Vec<u8> {
    let (answer, also) = match record.scored.split_first() {
        Some((first, others)) => (Some(Answer(first)), others.iter().map(Answer).collect()),
        None => (None, Vec::new()),
    };
    to_json(&Prediction {
        prediction_id: record.prediction_id.as_str(),
        entity: record.entity.as_deref(),
        time: time(record.time),
        features: &record.features,
        answer,
        also,
    })
}

/// The record of a label.
#[must_use]
pub fn encode_label(label: &Label) -> Vec<u8> {
    to_json(&json!({
        "prediction_id": label.prediction_id.as_str(),
        "label": label.label,
        "source": source::name(label.source),
        "time": time(label.time),
    }))
}

/// The records of a batch for the subject of `kind`; `None` if they would not be read back as they are.
pub(crate) fn encode_batch(kind: Intake, batch: &IntakeBatch) -> Option<Vec<u8>> {
    let mut text = vec![b'['];
    for item in &batch.items {
        if text.len() > 1 {
            text.push(b',');
        }
        text.extend(match item {
            IntakeItem::Label(label) => encode_label(label),
            IntakeItem::Prediction(record) => encode_prediction(record),
            IntakeItem::Unreadable(_) => return None,
        });
    }
    text.push(b']');
    (decode_json(kind, &text, Timestamp::default()) == *batch).then_some(text)
}

fn to_json<T: Serialize>(value: &T) -> Vec<u8> {
    // Writing plain data to memory cannot fail.
    serde_json::to_vec(value).unwrap_or_default()
}

/// RFC 3339, or microseconds for instants that it cannot write.
fn time(time: Timestamp) -> Json {
    let text = time.to_string();
    if text.parse() == Ok(time) { text.into() } else { time.0.into() }
}

#[derive(Serialize)]
struct Prediction<'a> {
    prediction_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    entity: Option<&'a str>,
    time: Json,
    features: &'a BTreeMap<String, Value>,
    #[serde(flatten)]
    answer: Option<Answer<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    also: Vec<Answer<'a>>,
}

struct Answer<'a>(&'a Scored);

impl Serialize for Answer<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("model_version", self.0.version.as_str())?;
        map.serialize_entry("prediction", &self.0.output.point())?;
        if let Output::Classes(classes) = &self.0.output {
            map.serialize_entry("probabilities", &Classes(classes))?;
        }
        map.end()
    }
}

/// Probabilities in the model's class order.
struct Classes<'a>(&'a [(String, f64)]);

impl Serialize for Classes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(class, p)| (class, p)))
    }
}
