//! A multi-layer perceptron: burn trains it, [`network`] serves it with plain arithmetic.
//!
//! Must not know how rows become numbers.

use serde::{Deserialize, Serialize};
use tidemill_domain::{Algorithm, Parameters, Schema, Value};

use crate::error::FitError;
use crate::fit::TrainRow;
use crate::prepare::Dense;
use crate::space::integer;
use crate::target::Targets;

mod adam;
mod network;
mod train;

use network::Network;
use train::{Examples, Plan};

/// What trains: the processor. Training is generic over burn's backends; devices round differently, so the same seed gives
/// the same model on the same kind of device only.
type Trainer = burn::backend::Autodiff<burn::backend::Flex>;

/// A fitted network with its preprocessing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mlp {
    dense: Dense,
    network: Network,
}

impl Mlp {
    /// Fits to `rows` with `parameters` that are complete and checked.
    pub(crate) fn fit(
        schema: &Schema,
        parameters: &Parameters,
        seed: u64,
        rows: &[TrainRow<'_>],
        targets: &Targets,
    ) -> Result<Self, FitError> {
        let get = |name: &str| parameters.get(name).copied().unwrap_or_default();
        let dense = Dense::learn(schema, rows);
        let examples = Examples::new(&dense, rows, targets);
        let plan = Plan {
            hidden: vec![integer(get("hidden")) as usize; integer(get("layers")) as usize],
            learning_rate: get("learning_rate"),
            epochs: integer(get("epochs")) as usize,
            weight_decay: get("weight_decay"),
            seed,
        };
        let network = train::train::<Trainer>(&plan, &examples, &Default::default())
            .map_err(|source| FitError::Library { algorithm: Algorithm::Mlp, source })?;
        let mlp = Self { dense, network };
        mlp.network.check().map_err(|_| FitError::Diverged { algorithm: Algorithm::Mlp })?;
        Ok(mlp)
    }

    /// A number in target units, or one score per class.
    pub(crate) fn scores(&self, cells: &[Value]) -> Vec<f64> {
        let mut row = Vec::with_capacity(self.dense.width());
        self.dense.encode(cells, &mut row);
        self.network.outputs(row)
    }

    pub(crate) fn n_parameters(&self) -> u64 {
        self.network.n_parameters()
    }

    pub(crate) fn check(&self, classes: usize) -> Result<(), String> {
        self.dense.check()?;
        self.network.check()?;
        if self.network.ends() == Some((self.dense.width(), classes.max(1))) {
            Ok(())
        } else {
            Err("the network does not match its columns or classes".to_owned())
        }
    }
}
