//! Columns of texts, instants and cells: written as one Arrow IPC stream, read by name. It must not know which event they
//! belong to.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, StringArray, TimestampMicrosecondArray};
use arrow_ipc::MetadataVersion;
use arrow_ipc::writer::{IpcWriteOptions, StreamWriter};
use arrow_schema::{ArrowError, DataType, Field, Schema, TimeUnit};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tidemill_domain::{ContentHash, Timestamp};

use super::frame;

/// The key in the schema's metadata under which the hash of names and types lies.
const SCHEMA_HASH: &str = "tidemill.schema";
/// Buffers begin at multiples of this; more would only pad small batches.
const ALIGNMENT: usize = 8;

/// What is wrong with a batch of rows.
#[derive(Debug, thiserror::Error)]
pub enum ColumnError {
    /// The arrow crate refuses it.
    #[error("it is no valid arrow stream")]
    Arrow(#[from] ArrowError),
    /// The stream is damaged.
    #[error("the arrow stream is damaged: {0}")]
    Broken(&'static str),
    /// A cell is not as it should be.
    #[error("column {column}, row {row}: {problem}")]
    Cell {
        /// The column.
        column: String,
        /// The row, from 0.
        row: usize,
        /// What is wrong.
        problem: &'static str,
    },
    /// A cell is no JSON of its type.
    #[error("column {column} holds no JSON of its type")]
    Json {
        /// The column.
        column: &'static str,
        /// What is wrong, and where.
        source: serde_json::Error,
    },
    /// A number is not finite, or an event in the batch would not be read back as it is.
    #[error("{0} is not finite, or would not be read back as it is")]
    NotExact(&'static str),
    /// A column has a type that it cannot have.
    #[error("column {column} has the type {found}")]
    Type {
        /// The column.
        column: String,
        /// Its type.
        found: String,
    },
}

/// A column to be written.
pub(super) struct Column {
    pub(super) field: Field,
    pub(super) array: ArrayRef,
}

/// A column of texts.
pub(super) fn texts<'a>(name: &str, cells: impl Iterator<Item = Option<Cow<'a, str>>>) -> Column {
    Column { field: Field::new(name, DataType::Utf8, true), array: Arc::new(StringArray::from_iter(cells)) }
}

/// A column of texts, each of which may fail.
pub(super) fn try_texts(
    name: &str,
    cells: impl Iterator<Item = Result<Option<String>, ColumnError>>,
) -> Result<Column, ColumnError> {
    let cells: Vec<_> = cells.collect::<Result<_, _>>()?;
    Ok(texts(name, cells.into_iter().map(|cell| cell.map(Cow::Owned))))
}

/// A column of instants.
pub(super) fn instants(name: &str, cells: impl Iterator<Item = Option<Timestamp>>) -> Column {
    let cells = cells.map(|cell| cell.map(|t| t.0));
    let array = TimestampMicrosecondArray::from_iter(cells).with_timezone("UTC");
    Column { field: Field::new(name, array.data_type().clone(), true), array: Arc::new(array) }
}

/// A value as the JSON text of a cell.
pub(super) fn to_json<T: Serialize>(column: &'static str, value: &T) -> Result<String, ColumnError> {
    serde_json::to_string(value).map_err(|source| ColumnError::Json { column, source })
}

/// The value of a cell with JSON text.
pub(super) fn from_json<T: DeserializeOwned>(column: &'static str, text: &str) -> Result<T, ColumnError> {
    serde_json::from_str(text).map_err(|source| ColumnError::Json { column, source })
}

/// The columns as one batch.
pub(super) fn batch(columns: Vec<Column>, rows: usize) -> Result<RecordBatch, ColumnError> {
    let (fields, arrays): (Vec<_>, Vec<_>) = columns.into_iter().map(|c| (c.field, c.array)).unzip();
    let mut shape = String::new();
    for field in &fields {
        shape.push_str(&format!("{:?}:{};", field.name(), type_name(field.data_type())));
    }
    let metadata = HashMap::from([(SCHEMA_HASH.to_owned(), ContentHash::of(shape.as_bytes()).to_string())]);
    let schema = Arc::new(Schema::new(fields).with_metadata(metadata));
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(schema, arrays, &options)?)
}

/// The columns as one stream.
pub(super) fn write(columns: Vec<Column>, rows: usize) -> Result<Vec<u8>, ColumnError> {
    let batch = batch(columns, rows)?;
    let options = IpcWriteOptions::try_new(ALIGNMENT, false, MetadataVersion::V5)?;
    let mut writer = StreamWriter::try_new_with_options(Vec::new(), batch.schema_ref(), options)?;
    writer.write(&batch)?;
    writer.finish()?;
    Ok(writer.into_inner()?)
}

/// The batches of a stream. What is read of them is counted against the size of the stream, so that columns which share
/// their bytes cannot make a small stream large.
pub(super) struct Batches {
    pub(super) list: Vec<RecordBatch>,
    budget: Cell<usize>,
}

impl Batches {
    pub(super) fn read(payload: &[u8], wanted: impl Fn(&str) -> bool) -> Result<Self, ColumnError> {
        Ok(Self { list: frame::read(payload, wanted)?, budget: Cell::new(payload.len()) })
    }

    /// No batches, and no limit: for those that somebody else has read.
    pub(super) fn trusted() -> Self {
        Self { list: Vec::new(), budget: Cell::new(usize::MAX) }
    }

    /// Counts `bytes` as read.
    pub(super) fn charge(&self, bytes: usize) -> Result<(), ColumnError> {
        let left = self
            .budget
            .get()
            .checked_sub(bytes)
            .ok_or(ColumnError::Broken("its columns share their bytes"))?;
        self.budget.set(left);
        Ok(())
    }

    /// A column of texts; one that is not there holds nothing.
    pub(super) fn texts<'a>(
        &'a self,
        batch: &'a RecordBatch,
        name: &'static str,
    ) -> Result<Texts<'a>, ColumnError> {
        let array = match batch.column_by_name(name) {
            Some(array) => Some(array.as_any().downcast_ref().ok_or_else(|| wrong_type(name, array))?),
            None => None,
        };
        Ok(Texts { batches: self, name, array })
    }

    /// A column of instants; one that is not there holds nothing.
    pub(super) fn instants<'a>(
        &'a self,
        batch: &'a RecordBatch,
        name: &'static str,
    ) -> Result<Instants<'a>, ColumnError> {
        let array = match batch.column_by_name(name) {
            Some(array) => Some(array.as_any().downcast_ref().ok_or_else(|| wrong_type(name, array))?),
            None => None,
        };
        Ok(Instants { batches: self, name, array })
    }
}

/// A column of texts to be read.
pub(super) struct Texts<'a> {
    batches: &'a Batches,
    name: &'static str,
    array: Option<&'a StringArray>,
}

impl<'a> Texts<'a> {
    /// The text of a row, if it has one.
    pub(super) fn at(&self, row: usize) -> Result<Option<&'a str>, ColumnError> {
        let text = self.array.filter(|a| a.is_valid(row)).map(|a| a.value(row));
        self.batches.charge(text.map_or(0, |t| t.len() + size_of::<i32>()))?;
        Ok(text)
    }

    /// The text of a row that must have one.
    pub(super) fn need(&self, row: usize) -> Result<&'a str, ColumnError> {
        self.at(row)?.ok_or_else(|| missing(self.name, row))
    }

    /// The error for a row whose text means nothing.
    pub(super) fn unknown(&self, row: usize) -> ColumnError {
        ColumnError::Cell { column: self.name.to_owned(), row, problem: "it says something unknown" }
    }

    /// The value of a row from its JSON text, if it has one.
    pub(super) fn json<T: DeserializeOwned>(&self, row: usize) -> Result<Option<T>, ColumnError> {
        self.at(row)?.map(|text| from_json(self.name, text)).transpose()
    }

    /// The value of a row that must have one, from its JSON text.
    pub(super) fn need_json<T: DeserializeOwned>(&self, row: usize) -> Result<T, ColumnError> {
        self.json(row)?.ok_or_else(|| missing(self.name, row))
    }
}

/// A column of instants to be read.
pub(super) struct Instants<'a> {
    batches: &'a Batches,
    name: &'static str,
    array: Option<&'a TimestampMicrosecondArray>,
}

impl Instants<'_> {
    /// The instant of a row that must have one.
    pub(super) fn need(&self, row: usize) -> Result<Timestamp, ColumnError> {
        self.batches.charge(size_of::<i64>())?;
        let instant = self.array.filter(|a| a.is_valid(row)).map(|a| Timestamp(a.value(row)));
        instant.ok_or_else(|| missing(self.name, row))
    }
}

pub(super) fn wrong_type(column: &str, array: &ArrayRef) -> ColumnError {
    ColumnError::Type { column: column.to_owned(), found: array.data_type().to_string() }
}

fn missing(column: &str, row: usize) -> ColumnError {
    ColumnError::Cell { column: column.to_owned(), row, problem: "it is missing" }
}

/// Names of our own, because those of the arrow crate may change.
fn type_name(data_type: &DataType) -> &'static str {
    match data_type {
        DataType::Utf8 => "text",
        DataType::Float64 => "number",
        DataType::Timestamp(TimeUnit::Microsecond, _) => "instant",
        _ => "other",
    }
}
