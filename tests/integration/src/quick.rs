//! A loop whose turns take a second or two, and its rows: what the label says turns around every four hundred rows, so that
//! there is always something to learn.

use tidemill::producer::Row;
use tidemill_domain::{LoopId, PredictionId, Value};

use crate::HarnessError;

/// The name of the loop.
const NAME: &str = "quick";
/// After how many new labelled rows it begins a turn.
pub const TURN: usize = 100;
/// After so many rows what the label says turns around.
const AROUND: usize = 400;

/// The loop file. Models of the one learner that there is go into service as soon as they pass, so that a turn ends by itself.
pub const LOOP: &str = "\
apiVersion: tidemill.dev/v1
kind: Loop
metadata: { name: quick }
spec:
  schema:
    features:
      - { name: a, type: numeric, min: -10, max: 10 }
      - { name: b, type: numeric, min: -10, max: 10 }
    target: { name: y, type: categorical }
  labels: { horizon: 1h }
  monitor: { window: 50 rows }
  triggers:
    - new_labels: 100
    - on: [drift, decay]
  training:
    algorithms: [linear]
    budget: { trials: 2, time: 10s, workers: 1 }
    cooldown: 0s
  evaluation: { min_rows: 20, max_regression: 50% }
  rollout: { lane: fast, shadow: 0, steps: [50%, 100%], min_rows: 4000, watch: 1h }
";

/// The loop.
///
/// # Errors
/// Never: the name is a good one.
pub fn loop_id() -> Result<LoopId, HarnessError> {
    LoopId::new(NAME).map_err(|e| HarnessError::Other(e.to_string()))
}

/// Cells and label of a row; one in forty is out of range.
#[must_use]
pub fn row(index: usize) -> (Row, Value) {
    // A fixed scramble of the index serves as noise, so that every run sees the same rows.
    let scramble = |salt: u64| tidemill_domain::hash::unit_of(&format!("{salt}/{index}")) * 6.0 - 3.0;
    let (a, b) = (scramble(1), scramble(2));
    let positive = (a + 0.5 * b > 0.0) != ((index / AROUND) % 2 == 1);
    let a = if index % 40 == 17 { 99.0 } else { a };
    let features = vec![("a".to_owned(), Value::Number(a)), ("b".to_owned(), Value::Number(b))];
    let label = Value::Text(if positive { "yes" } else { "no" }.to_owned());
    (Row { id: id(index), entity: None, features }, label)
}

/// The id of a row.
#[must_use]
pub fn id(index: usize) -> PredictionId {
    PredictionId::new(format!("row-{index}"))
}
