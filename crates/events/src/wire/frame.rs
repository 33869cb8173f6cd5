//! Takes an Arrow IPC stream apart, message by message. It must not know what the columns mean.
//!
//! The reader of the arrow crate trusts the offsets in a message and allocates what its header promises, so every length is
//! checked here before it is used, and only columns of the few types that we write are handed to it at all.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_buffer::Buffer;
use arrow_ipc::convert::try_fb_to_schema;
use arrow_ipc::reader::RecordBatchDecoder;
use arrow_ipc::{Endianness, Message, MessageHeader, root_as_message_with_opts};
use arrow_schema::{DataType, Schema, SchemaRef, TimeUnit};
use flatbuffers::VerifierOptions;

use super::columns::ColumnError;

/// What stands before the length of each message.
const CONTINUATION: u32 = u32::MAX;
/// Limits for the metadata of one message: far above what some hundred columns need, far below what hurts.
const LIMITS: VerifierOptions = VerifierOptions {
    max_depth: 32,
    max_tables: 50_000,
    max_apparent_size: 8 << 20,
    ignore_missing_null_terminator: false,
};

/// The batches of a stream, with the columns that are `wanted` by name; others are passed over.
pub(super) fn read(payload: &[u8], wanted: impl Fn(&str) -> bool) -> Result<Vec<RecordBatch>, ColumnError> {
    let mut stream = Stream { rest: payload };
    let (message, _) = stream.next()?.ok_or(ColumnError::Broken("it has no schema"))?;
    let schema = schema_of(&message)?;
    let wanted: Vec<usize> =
        schema.fields().iter().enumerate().filter(|(_, f)| wanted(f.name())).map(|(i, _)| i).collect();
    for index in &wanted {
        let field = schema.field(*index);
        let known = matches!(
            field.data_type(),
            DataType::Utf8 | DataType::Float64 | DataType::Timestamp(TimeUnit::Microsecond, _)
        );
        if !known {
            return Err(ColumnError::Type {
                column: field.name().clone(),
                found: field.data_type().to_string(),
            });
        }
    }
    let mut batches = Vec::new();
    while let Some((message, body)) = stream.next()? {
        batches.push(batch_of(&message, body, &schema, &wanted)?);
    }
    Ok(batches)
}

struct Stream<'a> {
    rest: &'a [u8],
}

impl<'a> Stream<'a> {
    /// The next message and its body; `None` at the mark that ends the stream.
    fn next(&mut self) -> Result<Option<(Message<'a>, &'a [u8])>, ColumnError> {
        let mut length = self.length()?;
        if length == CONTINUATION {
            length = self.length()?;
        }
        if length == 0 {
            return if self.rest.is_empty() {
                Ok(None)
            } else {
                Err(ColumnError::Broken("bytes follow its end"))
            };
        }
        let metadata = self.take(i64::from(length))?;
        let message =
            root_as_message_with_opts(&LIMITS, metadata).map_err(|_| ColumnError::Broken("no message"))?;
        let body = self.take(message.bodyLength())?;
        Ok(Some((message, body)))
    }

    fn length(&mut self) -> Result<u32, ColumnError> {
        let bytes = self.take(4)?;
        bytes.try_into().map(u32::from_le_bytes).map_err(|_| ColumnError::Broken("it is cut"))
    }

    fn take(&mut self, length: i64) -> Result<&'a [u8], ColumnError> {
        let split = usize::try_from(length).ok().and_then(|length| self.rest.split_at_checked(length));
        let (taken, rest) = split.ok_or(ColumnError::Broken("it is cut"))?;
        self.rest = rest;
        Ok(taken)
    }
}

fn schema_of(message: &Message<'_>) -> Result<SchemaRef, ColumnError> {
    let schema = message.header_as_schema().ok_or(ColumnError::Broken("it does not begin with a schema"))?;
    if schema.endianness() != Endianness::Little {
        return Err(ColumnError::Broken("it is big-endian"));
    }
    Ok(Arc::new(try_fb_to_schema(schema)?))
}

fn batch_of(
    message: &Message<'_>,
    body: &[u8],
    schema: &Arc<Schema>,
    wanted: &[usize],
) -> Result<RecordBatch, ColumnError> {
    if message.header_type() != MessageHeader::RecordBatch {
        return Err(ColumnError::Broken("something else than rows follows the schema"));
    }
    let batch = message.header_as_record_batch().ok_or(ColumnError::Broken("a batch has no header"))?;
    if batch.compression().is_some() {
        return Err(ColumnError::Broken("it is compressed"));
    }
    // A row of ours takes more than a byte, so this bounds whatever is allocated for each row.
    let is_count = |n: i64| usize::try_from(n).is_ok_and(|n| n <= body.len());
    let nodes = batch.nodes().into_iter().flatten();
    if !is_count(batch.length())
        || !nodes.into_iter().all(|n| is_count(n.length()) && is_count(n.null_count()))
    {
        return Err(ColumnError::Broken("it promises more rows than it has bytes"));
    }
    check_buffers(&batch, body.len(), schema, wanted)?;
    let (body, dictionaries, version) = (Buffer::from(body), HashMap::new(), message.version());
    let decoder = RecordBatchDecoder::try_new(&body, batch, Arc::clone(schema), &dictionaries, &version)?;
    Ok(decoder.with_projection(Some(wanted)).read_record_batch()?)
}

/// Whether every buffer lies within the body, and those that will be read as numbers hold whole ones: of others the arrow
/// crate makes no error but a panic.
fn check_buffers(
    batch: &arrow_ipc::RecordBatch<'_>,
    body: usize,
    schema: &Schema,
    wanted: &[usize],
) -> Result<(), ColumnError> {
    let mut buffers = batch.buffers().into_iter().flatten();
    for (index, field) in schema.fields().iter().enumerate() {
        let (count, size) = layout(field.data_type()).ok_or_else(|| ColumnError::Type {
            column: field.name().clone(),
            found: field.data_type().to_string(),
        })?;
        for place in 0..count {
            let buffer = buffers.next().ok_or(ColumnError::Broken("it has too few buffers"))?;
            let (offset, length) = (usize::try_from(buffer.offset()), usize::try_from(buffer.length()));
            let (Ok(offset), Ok(length)) = (offset, length) else {
                return Err(ColumnError::Broken("a buffer lies outside of it"));
            };
            if offset.checked_add(length).is_none_or(|end| end > body) {
                return Err(ColumnError::Broken("a buffer lies outside of it"));
            }
            if place == 1 && wanted.binary_search(&index).is_ok() && !length.is_multiple_of(size) {
                return Err(ColumnError::Broken("a buffer does not hold whole numbers"));
            }
        }
    }
    Ok(())
}

/// How many buffers a column has, and the size of the numbers in the second one, where it matters. Only flat columns have
/// one: an addition to a batch must be flat, so that older readers can pass over it.
fn layout(data_type: &DataType) -> Option<(usize, usize)> {
    match data_type {
        DataType::Null => Some((0, 1)),
        DataType::Utf8 => Some((3, size_of::<i32>())),
        DataType::Binary | DataType::LargeBinary | DataType::LargeUtf8 => Some((3, 1)),
        DataType::Float64 | DataType::Timestamp(..) => Some((2, size_of::<i64>())),
        DataType::Boolean | DataType::FixedSizeBinary(_) => Some((2, 1)),
        flat if flat.is_primitive() => Some((2, 1)),
        _ => None,
    }
}
