//! A trained network as plain numbers, and its forward pass. Must not know of tensors.

use serde::{Deserialize, Serialize};

use crate::validate::finite;

/// Layers one after the other, with the positive part taken between them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Network {
    pub(super) layers: Vec<Layer>,
}

/// `outputs = inputs * weights + bias`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Layer {
    /// One number per output.
    pub(super) bias: Vec<f32>,
    /// How many numbers go in.
    pub(super) inputs: usize,
    /// Input by input one number per output.
    pub(super) weights: Vec<f32>,
}

impl Network {
    /// The outputs for one row.
    pub(super) fn outputs(&self, mut row: Vec<f64>) -> Vec<f64> {
        for (i, layer) in self.layers.iter().enumerate() {
            let mut out: Vec<f64> = layer.bias.iter().map(|b| f64::from(*b)).collect();
            for (x, weights) in row.iter().zip(layer.weights.chunks_exact(layer.bias.len())) {
                if *x != 0.0 {
                    for (o, w) in out.iter_mut().zip(weights) {
                        *o += x * f64::from(*w);
                    }
                }
            }
            if i + 1 < self.layers.len() {
                out.iter_mut().for_each(|o| *o = o.max(0.0));
            }
            row = out;
        }
        row
    }

    pub(super) fn n_parameters(&self) -> u64 {
        self.layers.iter().map(|l| (l.bias.len() + l.weights.len()) as u64).sum()
    }

    /// How many numbers go in, and how many come out.
    pub(super) fn ends(&self) -> Option<(usize, usize)> {
        Some((self.layers.first()?.inputs, self.layers.last()?.bias.len()))
    }

    pub(super) fn check(&self) -> Result<(), String> {
        let shapes = self
            .layers
            .iter()
            .all(|l| !l.bias.is_empty() && l.inputs.checked_mul(l.bias.len()) == Some(l.weights.len()));
        let joints = self.layers.windows(2).all(|w| w[0].bias.len() == w[1].inputs);
        if self.layers.is_empty() || !shapes || !joints {
            return Err("the layers of the network do not fit each other".to_owned());
        }
        finite(self.layers.iter().flat_map(|l| l.bias.iter().chain(&l.weights)).map(|x| f64::from(*x)))
    }
}
