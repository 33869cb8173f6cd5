//! Bends in straight lines: hinges, squares and products of the standardised numbers of a dense row.
//!
//! Hinges at quantiles make an additive piecewise linear model of a linear one (Friedman 1991, Multivariate adaptive
//! regression splines, without the forward selection); squares and products let features act together.

use serde::{Deserialize, Serialize};

/// Factors of products are clipped here: far outside the training range a parabola knows nothing.
const LIMIT: f64 = 4.0;
/// Beyond so many numeric columns only squares are added: products would grow with the square of the columns.
const MOST_FOR_PRODUCTS: usize = 16;
/// Beyond so many numeric columns nothing is added.
const MOST: usize = 200;

/// What is appended to a dense row.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Basis {
    /// Columns with the places of their hinges.
    hinges: Vec<(usize, Vec<f64>)>,
    /// Pairs of columns to multiply; a column with itself is its square.
    products: Vec<(usize, usize)>,
}

impl Basis {
    /// Chooses the additions for rows of `width` numbers of which `numbers` are standardised.
    ///
    /// `knots` hinges per column lie at equally spaced quantiles; `degree` 2 adds squares and products.
    pub(crate) fn learn(rows: &[f64], width: usize, numbers: &[usize], degree: u32, knots: usize) -> Self {
        let mut basis = Self::default();
        if width == 0 || numbers.len() > MOST {
            return basis;
        }
        if knots > 0 {
            for &column in numbers {
                let mut values: Vec<f64> = rows.iter().skip(column).step_by(width).copied().collect();
                values.sort_unstable_by(f64::total_cmp);
                let (least, most) = (values[0], values[values.len() - 1]);
                let mut at: Vec<f64> =
                    (1..=knots).map(|k| values[(values.len() - 1) * k / (knots + 1)]).collect();
                at.dedup();
                at.retain(|t| least < *t && *t < most);
                if !at.is_empty() {
                    basis.hinges.push((column, at));
                }
            }
        }
        if degree >= 2 {
            for (i, &a) in numbers.iter().enumerate() {
                let partners =
                    if numbers.len() <= MOST_FOR_PRODUCTS { &numbers[i..] } else { &numbers[i..=i] };
                basis.products.extend(partners.iter().map(|&b| (a, b)));
            }
        }
        basis
    }

    /// How many numbers it appends.
    pub(crate) fn width(&self) -> usize {
        self.products.len() + self.hinges.iter().map(|h| h.1.len()).sum::<usize>()
    }

    /// Appends to `out`, whose numbers from `start` on are the dense row.
    pub(crate) fn extend(&self, out: &mut Vec<f64>, start: usize) {
        for (column, knots) in &self.hinges {
            let z = out[start + column];
            out.extend(knots.iter().map(|t| (z - t).max(0.0)));
        }
        for (a, b) in &self.products {
            let (x, y) = (out[start + a].clamp(-LIMIT, LIMIT), out[start + b].clamp(-LIMIT, LIMIT));
            // A square has mean 1 and variance 2 where z is normal.
            out.push(if a == b { (x * x - 1.0) * std::f64::consts::FRAC_1_SQRT_2 } else { x * y });
        }
    }

    pub(crate) fn check(&self, width: usize) -> Result<(), String> {
        let hinges = self.hinges.iter().all(|(c, knots)| *c < width && knots.iter().all(|t| t.is_finite()));
        let products = self.products.iter().all(|(a, b)| *a < width && *b < width);
        if hinges && products {
            Ok(())
        } else {
            Err("the basis refers to columns that are not there".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hinges_and_products() {
        let rows: Vec<f64> = (0..9).flat_map(|i| [f64::from(i) - 4.0, 1.0]).collect();
        let basis = Basis::learn(&rows, 2, &[0], 2, 1);
        assert_eq!(basis.width(), 2);
        let mut row = vec![3.0, 1.0];
        basis.extend(&mut row, 0);
        assert_eq!(row, vec![3.0, 1.0, 3.0, 8.0 * std::f64::consts::FRAC_1_SQRT_2]);
        assert!(basis.check(1).is_ok());
        assert!(basis.check(0).is_err());
    }

    #[test]
    fn nothing_asked_nothing_added() {
        assert_eq!(Basis::learn(&[1.0, 2.0], 1, &[0], 1, 0).width(), 0);
        assert_eq!(Basis::learn(&[], 0, &[], 2, 3).width(), 0);
    }
}
