//! Targets as learners want them: class numbers, or numbers in a unit of their own. It must not look at features.

use serde::{Deserialize, Serialize};
use tidemill_domain::schema::describe;
use tidemill_domain::{Schema, Value};

use crate::error::FitError;
use crate::fit::TrainRow;

/// The targets of the training rows.
pub(crate) enum Targets {
    /// The position of each row's class among the sorted names.
    Classes { names: Vec<String>, of_row: Vec<usize> },
    /// Each row's number in standard deviations from the mean.
    Numbers { unit: Unit, z: Vec<f64> },
}

/// The unit in which numeric targets are learnt, and the limits of what is answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Unit {
    /// The mean of the training targets, as a share of `scale`.
    pub(crate) center: f64,
    /// The most that is answered, as a share of `scale`.
    pub(crate) high: f64,
    /// The least that is answered, as a share of `scale`.
    pub(crate) low: f64,
    /// The greatest absolute training target; shares of it cannot overflow.
    pub(crate) scale: f64,
    /// The standard deviation, as a share of `scale`; 0 for a constant target.
    pub(crate) spread: f64,
}

impl Unit {
    /// Answers reach beyond the training range by half of it: a straight line far outside would be absurd.
    const REACH: f64 = 0.5;

    fn of(numbers: &[f64]) -> Self {
        let scale = numbers.iter().fold(0.0_f64, |m, y| m.max(y.abs()));
        if scale == 0.0 {
            return Self { center: 0.0, high: 0.0, low: 0.0, scale: 0.0, spread: 0.0 };
        }
        let n = numbers.len() as f64;
        let center = numbers.iter().map(|y| y / scale).sum::<f64>() / n;
        let variance = numbers.iter().map(|y| (y / scale - center).powi(2)).sum::<f64>() / n;
        let (low, high) =
            numbers.iter().fold((1.0_f64, -1.0_f64), |(l, h), y| (l.min(y / scale), h.max(y / scale)));
        let reach = Self::REACH * (high - low);
        // Below rounding noise a target is constant.
        let spread = if high - low <= 1e-12 { 0.0 } else { variance.sqrt() };
        Self { center, high: high + reach, low: low - reach, scale, spread }
    }

    fn z_of(&self, y: f64) -> f64 {
        if self.spread == 0.0 { 0.0 } else { (y / self.scale - self.center) / self.spread }
    }

    /// The number that stands `z` standard deviations from the mean, within the limits; always finite.
    pub(crate) fn number_at(&self, z: f64) -> f64 {
        let share = (self.center + self.spread * z).clamp(self.low, self.high);
        let share = if share.is_nan() { self.center } else { share };
        (share * self.scale).clamp(f64::MIN, f64::MAX)
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        let numbers = [self.center, self.high, self.low, self.scale, self.spread];
        if numbers.iter().all(|x| x.is_finite())
            && self.low <= self.high
            && self.scale >= 0.0
            && self.spread >= 0.0
        {
            Ok(())
        } else {
            Err("the unit of the target is impossible".to_owned())
        }
    }
}

impl Targets {
    /// Reads the targets of `rows`.
    ///
    /// # Errors
    /// [`FitError::WrongTarget`] at the first one that the schema does not allow.
    pub(crate) fn read(schema: &Schema, rows: &[TrainRow<'_>]) -> Result<Self, FitError> {
        if schema.is_regression() {
            let mut numbers = Vec::with_capacity(rows.len());
            for (row, r) in rows.iter().enumerate() {
                match r.target {
                    Value::Number(y) if y.is_finite() => numbers.push(*y),
                    other => return Err(wrong(row, other, "a finite number")),
                }
            }
            let unit = Unit::of(&numbers);
            let z = numbers.iter().map(|y| unit.z_of(*y)).collect();
            return Ok(Self::Numbers { unit, z });
        }
        let mut names = Vec::new();
        for (row, r) in rows.iter().enumerate() {
            match r.target {
                Value::Text(class) => names.push(class.clone()),
                other => return Err(wrong(row, other, "the name of a class")),
            }
        }
        let texts = names.clone();
        names.sort_unstable();
        names.dedup();
        let of_row = texts.iter().map(|t| names.binary_search(t).unwrap_or_default()).collect();
        Ok(Self::Classes { names, of_row })
    }
}

fn wrong(row: usize, found: &Value, expected: &'static str) -> FitError {
    FitError::WrongTarget { row, found: describe(found), expected }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_go_there_and_back() {
        let unit = Unit::of(&[10.0, 20.0, 30.0]);
        assert!((unit.number_at(unit.z_of(25.0)) - 25.0).abs() < 1e-12);
        assert!((unit.number_at(1e9) - 40.0).abs() < 1e-9);
        assert!(unit.number_at(f64::NEG_INFINITY).abs() < 1e-9);
        assert_eq!(unit.number_at(f64::NAN), 20.0);
    }

    #[test]
    fn constant_and_huge_targets() {
        assert_eq!(Unit::of(&[7.0, 7.0]).number_at(3.0), 7.0);
        assert_eq!(Unit::of(&[0.0]).number_at(3.0), 0.0);
        let huge = Unit::of(&[1.7e308, -1.7e308]);
        assert!(huge.number_at(5.0).is_finite());
        assert!(huge.check().is_ok());
    }
}
