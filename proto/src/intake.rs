//! What producers send as protobuf, decoded under the same limits as JSON. One bad record does not hurt the others, and
//! nothing that was sent is dropped: what cannot be read is handed on with the reasons.

use prost::Message;
use tidemill_domain::{Label, LabelSource, PredictionId, PredictionRecord, Timestamp, Value};
use tidemill_events::Intake;
use tidemill_events::intake::{
    IntakeBatch, IntakeItem, MAX_RECORDS, check_label, check_prediction, encode_label, encode_prediction,
    refused,
};
use tidemill_events::wire::MAX_MESSAGE;

use crate::convert::{instant, timestamp};
use crate::v1;

/// The content type of messages that [`decode_intake`] reads.
pub const PROTOBUF: &str = "application/protobuf";

/// A batch of whatever kind with its records unread: both kinds hold them in field 1.
#[derive(Clone, PartialEq, Message)]
struct Batch {
    #[prost(bytes = "vec", repeated, tag = "1")]
    records: Vec<Vec<u8>>,
}

/// The records of a protobuf message on an intake subject that was received at the given time.
#[must_use]
pub fn decode_intake(kind: Intake, payload: &[u8], received: Timestamp) -> IntakeBatch {
    let whole = |reason: String| IntakeBatch { items: vec![refused(payload, vec![reason])] };
    let expected = match kind {
        Intake::Prediction => "a tidemill.v1.PredictionBatch",
        Intake::Label | Intake::Feedback => "a tidemill.v1.LabelBatch",
    };
    if payload.len() > MAX_MESSAGE {
        return whole(format!("the message has {} bytes; at most {MAX_MESSAGE} are allowed", payload.len()));
    }
    let records = match Batch::decode(payload) {
        Ok(batch) => batch.records,
        Err(error) => return whole(format!("it is no protobuf: {error}; {expected} is expected")),
    };
    if records.is_empty() {
        return whole(format!("the message has no records; {expected} with at least one is expected"));
    }
    if records.len() > MAX_RECORDS {
        return whole(format!(
            "the message has {} records; at most {MAX_RECORDS} are allowed",
            records.len()
        ));
    }
    let items = records.iter().enumerate().map(|(index, bytes)| {
        let unread = |error: prost::DecodeError| {
            refused(bytes, vec![format!("record {index} is malformed: {error}; {expected} is expected")])
        };
        match kind {
            Intake::Prediction => v1::PredictionRecord::decode(bytes.as_slice())
                .map_or_else(unread, |m| prediction(m, received)),
            Intake::Label => label_or(unread, bytes, received, LabelSource::Application),
            Intake::Feedback => label_or(unread, bytes, received, LabelSource::Feedback),
        }
    });
    IntakeBatch { items: items.collect() }
}

/// Predictions as a message on `intake.prediction`.
#[must_use]
pub fn encode_predictions(records: impl IntoIterator<Item = PredictionRecord>) -> Vec<u8> {
    let records = records.into_iter().map(|record| v1::PredictionRecord {
        prediction_id: record.prediction_id.to_string(),
        entity: record.entity,
        time: Some(timestamp(record.time)),
        features: record.features.into_iter().map(|(name, value)| (name, value.into())).collect(),
        scored: record.scored.into_iter().map(Into::into).collect(),
    });
    v1::PredictionBatch { records: records.collect() }.encode_to_vec()
}

/// Labels as a message on `intake.label` or `intake.feedback`.
#[must_use]
pub fn encode_labels(labels: impl IntoIterator<Item = Label>) -> Vec<u8> {
    let labels = labels.into_iter().map(|label| v1::Label {
        prediction_id: label.prediction_id.to_string(),
        label: Some(label.label.into()),
        source: v1::LabelSource::from(label.source).into(),
        time: Some(timestamp(label.time)),
    });
    v1::LabelBatch { labels: labels.collect() }.encode_to_vec()
}

fn prediction(message: v1::PredictionRecord, received: Timestamp) -> IntakeItem {
    let mut problems = Vec::new();
    let time = time(message.time.as_ref(), received, &mut problems);
    let mut scored = Vec::with_capacity(message.scored.len());
    for (index, model) in message.scored.into_iter().enumerate() {
        match model.into_domain() {
            Some(model) => scored.push(model),
            None => {
                problems.push(format!("scored[{index}]: it has no output; a number or classes are expected"))
            }
        }
    }
    let record = PredictionRecord {
        prediction_id: PredictionId::new(message.prediction_id),
        entity: message.entity,
        time,
        features: message.features.into_iter().map(|(name, value)| (name, value.into())).collect(),
        scored,
    };
    problems.extend(check_prediction(&record));
    if problems.is_empty() {
        IntakeItem::Prediction(record)
    } else {
        refused(&encode_prediction(&record), problems)
    }
}

fn label_or(
    unread: impl FnOnce(prost::DecodeError) -> IntakeItem,
    bytes: &[u8],
    received: Timestamp,
    default: LabelSource,
) -> IntakeItem {
    v1::Label::decode(bytes).map_or_else(unread, |message| label(message, received, default))
}

fn label(message: v1::Label, received: Timestamp, default: LabelSource) -> IntakeItem {
    let mut problems = Vec::new();
    let time = time(message.time.as_ref(), received, &mut problems);
    let source = match v1::LabelSource::try_from(message.source) {
        Ok(v1::LabelSource::Unspecified) => default,
        Ok(v1::LabelSource::Application) => LabelSource::Application,
        Ok(v1::LabelSource::Feedback) => LabelSource::Feedback,
        Ok(v1::LabelSource::Human) => LabelSource::Human,
        Ok(v1::LabelSource::Rule) => LabelSource::Rule,
        Err(_) => {
            let expected = "1 for application, 2 for feedback, 3 for human or 4 for rule is expected";
            problems.push(format!("source: it is {}; {expected}", message.source));
            default
        }
    };
    let label = Label {
        prediction_id: PredictionId::new(message.prediction_id),
        label: message.label.map_or(Value::Missing, Value::from),
        source,
        time,
    };
    problems.extend(check_label(&label));
    if problems.is_empty() { IntakeItem::Label(label) } else { refused(&encode_label(&label), problems) }
}

fn time(
    message: Option<&prost_types::Timestamp>,
    received: Timestamp,
    problems: &mut Vec<String>,
) -> Timestamp {
    let Some(message) = message else { return received };
    instant(message).unwrap_or_else(|| {
        let what = format!("it is {} s and {} ns", message.seconds, message.nanos);
        problems.push(format!("time: {what}; an instant of the years 1 to 9999 is expected"));
        received
    })
}
