//! When a window is full, and what is summed while it is open. It must not know whose window it is.

use serde::{Deserialize, Serialize};
use tidemill_domain::spec::Window;
use tidemill_domain::{CleanRow, Loss, Scores, Timestamp};
use tidemill_events::model::Profile;
use tidemill_events::monitor::Paired;
use tidemill_stats::sketch::Moments;

/// A window that ends early still counts from this share of its extent on.
const WORTH_CLOSING: f64 = 0.25;

/// What the rows of a window are summed into.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Tally {
    Labelled { scores: Scores, loss: Moments },
    Observed(Profile),
    Paired(Paired),
}

impl Tally {
    /// Adds a row whose losses are measured by `metric`; `false` where the row does not fit.
    pub(crate) fn add(&mut self, row: &CleanRow, measured_by: Loss) -> bool {
        match self {
            Self::Observed(profile) => {
                profile.add_row(row);
                true
            }
            Self::Labelled { scores, loss } => {
                let (Some(answer), Some(label)) = (row.answer(), &row.label) else { return false };
                match measured_by.of(&answer.output, &label.value) {
                    Some(x) if x.is_finite() => {
                        loss.insert(x);
                        scores.add(&answer.output, &label.value)
                    }
                    _ => false,
                }
            }
            Self::Paired(pair) => {
                let Some(label) = &row.label else { return false };
                let of =
                    |version| measured_by.of(row.output_of(version)?, &label.value).filter(|x| x.is_finite());
                let (Some(champion), Some(challenger)) = (of(&pair.champion), of(&pair.challenger)) else {
                    return false;
                };
                pair.difference.insert(champion - challenger);
                pair.champion_loss.insert(champion);
                true
            }
        }
    }
}

/// A window that is still open.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct OpenWindow {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    pub(crate) rows: u64,
    pub(crate) tally: Tally,
}

impl OpenWindow {
    pub(crate) fn new(now: Timestamp, tally: Tally) -> Self {
        Self { from: now, to: now, rows: 0, tally }
    }

    /// Adds a row; `false` where it does not fit.
    pub(crate) fn add(&mut self, row: &CleanRow, measured_by: Loss, now: Timestamp) -> bool {
        let fits = self.tally.add(row, measured_by);
        if fits {
            // A first row that did not fit opened nothing.
            self.from = if self.rows == 0 { now } else { self.from };
            self.to = now;
            self.rows += 1;
        }
        fits
    }

    /// Whether it has its whole extent.
    pub(crate) fn is_full(&self, extent: Window, now: Timestamp) -> bool {
        self.rows > 0 && self.share(extent, now) >= 1.0
    }

    /// Whether it says enough although it ends early.
    pub(crate) fn is_worth_closing(&self, extent: Window, now: Timestamp) -> bool {
        self.rows > 0 && self.share(extent, now) >= WORTH_CLOSING
    }

    fn share(&self, extent: Window, now: Timestamp) -> f64 {
        match extent {
            Window::Rows(rows) => self.rows as f64 / rows.max(1) as f64,
            Window::Time(span) => (now - self.from).0 as f64 / span.0.max(1) as f64,
        }
    }
}
