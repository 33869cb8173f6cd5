//! The two-sample Kolmogorov-Smirnov test, on rows and on quantile sketches.

use serde::{Deserialize, Serialize};

use super::kolmogorov::kolmogorov_sf;
use crate::sketch::Quantiles;

/// Outcome of a two-sample Kolmogorov-Smirnov test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KsTest {
    /// The greatest distance between the two empirical distribution functions, in [0, 1].
    pub statistic: f64,
    /// Two-sided, asymptotic.
    pub p_value: f64,
    /// Size of the first sample.
    pub n1: u64,
    /// Size of the second sample.
    pub n2: u64,
}

/// Compares two samples; values that are not finite are left out. `None` if a sample is empty.
///
/// As `scipy.stats.ks_2samp(a, b, method="asymp")`. Ties are allowed and make the test conservative.
#[must_use]
pub fn ks_test(a: &[f64], b: &[f64]) -> Option<KsTest> {
    let sorted = |sample: &[f64]| {
        let mut pairs: Vec<(f64, u64)> = sample.iter().filter(|x| x.is_finite()).map(|x| (*x, 1)).collect();
        pairs.sort_unstable_by(|x, y| x.0.total_cmp(&y.0));
        pairs
    };
    ks_test_weighted(&sorted(a), &sorted(b))
}

/// Compares two samples given as ascending (value, number of rows), as [`Quantiles::weighted`] gives them.
#[must_use]
pub fn ks_test_weighted(a: &[(f64, u64)], b: &[(f64, u64)]) -> Option<KsTest> {
    let (n1, n2) = (size(a), size(b));
    let statistic = distance(a, b, n1, n2)?;
    Some(KsTest { statistic, p_value: p_value(statistic, n1, n2), n1, n2 })
}

/// Compares two sketched samples.
///
/// The p-value is that of the statistic less the rank errors of both sketches: on windows much longer than k the sketch
/// itself would otherwise look like drift. Exact sketches (count ≤ k) give the same answer as their rows.
#[must_use]
pub fn ks_test_sketches(a: &Quantiles, b: &Quantiles) -> Option<KsTest> {
    let (n1, n2) = (a.count(), b.count());
    let statistic = distance(&a.weighted(), &b.weighted(), n1, n2)?;
    let certain = (statistic - a.rank_error() - b.rank_error()).max(0.0);
    Some(KsTest { statistic, p_value: p_value(certain, n1, n2), n1, n2 })
}

fn size(sample: &[(f64, u64)]) -> u64 {
    sample.iter().map(|(_, weight)| weight).sum()
}

fn distance(a: &[(f64, u64)], b: &[(f64, u64)], n1: u64, n2: u64) -> Option<f64> {
    if n1 == 0 || n2 == 0 {
        return None;
    }
    let (mut a, mut b) = (a.iter().peekable(), b.iter().peekable());
    let (mut below_a, mut below_b, mut greatest) = (0_u64, 0_u64, 0.0_f64);
    // Beyond the end of one sample the distance only shrinks.
    while let (Some((x, _)), Some((y, _))) = (a.peek(), b.peek()) {
        // Both step over a tie together, or its two halves would count as a distance.
        let here = x.min(*y);
        while let Some((_, weight)) = a.next_if(|(value, _)| *value <= here) {
            below_a += weight;
        }
        while let Some((_, weight)) = b.next_if(|(value, _)| *value <= here) {
            below_b += weight;
        }
        greatest = greatest.max((below_a as f64 / n1 as f64 - below_b as f64 / n2 as f64).abs());
    }
    Some(greatest)
}

/// The effective size rounds half to even, as NumPy does; one row against one row (SciPy: NaN) proves nothing: 1.
fn p_value(statistic: f64, n1: u64, n2: u64) -> f64 {
    let (a, b) = (n1 as f64, n2 as f64);
    let (large, small) = (a.max(b), a.min(b));
    let effective = (large * small / (large + small)).round_ties_even();
    if effective < 1.0 { 1.0 } else { kolmogorov_sf(effective as u64, statistic) }
}
