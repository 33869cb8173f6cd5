//! The types of columns, from their values: what `init` writes into a loop file and a backtest without one assumes.

use crate::schema::{Feature, FeatureKind, Schema, Target, TargetKind};
use crate::value::Value;

/// A column of whole numbers with at most so many different values is taken as classes when it is the target.
const MAX_NUMERIC_CLASSES: usize = 64;
/// A numeric target is taken as classes only if each value is repeated so often on average.
const MIN_ROWS_PER_CLASS: usize = 20;

/// The schema of rows whose last column is the target: numeric where every value that is there is a number, otherwise
/// categorical. Only types are inferred, never ranges, categories or classes: what was not seen yet is not wrong.
#[must_use]
pub fn infer(names: &[String], rows: &[Vec<Value>]) -> Schema {
    let n_features = names.len().saturating_sub(1);
    let feature = |(i, name): (usize, &String)| {
        let kind = if is_numeric(rows, i) {
            FeatureKind::Numeric { min: None, max: None }
        } else {
            FeatureKind::Categorical { values: None }
        };
        Feature { name: name.clone(), kind, required: false }
    };
    let kind = if is_numeric(rows, n_features) && !has_classes(rows, n_features) {
        TargetKind::Numeric
    } else {
        TargetKind::Categorical { classes: None }
    };
    Schema {
        features: names[..n_features].iter().enumerate().map(feature).collect(),
        target: Target { name: names.last().cloned().unwrap_or_default(), kind },
        entity: None,
        slices: Vec::new(),
    }
}

fn is_numeric(rows: &[Vec<Value>], column: usize) -> bool {
    let mut some = false;
    for value in rows.iter().filter_map(|r| r.get(column)) {
        match value {
            Value::Text(_) => return false,
            Value::Number(_) => some = true,
            Value::Missing => {}
        }
    }
    some
}

/// Whether a numeric target names classes: few different whole numbers, each seen many times.
fn has_classes(rows: &[Vec<Value>], column: usize) -> bool {
    let mut seen = std::collections::BTreeSet::new();
    let mut n_values = 0;
    for x in rows.iter().filter_map(|r| r.get(column)?.number()) {
        if x.fract() != 0.0 {
            return false;
        }
        seen.insert(x.to_bits());
        n_values += 1;
        if seen.len() > MAX_NUMERIC_CLASSES {
            return false;
        }
    }
    seen.len() <= 2 || n_values >= seen.len() * MIN_ROWS_PER_CLASS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(target: impl Fn(usize) -> Value, n: usize) -> Vec<Vec<Value>> {
        (0..n).map(|i| vec![Value::Number(0.5), Value::Text("a".into()), target(i)]).collect()
    }

    fn kind(target: impl Fn(usize) -> Value, n: usize) -> TargetKind {
        infer(&["x".into(), "c".into(), "y".into()], &rows(target, n)).target.kind
    }

    #[test]
    fn targets() {
        let classes = TargetKind::Categorical { classes: None };
        assert_eq!(kind(|i| Value::Number((i % 2) as f64), 10), classes);
        assert_eq!(kind(|i| Value::Number((i % 40) as f64), 4_000), classes);
        assert_eq!(kind(|_| Value::Text("x".into()), 3), classes);
        assert_eq!(kind(|i| Value::Number(i as f64), 4_000), TargetKind::Numeric);
        assert_eq!(kind(|i| Value::Number(i as f64 / 3.0), 10), TargetKind::Numeric);
    }

    #[test]
    fn features() {
        let schema = infer(&["x".into(), "c".into(), "y".into()], &rows(|_| Value::Number(1.0), 2));
        assert_eq!(schema.features[0].kind, FeatureKind::Numeric { min: None, max: None });
        assert_eq!(schema.features[1].kind, FeatureKind::Categorical { values: None });
    }
}
