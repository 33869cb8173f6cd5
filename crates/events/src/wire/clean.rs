//! Batches of accepted rows and marks. It must not know of schemas.

use std::borrow::Cow;

use tidemill_domain::CleanRow;

use super::columns::{Batches, ColumnError, texts, try_texts, write};
use super::rows::{self, Rows};
use super::sample::mark_json;
use crate::sample::CleanItem;

/// Rows with more features than this have no typed columns: each costs some 200 bytes a message, whatever it holds.
const MAX_TYPED: usize = 256;

/// The stream of some items.
pub(super) fn encode(items: &[CleanItem]) -> Result<Vec<u8>, ColumnError> {
    let mut columns = vec![
        texts("kind", items.iter().map(|i| Some(Cow::Borrowed(kind(i))))),
        texts("prediction_id", items.iter().map(|i| id(i).map(Cow::Borrowed))),
    ];
    columns.extend(rows::columns(&items.iter().map(row).collect::<Vec<_>>(), MAX_TYPED)?);
    columns.push(try_texts("extra", items.iter().map(extra))?);
    write(columns, items.len())
}

/// The items of a stream.
pub(super) fn decode(payload: &[u8]) -> Result<Vec<CleanItem>, ColumnError> {
    let batches = Batches::read(payload, |name| ["kind", "extra"].contains(&name) || rows::is_column(name))?;
    let mut items = Vec::new();
    for batch in &batches.list {
        let (kind, extra) = (batches.texts(batch, "kind")?, batches.texts(batch, "extra")?);
        let rows = Rows::new(&batches, batch)?;
        for row in 0..batch.num_rows() {
            items.push(match kind.need(row)? {
                "expired" => CleanItem::Expired { prediction_id: rows.id(row)? },
                "labelled" => CleanItem::Labelled(rows.at(row)?),
                "mark" => CleanItem::Mark(extra.need_json(row)?),
                "observed" => CleanItem::Observed(rows.at(row)?),
                _ => return Err(kind.unknown(row)),
            });
        }
    }
    Ok(items)
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

fn id(item: &CleanItem) -> Option<&str> {
    match item {
        CleanItem::Expired { prediction_id } => Some(prediction_id.as_str()),
        CleanItem::Labelled(row) | CleanItem::Observed(row) => Some(row.prediction_id.as_str()),
        CleanItem::Mark(_) => None,
    }
}

fn extra(item: &CleanItem) -> Result<Option<String>, ColumnError> {
    match item {
        CleanItem::Mark(mark) => mark_json(mark).map(Some),
        CleanItem::Expired { .. } | CleanItem::Labelled(_) | CleanItem::Observed(_) => Ok(None),
    }
}
