//! The rows that are measured on: eight numbers and a class that follows from them, by seed.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tidemill_domain::{PredictionId, Value};

/// Features of a row.
pub(crate) const FEATURES: usize = 8;

/// The loop of these rows, as a file.
pub(crate) fn loop_file(name: &str, new_labels: u64) -> String {
    let features: String =
        (0..FEATURES).map(|i| format!("      - {{ name: x{i}, type: numeric }}\n")).collect();
    format!(
        "apiVersion: tidemill.dev/v1\nkind: Loop\nmetadata: {{ name: {name} }}\nspec:\n  schema:\n    features:\n{features}    \
         target: {{ name: y, type: categorical }}\n  triggers: [{{ new_labels: {new_labels} }}]\n  training: {{ algorithms: [linear], \
         budget: {{ trials: 2, time: 30s, workers: 1 }}, cooldown: 0s }}\n"
    )
}

/// Rows: features, then the class.
pub(crate) fn rows(n: usize) -> Vec<Vec<Value>> {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let row = |_| {
        let cells: Vec<f64> = (0..FEATURES).map(|_| rng.random_range(-1.0..1.0)).collect();
        let noise = rng.random_range(-0.5..0.5_f64);
        let positive = cells[0] + cells[1] * cells[2] + noise > 0.0;
        let label = Value::Text(if positive { "yes" } else { "no" }.to_owned());
        cells.into_iter().map(Value::Number).chain([label]).collect()
    };
    (0..n).map(row).collect()
}

/// The features of a row by name.
pub(crate) fn features(cells: &[Value]) -> Vec<(String, Value)> {
    cells[..FEATURES].iter().enumerate().map(|(i, v)| (format!("x{i}"), v.clone())).collect()
}

/// The id of a row.
pub(crate) fn id(prefix: &str, index: usize) -> PredictionId {
    PredictionId::new(format!("{prefix}-{index}"))
}
