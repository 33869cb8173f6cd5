//! A mergeable sketch of a distribution of numbers: ranks and quantiles within a bounded error, in bounded space.

use serde::{Deserialize, Serialize};

/// Size parameter unless a caller says otherwise: a rank error of about 1.5 % in some 600 retained values.
pub const DEFAULT_K: u16 = 200;

/// No level holds fewer: smaller compactors add error and save next to nothing.
const MIN_CAPACITY: usize = 8;

/// KLL sketch (Karnin, Lang, Liberty: "Optimal Quantile Approximation in Streams", 2016) over `f64`.
///
/// A stack of compactors: an item on level h stands for 2^h values. A full compactor sorts its items and passes every
/// second one upwards. Where the paper tosses a coin for "odd or even", this takes a fixed pseudo-random sequence, each
/// toss followed by its opposite, so the same inserts give the same bytes. (Plain alternation would resonate with
/// periodic streams.) Exact while [`Self::count`] is at most k; beyond, ranks are off by about 3/k of the count at most.
///
/// Values that are not finite are only counted, as missing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quantiles {
    k: u16,
    count: u64,
    missing: u64,
    min: Option<f64>,
    max: Option<f64>,
    levels: Vec<Level>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Level {
    items: Vec<f64>,
    /// Compactions so far: the place in the sequence of tosses.
    compactions: u32,
}

impl Default for Quantiles {
    fn default() -> Self {
        Self::new(DEFAULT_K)
    }
}

impl Quantiles {
    /// An empty sketch; `k` (at least 8) trades space (about 3k values) for accuracy (about 3/k).
    #[must_use]
    pub fn new(k: u16) -> Self {
        let k = k.max(MIN_CAPACITY as u16);
        Self { k, count: 0, missing: 0, min: None, max: None, levels: vec![Level::default()] }
    }

    /// Adds one value.
    pub fn insert(&mut self, value: f64) {
        if !value.is_finite() {
            self.missing += 1;
            return;
        }
        // Negative zero becomes zero, so that equal values have equal bits.
        let value = value + 0.0;
        self.count += 1;
        self.widen(value, value);
        match self.levels.first_mut() {
            Some(lowest) => lowest.items.push(value),
            None => self.levels.push(Level { items: vec![value], compactions: 0 }),
        }
        self.compress();
    }

    /// Adds all that `other` has seen; the smaller of the two k holds.
    pub fn merge(&mut self, other: &Self) {
        self.k = self.k.min(other.k);
        self.count += other.count;
        self.missing += other.missing;
        if let (Some(min), Some(max)) = (other.min, other.max) {
            self.widen(min, max);
        }
        if self.levels.len() < other.levels.len() {
            self.levels.resize_with(other.levels.len(), Level::default);
        }
        for (level, more) in self.levels.iter_mut().zip(&other.levels) {
            level.items.extend_from_slice(&more.items);
            level.compactions = level.compactions.wrapping_add(more.compactions);
        }
        self.compress();
    }

    /// How many finite values were seen.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// How many values were not finite.
    #[must_use]
    pub fn missing(&self) -> u64 {
        self.missing
    }

    /// The least value, exactly.
    #[must_use]
    pub fn min(&self) -> Option<f64> {
        self.min
    }

    /// The greatest value, exactly.
    #[must_use]
    pub fn max(&self) -> Option<f64> {
        self.max
    }

    /// What any answer of [`Self::cdf`] may be off by: 0 while exact, then 3/k, which random streams exceed rarely.
    #[must_use]
    pub fn rank_error(&self) -> f64 {
        let exact = self.levels.iter().skip(1).all(|level| level.items.is_empty());
        if exact { 0.0 } else { 3.0 / f64::from(self.k) }
    }

    /// The retained values, ascending and distinct, each with the number of values it stands for.
    ///
    /// The weights sum to [`Self::count`].
    #[must_use]
    pub fn weighted(&self) -> Vec<(f64, u64)> {
        let mut pairs: Vec<(f64, u64)> = self
            .levels
            .iter()
            .enumerate()
            .flat_map(|(height, level)| level.items.iter().map(move |item| (*item, 1_u64 << height)))
            .collect();
        pairs.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        pairs.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 += next.1;
            }
            same
        });
        pairs
    }

    /// The least retained value with at least the share `q` of all values at or below it (NumPy's `inverted_cdf`).
    ///
    /// `q` is clamped to [0, 1]; 0 and 1 give the exact extremes. `None` of nothing.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<f64> {
        self.quantiles(&[q]).and_then(|found| found.first().copied())
    }

    /// [`Self::quantile`] of each of `qs`, sorting the sketch once.
    #[must_use]
    pub fn quantiles(&self, qs: &[f64]) -> Option<Vec<f64>> {
        let (min, max) = (self.min?, self.max?);
        let pairs = self.weighted();
        let find = |q: f64| {
            if q <= 0.0 {
                return min;
            }
            let rank = q * self.count as f64;
            let mut below = 0;
            let reached = pairs.iter().find(|(_, weight)| {
                below += weight;
                below as f64 >= rank
            });
            reached.filter(|_| q < 1.0).map_or(max, |(value, _)| *value)
        };
        Some(qs.iter().map(|q| find(*q)).collect())
    }

    /// The share of values at or below `x`; `None` of nothing.
    #[must_use]
    pub fn cdf(&self, x: f64) -> Option<f64> {
        if self.max? <= x {
            return Some(1.0);
        }
        let levels = self.levels.iter().enumerate();
        let below: u64 = levels
            .map(|(height, level)| (level.items.iter().filter(|item| **item <= x).count() as u64) << height)
            .sum();
        Some(below as f64 / self.count as f64)
    }

    fn widen(&mut self, low: f64, high: f64) {
        self.min = Some(self.min.map_or(low, |min| min.min(low)));
        self.max = Some(self.max.map_or(high, |max| max.max(high)));
    }

    /// Compacts the lowest full level until all levels together are within their capacity.
    ///
    /// Waiting for the sum, not for each level, lets the lowest levels borrow idle space: fewer compactions, less error.
    fn compress(&mut self) {
        loop {
            let (mut spare, mut full) = (0_i64, None);
            for ((height, level), capacity) in self.levels.iter().enumerate().rev().zip(capacities(self.k)) {
                spare += capacity as i64 - level.items.len() as i64;
                if level.items.len() >= capacity {
                    full = Some(height);
                }
            }
            match full {
                Some(height) if spare < 0 => self.compact(height),
                _ => return,
            }
        }
    }

    fn compact(&mut self, height: usize) {
        let Some(level) = self.levels.get_mut(height) else { return };
        let mut items = std::mem::take(&mut level.items);
        // An odd item stays, so that the weights keep summing to the count.
        if items.len() % 2 == 1 {
            level.items.extend(items.pop());
        }
        let offset = toss(height as u32, level.compactions);
        level.compactions = level.compactions.wrapping_add(1);
        items.sort_unstable_by(f64::total_cmp);
        let promoted = items.into_iter().skip(offset).step_by(2);
        match self.levels.get_mut(height + 1) {
            Some(above) => above.items.extend(promoted),
            None => self.levels.push(Level { items: promoted.collect(), compactions: 0 }),
        }
    }
}

/// Capacities from the top level down, each 2/3 of the one above; in integers, so that every machine agrees.
fn capacities(k: u16) -> impl Iterator<Item = usize> {
    std::iter::successors(Some(usize::from(k)), |above| Some((above * 2).div_ceil(3).max(MIN_CAPACITY)))
}

/// 0 or 1: a hash of level and pair of compactions (SplitMix64's finaliser), turned round within each pair.
fn toss(height: u32, compaction: u32) -> usize {
    let mut z = (u64::from(height) << 32 | u64::from(compaction >> 1))
        .wrapping_add(1)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z >> 63) as usize) ^ (compaction & 1) as usize
}

impl Extend<f64> for Quantiles {
    fn extend<I: IntoIterator<Item = f64>>(&mut self, values: I) {
        values.into_iter().for_each(|value| self.insert(value));
    }
}
