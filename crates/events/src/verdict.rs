//! Whether a candidate may get traffic: what was measured, and the gates.

use serde::{Deserialize, Serialize};
use tidemill_domain::{DatasetId, LoopId, Metric, ModelVersion, Schema, Scores, TurnId};
use tidemill_stats::sketch::Moments;

use crate::dataset::{Located, RowRange};
use crate::model::Deployed;

/// What to measure: a worker needs nothing else.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvaluationJob {
    /// The loop.
    pub loop_id: LoopId,
    /// The turn.
    pub turn: TurnId,
    /// The model to judge.
    pub candidate: Deployed,
    /// The model to compare it with; none compares it with the prior.
    pub champion: Option<Deployed>,
    /// The shape of the rows.
    pub schema: Schema,
    /// What losses are measured by.
    pub metric: Metric,
    /// The dataset version.
    pub dataset: DatasetId,
    /// Where the rows lie.
    pub located: Located,
    /// The newest rows, from which neither model has learned.
    pub recent: RowRange,
    /// Older rows, of which only the reserved ones are used.
    pub old: RowRange,
}

/// Two models on the same rows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Rows scored.
    pub rows: u64,
    /// The candidate's scores.
    pub candidate: Scores,
    /// The champion's, or the prior's.
    pub champion: Scores,
    /// The champion's loss minus the candidate's, row by row: positive is good for the candidate.
    pub difference: Moments,
    /// The champion's losses.
    pub champion_loss: Moments,
    /// Rows that the champion got right and the candidate gets wrong.
    pub negative_flips: u64,
}

/// What an evaluation measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// On the newest rows.
    pub recent: Comparison,
    /// On reserved old rows.
    pub old: Comparison,
}

/// What one gate says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GateOutcome {
    /// The candidate does not meet it.
    Failed,
    /// Too little evidence.
    Inconclusive,
    /// The candidate meets it.
    Passed,
    /// Measured for the record; it does not decide.
    Recorded,
}

/// One gate, with what it measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    /// Its name: `enough_rows`, `recent`, `old`, `negative_flips`.
    pub name: String,
    /// What it says.
    pub outcome: GateOutcome,
    /// What was measured.
    pub measured: f64,
    /// What was asked.
    pub limit: Option<f64>,
    /// Both in a sentence.
    pub summary: String,
}

/// The judgement of a candidate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The turn.
    pub turn: TurnId,
    /// The candidate.
    pub candidate: Deployed,
    /// The model that it was compared with; none for the prior.
    pub champion: Option<ModelVersion>,
    /// `Passed` only if no gate failed and none was inconclusive.
    pub outcome: GateOutcome,
    /// Gate by gate.
    pub gates: Vec<Gate>,
    /// The dataset version that judged.
    pub dataset: DatasetId,
    /// The version of the spec in force.
    pub spec_version: u64,
    /// What was measured.
    pub measurement: Measurement,
}

impl Verdict {
    /// The candidate as the model of this turn.
    #[must_use]
    pub fn deployed(&self) -> Deployed {
        Deployed { turn: self.turn.clone(), ..self.candidate.clone() }
    }
}
