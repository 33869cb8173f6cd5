//! Newton's method for one output: one step is the solution for squared loss, a few steps are for log loss.

use super::cholesky::solve;
use super::problem::{Loss, Problem, add, dot, logistic};

const MOST_STEPS: usize = 30;
/// A step that promises less than this share of the value is not worth taking.
const TOLERANCE: f64 = 1e-9;

/// The coefficients at the minimum, or the best that was reached.
pub(super) fn minimise(problem: &Problem<'_>) -> Vec<f64> {
    let n = problem.width;
    let mut beta = vec![0.0; n];
    let mut gradient = vec![0.0; n];
    let mut value = problem.value_and_gradient(&beta, &mut gradient);
    for _ in 0..MOST_STEPS {
        let Some(step) = newton_step(problem, &beta, &gradient) else { break };
        let promise = dot(&step, &gradient);
        if promise <= TOLERANCE * value.abs() {
            break;
        }
        // Halved until it helps: far from the minimum a full step may overshoot.
        let mut share = 1.0;
        let better = loop {
            let moved: Vec<f64> = beta.iter().zip(&step).map(|(b, s)| b - share * s).collect();
            let v = problem.value_and_gradient(&moved, &mut gradient);
            if v.is_finite() && v <= value - 1e-4 * share * promise {
                break Some((moved, v));
            }
            share *= 0.5;
            if share < 1e-6 {
                break None;
            }
        };
        match better {
            Some((moved, v)) => (beta, value) = (moved, v),
            None => break,
        }
    }
    beta
}

/// Inverse Hessian times gradient; the Hessian is stiffened where rounding made it indefinite.
fn newton_step(problem: &Problem<'_>, beta: &[f64], gradient: &[f64]) -> Option<Vec<f64>> {
    let n = problem.width;
    let mut hessian = vec![0.0; n * n];
    for (i, (row, weight)) in problem.rows().zip(&problem.row_weights).enumerate() {
        let curvature = match problem.loss {
            Loss::Logistic(classes) => logistic(dot(beta, row), classes[i]).2,
            Loss::Squared(_) | Loss::Softmax(..) => 1.0,
        };
        let c = weight * curvature;
        if c > 0.0 {
            // Most columns of a one-hot row are 0.
            for (j, x) in row.iter().enumerate().filter(|x| *x.1 != 0.0) {
                add(&mut hessian[j * n..=j * n + j], c * x, &row[..=j]);
            }
        }
    }
    let mut stiff = 1e-9 * problem.row_weights.len() as f64;
    for _ in 0..8 {
        let mut h = hessian.clone();
        for j in 0..n {
            h[j * n + j] += stiff + if j + 1 < n { problem.l2 } else { 0.0 };
        }
        if let Some(step) = solve(&h, gradient, n) {
            return Some(step);
        }
        stiff *= 100.0;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squared_loss_in_closed_form() {
        // y = 2 x + 1 without noise
        let x: Vec<f64> = (0..10).flat_map(|i| [f64::from(i), 1.0]).collect();
        let y: Vec<f64> = (0..10).map(|i| 2.0 * f64::from(i) + 1.0).collect();
        let problem = Problem { x, width: 2, row_weights: vec![1.0; 10], l2: 1e-9, loss: Loss::Squared(&y) };
        let beta = minimise(&problem);
        assert!((beta[0] - 2.0).abs() < 1e-6 && (beta[1] - 1.0).abs() < 1e-6, "{beta:?}");
    }

    #[test]
    fn separable_classes_stay_finite() {
        let x: Vec<f64> = (0..10).flat_map(|i| [f64::from(i) - 4.5, 1.0]).collect();
        let classes: Vec<usize> = (0..10).map(|i| usize::from(i > 4)).collect();
        let problem =
            Problem { x, width: 2, row_weights: vec![1.0; 10], l2: 1e-4, loss: Loss::Logistic(&classes) };
        let beta = minimise(&problem);
        let mut gradient = vec![0.0; 2];
        problem.value_and_gradient(&beta, &mut gradient);
        assert!(beta[0] > 1.0 && gradient[0].abs() < 1e-3, "{beta:?} {gradient:?}");
    }
}
