//! Rows for trees: numbers as they are, categories by their rank, NaN for missing.
//!
//! A category's rank is its place when categories are ordered by the mean target of their rows: for one split of a tree on
//! squared or log loss that order loses nothing (Fisher 1958, On grouping for maximum homogeneity).

use serde::{Deserialize, Serialize};
use tidemill_domain::{FeatureKind, Schema, Value};

use super::{category, finite, frequent, sorted};
use crate::fit::TrainRow;
use crate::validate;

/// Numbers are clipped here, so that every one has a bin below the greatest float.
const LIMIT: f64 = 1e300;
/// Categories with a rank of their own; the rarer ones count as missing.
const MOST_LEVELS: usize = 200;
/// So many rows of the overall mean are added to each category: one row says little.
const DOUBT: f64 = 10.0;

/// The fitted preprocessing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Codes {
    columns: Vec<Column>,
}

/// What one feature becomes. A feature that never varied becomes nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum Column {
    /// The number, clipped.
    Number { feature: usize },
    /// The rank of the category; levels are sorted by name and ranks stand beside them.
    Category { feature: usize, levels: Vec<String>, ranks: Vec<f64> },
}

impl Codes {
    /// Learns the columns from training rows; `y` is a number that stands for each row's target.
    pub(crate) fn learn(schema: &Schema, rows: &[TrainRow<'_>], y: &[f64]) -> Self {
        let mut columns = Vec::new();
        for (feature, f) in schema.features.iter().enumerate() {
            let cells = rows.iter().filter_map(|r| r.features.get(feature));
            match f.kind {
                FeatureKind::Numeric { .. } => {
                    let mut all = cells.map(finite);
                    let first = all.next().flatten();
                    if all.any(|x| x != first) {
                        columns.push(Column::Number { feature });
                    }
                }
                FeatureKind::Categorical { .. } => {
                    let levels = frequent(cells.clone().filter_map(category), MOST_LEVELS);
                    let constant = levels.len() == 1 && cells.clone().all(|c| category(c).is_some());
                    if !levels.is_empty() && !constant {
                        let ranks = ranks(&levels, cells.map(category), y);
                        columns.push(Column::Category { feature, levels, ranks });
                    }
                }
            }
        }
        Self { columns }
    }

    /// How many numbers a row becomes.
    pub(crate) fn width(&self) -> usize {
        self.columns.len()
    }

    /// Appends the row to `out`; cells that are absent or of the wrong type count as missing.
    pub(crate) fn encode(&self, cells: &[Value], out: &mut Vec<f64>) {
        for column in &self.columns {
            out.push(match column {
                Column::Number { feature } => {
                    // Adding 0 turns -0 into 0: the two must fall into one bin.
                    cells.get(*feature).and_then(finite).map_or(f64::NAN, |x| x.clamp(-LIMIT, LIMIT) + 0.0)
                }
                Column::Category { feature, levels, ranks } => {
                    let name = cells.get(*feature).and_then(category);
                    let at = name.and_then(|n| levels.binary_search_by(|l| l.as_str().cmp(&n)).ok());
                    at.and_then(|i| ranks.get(i)).copied().unwrap_or(f64::NAN)
                }
            });
        }
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        let fits = self.columns.iter().all(|c| match c {
            Column::Number { .. } => true,
            Column::Category { levels, ranks, .. } => {
                let finite = validate::finite(ranks.iter().copied()).is_ok();
                levels.len() <= MOST_LEVELS && levels.len() == ranks.len() && sorted(levels) && finite
            }
        });
        if fits { Ok(()) } else { Err("a coded column is impossible".to_owned()) }
    }
}

/// The rank of each level by the mean of `y` over its rows; among equals the names decide.
fn ranks<'a>(
    levels: &[String],
    names: impl Iterator<Item = Option<std::borrow::Cow<'a, str>>>,
    y: &[f64],
) -> Vec<f64> {
    let mean = y.iter().sum::<f64>() / y.len() as f64;
    let mut sums = vec![(mean * DOUBT, DOUBT); levels.len()];
    for (name, y) in names.zip(y) {
        let Some(at) = name.and_then(|n| levels.binary_search_by(|l| l.as_str().cmp(&n)).ok()) else {
            continue;
        };
        sums[at].0 += y;
        sums[at].1 += 1.0;
    }
    let means: Vec<f64> = sums.iter().map(|(sum, n)| sum / n).collect();
    let mut order: Vec<usize> = (0..levels.len()).collect();
    order.sort_by(|a, b| means[*a].total_cmp(&means[*b]));
    let mut ranks = vec![0.0; levels.len()];
    order.iter().enumerate().for_each(|(rank, level)| ranks[*level] = rank as f64);
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::{numeric, schema, text};

    #[test]
    fn codes_of_a_mixed_schema() {
        let schema = schema(&["x", "constant"], &["c"], false);
        let target = text("a");
        let colour = |i: i32| text(["red", "green", "blue"][i as usize % 3]);
        let cells: Vec<Vec<Value>> =
            (0..6).map(|i| vec![numeric(f64::from(i)), numeric(1.0), colour(i)]).collect();
        let rows: Vec<TrainRow<'_>> =
            cells.iter().map(|features| TrainRow { features, target: &target, weight: 1.0 }).collect();
        // Red rows have the greatest targets, green ones the least.
        let codes = Codes::learn(&schema, &rows, &[3.0, 1.0, 2.0, 3.0, 1.0, 2.0]);
        assert_eq!(codes.width(), 2);
        let encode = |cells: &[Value]| {
            let mut out = Vec::new();
            codes.encode(cells, &mut out);
            out
        };
        assert_eq!(encode(&cells[0]), vec![0.0, 2.0]);
        assert_eq!(encode(&cells[1]), vec![1.0, 0.0]);
        assert_eq!(encode(&[numeric(-1.7e308)])[0], -LIMIT);
        assert!(encode(&[text("wrong"), Value::Missing, text("pink")]).iter().all(|x| x.is_nan()));
    }
}
