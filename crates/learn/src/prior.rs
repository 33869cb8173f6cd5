//! The baseline: class frequencies, or the mean. It must not look at features.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tidemill_domain::{Output, Schema, Value};

/// What a target looks like before anything is known of a row; any first model must beat it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Prior {
    /// How often each class was seen.
    Classes {
        /// Rows by class.
        counts: BTreeMap<String, u64>,
    },
    /// The mean of the numbers seen.
    Mean {
        /// How many numbers.
        rows: u64,
        /// Their mean, in the target's unit.
        mean: f64,
    },
}

impl Prior {
    /// The prior of a schema's target, before any label.
    #[must_use]
    pub fn new(schema: &Schema) -> Self {
        if schema.is_regression() {
            Self::Mean { rows: 0, mean: 0.0 }
        } else {
            Self::Classes { counts: BTreeMap::new() }
        }
    }

    /// Takes a label into account; a label of the wrong type is ignored.
    pub fn observe(&mut self, label: &Value) {
        match (self, label) {
            (Self::Classes { counts }, Value::Text(class)) => *counts.entry(class.clone()).or_default() += 1,
            (Self::Mean { rows, mean }, Value::Number(y)) if y.is_finite() => {
                *rows += 1;
                let n = *rows as f64;
                // Divided before it is subtracted, so that huge labels do not overflow.
                *mean += y / n - *mean / n;
            }
            _ => {}
        }
    }

    /// Labels seen.
    #[must_use]
    pub fn rows(&self) -> u64 {
        match self {
            Self::Classes { counts } => counts.values().sum(),
            Self::Mean { rows, .. } => *rows,
        }
    }

    /// The frequencies of the classes, in order of their names, or the mean. Without labels no classes, or 0.
    #[must_use]
    pub fn predict(&self) -> Output {
        match self {
            Self::Mean { mean, .. } => Output::Number(*mean),
            Self::Classes { counts } => {
                let total = counts.values().sum::<u64>() as f64;
                Output::Classes(counts.iter().map(|(class, n)| (class.clone(), *n as f64 / total)).collect())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequencies_and_mean() {
        let mut classes = Prior::Classes { counts: BTreeMap::new() };
        assert_eq!(classes.predict(), Output::Classes(vec![]));
        for class in ["b", "a", "b", "b"] {
            classes.observe(&Value::Text(class.into()));
        }
        classes.observe(&Value::Number(1.0));
        assert_eq!(classes.predict(), Output::Classes(vec![("a".into(), 0.25), ("b".into(), 0.75)]));

        let mut mean = Prior::Mean { rows: 0, mean: 0.0 };
        assert_eq!(mean.predict(), Output::Number(0.0));
        for y in [1.0, 2.0, 6.0] {
            mean.observe(&Value::Number(y));
        }
        assert!(matches!(mean.predict(), Output::Number(m) if (m - 3.0).abs() < 1e-12));
        assert_eq!(mean.rows(), 3);
    }

    #[test]
    fn huge_labels_stay_finite() {
        let mut mean = Prior::Mean { rows: 0, mean: 0.0 };
        for y in [1.7e308, -1.7e308, 1.7e308] {
            mean.observe(&Value::Number(y));
        }
        assert!(matches!(mean.predict(), Output::Number(m) if m.is_finite()));
    }
}
