//! Solving a symmetric positive definite system.

/// Solves `a x = b` for `n` unknowns; only the lower triangle of `a` (row by row) is read. `None` where `a` is not positive
/// definite.
pub(super) fn solve(a: &[f64], b: &[f64], n: usize) -> Option<Vec<f64>> {
    let mut l = a.to_vec();
    for i in 0..n {
        for j in 0..=i {
            let (upper, lower) = l.split_at(i * n);
            let row_j = if j < i { &upper[j * n..j * n + j] } else { &lower[..j] };
            let s = lower[j] - super::problem::dot(&lower[..j], row_j);
            if i == j {
                if !(s > 0.0 && s.is_finite()) {
                    return None;
                }
                l[i * n + i] = s.sqrt();
            } else {
                l[i * n + j] = s / l[j * n + j];
            }
        }
    }
    let mut x = b.to_vec();
    for i in 0..n {
        let s = x[i] - super::problem::dot(&l[i * n..i * n + i], &x[..i]);
        x[i] = s / l[i * n + i];
    }
    for i in (0..n).rev() {
        x[i] /= l[i * n + i];
        let xi = x[i];
        for j in 0..i {
            x[j] -= l[i * n + j] * xi;
        }
    }
    Some(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn solves_and_refuses() {
        let x = solve(&[4.0, 0.0, 2.0, 3.0], &[2.0, 5.0], 2).unwrap();
        // 4x + 2y = 2, 2x + 3y = 5
        assert!((x[0] + 0.5).abs() < 1e-12 && (x[1] - 2.0).abs() < 1e-12, "{x:?}");
        assert!(solve(&[1.0, 0.0, 2.0, 1.0], &[1.0, 1.0], 2).is_none());
    }
}
