//! Adaptive windowing: keeps the longest recent window whose two parts, however cut, agree in their mean.

use serde::{Deserialize, Serialize};

use super::Change;

/// Settings of [`Adwin`]; the defaults are River's.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AdwinConfig {
    /// Confidence of one check: greater finds more, and more that is not there.
    pub delta: f64,
    /// Values between two checks, at least 1.
    pub clock: u64,
    /// Buckets of one size before the two oldest merge, at least 2.
    pub max_buckets: usize,
    /// Least values in each part of a cut.
    pub min_window_length: u64,
    /// No check up to this many values.
    pub grace_period: u64,
}

impl Default for AdwinConfig {
    fn default() -> Self {
        Self { delta: 0.002, clock: 32, max_buckets: 5, min_window_length: 5, grace_period: 10 }
    }
}

/// ADWIN2 (Bifet and Gavaldà, "Learning from Time-Changing Data with Adaptive Windowing", 2007).
///
/// The window is held in buckets of 1, 2, 4, ... values, so n values take about `max_buckets` · log₂ n of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Adwin {
    config: AdwinConfig,
    /// Buckets of 2^i values at index i, the oldest first.
    rows: Vec<Vec<Bucket>>,
    width: u64,
    total: f64,
    /// Sum of squared deviations over the window.
    variance: f64,
    ticks: u64,
    detected: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Bucket {
    total: f64,
    variance: f64,
}

impl Adwin {
    /// A detector that has seen nothing.
    #[must_use]
    pub fn new(config: AdwinConfig) -> Self {
        Self { config, ..Self::default() }
    }

    /// Takes one value; constant time on average, at worst logarithmic in the window.
    pub fn update(&mut self, x: f64) -> Change {
        if !x.is_finite() {
            return Change::None;
        }
        if self.detected {
            *self = Self::new(self.config);
        }
        self.insert(x);
        self.ticks += 1;
        let due =
            self.ticks.is_multiple_of(self.config.clock.max(1)) && self.width > self.config.grace_period;
        self.detected = false;
        while due && self.finds_cut() {
            self.drop_oldest();
            self.detected = true;
        }
        if self.detected { Change::Detected } else { Change::None }
    }

    /// Values in the window. Right after a detection: those since the change, as far as it could be located.
    #[must_use]
    pub fn width(&self) -> u64 {
        self.width
    }

    /// Mean of the window; `None` of nothing.
    #[must_use]
    pub fn estimation(&self) -> Option<f64> {
        (self.width > 0).then(|| self.total / self.width as f64)
    }

    fn insert(&mut self, x: f64) {
        if self.width > 0 {
            let before = self.width as f64;
            let apart = x - self.total / before;
            self.variance += before * apart * apart / (before + 1.0);
        }
        self.width += 1;
        self.total += x;
        self.push(0, Bucket { total: x, variance: 0.0 });
    }

    /// Adds a bucket to a row; a full row merges its two oldest into the next.
    fn push(&mut self, index: usize, bucket: Bucket) {
        if self.rows.len() <= index {
            self.rows.resize_with(index + 1, Vec::new);
        }
        let Some(row) = self.rows.get_mut(index) else { return };
        row.push(bucket);
        if row.len() <= self.config.max_buckets.max(2) {
            return;
        }
        let size = 2.0_f64.powi(index as i32);
        let mut oldest = row.drain(..2);
        if let (Some(a), Some(b)) = (oldest.next(), oldest.next()) {
            let apart = a.total / size - b.total / size;
            drop(oldest);
            let variance = a.variance + b.variance + size * 0.5 * apart * apart;
            self.push(index + 1, Bucket { total: a.total + b.total, variance });
        }
    }

    fn drop_oldest(&mut self) {
        let size = 1_u64 << self.rows.len().saturating_sub(1);
        let Some(row) = self.rows.last_mut().filter(|row| !row.is_empty()) else { return };
        let oldest = row.remove(0);
        if row.is_empty() {
            self.rows.pop();
        }
        self.width -= size;
        self.total -= oldest.total;
        let (dropped, kept) = (size as f64, self.width as f64);
        let apart = oldest.total / dropped - self.total / kept;
        self.variance -= oldest.variance + dropped * kept * apart * apart / (dropped + kept);
    }

    /// Whether some cut between buckets parts the window into two whose means differ by too much.
    fn finds_cut(&self) -> bool {
        let (mut n0, mut n1) = (0.0, self.width as f64);
        let (mut total0, mut total1) = (0.0, self.total);
        let least = self.config.min_window_length as f64;
        for (index, row) in self.rows.iter().enumerate().rev() {
            let size = 2.0_f64.powi(index as i32);
            for bucket in row {
                n0 += size;
                n1 -= size;
                total0 += bucket.total;
                total1 -= bucket.total;
                // Before the means: behind the last bucket there is nothing to divide by.
                if n1 >= least.max(1.0)
                    && n0 >= least
                    && (total0 / n0 - total1 / n1).abs() > self.tolerance(n0, n1)
                {
                    return true;
                }
            }
        }
        false
    }

    /// ε_cut of the paper, with the variance of the window, for parts of `n0` and `n1` values.
    fn tolerance(&self, n0: f64, n1: f64) -> f64 {
        let width = self.width as f64;
        let least = self.config.min_window_length as f64;
        let log = (2.0 * width.ln() / self.config.delta).ln();
        let inverse = 1.0 / (n0 - least + 1.0) + 1.0 / (n1 - least + 1.0);
        (2.0 * inverse * (self.variance / width) * log).sqrt() + 2.0 / 3.0 * log * inverse
    }
}
