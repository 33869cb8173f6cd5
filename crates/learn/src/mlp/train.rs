//! Training in burn, on any backend: the newest rows decide for how long, then all rows are learnt from for so long.
//!
//! Initial weights come from the recipe's seed and not from the backend's generator, so that two fits in one process do not
//! disturb each other.

use burn::tensor::activation::{log_softmax, relu};
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Tensor, TensorData};
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::adam::Adam;
use super::network::{Layer, Network};
use crate::fit::TrainRow;
use crate::prepare::Dense;
use crate::target::Targets;

/// The newest share of the rows, which first only decide when to stop.
const HELD_OUT: f64 = 0.15;
/// Fewer rows than this are all learnt from.
const FEWEST_TO_HOLD_OUT: usize = 60;
/// Epochs without improvement after which training stops.
const PATIENCE: usize = 6;
/// Rows per step.
const BATCH: usize = 64;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// How to train.
pub(super) struct Plan {
    /// The width of each hidden layer.
    pub(super) hidden: Vec<usize>,
    pub(super) learning_rate: f64,
    pub(super) epochs: usize,
    pub(super) weight_decay: f64,
    pub(super) seed: u64,
}

/// The training rows as the network takes them, in time order.
pub(super) struct Examples {
    x: Vec<f32>,
    /// Per row one number per output: the target, or the row's weight in the column of its class.
    y: Vec<f32>,
    weights: Vec<f32>,
    rows: usize,
    inputs: usize,
    outputs: usize,
    classes: bool,
}

impl Examples {
    #[expect(clippy::cast_possible_truncation, reason = "networks learn in single precision")]
    pub(super) fn new(dense: &Dense, rows: &[TrainRow<'_>], targets: &Targets) -> Self {
        let mut x = Vec::with_capacity(rows.len() * dense.width());
        let mut row = Vec::with_capacity(dense.width());
        for r in rows {
            row.clear();
            dense.encode(r.features, &mut row);
            x.extend(row.iter().map(|v| *v as f32));
        }
        let total: f64 = rows.iter().map(|r| r.weight).sum();
        let weights: Vec<f32> = rows.iter().map(|r| (r.weight / total * rows.len() as f64) as f32).collect();
        let (outputs, y) = match targets {
            Targets::Numbers { z, .. } => (1, z.iter().map(|z| *z as f32).collect()),
            Targets::Classes { names, of_row } => {
                let mut y = vec![0.0; rows.len() * names.len()];
                for (i, class) in of_row.iter().enumerate() {
                    y[i * names.len() + class] = weights[i];
                }
                (names.len(), y)
            }
        };
        let classes = matches!(targets, Targets::Classes { .. });
        Self { x, y, weights, rows: rows.len(), inputs: dense.width(), outputs, classes }
    }

    /// The mean loss of the rows `at` under the parameters.
    fn loss<B: Backend>(
        &self,
        parameters: &[Tensor<B, 2>],
        at: &[usize],
        device: &B::Device,
    ) -> Tensor<B, 1> {
        let take = |from: &[f32], width: usize| {
            let picked: Vec<f32> =
                at.iter().flat_map(|i| &from[i * width..(i + 1) * width]).copied().collect();
            Tensor::<B, 2>::from_data(TensorData::new(picked, [at.len(), width]), device)
        };
        let out = forward(parameters, take(&self.x, self.inputs));
        let y = take(&self.y, self.outputs);
        let losses = if self.classes {
            (log_softmax(out, 1) * y).neg()
        } else {
            let error = out - y;
            error.clone() * error * take(&self.weights, 1)
        };
        losses.sum() / at.len() as f64
    }
}

/// Weights and biases alternate, first layer first; biases are rows.
fn forward<B: Backend>(parameters: &[Tensor<B, 2>], x: Tensor<B, 2>) -> Tensor<B, 2> {
    let last = parameters.len() / 2 - 1;
    parameters.chunks_exact(2).enumerate().fold(x, |x, (i, p)| {
        let out = x.matmul(p[0].clone()) + p[1].clone();
        if i < last { relu(out) } else { out }
    })
}

/// Trains a network on the backend `B`.
///
/// # Errors
/// What the backend says when numbers do not come back from it.
pub(super) fn train<B: AutodiffBackend>(
    plan: &Plan,
    examples: &Examples,
    device: &B::Device,
) -> Result<Network, Failure> {
    let mut rng = ChaCha8Rng::seed_from_u64(plan.seed);
    let mut sizes = vec![examples.inputs];
    sizes.extend(&plan.hidden);
    sizes.push(examples.outputs);
    let mut parameters: Vec<Tensor<B::InnerBackend, 2>> = Vec::new();
    for pair in sizes.windows(2) {
        // He et al. 2015 for the positive part, as a uniform distribution.
        let limit = (6.0 / pair[0].max(1) as f32).sqrt();
        let weights: Vec<f32> =
            (0..pair[0] * pair[1]).map(|_| (rng.random::<f32>() * 2.0 - 1.0) * limit).collect();
        parameters.push(Tensor::from_data(TensorData::new(weights, [pair[0], pair[1]]), device));
        parameters.push(Tensor::zeros([1, pair[1]], device));
    }
    if examples.inputs == 0 {
        return network(&parameters, &sizes);
    }
    let held_out = if examples.rows < FEWEST_TO_HOLD_OUT { 0.0 } else { HELD_OUT };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a row count")]
    let newest = (examples.rows as f64 * held_out) as usize;
    let (mut older, judges) =
        ((0..examples.rows - newest).collect::<Vec<_>>(), examples.rows - newest..examples.rows);
    let mut epochs = plan.epochs;
    if !judges.is_empty() {
        let judges: Vec<usize> = judges.collect();
        let (mut trial, mut adam) = (parameters.clone(), Adam::new(&parameters));
        let mut best = f64::INFINITY;
        for epoch in 1..=plan.epochs {
            pass::<B>(plan, examples, device, &mut older, &mut rng, &mut trial, &mut adam);
            let loss = examples.loss(&trial, &judges, device).into_data().convert::<f64>();
            let loss =
                loss.to_vec::<f64>().map_err(|e| format!("{e:?}"))?.first().copied().unwrap_or(f64::NAN);
            if loss < best || epoch == 1 {
                (best, epochs) = (loss, epoch);
            } else if epoch >= epochs + PATIENCE {
                break;
            }
        }
    }
    // Once more with the newest rows, which on a stream say most of what comes.
    let mut all: Vec<usize> = (0..examples.rows).collect();
    let mut adam = Adam::new(&parameters);
    for _ in 0..epochs {
        pass::<B>(plan, examples, device, &mut all, &mut rng, &mut parameters, &mut adam);
    }
    network(&parameters, &sizes)
}

/// One pass over the rows `order`, in a new order.
fn pass<B: AutodiffBackend>(
    plan: &Plan,
    examples: &Examples,
    device: &B::Device,
    order: &mut [usize],
    rng: &mut ChaCha8Rng,
    parameters: &mut [Tensor<B::InnerBackend, 2>],
    adam: &mut Adam<B::InnerBackend>,
) {
    order.shuffle(rng);
    for rows in order.chunks(BATCH) {
        let tracked: Vec<Tensor<B, 2>> =
            parameters.iter().map(|p| Tensor::from_inner(p.clone()).require_grad()).collect();
        let gradients = examples.loss(&tracked, rows, device).backward();
        adam.begin();
        for (i, (parameter, t)) in parameters.iter_mut().zip(&tracked).enumerate() {
            if let Some(gradient) = t.grad(&gradients) {
                // Biases, which come second, are free.
                let decay = if i % 2 == 0 { plan.weight_decay } else { 0.0 };
                *parameter = adam.moved(i, parameter.clone(), gradient, plan.learning_rate, decay);
            }
        }
    }
}

/// The parameters as plain numbers.
fn network<B: Backend>(parameters: &[Tensor<B, 2>], sizes: &[usize]) -> Result<Network, Failure> {
    let plain = |t: &Tensor<B, 2>| -> Result<Vec<f32>, Failure> {
        t.to_data().convert::<f32>().to_vec::<f32>().map_err(|e| format!("{e:?}").into())
    };
    let layers = parameters
        .chunks_exact(2)
        .zip(sizes)
        .map(|(p, inputs)| Ok(Layer { bias: plain(&p[1])?, inputs: *inputs, weights: plain(&p[0])? }))
        .collect::<Result<_, Failure>>()?;
    Ok(Network { layers })
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;

    use super::*;
    use crate::conformance::Data;

    #[test]
    fn plain_forward_equals_burns() {
        let data = Data::mixed(300, 3);
        let rows = data.rows();
        let dense = Dense::learn(&data.schema, &rows);
        let targets = Targets::read(&data.schema, &rows).unwrap();
        let examples = Examples::new(&dense, &rows, &targets);
        let plan = Plan { hidden: vec![16, 8], learning_rate: 0.01, epochs: 3, weight_decay: 1e-3, seed: 5 };
        let device = Default::default();
        let network = train::<super::super::Trainer>(&plan, &examples, &device).unwrap();
        let parameters: Vec<Tensor<Flex, 2>> = network
            .layers
            .iter()
            .flat_map(|l| {
                [
                    Tensor::from_data(TensorData::new(l.weights.clone(), [l.inputs, l.bias.len()]), &device),
                    Tensor::from_data(TensorData::new(l.bias.clone(), [1, l.bias.len()]), &device),
                ]
            })
            .collect();
        let x = TensorData::new(examples.x.clone(), [examples.rows, examples.inputs]);
        let theirs: Vec<f32> =
            forward(&parameters, Tensor::from_data(x, &device)).into_data().to_vec().unwrap();
        let mut row = Vec::new();
        for (r, theirs) in rows.iter().zip(theirs.chunks(3)) {
            row.clear();
            dense.encode(r.features, &mut row);
            let ours = network.outputs(row.clone());
            assert!(
                ours.iter().zip(theirs).all(|(a, b)| (a - f64::from(*b)).abs() < 1e-5),
                "{ours:?} {theirs:?}"
            );
        }
    }
}
