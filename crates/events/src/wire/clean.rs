//! Batches of accepted rows and marks. Each feature has a column of its type; rows of another length than the first one, which
//! a change of the spec brings, and very wide rows carry their features as JSON. It must not know of schemas.

use std::borrow::Cow;

use tidemill_domain::{CleanRow, PredictionId, Value};
use tidemill_domain::sample::CleanLabel;

use super::cells::{Cells, column, is_finite, scored_json};
use super::columns::{Batches, ColumnError, from_json, instants, texts, to_json, try_texts, write};
use super::sample::unknown;
use crate::intake::source;
use crate::sample::{CleanItem, Mark};

const COLUMNS: [&str; 10] = [
    "kind",
    "prediction_id",
    "entity",
    "time",
    "features",
    "scored",
    "label",
    "label_source",
    "label_time",
    "extra",
];
/// Rows with more features than this have no typed columns: each costs some 200 bytes a message, whatever it holds.
const MAX_TYPED: usize = 256;

/// The stream of some items.
pub(super) fn encode(items: &[CleanItem]) -> Result<Vec<u8>, ColumnError> {
    let width = items.iter().find_map(row).map_or(0, |r| r.features.len());
    let width = if width > MAX_TYPED { 0 } else { width };
    let mut columns = vec![
        texts("kind", items.iter().map(|i| Some(Cow::Borrowed(kind(i))))),
        texts("prediction_id", items.iter().map(|i| id(i).map(|id| Cow::Borrowed(id.as_str())))),
        texts("entity", items.iter().map(|i| row(i)?.entity.as_deref().map(Cow::Borrowed))),
        instants("time", items.iter().map(|i| row(i).map(|r| r.time))),
    ];
    for index in 0..width {
        let typed = |i| row(i).filter(|r| r.features.len() == width)?.features.get(index);
        columns.push(column(&feature_name(index), &items.iter().map(typed).collect::<Vec<_>>())?);
    }
    let others = |i| row(i).filter(|r| r.features.len() != width).map(features).transpose();
    columns.push(try_texts("features", items.iter().map(others))?);
    columns.push(try_texts("scored", items.iter().map(|i| row(i).map_or(Ok(None), |r| scored_json(&r.scored))))?);
    columns.push(column("label", &items.iter().map(|i| label(i).map(|l| &l.value)).collect::<Vec<_>>())?);
    columns.push(texts("label_source", items.iter().map(|i| label(i).map(|l| Cow::Borrowed(source::name(l.source))))));
    columns.push(instants("label_time", items.iter().map(|i| label(i).map(|l| l.time))));
    columns.push(try_texts("extra", items.iter().map(|i| mark(i).map(mark_json).transpose()))?);
    write(columns, items.len())
}

/// The items of a stream.
pub(super) fn decode(payload: &[u8]) -> Result<Vec<CleanItem>, ColumnError> {
    let batches = Batches::read(payload, |name| COLUMNS.contains(&name) || is_feature(name))?;
    let mut items = Vec::new();
    for batch in &batches.list {
        let text = |name| batches.texts(batch, name);
        let (kind, id, entity, time) = (text("kind")?, text("prediction_id")?, text("entity")?, batches.instants(batch, "time")?);
        let (features, scored, label) = (text("features")?, text("scored")?, Cells::find(&batches, batch, "label")?);
        let (label_source, label_time) = (text("label_source")?, batches.instants(batch, "label_time")?);
        let extra = text("extra")?;
        let mut typed = Vec::new();
        while let Some(cells) = Cells::find(&batches, batch, &feature_name(typed.len()))? {
            typed.push(cells);
        }
        let label = |row| {
            let Some(name) = label_source.at(row)? else { return Ok(None) };
            let value = label.as_ref().map_or(Ok(Value::Missing), |cells| cells.at(row))?;
            let source = source::parse(name).ok_or_else(|| unknown("label_source", row))?;
            Ok::<_, ColumnError>(Some(CleanLabel { value, source, time: label_time.need(row)? }))
        };
        let clean = |row| {
            Ok::<_, ColumnError>(CleanRow {
                prediction_id: PredictionId::new(id.need(row)?),
                entity: entity.at(row)?.map(str::to_owned),
                time: time.need(row)?,
                features: match features.json(row)? {
                    Some(features) => features,
                    None => typed.iter().map(|cells| cells.at(row)).collect::<Result<_, _>>()?,
                },
                scored: scored.json(row)?.unwrap_or_default(),
                label: label(row)?,
            })
        };
        for row in 0..batch.num_rows() {
            items.push(match kind.need(row)? {
                "expired" => CleanItem::Expired { prediction_id: PredictionId::new(id.need(row)?) },
                "labelled" => CleanItem::Labelled(clean(row)?),
                "mark" => CleanItem::Mark(extra.need_json(row)?),
                "observed" => CleanItem::Observed(clean(row)?),
                _ => return Err(unknown("kind", row)),
            });
        }
    }
    Ok(items)
}

/// A mark as JSON that is read back as the same mark.
pub(super) fn mark_json(mark: &Mark) -> Result<String, ColumnError> {
    let text = to_json("extra", mark)?;
    match from_json::<Mark>("extra", &text) {
        Ok(back) if back == *mark => Ok(text),
        _ => Err(ColumnError::NotExact("a mark")),
    }
}

fn feature_name(index: usize) -> String {
    format!("f.{index}")
}

fn is_feature(name: &str) -> bool {
    name.strip_prefix("f.").is_some_and(|digits| digits.parse::<u16>().is_ok())
}

fn kind(item: &CleanItem) -> &'static str {
    match item {
        CleanItem::Expired { .. } => "expired",
        CleanItem::Labelled(_) => "labelled",
        CleanItem::Mark(_) => "mark",
        CleanItem::Observed(_) => "observed",
    }
}

fn row(item: &CleanItem) -> Option<&CleanRow> {
    match item {
        CleanItem::Labelled(row) | CleanItem::Observed(row) => Some(row),
        CleanItem::Expired { .. } | CleanItem::Mark(_) => None,
    }
}

fn label(item: &CleanItem) -> Option<&CleanLabel> {
    row(item)?.label.as_ref()
}

fn mark(item: &CleanItem) -> Option<&Mark> {
    match item {
        CleanItem::Mark(mark) => Some(mark),
        CleanItem::Expired { .. } | CleanItem::Labelled(_) | CleanItem::Observed(_) => None,
    }
}

fn id(item: &CleanItem) -> Option<&PredictionId> {
    match item {
        CleanItem::Expired { prediction_id } => Some(prediction_id),
        CleanItem::Labelled(row) | CleanItem::Observed(row) => Some(&row.prediction_id),
        CleanItem::Mark(_) => None,
    }
}

fn features(row: &CleanRow) -> Result<String, ColumnError> {
    if !row.features.iter().all(is_finite) {
        return Err(ColumnError::NotExact("a feature"));
    }
    to_json("features", &row.features)
}
