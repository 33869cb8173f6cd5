//! How good an output is: the loss of one row, and scores that add up over rows and merge.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::value::{Output, Value};

/// Probabilities are clipped here before the logarithm, as the peers' protocol does.
pub const PROBABILITY_FLOOR: f64 = 1e-6;

/// A figure of merit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Share of rows whose most probable class is the true one.
    Accuracy,
    /// Mean over classes of the share of their rows that were recognised.
    BalancedAccuracy,
    /// Mean negative logarithm of the probability of the true class, in nats.
    LogLoss,
    /// Mean absolute error, in the target's unit.
    Mae,
    /// Root of the mean squared error, in the target's unit.
    Rmse,
    /// Coefficient of determination.
    R2,
}

impl Metric {
    /// The name used in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::BalancedAccuracy => "balanced_accuracy",
            Self::LogLoss => "log_loss",
            Self::Mae => "mae",
            Self::Rmse => "rmse",
            Self::R2 => "r2",
        }
    }

    /// Whether a greater value is a better one.
    #[must_use]
    pub fn higher_is_better(self) -> bool {
        match self {
            Self::Accuracy | Self::BalancedAccuracy | Self::R2 => true,
            Self::LogLoss | Self::Mae | Self::Rmse => false,
        }
    }

    /// Whether it is meant for numeric targets.
    #[must_use]
    pub fn is_for_numbers(self) -> bool {
        matches!(self, Self::Mae | Self::Rmse | Self::R2)
    }

    /// The loss of one row whose mean over rows this metric stands for.
    #[must_use]
    pub fn loss(self) -> Loss {
        match self {
            Self::Accuracy | Self::BalancedAccuracy => Loss::ZeroOne,
            Self::LogLoss => Loss::Log,
            Self::Mae => Loss::Absolute,
            Self::Rmse | Self::R2 => Loss::Squared,
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A loss of one row; smaller is better, 0 is perfect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// 0 for the true class, 1 for another.
    ZeroOne,
    /// Negative logarithm of the probability of the true class, at most -ln(1e-6).
    Log,
    /// Absolute error.
    Absolute,
    /// Squared error.
    Squared,
}

impl Loss {
    /// The loss of `output` where `truth` was right; `None` where the two are of different kinds.
    #[must_use]
    pub fn of(self, output: &Output, truth: &Value) -> Option<f64> {
        match (self, output, truth) {
            (Self::ZeroOne, Output::Classes(_), Value::Text(class)) => {
                Some(f64::from(output.point().text() != Some(class)))
            }
            (Self::Log, Output::Classes(_), Value::Text(class)) => {
                let p = output.probability(class)?;
                Some(-p.clamp(PROBABILITY_FLOOR, 1.0).ln())
            }
            (Self::Absolute, Output::Number(y), Value::Number(t)) => Some((y - t).abs()),
            (Self::Squared, Output::Number(y), Value::Number(t)) => Some((y - t).powi(2)),
            _ => None,
        }
    }
}

/// Sums from which every [`Metric`] follows; sums of disjoint rows merge by addition.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// Rows scored.
    pub rows: u64,
    /// Rows whose class was recognised.
    pub correct: u64,
    /// Sum of log losses.
    pub log_loss: f64,
    /// Sum of absolute errors.
    pub absolute: f64,
    /// Sum of squared errors.
    pub squared: f64,
    /// Sum of true numbers.
    pub truth: f64,
    /// Sum of squares of true numbers.
    pub truth_squared: f64,
    /// Per class: rows, and how many of them were recognised.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub classes: BTreeMap<String, (u64, u64)>,
}

impl Scores {
    /// Adds a row; a row whose output and truth are of different kinds is left out and `false` is returned.
    pub fn add(&mut self, output: &Output, truth: &Value) -> bool {
        match (output, truth) {
            (Output::Classes(_), Value::Text(class)) => {
                let hit = output.point().text() == Some(class.as_str());
                self.rows += 1;
                self.correct += u64::from(hit);
                self.log_loss += Loss::Log.of(output, truth).unwrap_or(0.0);
                let tally = self.classes.entry(class.clone()).or_default();
                tally.0 += 1;
                tally.1 += u64::from(hit);
                true
            }
            (Output::Number(y), Value::Number(t)) => {
                self.rows += 1;
                self.absolute += (y - t).abs();
                self.squared += (y - t).powi(2);
                self.truth += t;
                self.truth_squared += t * t;
                true
            }
            _ => false,
        }
    }

    /// Adds the sums of other rows.
    pub fn merge(&mut self, other: &Self) {
        self.rows += other.rows;
        self.correct += other.correct;
        self.log_loss += other.log_loss;
        self.absolute += other.absolute;
        self.squared += other.squared;
        self.truth += other.truth;
        self.truth_squared += other.truth_squared;
        for (class, tally) in &other.classes {
            let mine = self.classes.entry(class.clone()).or_default();
            mine.0 += tally.0;
            mine.1 += tally.1;
        }
    }

    /// The value of a metric; `None` without rows, or where the metric does not fit the target.
    #[must_use]
    pub fn get(&self, metric: Metric) -> Option<f64> {
        if self.rows == 0 || metric.is_for_numbers() != self.classes.is_empty() {
            return None;
        }
        let n = self.rows as f64;
        match metric {
            Metric::Accuracy => Some(self.correct as f64 / n),
            Metric::BalancedAccuracy => {
                let recalls = self.classes.values().map(|(rows, hits)| *hits as f64 / *rows as f64);
                Some(recalls.sum::<f64>() / self.classes.len() as f64)
            }
            Metric::LogLoss => Some(self.log_loss / n),
            Metric::Mae => Some(self.absolute / n),
            Metric::Rmse => Some((self.squared / n).sqrt()),
            Metric::R2 => {
                let spread = self.truth_squared - self.truth * self.truth / n;
                (spread > 0.0).then(|| 1.0 - self.squared / spread)
            }
        }
    }

    /// Every metric that fits, by name.
    #[must_use]
    pub fn all(&self) -> BTreeMap<String, f64> {
        use Metric::{Accuracy, BalancedAccuracy, LogLoss, Mae, R2, Rmse};
        [Accuracy, BalancedAccuracy, LogLoss, Mae, Rmse, R2]
            .into_iter()
            .filter_map(|m| Some((m.name().to_owned(), self.get(m)?)))
            .collect()
    }
}

/// The area under the ROC curve of scores for a yes-or-no truth, ties counted half (Mann-Whitney); `None` with one class.
#[must_use]
pub fn roc_auc(rows: &[(f64, bool)]) -> Option<f64> {
    let mut sorted: Vec<_> = rows.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let positives = sorted.iter().filter(|r| r.1).count() as f64;
    let negatives = sorted.len() as f64 - positives;
    if positives == 0.0 || negatives == 0.0 {
        return None;
    }
    let (mut rank_sum, mut start) = (0.0, 0);
    while start < sorted.len() {
        let end = start + sorted[start..].iter().take_while(|r| r.0 == sorted[start].0).count();
        let mean_rank = (start + 1 + end) as f64 / 2.0;
        rank_sum += mean_rank * sorted[start..end].iter().filter(|r| r.1).count() as f64;
        start = end;
    }
    Some((rank_sum - positives * (positives + 1.0) / 2.0) / (positives * negatives))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binary(p: f64) -> Output {
        Output::Classes(vec![("0".into(), 1.0 - p), ("1".into(), p)])
    }

    #[test]
    fn classification_scores() {
        let mut scores = Scores::default();
        for (p, truth) in [(0.9, "1"), (0.2, "0"), (0.4, "1"), (0.1, "0")] {
            assert!(scores.add(&binary(p), &Value::Text(truth.into())));
        }
        assert_eq!(scores.get(Metric::Accuracy), Some(0.75));
        assert_eq!(scores.get(Metric::BalancedAccuracy), Some(0.75));
        let expected = -(0.9_f64.ln() + 0.8_f64.ln() + 0.4_f64.ln() + 0.9_f64.ln()) / 4.0;
        assert!((scores.get(Metric::LogLoss).unwrap_or_default() - expected).abs() < 1e-12);
        assert_eq!(scores.get(Metric::Mae), None);
    }

    #[test]
    fn regression_scores() {
        let mut scores = Scores::default();
        for (y, t) in [(1.0, 2.0), (2.0, 2.0), (5.0, 4.0)] {
            assert!(scores.add(&Output::Number(y), &Value::Number(t)));
        }
        assert!((scores.get(Metric::Mae).unwrap_or_default() - 2.0 / 3.0).abs() < 1e-12);
        // spread of the truth is 8/3, squared error 2
        assert!((scores.get(Metric::R2).unwrap_or_default() - 0.25).abs() < 1e-12);
    }

    #[test]
    fn merging_is_adding() {
        let rows = [(0.9, "1"), (0.2, "0"), (0.4, "1")];
        let (mut left, mut right, mut whole) = (Scores::default(), Scores::default(), Scores::default());
        for (i, (p, t)) in rows.iter().enumerate() {
            let truth = Value::Text((*t).into());
            whole.add(&binary(*p), &truth);
            if i % 2 == 0 {
                left.add(&binary(*p), &truth)
            } else {
                right.add(&binary(*p), &truth)
            };
        }
        left.merge(&right);
        assert_eq!(left.get(Metric::Accuracy), whole.get(Metric::Accuracy));
    }

    #[test]
    fn auc_counts_ties_half() {
        assert_eq!(roc_auc(&[(0.1, false), (0.4, false), (0.35, true), (0.8, true)]), Some(0.75));
        assert_eq!(roc_auc(&[(0.5, false), (0.5, true)]), Some(0.5));
        assert_eq!(roc_auc(&[(0.5, true)]), None);
    }
}
