//! Batches of joined rows and marks. Features stay as they were sent, as JSON: here nobody has checked them against a schema.
//! It must not know what becomes of them.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use tidemill_domain::{Label, PredictionId, PredictionRecord, Timestamp};

use super::cells::{is_finite, scored_json};
use super::columns::{Batches, ColumnError, from_json, instants, texts, to_json, try_texts, write};
use crate::intake::source;
use crate::sample::{Mark, SampleItem};

const COLUMNS: [&str; 11] = [
    "kind",
    "prediction_id",
    "entity",
    "time",
    "features",
    "scored",
    "label",
    "label_source",
    "label_time",
    "label_prediction_id",
    "extra",
];

/// The stream of some items.
pub(super) fn encode(items: &[SampleItem]) -> Result<Vec<u8>, ColumnError> {
    let columns = vec![
        texts("kind", items.iter().map(|i| Some(Cow::Borrowed(kind(i))))),
        texts("prediction_id", items.iter().map(|i| id(i).map(|id| Cow::Borrowed(id.as_str())))),
        texts("entity", items.iter().map(|i| record(i)?.entity.as_deref().map(Cow::Borrowed))),
        instants("time", items.iter().map(made)),
        try_texts("features", items.iter().map(|i| record(i).map(features).transpose()))?,
        try_texts("scored", items.iter().map(|i| record(i).map_or(Ok(None), |r| scored_json(&r.scored))))?,
        try_texts("label", items.iter().map(|i| label(i).map(label_json).transpose()))?,
        texts("label_source", items.iter().map(|i| label(i).map(|l| Cow::Borrowed(source::name(l.source))))),
        instants("label_time", items.iter().map(|i| label(i).map(|l| l.time))),
        texts("label_prediction_id", items.iter().map(|i| other_id(i).map(|id| Cow::Borrowed(id.as_str())))),
        try_texts("extra", items.iter().map(extra))?,
    ];
    write(columns, items.len())
}

/// The items of a stream.
pub(super) fn decode(payload: &[u8]) -> Result<Vec<SampleItem>, ColumnError> {
    let batches = Batches::read(payload, |name| COLUMNS.contains(&name))?;
    let mut items = Vec::new();
    for batch in &batches.list {
        let text = |name| batches.texts(batch, name);
        let (kind, id, entity, time) =
            (text("kind")?, text("prediction_id")?, text("entity")?, batches.instants(batch, "time")?);
        let (features, scored, label) = (text("features")?, text("scored")?, text("label")?);
        let (label_source, label_time) = (text("label_source")?, batches.instants(batch, "label_time")?);
        let (label_id, extra) = (text("label_prediction_id")?, text("extra")?);
        let record = |row| {
            Ok::<_, ColumnError>(PredictionRecord {
                prediction_id: PredictionId::new(id.need(row)?),
                entity: entity.at(row)?.map(str::to_owned),
                time: time.need(row)?,
                features: features.need_json(row)?,
                scored: scored.json(row)?.unwrap_or_default(),
            })
        };
        for row in 0..batch.num_rows() {
            items.push(match kind.need(row)? {
                "expired" => SampleItem::Expired {
                    prediction_id: PredictionId::new(id.need(row)?),
                    time: time.need(row)?,
                },
                "labelled" => {
                    let record = record(row)?;
                    let other = label_id.at(row)?.map(PredictionId::new);
                    let label = Label {
                        prediction_id: other.unwrap_or_else(|| record.prediction_id.clone()),
                        label: label.need_json(row)?,
                        source: source::parse(label_source.need(row)?)
                            .ok_or_else(|| label_source.unknown(row))?,
                        time: label_time.need(row)?,
                    };
                    let Note { late, earlier } = extra.json(row)?.unwrap_or_default();
                    SampleItem::Labelled { record, label, late, earlier }
                }
                "mark" => SampleItem::Mark(extra.need_json(row)?),
                "observed" => SampleItem::Observed(record(row)?),
                "refused" => SampleItem::Refused(extra.need_json(row)?),
                _ => return Err(kind.unknown(row)),
            });
        }
    }
    Ok(items)
}

/// What is special about a label; most have nothing.
#[derive(Default, Deserialize, Serialize)]
struct Note<E: Default = Vec<Label>> {
    #[serde(default)]
    late: bool,
    #[serde(default)]
    earlier: E,
}

/// A mark as JSON that is read back as the same mark.
pub(super) fn mark_json(mark: &Mark) -> Result<String, ColumnError> {
    let text = to_json("extra", mark)?;
    match from_json::<Mark>("extra", &text) {
        Ok(back) if back == *mark => Ok(text),
        _ => Err(ColumnError::NotExact("a mark")),
    }
}

fn kind(item: &SampleItem) -> &'static str {
    match item {
        SampleItem::Expired { .. } => "expired",
        SampleItem::Labelled { .. } => "labelled",
        SampleItem::Mark(_) => "mark",
        SampleItem::Observed(_) => "observed",
        SampleItem::Refused(_) => "refused",
    }
}

fn record(item: &SampleItem) -> Option<&PredictionRecord> {
    match item {
        SampleItem::Labelled { record, .. } | SampleItem::Observed(record) => Some(record),
        SampleItem::Expired { .. } | SampleItem::Mark(_) | SampleItem::Refused(_) => None,
    }
}

fn label(item: &SampleItem) -> Option<&Label> {
    match item {
        SampleItem::Labelled { label, .. } => Some(label),
        SampleItem::Expired { .. }
        | SampleItem::Mark(_)
        | SampleItem::Observed(_)
        | SampleItem::Refused(_) => None,
    }
}

fn id(item: &SampleItem) -> Option<&PredictionId> {
    match item {
        SampleItem::Expired { prediction_id, .. } => Some(prediction_id),
        SampleItem::Labelled { record, .. } | SampleItem::Observed(record) => Some(&record.prediction_id),
        SampleItem::Mark(_) | SampleItem::Refused(_) => None,
    }
}

/// When the prediction was made.
fn made(item: &SampleItem) -> Option<Timestamp> {
    match item {
        SampleItem::Expired { time, .. } => Some(*time),
        SampleItem::Labelled { record, .. } | SampleItem::Observed(record) => Some(record.time),
        SampleItem::Mark(_) | SampleItem::Refused(_) => None,
    }
}

/// The id in a label, where it is not that of the row.
fn other_id(item: &SampleItem) -> Option<&PredictionId> {
    let named = &label(item)?.prediction_id;
    (Some(named) != id(item)).then_some(named)
}

fn features(record: &PredictionRecord) -> Result<String, ColumnError> {
    if !record.features.values().all(is_finite) {
        return Err(ColumnError::NotExact("a feature"));
    }
    to_json("features", &record.features)
}

fn label_json(label: &Label) -> Result<String, ColumnError> {
    if !is_finite(&label.label) {
        return Err(ColumnError::NotExact("a label"));
    }
    to_json("label", &label.label)
}

fn extra(item: &SampleItem) -> Result<Option<String>, ColumnError> {
    match item {
        SampleItem::Mark(mark) => mark_json(mark).map(Some),
        SampleItem::Refused(refused) => to_json("extra", refused).map(Some),
        SampleItem::Labelled { late, earlier, .. } if *late || !earlier.is_empty() => {
            if !earlier.iter().all(|label| is_finite(&label.label)) {
                return Err(ColumnError::NotExact("a label"));
            }
            to_json("extra", &Note { late: *late, earlier: earlier.as_slice() }).map(Some)
        }
        SampleItem::Expired { .. } | SampleItem::Labelled { .. } | SampleItem::Observed(_) => Ok(None),
    }
}
