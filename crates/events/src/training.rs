//! Why, how and with what result models are trained: triggers, trials, reports, candidates.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use tidemill_domain::spec::AlertKind;
use tidemill_domain::{
    Algorithm, ContentHash, DatasetId, EventId, LoopId, Metric, ModelVersion, Parameters, Schema, Span,
    Strategy, Timestamp, TrialId, TriggerId, TurnId,
};

use crate::dataset::{Located, RowRange};
use crate::model::{Deployed, Profile};
use crate::verdict::{EvaluationJob, Measurement};

/// What asks for a turn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum TriggerCause {
    /// The monitor raised an alert.
    Alert {
        /// What it is about.
        alert: AlertKind,
        /// The event that raised it.
        event: EventId,
    },
    /// A person asked.
    Manual {
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
    /// Enough rows were labelled.
    NewLabels {
        /// How many since the last turn.
        rows: u64,
    },
    /// The time had come.
    Schedule {
        /// When it was due.
        due: Timestamp,
    },
}

impl TriggerCause {
    /// The kind, for screens and metrics.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Alert { alert: AlertKind::Decay, .. } => "decay",
            Self::Alert { alert: AlertKind::Drift, .. } => "drift",
            Self::Manual { .. } => "manual",
            Self::NewLabels { .. } => "new_labels",
            Self::Schedule { .. } => "schedule",
        }
    }
}

/// How a turn ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TurnOutcome {
    /// The candidate was not taken by the deployer.
    Declined,
    /// The candidate did not pass.
    Failed,
    /// The evidence was too little for a verdict.
    Inconclusive,
    /// The champion was kept during the rollout.
    Kept,
    /// No trial gave a model.
    NoCandidate,
    /// The candidate became champion.
    Promoted,
    /// A newer candidate took its place on the way.
    Replaced,
}

impl fmt::Display for TurnOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Declined => "declined",
            Self::Failed => "failed",
            Self::Inconclusive => "inconclusive",
            Self::Kept => "kept",
            Self::NoCandidate => "no_candidate",
            Self::Promoted => "promoted",
            Self::Replaced => "replaced",
        })
    }
}

/// A decision about a trigger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "snake_case")]
pub enum Trigger {
    /// A turn begins.
    Accepted {
        /// The trigger.
        trigger: TriggerId,
        /// The turn.
        turn: TurnId,
        /// What asked for it.
        cause: TriggerCause,
        /// The dataset that it starts from.
        dataset: DatasetId,
        /// The version of the spec in force.
        spec_version: u64,
    },
    /// The turn ended; whether it helped is known from its outcome.
    Closed {
        /// The trigger.
        trigger: TriggerId,
        /// The turn.
        turn: TurnId,
        /// How it ended.
        outcome: TurnOutcome,
    },
    /// No turn begins.
    Declined {
        /// The trigger.
        trigger: TriggerId,
        /// What asked for it.
        cause: TriggerCause,
        /// Why not.
        reason: String,
    },
}

/// What a trial is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Learn from some rows and be scored on later ones.
    Search,
    /// Learn again, as the best trial did, from the rows up to the held-out ones, and become the candidate.
    Refit,
}

/// What is tried: the choice of the search.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    /// The family of learners.
    pub algorithm: Algorithm,
    /// Its hyper-parameters.
    pub parameters: Parameters,
    /// What it learns from.
    pub strategy: Strategy,
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.algorithm, self.strategy)
    }
}

/// A trial whose model becomes part of an ensemble.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// The trial of the search.
    pub trial: TrialId,
    /// What it tried.
    pub choice: Choice,
    /// The rows to learn from.
    pub train: RowRange,
    /// Its share of the answer, relative to the others.
    pub weight: f64,
    /// By which its confidence is tempered: see [`TrialResult::temperature`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
}

/// A trial, complete: a worker needs nothing else.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrialJob {
    /// The loop.
    pub loop_id: LoopId,
    /// The turn.
    pub turn: TurnId,
    /// The trial.
    pub trial: TrialId,
    /// What it is for.
    pub purpose: Purpose,
    /// What is tried.
    pub choice: Choice,
    /// What an ensemble is made of; empty for a model alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<Member>,
    /// By which the confidence of a refit is tempered: see [`TrialResult::temperature`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Seeds everything random in it.
    pub seed: u64,
    /// The shape of the rows.
    pub schema: Schema,
    /// What it is scored by.
    pub metric: Metric,
    /// The dataset version.
    pub dataset: DatasetId,
    /// Where the rows lie.
    pub located: Located,
    /// The rows to learn from, those of all members together; reserved rows among them are left out.
    pub train: RowRange,
    /// The rows to be scored on; empty for a refit.
    pub validate: RowRange,
    /// What it is expected to cost.
    pub modelled: Span,
}

/// What a trial gave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrialResult {
    /// The mean loss on the rows to be scored on; none for a refit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    /// How over-confident it was on these rows, which the score already allows for; a refit takes it over, since its rows are
    /// too new to be judged on. None for numbers, and where nothing can be said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Metrics by name.
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, f64>,
    /// Rows learned from.
    pub rows: u64,
    /// The stored model; none for a search.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artefact: Option<ContentHash>,
    /// The distribution of the rows learned from; none for a search.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Profile>,
    /// What was measured; decisions do not depend on it.
    pub measured: Measured,
}

/// The cost of a job as measured where it ran.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Seconds from start to end.
    pub wall_seconds: f64,
    /// Seconds of processor time.
    pub cpu_seconds: f64,
    /// Peak resident memory of the process, in bytes.
    pub peak_rss_bytes: u64,
    /// Who ran it.
    pub worker: String,
    /// The version of the code that ran.
    pub code: String,
}

/// A trial was planned, or it ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Trial {
    /// It failed.
    Failed {
        /// The trial.
        trial: TrialId,
        /// The turn.
        turn: TurnId,
        /// Why.
        reason: String,
    },
    /// It gave a result.
    Finished {
        /// The trial.
        trial: TrialId,
        /// The turn.
        turn: TurnId,
        /// What it gave.
        result: TrialResult,
    },
    /// It is to be run.
    Planned {
        /// What to run.
        job: TrialJob,
    },
}

/// The result of a job, from whoever ran it. The first report of a job counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "report", rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "an event holds it in a box")]
pub enum Report {
    /// An evaluation was measured.
    Evaluated {
        /// What was to be measured.
        job: EvaluationJob,
        /// What was measured.
        measurement: Measurement,
    },
    /// An evaluation could not be measured.
    EvaluationFailed {
        /// What was to be measured.
        job: EvaluationJob,
        /// Why not.
        reason: String,
    },
    /// A trial failed.
    TrialFailed {
        /// The trial.
        trial: TrialId,
        /// The turn.
        turn: TurnId,
        /// Why.
        reason: String,
    },
    /// A trial gave a result.
    TrialFinished {
        /// The trial.
        trial: TrialId,
        /// The turn.
        turn: TurnId,
        /// What it gave.
        result: TrialResult,
    },
}

/// The model that a turn proposes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// The model.
    pub model: Deployed,
    /// The dataset version that it learned from.
    pub dataset: DatasetId,
    /// The trial that made it.
    pub trial: TrialId,
    /// What it is.
    pub choice: Choice,
    /// What it is made of, if it is an ensemble.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<Member>,
    /// The distribution of its training rows.
    pub profile: Profile,
    /// The trials of the turn, best first.
    pub leaderboard: Vec<Standing>,
}

impl Candidate {
    /// The model version.
    #[must_use]
    pub fn version(&self) -> &ModelVersion {
        &self.model.model.version
    }

    /// What it is made of, in words.
    #[must_use]
    pub fn what(&self) -> String {
        if self.members.is_empty() {
            return self.choice.to_string();
        }
        let members: Vec<String> = self.members.iter().map(|m| m.choice.to_string()).collect();
        format!("{} of {}", self.choice.algorithm, members.join(", "))
    }
}

/// A trial's place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// The trial.
    pub trial: TrialId,
    /// What was tried.
    pub choice: Choice,
    /// Its mean loss; smaller is better.
    pub score: f64,
}
