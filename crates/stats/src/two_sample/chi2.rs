//! The chi-square test of independence between two samples of categories.

use serde::{Deserialize, Serialize};
use statrs::function::gamma::gamma_ur;

use crate::sketch::Counts;

/// Outcome of a chi-square test of independence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Chi2Test {
    /// Pearson's statistic, without continuity correction.
    pub statistic: f64,
    /// Degrees of freedom: categories seen in either sample, less one.
    pub dof: u64,
    /// Upper tail.
    pub p_value: f64,
}

/// Tests two rows of counts over the same categories; categories beyond the shorter row count as 0 there.
///
/// As `scipy.stats.chi2_contingency([a, b], correction=False)`, but categories empty in both rows are dropped where
/// SciPy raises. One category alone gives statistic 0 and p-value 1. `None` if a row is empty. Below about five expected
/// rows per category the p-value is rough.
#[must_use]
pub fn chi2_test(a: &[u64], b: &[u64]) -> Option<Chi2Test> {
    let at = |row: &[u64], column: usize| row.get(column).copied().unwrap_or(0);
    test((0..a.len().max(b.len())).map(|column| (at(a, column), at(b, column))))
}

/// Tests two sketches of categories; other and missing are categories of their own.
#[must_use]
pub fn chi2_test_counts(a: &Counts, b: &Counts) -> Option<Chi2Test> {
    test(a.align(b).into_iter().map(|(_, a, b)| (a, b)))
}

fn test(columns: impl Iterator<Item = (u64, u64)>) -> Option<Chi2Test> {
    let columns: Vec<(f64, f64)> =
        columns.filter(|(a, b)| a + b > 0).map(|(a, b)| (a as f64, b as f64)).collect();
    let (total_a, total_b) = columns.iter().fold((0.0, 0.0), |(x, y), (a, b)| (x + a, y + b));
    if total_a == 0.0 || total_b == 0.0 {
        return None;
    }
    let total = total_a + total_b;
    let statistic = columns
        .iter()
        .map(|(a, b)| {
            let (expected_a, expected_b) = ((a + b) * total_a / total, (a + b) * total_b / total);
            (a - expected_a).powi(2) / expected_a + (b - expected_b).powi(2) / expected_b
        })
        .sum();
    let dof = columns.len() as u64 - 1;
    Some(Chi2Test { statistic, dof, p_value: chi2_sf(statistic, dof) })
}

fn chi2_sf(statistic: f64, dof: u64) -> f64 {
    if dof == 0 || statistic <= 0.0 {
        1.0
    } else {
        gamma_ur(dof as f64 / 2.0, statistic / 2.0).clamp(0.0, 1.0)
    }
}
