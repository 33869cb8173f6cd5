//! A small loop and its rows: what the label says turns around in the middle.

use std::collections::BTreeMap;

use tidemill::producer::Row;
use tidemill_domain::{LoopSpec, PredictionId, Value, spec::parse};

/// The loop file. Paired windows (a quarter of min_rows) are longer than the stream: what they lead to would race with what
/// segments lead to, and no order would be the right one.
pub(crate) const LOOP: &str = "\
apiVersion: tidemill.dev/v1
kind: Loop
metadata: { name: small }
spec:
  schema:
    features:
      - { name: a, type: numeric, min: -10, max: 10 }
      - { name: b, type: numeric, min: -10, max: 10 }
    target: { name: y, type: categorical }
  monitor: { window: 50 rows }
  triggers:
    - new_labels: 100
    - on: [drift, decay]
  training:
    algorithms: [linear]
    budget: { trials: 2, time: 10s, workers: 1 }
    cooldown: 0s
  evaluation: { min_rows: 20, max_regression: 50% }
  rollout: { lane: auto, shadow: 0, steps: [50%, 100%], min_rows: 4000, watch: 1h }
";

/// The loop.
pub(crate) fn spec() -> LoopSpec {
    parse(LOOP).unwrap()
}

/// Cells and label of a row; one in forty is out of range.
pub(crate) fn row(index: usize) -> (Row, Value) {
    // A fixed scramble of the index serves as noise, so that every run sees the same rows.
    let scramble = |salt: u64| tidemill_domain::hash::unit_of(&format!("{salt}/{index}")) * 6.0 - 3.0;
    let (a, b) = (scramble(1), scramble(2));
    let positive = (a + 0.5 * b > 0.0) != (index >= 400);
    let a = if index % 40 == 17 { 99.0 } else { a };
    let features = vec![("a".to_owned(), Value::Number(a)), ("b".to_owned(), Value::Number(b))];
    let label = Value::Text(if positive { "yes" } else { "no" }.to_owned());
    (Row { id: PredictionId::new(format!("row-{index}")), entity: None, features }, label)
}

/// Whether the row is one that the validator refuses.
pub(crate) fn is_refused(index: usize) -> bool {
    index % 40 == 17
}

/// The cells by name.
pub(crate) fn features(row: &Row) -> BTreeMap<String, Value> {
    row.features.iter().cloned().collect()
}
