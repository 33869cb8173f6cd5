//! Gradient boosted trees by the `perpetual` library: it trains, [`forest`] serves.
//!
//! Two classes take one forest, more take one against the rest each, numbers take one. Must not know how rows become
//! numbers.

use serde::{Deserialize, Serialize};
use tidemill_domain::{Parameters, Schema, Value};

use crate::error::FitError;
use crate::fit::TrainRow;
use crate::prepare::Codes;
use crate::target::Targets;

mod forest;
mod train;

use forest::Forest;
use train::{Table, Task};

/// Fitted forests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Boosting {
    codes: Codes,
    forests: Vec<Forest>,
}

impl Boosting {
    /// Fits to `rows` with `parameters` that are complete and checked.
    pub(crate) fn fit(
        schema: &Schema,
        parameters: &Parameters,
        seed: u64,
        rows: &[TrainRow<'_>],
        targets: &Targets,
    ) -> Result<Self, FitError> {
        let numbers: Vec<f64> = match targets {
            Targets::Numbers { z, .. } => z.clone(),
            Targets::Classes { of_row, .. } => of_row.iter().map(|c| *c as f64).collect(),
        };
        let codes = Codes::learn(schema, rows, &numbers);
        let table = Table::new(&codes, rows);
        let forests = match targets {
            Targets::Numbers { z, .. } => vec![table.train(Task::Number, z, parameters, seed)?],
            Targets::Classes { names, of_row } => {
                let against_rest = |class: usize| -> Vec<f64> {
                    of_row.iter().map(|c| f64::from(u8::from(*c == class))).collect()
                };
                let parameters = &shared(parameters, names.len());
                let classes = if names.len() == 2 { 1..2 } else { 0..names.len() };
                classes
                    .map(|class| table.train(Task::Class, &against_rest(class), parameters, seed))
                    .collect::<Result<_, _>>()?
            }
        };
        Ok(Self { codes, forests })
    }

    /// A number in standard deviations, or one score per class.
    pub(crate) fn scores(&self, cells: &[Value], classes: usize) -> Vec<f64> {
        let mut row = Vec::with_capacity(self.codes.width());
        self.codes.encode(cells, &mut row);
        let outputs = self.forests.iter().map(|f| f.output(&row));
        match classes {
            0 => outputs.collect(),
            2 => std::iter::once(0.0).chain(outputs).collect(),
            // The logarithm of each class's probability against the rest; normalising comes later.
            _ => outputs.map(|x| x.min(0.0) - (-x.abs()).exp().ln_1p()).collect(),
        }
    }

    pub(crate) fn n_parameters(&self) -> u64 {
        self.forests.iter().map(Forest::n_parameters).sum()
    }

    pub(crate) fn check(&self, classes: usize) -> Result<(), String> {
        self.codes.check()?;
        let expected = if classes > 2 { classes } else { 1 };
        if self.forests.len() != expected {
            return Err("the number of forests does not match the classes".to_owned());
        }
        self.forests.iter().try_for_each(|f| f.check(self.codes.width()))
    }
}

/// The parameters for each of several forests: many forests go less far each, or forty classes would take minutes.
fn shared(parameters: &Parameters, classes: usize) -> Parameters {
    let mut shared = parameters.clone();
    if let Some(budget) = shared.get_mut("budget").filter(|_| classes > 2) {
        *budget = (*budget - 0.3 * (classes as f64 - 1.0).log10()).max(0.1);
    }
    shared
}
