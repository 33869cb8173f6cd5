//! What a linear fit minimises: the weighted sum of row losses and the penalty, with its gradient.

/// The loss of one row, with the targets of all.
pub(super) enum Loss<'a> {
    /// Half the squared error of the number.
    Squared(&'a [f64]),
    /// Log loss of class 1 against class 0.
    Logistic(&'a [usize]),
    /// Log loss over so many classes.
    Softmax(&'a [usize], usize),
}

/// A linear fit. `x` holds the rows one after the other, each `width` long, its last number the 1 of the intercept.
pub(super) struct Problem<'a> {
    pub(super) x: Vec<f64>,
    pub(super) width: usize,
    /// One weight per row, 1 on average.
    pub(super) row_weights: Vec<f64>,
    pub(super) l2: f64,
    pub(super) loss: Loss<'a>,
}

impl Problem<'_> {
    /// The rows.
    pub(super) fn rows(&self) -> impl Iterator<Item = &[f64]> {
        self.x.chunks_exact(self.width)
    }

    /// The value at `beta`, and its gradient into `gradient`; both hold one run of `width` per output.
    pub(super) fn value_and_gradient(&self, beta: &[f64], gradient: &mut [f64]) -> f64 {
        gradient.fill(0.0);
        let width = self.width;
        let mut value = 0.0;
        match self.loss {
            Loss::Squared(targets) => {
                for ((row, weight), t) in self.rows().zip(&self.row_weights).zip(targets) {
                    let error = dot(beta, row) - t;
                    value += 0.5 * weight * error * error;
                    add(gradient, weight * error, row);
                }
            }
            Loss::Logistic(classes) => {
                for ((row, weight), class) in self.rows().zip(&self.row_weights).zip(classes) {
                    let (loss, slope, _) = logistic(dot(beta, row), *class);
                    value += weight * loss;
                    add(gradient, weight * slope, row);
                }
            }
            Loss::Softmax(classes, k) => {
                let mut scores = vec![0.0; k];
                for ((row, weight), class) in self.rows().zip(&self.row_weights).zip(classes) {
                    for (s, b) in scores.iter_mut().zip(beta.chunks_exact(width)) {
                        *s = dot(b, row);
                    }
                    let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                    let truth = scores[*class] - most;
                    let mut sum = 0.0;
                    for s in &mut scores {
                        *s = (*s - most).exp();
                        sum += *s;
                    }
                    value += weight * (sum.ln() - truth);
                    for (j, (s, g)) in scores.iter().zip(gradient.chunks_exact_mut(width)).enumerate() {
                        add(g, weight * (s / sum - f64::from(u8::from(j == *class))), row);
                    }
                }
            }
        }
        for (b, g) in beta.chunks_exact(width).zip(gradient.chunks_exact_mut(width)) {
            // The last one is the intercept, which is free.
            for (b, g) in b[..width - 1].iter().zip(g) {
                value += 0.5 * self.l2 * b * b;
                *g += self.l2 * b;
            }
        }
        value
    }
}

/// Log loss, slope and curvature at a logit.
pub(super) fn logistic(logit: f64, class: usize) -> (f64, f64, f64) {
    let p = crate::calibrate::sigmoid(logit);
    let t = class as f64;
    // ln(1 + e^x) without overflow
    let loss = logit.max(0.0) + (-logit.abs()).exp().ln_1p() - t * logit;
    (loss, p - t, p * (1.0 - p))
}

/// The scalar product. Four running sums let the compiler use vector instructions without changing the order of sums.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 4];
    let (left, right) = (a.chunks_exact(4), b.chunks_exact(4));
    let rest: f64 = left.remainder().iter().zip(right.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in left.zip(right) {
        for i in 0..4 {
            sums[i] += x[i] * y[i];
        }
    }
    (sums[0] + sums[1]) + (sums[2] + sums[3]) + rest
}

/// `out += factor * row`
pub(super) fn add(out: &mut [f64], factor: f64, row: &[f64]) {
    for (o, x) in out.iter_mut().zip(row) {
        *o += factor * x;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gradient_is_the_slope(loss: Loss<'_>, outputs: usize) {
        let x = vec![0.5, -1.0, 1.0, 2.0, 0.3, 1.0, -0.7, 0.1, 1.0];
        let problem = Problem { x, width: 3, row_weights: vec![1.0, 0.5, 1.5], l2: 0.3, loss };
        let beta: Vec<f64> = (0..3 * outputs).map(|i| 0.1 * i as f64 - 0.2).collect();
        let mut gradient = vec![0.0; beta.len()];
        problem.value_and_gradient(&beta, &mut gradient);
        for i in 0..beta.len() {
            let at = |h: f64| {
                let mut moved = beta.clone();
                moved[i] += h;
                problem.value_and_gradient(&moved, &mut vec![0.0; beta.len()])
            };
            let slope = (at(1e-5) - at(-1e-5)) / 2e-5;
            assert!((slope - gradient[i]).abs() < 1e-7, "{i}: {slope} {}", gradient[i]);
        }
    }

    #[test]
    fn gradients() {
        gradient_is_the_slope(Loss::Squared(&[1.0, -2.0, 0.5]), 1);
        gradient_is_the_slope(Loss::Logistic(&[1, 0, 1]), 1);
        gradient_is_the_slope(Loss::Softmax(&[2, 0, 1], 3), 3);
    }

    #[test]
    fn dot_of_any_length() {
        for n in 0..11 {
            let a: Vec<f64> = (0..n).map(f64::from).collect();
            assert_eq!(dot(&a, &a), a.iter().map(|x| x * x).sum::<f64>());
        }
    }
}
