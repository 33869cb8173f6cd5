//! Count, mean and spread of a stream of numbers in constant space.

use serde::{Deserialize, Serialize};

/// Mergeable moments: Welford's update, merged as Chan, Golub and LeVeque (1979) do.
///
/// Values that are not finite are only counted, as missing. Equal streams in equal order give equal bits; a merge equals
/// the insertion of both streams up to rounding.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Moments {
    n: u64,
    mean: f64,
    /// Sum of squared deviations from the mean.
    m2: f64,
    min: Option<f64>,
    max: Option<f64>,
    missing: u64,
}

impl Moments {
    /// Of an empty stream.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one value.
    pub fn insert(&mut self, value: f64) {
        if !value.is_finite() {
            self.missing += 1;
            return;
        }
        self.n += 1;
        let before = value - self.mean;
        self.mean += before / self.n as f64;
        self.m2 += before * (value - self.mean);
        self.min = Some(self.min.map_or(value, |min| min.min(value)));
        self.max = Some(self.max.map_or(value, |max| max.max(value)));
    }

    /// Adds all that `other` has seen.
    pub fn merge(&mut self, other: &Self) {
        let missing = self.missing + other.missing;
        if self.n == 0 {
            *self = other.clone();
        } else if other.n > 0 {
            let (a, b) = (self.n as f64, other.n as f64);
            let apart = other.mean - self.mean;
            self.n += other.n;
            self.mean += apart * (b / (a + b));
            self.m2 += other.m2 + apart * apart * (a * b / (a + b));
            self.min = self.min.into_iter().chain(other.min).reduce(f64::min);
            self.max = self.max.into_iter().chain(other.max).reduce(f64::max);
        }
        self.missing = missing;
    }

    /// How many finite values were seen.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.n
    }

    /// How many values were not finite.
    #[must_use]
    pub fn missing(&self) -> u64 {
        self.missing
    }

    /// The arithmetic mean; `None` of nothing.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        (self.n > 0).then_some(self.mean)
    }

    /// The unbiased variance (divisor n − 1); `None` below two values.
    #[must_use]
    pub fn variance(&self) -> Option<f64> {
        (self.n > 1).then(|| self.m2 / (self.n - 1) as f64)
    }

    /// The root of [`Self::variance`], in the unit of the values.
    #[must_use]
    pub fn std(&self) -> Option<f64> {
        self.variance().map(f64::sqrt)
    }

    /// The least value.
    #[must_use]
    pub fn min(&self) -> Option<f64> {
        self.min
    }

    /// The greatest value.
    #[must_use]
    pub fn max(&self) -> Option<f64> {
        self.max
    }
}

impl Extend<f64> for Moments {
    fn extend<I: IntoIterator<Item = f64>>(&mut self, values: I) {
        values.into_iter().for_each(|value| self.insert(value));
    }
}

impl FromIterator<f64> for Moments {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        let mut moments = Self::new();
        moments.extend(values);
        moments
    }
}
