//! Welch's t-test: do two samples with spreads of their own have one mean?

use serde::{Deserialize, Serialize};
use statrs::function::beta::beta_reg;

use crate::sketch::Moments;

/// Outcome of Welch's t-test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeanDifference {
    /// Mean of the first sample less mean of the second, in their unit.
    pub difference: f64,
    /// The difference in standard errors.
    pub statistic: f64,
    /// Degrees of freedom by Welch and Satterthwaite.
    pub dof: f64,
    /// Two-sided.
    pub p_value: f64,
}

/// Tests the difference of two means from their moments.
///
/// As `scipy.stats.ttest_ind(a, b, equal_var=False)`. `None` if a sample has fewer than two values or neither varies.
#[must_use]
pub fn mean_difference(a: &Moments, b: &Moments) -> Option<MeanDifference> {
    let (n1, n2) = (a.count() as f64, b.count() as f64);
    let (share1, share2) = (a.variance()? / n1, b.variance()? / n2);
    let squared_error = share1 + share2;
    if squared_error <= 0.0 {
        return None;
    }
    let difference = a.mean()? - b.mean()?;
    let statistic = difference / squared_error.sqrt();
    // As shares of their sum: the squares of tiny variances would underflow.
    let (w1, w2) = (share1 / squared_error, share2 / squared_error);
    let dof = 1.0 / (w1 * w1 / (n1 - 1.0) + w2 * w2 / (n2 - 1.0));
    let p_value = beta_reg(dof / 2.0, 0.5, dof / (dof + statistic * statistic)).clamp(0.0, 1.0);
    Some(MeanDifference { difference, statistic, dof, p_value })
}
