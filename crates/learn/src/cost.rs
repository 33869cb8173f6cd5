//! What a fit takes, modelled from rows and parameters and never measured, so that simulations repeat exactly.
//!
//! The formulas count the arithmetic of each learner; their constants are set so that a span is about the seconds of an
//! ordinary core. They are part of what a simulation decides on: change them as one changes a format.

use tidemill_domain::{Algorithm, Parameters, Span};

use crate::space;

/// What every fit takes for reading and encoding a cell.
const SECONDS_PER_CELL: f64 = 50e-9;

/// The modelled time of fitting to `rows` rows of `features` features, with so many classes (0 or 1 for a numeric target).
#[must_use]
pub fn modelled(
    algorithm: Algorithm,
    parameters: &Parameters,
    rows: u64,
    features: u64,
    classes: u64,
) -> Span {
    let parameters = space::complete(algorithm, parameters);
    let get = |name: &str| parameters.get(name).copied().unwrap_or_default();
    let (rows, features, classes) = (rows as f64, features as f64, classes.max(1) as f64);
    let outputs = if classes > 2.0 { classes } else { 1.0 };
    let seconds = match algorithm {
        // Its members take their time, each for itself.
        Algorithm::Ensemble => 0.0,
        Algorithm::Linear => {
            let products = if get("degree") >= 2.0 && features <= 16.0 {
                features * (features + 1.0) / 2.0
            } else {
                0.0
            };
            let width = features * (1.0 + get("knots")) + products + 1.0;
            if outputs > 1.0 {
                80.0 * rows * width * outputs * 1e-9
            } else {
                // Squared loss takes one step of Newton's method, log loss a few.
                let steps = if classes > 1.0 { 3.5 } else { 1.0 };
                steps * (rows * width * (width * 0.25e-9 + 4e-9) + width.powi(3) * 0.3e-9)
            }
        }
        Algorithm::Boosting => {
            // Many classes share the budget.
            let budget = (get("budget") - 0.3 * (outputs.max(2.0) - 1.0).log10()).max(0.1);
            let rounds = 25.0 * 10_f64.powf(0.5 * budget);
            let per_round =
                rows * (features.max(2.0) * 20e-9 + 60e-9) + features * get("max_bin") * 30.0 * 4e-9;
            outputs * rounds * per_round
        }
        Algorithm::Mlp => {
            let (hidden, layers) = (get("hidden"), get("layers"));
            let weights = features * hidden + (layers - 1.0) * hidden * hidden + hidden * classes;
            // Two trainings, each of about half the epochs allowed.
            let steps = get("epochs") * rows / 64.0;
            steps * (40e-6 + layers * 20e-6 + 64.0 * weights * 1e-9)
        }
    };
    Span::from_seconds(1e-3 + rows * features * SECONDS_PER_CELL + seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_work_takes_longer() {
        for algorithm in Algorithm::ALL {
            let base = modelled(algorithm, &Parameters::new(), 1000, 8, 2);
            assert!(base > Span(0));
            assert!(modelled(algorithm, &Parameters::new(), 5000, 8, 2) > base);
            assert!(modelled(algorithm, &Parameters::new(), 1000, 30, 2) > base);
            assert!(modelled(algorithm, &Parameters::new(), 1000, 8, 40) > base);
        }
        let budget = |b: f64| modelled(Algorithm::Boosting, &[("budget".to_owned(), b)].into(), 1000, 8, 2);
        assert!(budget(1.0) > budget(0.5));
    }

    #[test]
    fn absurd_sizes_do_not_overflow() {
        assert!(modelled(Algorithm::Mlp, &Parameters::new(), u64::MAX, u64::MAX, u64::MAX) > Span(0));
        assert!(modelled(Algorithm::Linear, &Parameters::new(), 0, 0, 0) > Span(0));
    }
}
