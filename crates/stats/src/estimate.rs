//! Estimates with their uncertainty: proportions, and how well confidences match outcomes.
//!
//! This module must not know of models or classes: it sees counts, and pairs of confidence and outcome.

use serde::{Deserialize, Serialize};
use statrs::function::erf::erfc_inv;

/// Bins of equal width over [0, 1].
const BINS: usize = 10;

/// A closed interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end.
    pub lower: f64,
    /// Upper end.
    pub upper: f64,
}

/// Wilson's score interval (1927) for a proportion, at a `confidence` such as 0.95.
///
/// As `scipy.stats.binomtest(successes, trials).proportion_ci(confidence, "wilson")`. `None` without trials, with more
/// successes than trials, or with a confidence outside (0, 1).
#[must_use]
pub fn wilson(successes: u64, trials: u64, confidence: f64) -> Option<Interval> {
    if trials == 0 || successes > trials || !(confidence > 0.0 && confidence < 1.0) {
        return None;
    }
    let n = trials as f64;
    let p = successes as f64 / n;
    let z = std::f64::consts::SQRT_2 * erfc_inv(1.0 - confidence);
    let z2 = z * z;
    let centre = (p + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let radius = z / (1.0 + z2 / n) * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    // The ends are exact where rounding would leave a speck.
    let lower = if successes == 0 { 0.0 } else { (centre - radius).max(0.0) };
    let upper = if successes == trials { 1.0 } else { (centre + radius).min(1.0) };
    Some(Interval { lower, upper })
}

/// Mergeable reliability bins, for the expected calibration error (Guo et al., 2017).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    bins: [Bin; BINS],
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Bin {
    rows: u64,
    hits: u64,
    confidence: f64,
}

impl Calibration {
    /// Adds one prediction: its confidence in [0, 1], and whether it came true. Other confidences are left out.
    ///
    /// Bin i holds [i/10, (i+1)/10); 1 belongs to the last.
    pub fn insert(&mut self, confidence: f64, hit: bool) {
        if !(0.0..=1.0).contains(&confidence) {
            return;
        }
        let index = ((confidence * BINS as f64) as usize).min(BINS - 1);
        let bin = &mut self.bins[index];
        bin.rows += 1;
        bin.hits += u64::from(hit);
        bin.confidence += confidence;
    }

    /// Adds all that `other` has seen.
    pub fn merge(&mut self, other: &Self) {
        for (bin, more) in self.bins.iter_mut().zip(&other.bins) {
            bin.rows += more.rows;
            bin.hits += more.hits;
            bin.confidence += more.confidence;
        }
    }

    /// How many predictions were added.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.bins.iter().map(|bin| bin.rows).sum()
    }

    /// Mean distance between confidence and hit rate over bins, weighted by rows; in [0, 1], `None` of nothing.
    #[must_use]
    pub fn expected_error(&self) -> Option<f64> {
        let rows = self.count();
        let gaps: f64 = self.bins.iter().map(|bin| (bin.hits as f64 - bin.confidence).abs()).sum();
        (rows > 0).then(|| gaps / rows as f64)
    }
}
