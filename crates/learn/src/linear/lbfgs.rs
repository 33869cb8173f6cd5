//! L-BFGS (Nocedal 1980, Updating quasi-Newton matrices with limited storage) with a backtracking line search: for fits
//! whose Hessian is too big to form.

use std::collections::VecDeque;

use super::problem::{Problem, add, dot};

const MEMORY: usize = 8;
const MOST_STEPS: usize = 120;
/// The fit ends when a step gains less than this share of the value.
const TOLERANCE: f64 = 1e-6;

/// The coefficients at the minimum, or the best that was reached; all start at 0.
pub(super) fn minimise(problem: &Problem<'_>, size: usize) -> Vec<f64> {
    let mut beta = vec![0.0; size];
    let mut gradient = vec![0.0; size];
    let mut value = problem.value_and_gradient(&beta, &mut gradient);
    let mut history: VecDeque<(Vec<f64>, Vec<f64>, f64)> = VecDeque::with_capacity(MEMORY);
    for _ in 0..MOST_STEPS {
        let mut direction = direction(&gradient, &history);
        let mut promise = dot(&direction, &gradient);
        if promise <= 0.0 {
            // Rounding spoiled the memory: start over from steepest descent.
            history.clear();
            direction = gradient.clone();
            promise = dot(&gradient, &gradient);
        }
        if promise <= f64::MIN_POSITIVE {
            break;
        }
        // The first step has no scale of its own.
        let mut share = if history.is_empty() { 1.0 / promise.sqrt().max(1.0) } else { 1.0 };
        let mut moved_gradient = vec![0.0; size];
        let better = loop {
            let moved: Vec<f64> = beta.iter().zip(&direction).map(|(b, d)| b - share * d).collect();
            let v = problem.value_and_gradient(&moved, &mut moved_gradient);
            if v.is_finite() && v <= value - 1e-4 * share * promise {
                break Some((moved, v));
            }
            share *= 0.4;
            if share < 1e-12 {
                break None;
            }
        };
        let Some((moved, v)) = better else { break };
        let step: Vec<f64> = moved.iter().zip(&beta).map(|(m, b)| m - b).collect();
        let change: Vec<f64> = moved_gradient.iter().zip(&gradient).map(|(m, g)| m - g).collect();
        let curvature = dot(&step, &change);
        let gain = value - v;
        (beta, value, gradient) = (moved, v, moved_gradient);
        if gain <= TOLERANCE * value.abs() {
            break;
        }
        if curvature > 1e-12 * dot(&change, &change) {
            if history.len() == MEMORY {
                history.pop_front();
            }
            history.push_back((step, change, 1.0 / curvature));
        }
    }
    beta
}

/// The two-loop recursion: an approximate inverse Hessian times the gradient.
fn direction(gradient: &[f64], history: &VecDeque<(Vec<f64>, Vec<f64>, f64)>) -> Vec<f64> {
    let mut d = gradient.to_vec();
    let mut factors = Vec::with_capacity(history.len());
    for (step, change, rho) in history.iter().rev() {
        let a = rho * dot(step, &d);
        add(&mut d, -a, change);
        factors.push(a);
    }
    if let Some((_, change, rho)) = history.back() {
        let scale = 1.0 / (rho * dot(change, change));
        d.iter_mut().for_each(|x| *x *= scale);
    }
    for ((step, change, rho), a) in history.iter().zip(factors.into_iter().rev()) {
        let b = rho * dot(change, &d);
        add(&mut d, a - b, step);
    }
    d
}

#[cfg(test)]
mod tests {
    use super::super::problem::Loss;
    use super::*;

    #[test]
    fn agrees_with_newton() {
        let x: Vec<f64> =
            (0..60).flat_map(|i| [f64::from(i % 7) - 3.0, f64::from(i % 11) / 5.0, 1.0]).collect();
        let classes: Vec<usize> = (0..60).map(|i| usize::from(i % 7 + i % 3 > 4)).collect();
        let problem =
            Problem { x, width: 3, row_weights: vec![1.0; 60], l2: 0.1, loss: Loss::Logistic(&classes) };
        let (a, b) = (minimise(&problem, 3), super::super::newton::minimise(&problem));
        assert!(a.iter().zip(&b).all(|(x, y)| (x - y).abs() < 0.02), "{a:?} {b:?}");
    }
}
