//! Segments as Parquet files, for us and for anybody who looks into them with other tools: a column for each feature, called
//! `feature.<name>`, the label, ids and times, and the schema of the rows as JSON in the metadata of the file.
//!
//! It must not know where files lie. Rows come back exactly as they were, so their hash, which is the name of the segment,
//! can be checked.

use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{ArrowError, Field};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use tidemill_domain::{CleanRow, ContentHash, Schema};
use tidemill_events::wire::{ColumnError, rows_from_batch, rows_to_batch};

/// What stands before the name of a feature, so that one called `label` or `time` is told from the label and the time.
const FEATURE: &str = "feature.";
/// How many rows are decoded at a time.
const BATCH: usize = 8_192;

/// Why rows cannot become a file, or a file no rows.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// The batches in the file are no batches.
    #[error("its batches cannot be read")]
    Arrow(#[from] ArrowError),
    /// A column is not as it should be.
    #[error("its columns are not those of rows")]
    Columns(#[from] ColumnError),
    /// The decoder gave up.
    #[error("the decoder gave up on it")]
    Decoder,
    /// The file is no Parquet.
    #[error("it is no valid Parquet file")]
    Parquet(#[from] ParquetError),
    /// The schema cannot be written.
    #[error("its schema cannot be written")]
    Schema(#[from] serde_json::Error),
}

/// The file of a segment.
pub(crate) fn encode(hash: &ContentHash, schema: &Schema, rows: &[CleanRow]) -> Result<Vec<u8>, Unreadable> {
    let batch = rows_to_batch(rows)?;
    // Where rows have other features than the schema says, the columns keep their numbers.
    let is_typed = rows.first().is_some_and(|row| row.features.len() == schema.features.len());
    let names = if is_typed { schema.features.as_slice() } else { &[] };
    let batch = renamed(batch, |name| {
        let index: usize = name.strip_prefix("f.")?.parse().ok()?;
        Some(match names.get(index) {
            Some(feature) => format!("{FEATURE}{}", feature.name),
            None => format!("{FEATURE}{index}"),
        })
    })?;
    let entry = |key: &str, value: String| KeyValue::new(key.to_owned(), value);
    let metadata = vec![
        entry("tidemill.segment", hash.to_string()),
        entry("tidemill.schema", serde_json::to_string(schema)?),
        entry("tidemill.schema_hash", schema.hash().to_string()),
    ];
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_created_by("tidemill".to_owned())
        .set_key_value_metadata(Some(metadata))
        .build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties))?;
    writer.write(&batch)?;
    Ok(writer.into_inner()?)
}

/// The rows of a file.
pub(crate) fn decode(file: Bytes) -> Result<Vec<CleanRow>, Unreadable> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(file)?.with_batch_size(BATCH).build()?;
    let mut rows = Vec::new();
    for batch in reader {
        let mut index = 0;
        let batch = renamed(batch?, |name| {
            name.strip_prefix(FEATURE)?;
            index += 1;
            Some(format!("f.{}", index - 1))
        })?;
        rows.extend(rows_from_batch(&batch)?);
    }
    Ok(rows)
}

/// The batch with other names for some of its columns.
fn renamed(
    batch: RecordBatch,
    mut name: impl FnMut(&str) -> Option<String>,
) -> Result<RecordBatch, ArrowError> {
    let rename = |field: &Arc<Field>| match name(field.name()) {
        Some(name) => Arc::new(field.as_ref().clone().with_name(name)),
        None => Arc::clone(field),
    };
    let fields: Vec<_> = batch.schema().fields().iter().map(rename).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    let schema = Arc::new(arrow_schema::Schema::new(fields));
    RecordBatch::try_new_with_options(schema, batch.columns().to_vec(), &options)
}
