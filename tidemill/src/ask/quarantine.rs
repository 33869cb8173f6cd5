//! `tidemill quarantine`: refused rows by reason, and one of them in full.

use tidemill_console_core::{QuarantineAnswer, QuarantineRecord};
use tidemill_domain::Timestamp;

use super::args::QuarantineArgs;
use super::client::AskError;
use super::table::{Lean, rest, table};
use super::words::{ago, count, time};

/// Kinds of reasons that are shown.
const MAX_KINDS: usize = 20;
/// Characters of a reason in the list.
const MAX_REASON: usize = 100;

pub(super) async fn run(args: QuarantineArgs) -> Result<(), AskError> {
    match args {
        QuarantineArgs::List(args) => {
            let client = super::client(&args.to)?;
            let query = [("limit", args.limit.to_string())];
            let answer = client.get(&["loops", args.name.as_str(), "quarantine"], &query).await?;
            let now = super::watch::now();
            super::show(answer, args.to.json, |found| list(found, now))
        }
        QuarantineArgs::Replay(args) => super::requeue::run(args).await,
        QuarantineArgs::Show(args) => {
            let client = super::client(&args.to)?;
            let answer = client.get(&["loops", args.name.as_str(), "quarantine", &args.row], &[]).await?;
            super::show(answer, args.to.json, one)
        }
    }
}

/// Counts by reason, then the newest rows.
pub(super) fn list(found: &QuarantineAnswer, now: Timestamp) -> String {
    if found.total == 0 {
        return "no row was refused\n".to_owned();
    }
    let mut kinds: Vec<_> = found.kinds.iter().collect();
    kinds.sort_by(|a, b| b.1.cmp(a.1).then_with(|| a.0.cmp(b.0)));
    let mut text = format!("{} rows were refused\n\n", count(found.total));
    let rows: Vec<Vec<String>> =
        kinds.iter().take(MAX_KINDS).map(|(kind, n)| vec![count(**n), (*kind).clone()]).collect();
    text += &table(&[("TIMES", Lean::Right), ("REASON", Lean::Left)], &rows);
    let more = kinds.len().saturating_sub(MAX_KINDS);
    if more > 0 {
        text += &format!("(and {more} rarer reasons: see --json)\n");
    }
    let rows: Vec<Vec<String>> = found
        .rows
        .iter()
        .map(|r| {
            let id = r.row.prediction_id.as_ref().map_or("-", |id| id.as_str());
            let first = r.row.reasons.first().map_or("", String::as_str);
            let mut reason: String = first.chars().take(MAX_REASON).collect();
            if reason.len() < first.len() {
                reason.push('…');
            }
            if r.row.reasons.len() > 1 {
                reason += &format!(" (and {} more)", r.row.reasons.len() - 1);
            }
            vec![r.sequence.to_string(), ago(r.time, now), id.to_owned(), reason]
        })
        .collect();
    if !rows.is_empty() {
        let head = [
            ("ROW", Lean::Right),
            ("WHEN", Lean::Left),
            ("PREDICTION", Lean::Left),
            ("FIRST REASON", Lean::Left),
        ];
        text.push('\n');
        text += &table(&head, &rows);
    }
    text + &rest(found.rows.len(), found.total.saturating_sub(found.gone), found.gone, found.since, "rows")
}

/// A row with everything that is wrong with it.
pub(super) fn one(record: &QuarantineRecord) -> String {
    let row = &record.row;
    let mut text =
        format!("row {} of partition {}, refused {}\n", record.sequence, record.partition, time(record.time));
    if let Some(id) = &row.prediction_id {
        text += &format!("prediction {id}{}\n", if row.labelled { ", with its label" } else { "" });
    }
    for reason in &row.reasons {
        text += &format!("  - {reason}\n");
    }
    let pretty = serde_json::from_str::<serde_json::Value>(&row.payload).map(|value| super::pretty(&value));
    text + "\n" + &pretty.unwrap_or_else(|_| row.payload.clone()) + "\n"
}
