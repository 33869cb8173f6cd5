//! Whether a model's losses rose since it began to answer. It must not know why, nor what comes of it.
//!
//! The baseline is what the model showed at first on rows that nobody had seen: its first windows as the watched model,
//! not its test result, which belongs to other rows. Welch's test says whether a later mean is higher by more than chance,
//! and a least relative rise keeps long windows from making a fuss about little.

use serde::{Deserialize, Serialize};
use tidemill_stats::sketch::Moments;
use tidemill_stats::two_sample::mean_difference;

/// The baseline is made of this many windows.
const WINDOWS: u32 = 2;

/// Means of fewer losses are not compared: losses are far from normal.
const MIN_ROWS: u64 = 30;

/// The least rise that matters, relative to the baseline.
const MIN_RISE: f64 = 0.1;

/// The losses that are compared with.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Baseline {
    losses: Moments,
    windows: u32,
}

/// A window beside the baseline.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Comparison {
    pub(crate) loss: f64,
    pub(crate) baseline: f64,
    pub(crate) baseline_rows: u64,
    /// One-sided: of a mean as high as this if nothing rose.
    pub(crate) p_value: f64,
    pub(crate) is_bad: bool,
}

impl Baseline {
    /// Takes the losses of the next window; `None` where there is no verdict. The first windows become the baseline, the
    /// later of them only if they are calm, or a decay that sets in at once would be taken for normal.
    pub(crate) fn fold(&mut self, losses: &Moments, alpha: f64) -> Option<Comparison> {
        let compared = self.compare(losses, alpha);
        let is_calm = compared.as_ref().is_none_or(|c| !c.is_bad);
        if is_calm && (self.windows < WINDOWS || self.losses.count() < MIN_ROWS) {
            self.losses.merge(losses);
            self.windows += 1;
        }
        compared
    }

    fn compare(&self, losses: &Moments, alpha: f64) -> Option<Comparison> {
        if self.losses.count().min(losses.count()) < MIN_ROWS {
            return None;
        }
        let (loss, baseline) = (losses.mean()?, self.losses.mean()?);
        // Where neither side varies there is nothing to test: equal means are calm, others differ for certain.
        let p_value = match mean_difference(losses, &self.losses) {
            Some(test) if test.difference > 0.0 => test.p_value / 2.0,
            Some(test) => 1.0 - test.p_value / 2.0,
            None if loss > baseline => 0.0,
            None => 1.0,
        };
        let is_bad = p_value < alpha && loss - baseline >= MIN_RISE * baseline.abs();
        Some(Comparison { loss, baseline, baseline_rows: self.losses.count(), p_value, is_bad })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Losses of 0 and 1, one in `every` of them 1.
    fn window(rows: u32, every: u32) -> Moments {
        (0..rows).map(|i| f64::from(u8::from(i % every == 0))).collect()
    }

    #[test]
    fn the_first_windows_are_the_measure_of_later_ones() {
        let mut baseline = Baseline::default();
        let verdicts: Vec<_> = [window(400, 5), window(400, 5), window(400, 5), window(400, 3)]
            .iter()
            .map(|losses| baseline.fold(losses, 0.001).map(|c| (c.baseline_rows, c.is_bad)))
            .collect();
        assert_eq!(verdicts, [None, Some((400, false)), Some((800, false)), Some((800, true))]);
    }

    #[test]
    fn decay_in_the_second_window_is_not_taken_for_normal() {
        let mut baseline = Baseline::default();
        baseline.fold(&window(400, 5), 0.001);
        for _ in 0..3 {
            assert_eq!(
                baseline.fold(&window(400, 2), 0.001).map(|c| (c.baseline_rows, c.is_bad)),
                Some((400, true))
            );
        }
    }

    #[test]
    fn a_sure_but_small_rise_is_calm() {
        let mut baseline = Baseline::default();
        baseline.fold(&window(400_000, 20), 0.001);
        let compared = baseline.fold(&window(400_000, 19), 0.001);
        assert!(compared.is_some_and(|c| c.p_value < 0.001 && !c.is_bad));
    }

    #[test]
    fn few_rows_have_no_verdict() {
        let mut baseline = Baseline::default();
        assert_eq!(baseline.fold(&window(29, 5), 0.001), None);
        assert_eq!(baseline.fold(&window(29, 5), 0.001), None);
        assert!(baseline.fold(&window(30, 5), 0.001).is_some());
    }
}
