//! Accepted rows as columns: each feature has a column of its type, `f.0`, `f.1` and so on; rows of another length than the
//! first one, which a change of the spec brings, carry their features as JSON. It must not know of schemas, nor of what else
//! stands between rows. Segment files hold rows in these columns too.

use std::borrow::Cow;

use arrow_array::RecordBatch;
use tidemill_domain::sample::CleanLabel;
use tidemill_domain::{CleanRow, PredictionId, Value};

use super::cells::{Cells, column, is_finite, scored_json};
use super::columns::{
    Batches, Column, ColumnError, Instants, Texts, batch, instants, texts, to_json, try_texts,
};
use crate::intake::source;

const COLUMNS: [&str; 8] =
    ["prediction_id", "entity", "time", "features", "scored", "label", "label_source", "label_time"];

/// Whether a column of that name is read.
pub(super) fn is_column(name: &str) -> bool {
    let is_feature = name.strip_prefix("f.").is_some_and(|digits| digits.parse::<u16>().is_ok());
    is_feature || COLUMNS.contains(&name)
}

/// Rows as one batch, with a typed column for each feature however many there are.
///
/// # Errors
/// When a number is not finite.
pub fn rows_to_batch(rows: &[CleanRow]) -> Result<RecordBatch, ColumnError> {
    let rows: Vec<_> = rows.iter().map(Some).collect();
    let mut all =
        vec![texts("prediction_id", rows.iter().map(|r| r.map(|r| Cow::Borrowed(r.prediction_id.as_str()))))];
    all.extend(columns(&rows, usize::MAX)?);
    batch(all, rows.len())
}

/// The rows of such a batch; columns are matched by name.
///
/// # Errors
/// When a column is not as it should be.
pub fn rows_from_batch(batch: &RecordBatch) -> Result<Vec<CleanRow>, ColumnError> {
    let batches = Batches::trusted();
    let reader = Rows::new(&batches, batch)?;
    (0..batch.num_rows()).map(|row| reader.at(row)).collect()
}

/// The columns of rows, all but their ids; where there is no row, they are empty. Rows with more than `max_typed` features
/// have no typed columns.
pub(super) fn columns(rows: &[Option<&CleanRow>], max_typed: usize) -> Result<Vec<Column>, ColumnError> {
    let width = rows.iter().flatten().next().map_or(0, |r| r.features.len());
    let width = if width > max_typed { 0 } else { width };
    let mut columns = vec![
        texts("entity", rows.iter().map(|r| (*r)?.entity.as_deref().map(Cow::Borrowed))),
        instants("time", rows.iter().map(|r| r.map(|r| r.time))),
    ];
    for index in 0..width {
        let cells = rows.iter().map(|r| r.filter(|r| r.features.len() == width)?.features.get(index));
        columns.push(column(&feature_name(index), &cells.collect::<Vec<_>>())?);
    }
    let others = rows.iter().map(|r| r.filter(|r| r.features.len() != width).map(features).transpose());
    columns.push(try_texts("features", others)?);
    columns.push(try_texts("scored", rows.iter().map(|r| r.map_or(Ok(None), |r| scored_json(&r.scored))))?);
    let labels: Vec<_> = rows.iter().map(|r| r.and_then(|r| r.label.as_ref())).collect();
    columns.push(column("label", &labels.iter().map(|l| l.map(|l| &l.value)).collect::<Vec<_>>())?);
    columns
        .push(texts("label_source", labels.iter().map(|l| l.map(|l| Cow::Borrowed(source::name(l.source))))));
    columns.push(instants("label_time", labels.iter().map(|l| l.map(|l| l.time))));
    Ok(columns)
}

/// The columns of rows, to be read.
pub(super) struct Rows<'a> {
    id: Texts<'a>,
    entity: Texts<'a>,
    time: Instants<'a>,
    features: Texts<'a>,
    typed: Vec<Cells<'a>>,
    scored: Texts<'a>,
    label: Option<Cells<'a>>,
    label_source: Texts<'a>,
    label_time: Instants<'a>,
}

impl<'a> Rows<'a> {
    pub(super) fn new(batches: &'a Batches, batch: &'a RecordBatch) -> Result<Self, ColumnError> {
        let mut typed = Vec::new();
        while let Some(cells) = Cells::find(batches, batch, &feature_name(typed.len()))? {
            typed.push(cells);
        }
        Ok(Self {
            id: batches.texts(batch, "prediction_id")?,
            entity: batches.texts(batch, "entity")?,
            time: batches.instants(batch, "time")?,
            features: batches.texts(batch, "features")?,
            typed,
            scored: batches.texts(batch, "scored")?,
            label: Cells::find(batches, batch, "label")?,
            label_source: batches.texts(batch, "label_source")?,
            label_time: batches.instants(batch, "label_time")?,
        })
    }

    /// The id of a row.
    pub(super) fn id(&self, row: usize) -> Result<PredictionId, ColumnError> {
        self.id.need(row).map(PredictionId::new)
    }

    /// A row.
    pub(super) fn at(&self, row: usize) -> Result<CleanRow, ColumnError> {
        Ok(CleanRow {
            prediction_id: self.id(row)?,
            entity: self.entity.at(row)?.map(str::to_owned),
            time: self.time.need(row)?,
            features: match self.features.json(row)? {
                Some(features) => features,
                None => self.typed.iter().map(|cells| cells.at(row)).collect::<Result<_, _>>()?,
            },
            scored: self.scored.json(row)?.unwrap_or_default(),
            label: self.label(row)?,
        })
    }

    fn label(&self, row: usize) -> Result<Option<CleanLabel>, ColumnError> {
        let Some(name) = self.label_source.at(row)? else { return Ok(None) };
        let value = self.label.as_ref().map_or(Ok(Value::Missing), |cells| cells.at(row))?;
        let source = source::parse(name).ok_or_else(|| self.label_source.unknown(row))?;
        Ok(Some(CleanLabel { value, source, time: self.label_time.need(row)? }))
    }
}

fn feature_name(index: usize) -> String {
    format!("f.{index}")
}

fn features(row: &CleanRow) -> Result<String, ColumnError> {
    if !row.features.iter().all(is_finite) {
        return Err(ColumnError::NotExact("a feature"));
    }
    to_json("features", &row.features)
}
