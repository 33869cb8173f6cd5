//! Whether a column is distributed otherwise than in the rows that a model learned from, and whether that is alarming.
//!
//! A column has moved only where a test says that it is no chance and the population stability index says that it matters:
//! with many rows any difference is significant, with few any distance is large (the two ways in which drift alarms cry
//! wolf). P-values are adjusted over all columns of a window (Holm), so that the window as a whole keeps its level.
//! Missing values count: a field that falls silent has moved. This module must not know what comes of it.

use tidemill_events::model::{ColumnProfile, Profile};
use tidemill_events::monitor::ColumnDrift;
use tidemill_stats::multiple::holm;
use tidemill_stats::psi::psi_numeric;
use tidemill_stats::sketch::Quantiles;
use tidemill_stats::two_sample::{chi2_test, kolmogorov_sf, ks_test_weighted};

use crate::binned::Binned;

/// Below this many rows on either side there is no verdict.
pub const MIN_ROWS: u64 = 100;

/// The least population stability index of a column that has moved; by custom, less is stable.
pub const MOVED_PSI: f64 = 0.1;

/// From here on one column alone is alarming; by custom, a major shift.
pub const MAJOR_PSI: f64 = 0.25;

/// The column of a model's answers.
const PREDICTION: &str = "prediction";

/// Compares the rows of a window with those that the model learned from, each feature and then the predictions. Columns of
/// different types, and all columns where rows are too few, have no verdict and are left out.
pub(crate) fn column_drift(
    reference: &Profile,
    window: &Profile,
    names: &[String],
    alpha: f64,
) -> Vec<ColumnDrift> {
    let comparable =
        reference.features.len() == window.features.len() && names.len() == window.features.len();
    if !comparable || reference.rows.min(window.rows) < MIN_ROWS {
        return Vec::new();
    }
    let features = names.iter().map(String::as_str).zip(reference.features.iter().zip(&window.features));
    let prediction = (PREDICTION, (&reference.prediction, &window.prediction));
    let mut columns: Vec<ColumnDrift> = features
        .chain([prediction])
        .filter_map(|(name, (before, now))| {
            let found = compare(before, now)?;
            Some(ColumnDrift {
                column: name.to_owned(),
                test: found.test.to_owned(),
                statistic: found.statistic,
                p_value: found.p_value,
                p_adjusted: 1.0,
                psi: found.psi,
                missing_ratio: found.missing_ratio,
                drifted: false,
            })
        })
        .collect();
    let adjusted = holm(&columns.iter().map(|c| c.p_value).collect::<Vec<_>>());
    for (column, p) in columns.iter_mut().zip(adjusted) {
        column.p_adjusted = p;
        column.drifted = p < alpha && column.psi >= MOVED_PSI;
    }
    columns
}

/// Whether a window alarms: one column moved a lot, or at least two moved and they are half of all. `None` where there is
/// no verdict.
pub(crate) fn is_alarming(columns: &[ColumnDrift]) -> Option<bool> {
    if columns.is_empty() {
        return None;
    }
    let moved = columns.iter().filter(|c| c.drifted).count();
    let far = columns.iter().any(|c| c.drifted && c.psi >= MAJOR_PSI);
    Some(far || (moved >= 2 && moved * 2 >= columns.len()))
}

struct Found {
    test: &'static str,
    statistic: f64,
    p_value: f64,
    psi: f64,
    missing_ratio: f64,
}

fn compare(before: &ColumnProfile, now: &ColumnProfile) -> Option<Found> {
    match (before, now) {
        (ColumnProfile::Categorical { counts: before }, ColumnProfile::Categorical { counts: now }) => {
            if before.total().min(now.total()) < MIN_ROWS {
                return None;
            }
            let binned = Binned::new(before, now);
            let test = chi2_test(&binned.reference, &binned.window)?;
            Some(Found {
                test: "chi_square",
                statistic: test.statistic,
                p_value: test.p_value,
                psi: binned.psi(),
                missing_ratio: now.missing() as f64 / now.total() as f64,
            })
        }
        (
            ColumnProfile::Numeric { quantiles: before, missing: gaps_before },
            ColumnProfile::Numeric { quantiles: now, missing: gaps_now },
        ) => numeric(&Numbers::new(before, *gaps_before), &Numbers::new(now, *gaps_now)),
        _ => None,
    }
}

/// A numeric column: its values, and how many rows have none.
struct Numbers {
    /// Gaps are counted in the sketch, where the stability index looks for them.
    sketch: Quantiles,
    rows: u64,
}

impl Numbers {
    fn new(values: &Quantiles, gaps: u64) -> Self {
        let mut sketch = values.clone();
        (0..gaps).for_each(|_| sketch.insert(f64::NAN));
        Self { rows: sketch.count() + sketch.missing(), sketch }
    }

    /// The values with a gap as the least of all, so that gaps take part in the test.
    fn weighted(&self) -> Vec<(f64, u64)> {
        let gaps = Some((f64::NEG_INFINITY, self.sketch.missing())).filter(|gaps| gaps.1 > 0);
        gaps.into_iter().chain(self.sketch.weighted()).collect()
    }

    /// What the share of rows up to any value may be off by.
    fn rank_error(&self) -> f64 {
        self.sketch.rank_error() * self.sketch.count() as f64 / self.rows.max(1) as f64
    }
}

/// Kolmogorov-Smirnov over values and gaps. The statistic is made smaller by what the sketches may be off before it is
/// judged; without gaps this is [`tidemill_stats::two_sample::ks_test_sketches`].
fn numeric(before: &Numbers, now: &Numbers) -> Option<Found> {
    if before.rows.min(now.rows) < MIN_ROWS {
        return None;
    }
    let test = ks_test_weighted(&before.weighted(), &now.weighted())?;
    let certain = (test.statistic - before.rank_error() - now.rank_error()).max(0.0);
    let (a, b) = (before.rows as f64, now.rows as f64);
    let effective = (a * b / (a + b)).round_ties_even();
    Some(Found {
        test: "kolmogorov_smirnov",
        statistic: test.statistic,
        p_value: kolmogorov_sf(effective as u64, certain),
        // A column that was always empty in training taught nothing: whatever comes now moves nothing.
        psi: psi_numeric(&before.sketch, &now.sketch).map_or(0.0, |psi| psi.value),
        missing_ratio: now.sketch.missing() as f64 / b,
    })
}

#[cfg(test)]
mod tests {
    use tidemill_stats::two_sample::ks_test_sketches;

    use super::*;

    fn numbers(rows: u64, shift: f64) -> Quantiles {
        let mut sketch = Quantiles::new(200);
        sketch.extend((0..rows).map(|i| (i * 7_919 % rows) as f64 / rows as f64 + shift));
        sketch
    }

    #[test]
    fn without_gaps_the_test_is_the_usual_one() {
        for (rows, shift) in [(150, 0.0), (500, 0.05), (5_000, 0.3)] {
            let (before, now) = (numbers(4_000, 0.0), numbers(rows, shift));
            let usual = ks_test_sketches(&before, &now).map(|t| (t.statistic, t.p_value));
            let found =
                numeric(&Numbers::new(&before, 0), &Numbers::new(&now, 0)).map(|f| (f.statistic, f.p_value));
            assert_eq!(found, usual);
        }
    }

    #[test]
    fn a_field_that_falls_silent_has_moved() {
        let found = numeric(&Numbers::new(&numbers(1_000, 0.0), 0), &Numbers::new(&numbers(800, 0.0), 200));
        let (p, psi, missing) = found.map_or((1.0, 0.0, 0.0), |f| (f.p_value, f.psi, f.missing_ratio));
        assert!(p < 1e-9 && psi > MOVED_PSI && missing == 0.2, "{p} {psi} {missing}");
        let silent =
            numeric(&Numbers::new(&numbers(1_000, 0.0), 0), &Numbers::new(&Quantiles::new(200), 500));
        assert!(silent.is_some_and(|f| f.p_value < 1e-9 && f.psi > MAJOR_PSI));
    }

    #[test]
    fn few_rows_have_no_verdict() {
        assert!(
            numeric(&Numbers::new(&numbers(1_000, 0.0), 0), &Numbers::new(&numbers(99, 3.0), 0)).is_none()
        );
    }
}
