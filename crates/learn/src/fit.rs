//! From rows and a recipe to a model. Must not know where rows come from, nor how good the model is on others.

use serde::{Deserialize, Serialize};
use tidemill_domain::{Algorithm, Parameters, Schema, Value};

use crate::boosting::Boosting;
use crate::error::FitError;
use crate::linear::Linear;
use crate::mlp::Mlp;
use crate::model::{Answers, Estimator, Model};
use crate::space;
use crate::target::Targets;

/// Below so many rows trees say nothing that the class frequencies or the mean do not.
const FEWEST_FOR_BOOSTING: usize = 16;

/// A row to learn from.
#[derive(Clone, Copy, Debug)]
pub struct TrainRow<'a> {
    /// The features, in schema order; numbers are finite.
    pub features: &'a [Value],
    /// A finite number, or the name of a class.
    pub target: &'a Value,
    /// How much it counts beside the others; a row whose weight is not positive is left out.
    pub weight: f64,
}

/// How a model is made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// The family of learners.
    pub algorithm: Algorithm,
    /// Hyper-parameters as [`space`] lists them; those left out have their defaults.
    pub parameters: Parameters,
    /// Where chance starts.
    pub seed: u64,
}

/// Fits a model to `rows`, which are in time order, the newest last. One thread, seeded: same input, same model.
///
/// Columns that never vary are ignored; one class alone, or a constant target, is answered as it is.
///
/// # Errors
/// [`FitError`]: no rows, rows that do not fit the schema, parameters out of range, or a fit that went astray.
pub fn fit(schema: &Schema, recipe: &Recipe, rows: &[TrainRow<'_>]) -> Result<Model, FitError> {
    let Recipe { algorithm, ref parameters, .. } = *recipe;
    space::check(algorithm, parameters).map_err(|reasons| FitError::BadParameter { algorithm, reasons })?;
    let expected = schema.features.len();
    if let Some((row, found)) = rows.iter().map(|r| r.features.len()).enumerate().find(|w| w.1 != expected) {
        return Err(FitError::WrongWidth { row, found, expected });
    }
    let targets = Targets::read(schema, rows)?;
    let counts = |r: &TrainRow<'_>| r.weight > 0.0 && r.weight.is_finite();
    if rows.iter().all(counts) {
        return fit_weighted(schema, recipe, rows, &targets);
    }
    let rows: Vec<TrainRow<'_>> = rows.iter().filter(|r| counts(r)).copied().collect();
    let targets = Targets::read(schema, &rows)?;
    fit_weighted(schema, recipe, &rows, &targets)
}

fn fit_weighted(
    schema: &Schema,
    recipe: &Recipe,
    rows: &[TrainRow<'_>],
    targets: &Targets,
) -> Result<Model, FitError> {
    if rows.is_empty() {
        return Err(FitError::NoRows);
    }
    let parameters = space::complete(recipe.algorithm, &recipe.parameters);
    let estimator = estimator(schema, recipe, &parameters, rows, targets)?;
    let answers = match targets {
        Targets::Numbers { unit, .. } => Answers::Number(unit.clone()),
        Targets::Classes { names, .. } => {
            Answers::Classes { anchor: constant(rows, targets), names: names.clone(), temperature: 1.0 }
        }
    };
    Ok(Model {
        algorithm: recipe.algorithm,
        answers,
        estimator,
        rows: rows.len() as u64,
        schema_hash: schema.hash(),
    })
}

/// The estimator, or a constant where there is nothing to tell apart.
fn estimator(
    schema: &Schema,
    recipe: &Recipe,
    parameters: &Parameters,
    rows: &[TrainRow<'_>],
    targets: &Targets,
) -> Result<Estimator, FitError> {
    let trivial = match targets {
        Targets::Numbers { unit, .. } => unit.spread == 0.0,
        Targets::Classes { names, .. } => names.len() == 1,
    };
    let too_few = recipe.algorithm == Algorithm::Boosting && rows.len() < FEWEST_FOR_BOOSTING;
    if trivial || too_few {
        return Ok(Estimator::Constant(constant(rows, targets)));
    }
    Ok(match recipe.algorithm {
        Algorithm::Ensemble => return Err(FitError::NoMembers),
        Algorithm::Boosting => {
            Estimator::Boosting(Boosting::fit(schema, parameters, recipe.seed, rows, targets)?)
        }
        Algorithm::Linear => Estimator::Linear(Linear::fit(schema, parameters, rows, targets)?),
        Algorithm::Mlp => Estimator::Mlp(Mlp::fit(schema, parameters, recipe.seed, rows, targets)?),
    })
}

/// The scores of a model that looks at no feature: the logarithms of class frequencies with one row added to each
/// (Laplace's rule), or the weighted mean.
fn constant(rows: &[TrainRow<'_>], targets: &Targets) -> Vec<f64> {
    let total: f64 = rows.iter().map(|r| r.weight).sum();
    match targets {
        Targets::Numbers { z, .. } => vec![z.iter().zip(rows).map(|(z, r)| z * (r.weight / total)).sum()],
        Targets::Classes { names, of_row } => {
            let mut mass = vec![1.0; names.len()];
            for (class, row) in of_row.iter().zip(rows) {
                mass[*class] += row.weight / total * rows.len() as f64;
            }
            mass.iter().map(|m| (m / (rows.len() + names.len()) as f64).ln()).collect()
        }
    }
}
