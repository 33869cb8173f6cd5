//! Many tests at once: p-values adjusted so that one threshold holds for the family.
//!
//! Both return adjusted values in the order given; reject those at or below the wanted level. Values are clamped to
//! [0, 1]; NaN counts as 1. This module must not know what was tested.

/// Benjamini and Hochberg (1995): the false discovery rate, for independent or positively dependent tests.
///
/// As `scipy.stats.false_discovery_control(ps, method="bh")`.
#[must_use]
pub fn benjamini_hochberg(p_values: &[f64]) -> Vec<f64> {
    let n = p_values.len();
    let mut adjusted = vec![1.0; n];
    let mut least = 1.0_f64;
    for (rank, (index, p)) in ascending(p_values).into_iter().enumerate().rev() {
        least = least.min(p * (n as f64 / (rank + 1) as f64));
        adjusted[index] = least;
    }
    adjusted
}

/// Holm (1979): the chance of any false rejection, under any dependence.
#[must_use]
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let n = p_values.len();
    let mut adjusted = vec![1.0; n];
    let mut greatest = 0.0_f64;
    for (rank, (index, p)) in ascending(p_values).into_iter().enumerate() {
        greatest = greatest.max(p * (n - rank) as f64).min(1.0);
        adjusted[index] = greatest;
    }
    adjusted
}

fn ascending(p_values: &[f64]) -> Vec<(usize, f64)> {
    let clamp = |p: f64| if p.is_nan() { 1.0 } else { p.clamp(0.0, 1.0) };
    let mut ranked: Vec<(usize, f64)> = p_values.iter().map(|p| clamp(*p)).enumerate().collect();
    ranked.sort_by(|a, b| a.1.total_cmp(&b.1));
    ranked
}
