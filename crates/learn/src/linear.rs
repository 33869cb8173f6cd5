//! Linear models: ridge regression for numbers, logistic regression for classes (softmax beyond two).
//!
//! The penalty is `l2 / 2 * |w|^2` beside the *sum* of the row losses, so it stands for prior knowledge worth a number of
//! rows and fades as rows come; beyond two classes it is shared among them. Intercepts are free. Must not know how rows become numbers.

use serde::{Deserialize, Serialize};
use tidemill_domain::{Algorithm, Parameters, Schema, Value};

use crate::error::FitError;
use crate::fit::TrainRow;
use crate::prepare::{Basis, Dense};
use crate::space::integer;
use crate::target::Targets;
use crate::validate::finite;

mod cholesky;
mod lbfgs;
mod newton;
mod problem;

use problem::{Loss, Problem};

/// Up to so many coefficients the Hessian is formed and solved; beyond, only gradients are used.
const MOST_FOR_NEWTON: usize = 240;

/// A fitted linear model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Linear {
    basis: Basis,
    dense: Dense,
    /// Row by row one set of coefficients per output, the intercept last. Two classes have one output.
    weights: Vec<Vec<f64>>,
}

impl Linear {
    /// Fits to `rows` with `parameters` that are complete and checked.
    pub(crate) fn fit(
        schema: &Schema,
        parameters: &Parameters,
        rows: &[TrainRow<'_>],
        targets: &Targets,
    ) -> Result<Self, FitError> {
        let get = |name: &str| parameters.get(name).copied().unwrap_or_default();
        let dense = Dense::learn(schema, rows);
        let narrow = dense.width();
        let mut plain = Vec::with_capacity(rows.len() * narrow);
        for row in rows {
            dense.encode(row.features, &mut plain);
        }
        let basis = Basis::learn(
            &plain,
            narrow,
            &dense.numbers(),
            integer(get("degree")),
            integer(get("knots")) as usize,
        );
        let width = narrow + basis.width() + 1;
        let mut x = Vec::with_capacity(rows.len() * width);
        for i in 0..rows.len() {
            let start = x.len();
            x.extend_from_slice(&plain[i * narrow..(i + 1) * narrow]);
            basis.extend(&mut x, start);
            x.push(1.0);
        }
        let total: f64 = rows.iter().map(|r| r.weight).sum();
        let row_weights = rows.iter().map(|r| r.weight / total * rows.len() as f64).collect();
        let (loss, outputs) = match targets {
            Targets::Numbers { z, .. } => (Loss::Squared(z), 1),
            Targets::Classes { names, of_row } if names.len() == 2 => (Loss::Logistic(of_row), 1),
            Targets::Classes { names, of_row } => (Loss::Softmax(of_row, names.len()), names.len()),
        };
        // With many classes each set of coefficients has its share of the rows only.
        let l2 = get("l2") * if outputs > 1 { 2.0 / outputs as f64 } else { 1.0 };
        let problem = Problem { x, width, row_weights, l2, loss };
        let beta = if outputs == 1 && width <= MOST_FOR_NEWTON {
            newton::minimise(&problem)
        } else {
            lbfgs::minimise(&problem, width * outputs)
        };
        if beta.iter().any(|b| !b.is_finite()) {
            return Err(FitError::Diverged { algorithm: Algorithm::Linear });
        }
        Ok(Self { basis, dense, weights: beta.chunks(width).map(<[f64]>::to_vec).collect() })
    }

    /// The value of each output: a number in target units, a logit, or one score per class.
    pub(crate) fn outputs(&self, cells: &[Value]) -> Vec<f64> {
        let mut row = Vec::with_capacity(self.dense.width() + self.basis.width() + 1);
        self.dense.encode(cells, &mut row);
        self.basis.extend(&mut row, 0);
        row.push(1.0);
        self.weights.iter().map(|w| problem::dot(w, &row)).collect()
    }

    pub(crate) fn n_parameters(&self) -> u64 {
        self.weights.iter().map(|w| w.len() as u64).sum()
    }

    pub(crate) fn check(&self, outputs: usize) -> Result<(), String> {
        self.dense.check()?;
        self.basis.check(self.dense.width())?;
        let width = self.dense.width() + self.basis.width() + 1;
        if self.weights.len() != outputs || self.weights.iter().any(|w| w.len() != width) {
            return Err("coefficients do not match the columns".to_owned());
        }
        finite(self.weights.iter().flatten().copied())
    }
}
