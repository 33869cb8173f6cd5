//! Rows a second of a backtest, beside the same rows through a loop that never trains: what the cores alone can do.

use std::time::Instant;

use tidemill_domain::infer::infer;
use tidemill_domain::{LoopId, LoopSpec, Span};
use tidemill_sim::backtest::{Setup, Times, run};

use crate::{BenchError, stream};

const ROWS: usize = 20_000;
const DELAY: usize = 1_000;

pub(crate) fn main() -> Result<String, BenchError> {
    let rows = stream::rows(ROWS);
    let names: Vec<String> = (0..stream::FEATURES).map(|i| format!("x{i}")).chain(["y".to_owned()]).collect();
    let name = LoopId::new("bench").map_err(|e| BenchError::Other(e.to_string()))?;
    let spec = LoopSpec::with_defaults(name, infer(&names, &rows));
    let mut idle = spec.clone();
    idle.triggers.new_labels = None;
    idle.triggers.on.clear();
    let rate = |spec: LoopSpec| {
        let times = Times::Every(Span::seconds(1));
        let setup = Setup { spec, rows: rows.clone(), times, label_delay: DELAY, seed: 0 };
        let started = Instant::now();
        let result = run(&setup, |_| {});
        (ROWS as f64 / started.elapsed().as_secs_f64(), result.turns.len())
    };
    let (limit, _) = rate(idle);
    let (learning, turns) = rate(spec);
    Ok(format!(
        "  {learning:>10.0} rows/s with {turns} turns of the default search\n  {limit:>10.0} rows/s without any turn\n  {:>10.2} of it\n",
        learning / limit
    ))
}
