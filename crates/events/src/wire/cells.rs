//! Cells of rows as typed columns: numbers, texts, or JSON where a column mixes both. It must not know of rows.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{Array, Float64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field};
use tidemill_domain::{Output, Scored, Value};

use super::columns::{Batches, Column, ColumnError, texts, to_json, wrong_type};

/// The key in a field's metadata that says how its texts are to be read.
const ENCODING: &str = "tidemill.encoding";
/// Its value where each text is the JSON of one cell.
const JSON: &str = "json";

/// Whether every number in the cell is finite: only then it is the same after a journey through JSON.
pub(super) fn is_finite(value: &Value) -> bool {
    value.number().is_none_or(f64::is_finite)
}

/// What models said of a row, as JSON; nothing where none said anything.
pub(super) fn scored_json(scored: &[Scored]) -> Result<Option<String>, ColumnError> {
    let finite = scored.iter().all(|s| match &s.output {
        Output::Number(y) => y.is_finite(),
        Output::Classes(classes) => classes.iter().all(|c| c.1.is_finite()),
    });
    if !finite {
        return Err(ColumnError::NotExact("a number in \"scored\""));
    }
    if scored.is_empty() { Ok(None) } else { to_json("scored", &scored).map(Some) }
}

/// A column of cells, of the type that its values have; `None` stands for rows that have no such cell.
pub(super) fn column(name: &str, cells: &[Option<&Value>]) -> Result<Column, ColumnError> {
    if !cells.iter().flatten().all(|v| is_finite(v)) {
        return Err(ColumnError::NotExact("a number in a column"));
    }
    let has_numbers = cells.iter().flatten().any(|v| v.number().is_some());
    let has_texts = cells.iter().flatten().any(|v| v.text().is_some());
    if has_numbers && has_texts {
        let json = |cell: &Option<&Value>| match cell {
            Some(value) if !value.is_missing() => to_json("cell", value).map(|text| Some(Cow::Owned(text))),
            _ => Ok(None),
        };
        let json: Vec<_> = cells.iter().map(json).collect::<Result<_, _>>()?;
        let Column { field, array } = texts(name, json.into_iter());
        let metadata = HashMap::from([(ENCODING.to_owned(), JSON.to_owned())]);
        return Ok(Column { field: field.with_metadata(metadata), array });
    }
    if has_texts {
        return Ok(texts(name, cells.iter().map(|cell| cell.and_then(Value::text).map(Cow::Borrowed))));
    }
    let array = Float64Array::from_iter(cells.iter().map(|cell| cell.and_then(Value::number)));
    Ok(Column { field: Field::new(name, DataType::Float64, true), array: Arc::new(array) })
}

/// A column of cells to be read.
pub(super) struct Cells<'a> {
    batches: &'a Batches,
    values: Values<'a>,
}

enum Values<'a> {
    Json(&'a StringArray),
    Numbers(&'a Float64Array),
    Texts(&'a StringArray),
}

impl<'a> Cells<'a> {
    /// The column of that name, if it is there.
    pub(super) fn find(
        batches: &'a Batches,
        batch: &'a RecordBatch,
        name: &str,
    ) -> Result<Option<Self>, ColumnError> {
        let Some((index, field)) = batch.schema_ref().column_with_name(name) else { return Ok(None) };
        let array = batch.column(index);
        let is_json = field.metadata().get(ENCODING).is_some_and(|e| e == JSON);
        let any = array.as_any();
        let values = match (any.downcast_ref(), any.downcast_ref()) {
            (Some(numbers), _) => Values::Numbers(numbers),
            (_, Some(texts)) if is_json => Values::Json(texts),
            (_, Some(texts)) => Values::Texts(texts),
            (None, None) => return Err(wrong_type(name, array)),
        };
        Ok(Some(Self { batches, values }))
    }

    /// The cell of a row; one that is not there is missing.
    pub(super) fn at(&self, row: usize) -> Result<Value, ColumnError> {
        self.batches.charge(size_of::<i32>())?;
        let value = match self.values {
            Values::Numbers(array) if array.is_valid(row) => Value::Number(array.value(row)),
            Values::Texts(array) if array.is_valid(row) => {
                self.batches.charge(array.value(row).len())?;
                Value::Text(array.value(row).to_owned())
            }
            Values::Json(array) if array.is_valid(row) => {
                self.batches.charge(array.value(row).len())?;
                serde_json::from_str(array.value(row))
                    .map_err(|source| ColumnError::Json { column: "cell", source })?
            }
            Values::Json(_) | Values::Numbers(_) | Values::Texts(_) => Value::Missing,
        };
        if is_finite(&value) { Ok(value) } else { Err(ColumnError::NotExact("a number in a column")) }
    }
}
