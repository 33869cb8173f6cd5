//! Rows of refused samples, and how often each kind of reason was given.

use std::collections::BTreeMap;

use tidemill_console_core::{QuarantineRecord, reason_kind};
use tidemill_domain::PredictionId;
use tidemill_events::Recorded;
use tidemill_view::{Transaction, values};

use super::error::SqlError;
use super::rows::{doc, key, some_key};

/// Kinds of reasons that are counted by name, for each loop and partition.
const MAX_KINDS: u64 = 200;
/// The kind that counts what has no name of its own any more.
const OTHER: &str = "(other reasons)";
/// The kind that counts the rows.
pub(super) const ROWS: &str = "";

/// Takes refused rows of a partition.
pub(super) async fn rows(tx: &mut Transaction, source: &str, events: &[&Recorded]) -> Result<(), SqlError> {
    let mut counts: BTreeMap<(&str, String), u64> = BTreeMap::new();
    for (loop_id, record) in events.iter().filter_map(|input| QuarantineRecord::of(input)) {
        let loop_id = loop_id.as_str();
        tx.run(
            "INSERT INTO quarantine (loop_id, sequence, source, prediction, doc) VALUES ($1, $2, $3, $4, $5)",
            values![
                loop_id,
                record.sequence,
                source,
                some_key(record.row.prediction_id.as_ref().map(PredictionId::as_str)),
                doc(&record)?
            ],
        )
        .await?;
        *counts.entry((loop_id, ROWS.to_owned())).or_default() += 1;
        let kinds = record.row.reasons.iter().map(|reason| reason_kind(reason));
        for kind in kinds.filter(|kind| kind != ROWS) {
            *counts.entry((loop_id, kind)).or_default() += 1;
        }
    }
    for ((loop_id, kind), n) in counts {
        count(tx, loop_id, source, &kind, n).await?;
    }
    Ok(())
}

async fn count(
    tx: &mut Transaction,
    loop_id: &str,
    source: &str,
    kind: &str,
    n: u64,
) -> Result<(), SqlError> {
    let update = "UPDATE quarantine_counts SET n = n + $4 WHERE loop_id = $1 AND source = $2 AND kind = $3";
    if tx.run(update, values![loop_id, source, key(kind), n]).await? > 0 {
        return Ok(());
    }
    let sql = "SELECT COUNT(*) FROM quarantine_counts WHERE loop_id = $1 AND source = $2";
    let kinds =
        tx.one(sql, values![loop_id, source]).await?.map(|row| row.count(0)).transpose()?.unwrap_or(0);
    let kind = if kind == ROWS || kinds <= MAX_KINDS { kind } else { OTHER };
    tx.run(
        "INSERT INTO quarantine_counts (loop_id, source, kind, n) VALUES ($1, $2, $3, $4)
         ON CONFLICT (loop_id, source, kind) DO UPDATE SET n = quarantine_counts.n + excluded.n",
        values![loop_id, source, key(kind), n],
    )
    .await?;
    Ok(())
}

/// Lets rows go that the stream no longer keeps; they stay counted.
pub(super) async fn forget(tx: &mut Transaction, source: &str, before: u64) -> Result<u64, SqlError> {
    let sql = "DELETE FROM quarantine WHERE source = $1 AND sequence < $2";
    Ok(tx.run(sql, values![source, before]).await?)
}
