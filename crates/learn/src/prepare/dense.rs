//! Rows as dense vectors for linear models and networks: standardised numbers with missing indicators, one-hot categories.

use serde::{Deserialize, Serialize};
use tidemill_domain::{FeatureKind, Schema, Value};

use super::spread::{Spread, spread};
use super::{category, finite, frequent, sorted};
use crate::fit::TrainRow;

/// Standardised numbers are clipped here, so that one absurd value cannot carry an answer away.
const LIMIT: f64 = 8.0;
/// Categories with a column of their own; the rarer ones share one.
const MOST_LEVELS: usize = 50;

/// The fitted preprocessing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Dense {
    columns: Vec<Column>,
}

/// What one feature becomes. A feature that never varied becomes nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum Column {
    /// (x - center) / scale, clipped; a missing x is the median.
    Number { center: f64, feature: usize, median: f64, scale: f64 },
    /// 1 where the number is missing.
    Missing { feature: usize },
    /// 1 in the column of its category; the last column is for every other category and for none.
    Category { feature: usize, levels: Vec<String> },
}

impl Column {
    fn width(&self) -> usize {
        match self {
            Self::Number { .. } | Self::Missing { .. } => 1,
            Self::Category { levels, .. } => levels.len() + 1,
        }
    }
}

impl Dense {
    /// Learns the columns from training rows.
    pub(crate) fn learn(schema: &Schema, rows: &[TrainRow<'_>]) -> Self {
        let mut columns = Vec::new();
        for (feature, f) in schema.features.iter().enumerate() {
            let cells = rows.iter().filter_map(|r| r.features.get(feature));
            match f.kind {
                FeatureKind::Numeric { .. } => {
                    let values: Vec<f64> = cells.filter_map(finite).collect();
                    let known = values.len();
                    if let Some(Spread { center, median, scale }) = spread(values) {
                        columns.push(Column::Number { center, feature, median, scale });
                    }
                    if 0 < known && known < rows.len() {
                        columns.push(Column::Missing { feature });
                    }
                }
                FeatureKind::Categorical { .. } => {
                    let levels = frequent(cells.filter_map(category), MOST_LEVELS);
                    if !levels.is_empty() {
                        columns.push(Column::Category { feature, levels });
                    }
                }
            }
        }
        Self { columns }
    }

    /// How many numbers a row becomes.
    pub(crate) fn width(&self) -> usize {
        self.columns.iter().map(Column::width).sum()
    }

    /// The positions of standardised numbers in the dense row.
    pub(crate) fn numbers(&self) -> Vec<usize> {
        let mut at = 0;
        let mut found = Vec::new();
        for column in &self.columns {
            if matches!(column, Column::Number { .. }) {
                found.push(at);
            }
            at += column.width();
        }
        found
    }

    /// Appends the dense row to `out`; cells that are absent or of the wrong type count as missing.
    pub(crate) fn encode(&self, cells: &[Value], out: &mut Vec<f64>) {
        for column in &self.columns {
            match column {
                Column::Number { center, feature, median, scale } => {
                    let x = cells.get(*feature).and_then(finite).unwrap_or(*median);
                    out.push(((x - center) / scale).clamp(-LIMIT, LIMIT));
                }
                Column::Missing { feature } => {
                    out.push(f64::from(cells.get(*feature).and_then(finite).is_none()));
                }
                Column::Category { feature, levels } => {
                    let start = out.len();
                    out.resize(start + levels.len() + 1, 0.0);
                    let name = cells.get(*feature).and_then(category);
                    let at = name.and_then(|n| levels.binary_search_by(|l| l.as_str().cmp(&n)).ok());
                    out[start + at.unwrap_or(levels.len())] = 1.0;
                }
            }
        }
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        for column in &self.columns {
            let fits = match column {
                Column::Number { center, median, scale, .. } => {
                    center.is_finite() && median.is_finite() && scale.is_finite() && *scale > 0.0
                }
                Column::Missing { .. } => true,
                Column::Category { levels, .. } => levels.len() <= MOST_LEVELS && sorted(levels),
            };
            if !fits {
                return Err("a dense column is impossible".to_owned());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::{numeric, schema, text};

    #[test]
    fn columns_of_a_mixed_schema() {
        let schema = schema(&["x", "constant", "empty"], &["c"], false);
        let target = text("a");
        let cells: Vec<Vec<Value>> = (0..4)
            .map(|i| {
                let x = if i == 3 { Value::Missing } else { numeric(f64::from(i)) };
                vec![x, numeric(1.0), Value::Missing, text(if i < 2 { "red" } else { "blue" })]
            })
            .collect();
        let rows: Vec<TrainRow<'_>> =
            cells.iter().map(|features| TrainRow { features, target: &target, weight: 1.0 }).collect();
        let dense = Dense::learn(&schema, &rows);
        // x, x missing, blue, red, other
        assert_eq!(dense.width(), 5);
        assert_eq!(dense.numbers(), vec![0]);
        let encode = |cells: &[Value]| {
            let mut out = Vec::new();
            dense.encode(cells, &mut out);
            out
        };
        assert_eq!(encode(&cells[1]), vec![0.0, 0.0, 0.0, 1.0, 0.0]);
        assert_eq!(
            encode(&[text("wrong"), numeric(1.0), numeric(2.0), text("green")]),
            vec![0.0, 1.0, 0.0, 0.0, 1.0]
        );
        assert_eq!(encode(&[numeric(1e308)])[0], LIMIT);
        assert_eq!(encode(&[]).len(), 5);
    }
}
