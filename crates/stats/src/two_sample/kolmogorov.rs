//! The distribution of the two-sided Kolmogorov-Smirnov statistic of one sample.
//!
//! Which method where follows Simard and L'Ecuyer, "Computing the Two-Sided Kolmogorov-Smirnov Distribution" (Journal of
//! Statistical Software 39(11), 2011), as `scipy.stats.kstwo.sf` does. Two differences: Durbin's matrix also serves where
//! the paper takes Pomeranz' recursion (n is at most 140 there, so it is cheap), and above a million rows the tail is an
//! expansion in place of a sum over all rows.

use std::f64::consts::PI;

use statrs::function::gamma::ln_gamma;

/// Above this many rows the exact sum costs more than its last digits are worth.
const EXACT_TAIL_LIMIT: u64 = 1_000_000;

/// Pr(D_n ≥ d) for a sample of `n` rows; 1 if `n` is 0.
///
/// Within a relative 1e-9 of `scipy.stats.kstwo.sf(d, n)` up to a million rows. Beyond, within 1e-6 of the exact sum down
/// to probabilities of 1e-15, where SciPy (1.17) itself departs by 1e-5.
#[must_use]
pub fn kolmogorov_sf(n: u64, d: f64) -> f64 {
    let rows = n as f64;
    let t = rows * d;
    let spread = t * d;
    if n == 0 || d.is_nan() || t <= 0.5 {
        return 1.0;
    }
    let sf = if d >= 1.0 {
        0.0
    } else if t <= 1.0 {
        // Ruben and Gambino: n! ((2t - 1) / n)^n.
        1.0 - (ln_gamma(rows + 1.0) + rows * ((2.0 * t - 1.0) / rows).ln()).exp()
    } else if t >= rows - 1.0 {
        2.0 * (rows * (-d).ln_1p()).exp()
    } else if d >= 0.5 || (n <= 140 && spread > 4.0) {
        2.0 * smirnov_sf(n, d)
    } else if n <= 140 {
        1.0 - durbin_cdf(n, d)
    } else if spread >= 370.0 {
        0.0
    } else if spread >= 2.2 {
        2.0 * smirnov_sf(n, d)
    } else if n <= 100_000 && rows * d.powf(1.5) <= 1.4 {
        1.0 - durbin_cdf(n, d)
    } else {
        1.0 - pelz_good_cdf(n, d)
    };
    sf.clamp(0.0, 1.0)
}

/// Pr(D_n+ ≥ d), one-sided, for 0 < d < 1.
///
/// The sum of Birnbaum and Tingey, with each term written as a binomial probability: C(n, j) p^j (1-p)^(n-j) · d/p for
/// p = d + j/n. Every term is positive, and in Loader's saddle-point form none loses digits to large logarithms.
fn smirnov_sf(n: u64, d: f64) -> f64 {
    let rows = n as f64;
    if n > EXACT_TAIL_LIMIT {
        return smirnov_expansion(rows, d);
    }
    let last = (rows * (1.0 - d)).floor() as u64;
    let whole = stirling_error(rows);
    let term = |j: u64| {
        let (j, rest) = (j as f64, rows - j as f64);
        if d * rows >= rest {
            return 0.0;
        }
        let divergence = -j * (d * rows / j).ln_1p() - rest * (-d * rows / rest).ln_1p();
        let log_scale = whole - stirling_error(j) - stirling_error(rest) - divergence;
        log_scale.exp() * (rows / (2.0 * PI * j * rest)).sqrt() * d / (d + j / rows)
    };
    (rows * (-d).ln_1p()).exp() + (1..=last.min(n - 1)).map(term).sum::<f64>()
}

/// Smirnov's expansion of the sum above to order 1/n, in the exponent.
fn smirnov_expansion(rows: f64, d: f64) -> f64 {
    let squared = d * d;
    (-2.0 * rows * squared - 2.0 / 3.0 * d + 4.0 / 9.0 * squared * (1.0 - rows * squared)).exp()
}

/// ln m! less Stirling's formula.
fn stirling_error(m: f64) -> f64 {
    if m < 16.0 {
        return ln_gamma(m + 1.0) - (m + 0.5) * m.ln() + m - 0.5 * (2.0 * PI).ln();
    }
    let inverse_square = 1.0 / (m * m);
    (1.0 / 12.0 - inverse_square * (1.0 / 360.0 - inverse_square * (1.0 / 1260.0 - inverse_square / 1680.0)))
        / m
}

/// Pr(D_n < d) by Durbin's matrix: Marsaglia, Tsang and Wang, "Evaluating Kolmogorov's Distribution" (2003).
fn durbin_cdf(n: u64, d: f64) -> f64 {
    let rows = n as f64;
    let k = (rows * d).ceil();
    let h = k - rows * d;
    let k = k as usize;
    let m = 2 * k - 1;
    // 1/j!, and the first column (also the last row, reversed).
    let mut inverse_factorial = vec![1.0; m + 1];
    for j in 1..=m {
        inverse_factorial[j] = inverse_factorial[j - 1] / j as f64;
    }
    let mut edge: Vec<f64> = (1..=m).map(|j| (1.0 - h.powi(j as i32)) * inverse_factorial[j]).collect();
    edge[m - 1] =
        (1.0 - 2.0 * h.powi(m as i32) + (2.0 * h - 1.0).max(0.0).powi(m as i32)) * inverse_factorial[m];
    let entry = |row: usize, column: usize| match (row, column) {
        (row, 0) => edge[row],
        (row, column) if row + 1 == m => edge[m - 1 - column],
        (row, column) if row + 1 >= column => inverse_factorial[row + 1 - column],
        _ => 0.0,
    };
    let step = Scaled { cells: (0..m * m).map(|at| entry(at / m, at % m)).collect(), size: m, exponent: 0 };
    let power = step.power(n);
    // Times n! / n^n, in logarithms.
    let log = power.cells[(k - 1) * m + k - 1].ln() + f64::from(power.exponent) * std::f64::consts::LN_2;
    (log + stirling_error(rows) + 0.5 * (2.0 * PI * rows).ln() - rows).exp()
}

/// A square matrix times 2^exponent, which keeps high powers within range.
struct Scaled {
    cells: Vec<f64>,
    size: usize,
    exponent: i32,
}

impl Scaled {
    fn power(self, mut n: u64) -> Self {
        let size = self.size;
        let identity = (0..size * size).map(|at| if at / size == at % size { 1.0 } else { 0.0 }).collect();
        let mut result = Self { cells: identity, size, exponent: 0 };
        let mut square = self;
        while n > 0 {
            if n % 2 == 1 {
                result = result.times(&square);
            }
            n /= 2;
            if n > 0 {
                square = square.times(&square);
            }
        }
        result
    }

    fn times(&self, other: &Self) -> Self {
        let size = self.size;
        let mut cells = vec![0.0; size * size];
        for (into, left) in cells.chunks_mut(size).zip(self.cells.chunks(size)) {
            for (factor, right) in left.iter().zip(other.cells.chunks(size)) {
                for (sum, cell) in into.iter_mut().zip(right) {
                    *sum += factor * cell;
                }
            }
        }
        let mut exponent = self.exponent + other.exponent;
        if cells[size * size / 2] > 2.0_f64.powi(128) {
            cells.iter_mut().for_each(|cell| *cell *= 2.0_f64.powi(-128));
            exponent += 128;
        }
        Self { cells, size, exponent }
    }
}

/// Pr(D_n < d) by the asymptotic series of Pelz and Good (1976) to the order n^(-3/2); good from 140 rows on.
fn pelz_good_cdf(n: u64, d: f64) -> f64 {
    let root = (n as f64).sqrt();
    let z = root * d;
    let pi2 = PI * PI;
    let (z2, z4, z6, z8) = (z.powi(2), z.powi(4), z.powi(6), z.powi(8));
    let mut sums = [0.0; 4];
    let last = (16.0 * z / PI).ceil() as i32;
    for k in (1..=last).rev() {
        let odd = f64::from(2 * k - 1);
        let (m2, m4, m6) = (odd.powi(2), odd.powi(4), odd.powi(6));
        let weight = (-pi2 * m2 / (8.0 * z2)).exp();
        sums[0] += weight;
        sums[1] += weight * (pi2 / 4.0 * m2 - z2);
        sums[2] += weight
            * (6.0 * z6
                + 2.0 * z4
                + (2.0 * z4 - 5.0 * z2) * pi2 / 4.0 * m2
                + pi2 * pi2 * (1.0 - 2.0 * z2) / 16.0 * m4);
        sums[3] += weight
            * (-30.0 * z6 - 90.0 * z8
                + pi2 * (135.0 * z4 - 96.0 * z6) / 4.0 * m2
                + pi2.powi(2) * (212.0 * z4 - 60.0 * z2) / 16.0 * m4
                + pi2.powi(3) * (5.0 - 30.0 * z2) / 64.0 * m6);
    }
    let (mut extra2, mut extra3) = (0.0, 0.0);
    for k in (1..=last).rev() {
        let k2 = f64::from(k).powi(2);
        let weight = k2 * (-pi2 * k2 / (2.0 * z2)).exp();
        extra2 += weight;
        extra3 += weight * (3.0 * z2 - pi2 * k2);
    }
    let terms = [
        sums[0] / z,
        sums[1] / (6.0 * z4),
        sums[2] / (72.0 * z.powi(7)) - extra2 * pi2 / (36.0 * z.powi(3)),
        sums[3] / (6480.0 * z.powi(10)) + extra3 * pi2 / (216.0 * z6),
    ];
    (2.0 * PI).sqrt() * terms.iter().rev().fold(0.0, |sum, term| sum / root + term)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_expansion_takes_over_where_it_equals_the_sum() {
        for z in [1.49, 2.0, 3.0, 4.2] {
            let d = z / (EXACT_TAIL_LIMIT as f64).sqrt();
            let (sum, expansion) =
                (smirnov_sf(EXACT_TAIL_LIMIT, d), smirnov_expansion(EXACT_TAIL_LIMIT as f64, d));
            // The next term is of order z^5 n^(-3/2): 1e-6 at the greatest z here.
            assert!((expansion / sum - 1.0).abs() < 1e-6, "{z}: {expansion} {sum}");
        }
    }
}
