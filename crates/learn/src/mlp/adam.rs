//! Adam with decoupled weight decay (Loshchilov and Hutter 2019, Decoupled weight decay regularization).

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

const BETA_1: f64 = 0.9;
const BETA_2: f64 = 0.999;
const EPSILON: f64 = 1e-8;

/// The running moments of every parameter's gradient.
pub(super) struct Adam<B: Backend> {
    moments: Vec<(Tensor<B, 2>, Tensor<B, 2>)>,
    steps: i32,
}

impl<B: Backend> Adam<B> {
    /// Before the first step; `parameters` give the shapes.
    pub(super) fn new(parameters: &[Tensor<B, 2>]) -> Self {
        Self { moments: parameters.iter().map(|p| (p.zeros_like(), p.zeros_like())).collect(), steps: 0 }
    }

    /// To be called once before the parameters of a step are moved.
    pub(super) fn begin(&mut self) {
        self.steps += 1;
    }

    /// Parameter number `at` after this step; `decay` is the share by which it shrinks per unit of `rate`.
    pub(super) fn moved(
        &mut self,
        at: usize,
        parameter: Tensor<B, 2>,
        gradient: Tensor<B, 2>,
        rate: f64,
        decay: f64,
    ) -> Tensor<B, 2> {
        let (first, second) = &mut self.moments[at];
        *first = first.clone() * BETA_1 + gradient.clone() * (1.0 - BETA_1);
        *second = second.clone() * BETA_2 + gradient.clone() * gradient * (1.0 - BETA_2);
        let (bias_1, bias_2) = (1.0 - BETA_1.powi(self.steps), 1.0 - BETA_2.powi(self.steps));
        let step = first.clone() / ((second.clone() / bias_2).sqrt() + EPSILON) * (rate / bias_1);
        parameter * (1.0 - rate * decay) - step
    }
}
