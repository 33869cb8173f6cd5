//! What an alert says: figures by name for machines, a sentence for people. It must not decide anything.

use std::collections::BTreeMap;

use tidemill_domain::{Metric, ModelVersion};
use tidemill_events::monitor::{AlertState, ColumnDrift};

use crate::decay::Comparison;
use crate::hysteresis::IN_A_ROW;

/// Columns that a sentence names, at most; the evidence holds more.
const NAMED: usize = 3;

/// Columns that the evidence holds, at most.
const LISTED: usize = 20;

/// What an alert says.
#[derive(Debug, PartialEq)]
pub(crate) struct Said {
    pub(crate) evidence: BTreeMap<String, f64>,
    pub(crate) columns: Vec<String>,
    pub(crate) summary: String,
}

/// An alert about the distribution of rows.
pub(crate) fn drift(
    state: AlertState,
    version: &ModelVersion,
    rows: u64,
    alpha: f64,
    all: &[ColumnDrift],
) -> Said {
    let mut moved: Vec<&ColumnDrift> = all.iter().filter(|c| c.drifted).collect();
    moved.sort_by(|a, b| b.psi.total_cmp(&a.psi).then_with(|| a.column.cmp(&b.column)));
    let greatest = all.iter().map(|c| c.psi).fold(0.0, f64::max);
    let least_p = all.iter().map(|c| c.p_adjusted).fold(1.0, f64::min);
    let mut evidence = BTreeMap::from([
        ("alpha".to_owned(), alpha),
        ("columns".to_owned(), all.len() as f64),
        ("columns_drifted".to_owned(), moved.len() as f64),
        ("p_adjusted_min".to_owned(), least_p),
        ("psi_max".to_owned(), greatest),
        ("rows".to_owned(), rows as f64),
    ]);
    evidence.extend(moved.iter().take(LISTED).map(|c| (format!("psi.{}", c.column), c.psi)));
    let named: Vec<_> =
        moved.iter().take(NAMED).map(|c| format!("{} (PSI {:.2})", c.column, c.psi)).collect();
    let others = moved.len().saturating_sub(NAMED);
    let more = if others > 0 { format!(" and {others} more") } else { String::new() };
    let found = format!("{} of {} columns: {}{more}", moved.len(), all.len(), named.join(", "));
    let summary = match state {
        AlertState::Suspected => {
            format!("rows may have moved away from what {version} learned from, in {found}")
        }
        AlertState::Detected => {
            format!(
                "rows moved away from what {version} learned from, {IN_A_ROW} windows in a row, in {found}"
            )
        }
        AlertState::Cleared => {
            format!("rows look like what {version} learned from again, {IN_A_ROW} windows in a row")
        }
    };
    Said { evidence, columns: moved.iter().take(LISTED).map(|c| c.column.clone()).collect(), summary }
}

/// An alert about losses.
pub(crate) fn decay(
    state: AlertState,
    version: &ModelVersion,
    rows: u64,
    alpha: f64,
    metric: Option<Metric>,
    found: &Comparison,
) -> Said {
    let mut evidence = BTreeMap::from([
        ("alpha".to_owned(), alpha),
        ("baseline_loss".to_owned(), found.baseline),
        ("baseline_rows".to_owned(), found.baseline_rows as f64),
        ("loss".to_owned(), found.loss),
        ("p_value".to_owned(), found.p_value),
        ("rows".to_owned(), rows as f64),
    ]);
    // A perfect baseline has no relative rise.
    let rise = (found.baseline > 0.0).then(|| found.loss / found.baseline - 1.0).filter(|r| r.is_finite());
    evidence.extend(rise.map(|r| ("rise".to_owned(), r)));
    let by = metric.map_or_else(String::new, |m| format!(" ({m})"));
    let percent = rise.map_or_else(String::new, |r| format!(", {:+.0}%", r * 100.0));
    let figures = format!("{} now, {} at first{percent}", figure(found.loss), figure(found.baseline));
    let summary = match state {
        AlertState::Suspected => format!("the mean loss{by} of {version} may have risen: {figures}"),
        AlertState::Detected => {
            format!("the mean loss{by} of {version} rose, {IN_A_ROW} windows in a row: {figures}")
        }
        AlertState::Cleared => {
            format!("the mean loss{by} of {version} is back, {IN_A_ROW} windows in a row: {figures}")
        }
    };
    Said { evidence, columns: Vec::new(), summary }
}

/// Three digits that count.
fn figure(x: f64) -> String {
    match x.abs() {
        size if size >= 100.0 => format!("{x:.0}"),
        size if size >= 10.0 => format!("{x:.1}"),
        size if size >= 1.0 => format!("{x:.2}"),
        _ => format!("{x:.3}"),
    }
}
