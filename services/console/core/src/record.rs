//! What is kept of each event: everything that people ask for, without sketches and rows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tidemill_domain::spec::Lane;
use tidemill_domain::{
    Algorithm, ContentHash, DatasetId, EventId, LabelSource, Metric, ModelVersion, Parameters, Span,
    Strategy, Timestamp, TrialId, TurnId,
};
use tidemill_events::CommandKind;
use tidemill_events::Recorded;
use tidemill_events::dataset::SegmentRef;
use tidemill_events::monitor::{Alert, LoopWindow};
use tidemill_events::rollout::{Role, RolloutStep};
use tidemill_events::training::{Choice, Measured, Purpose, Trigger};
use tidemill_events::verdict::{Gate, GateOutcome};
use tidemill_stats::sequential::Judgement;

/// The place of an event on the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct At {
    /// The event.
    pub event: EventId,
    /// Its place in the stream.
    pub sequence: u64,
    /// When the log took it.
    pub time: Timestamp,
}

impl At {
    /// The place of this event.
    #[must_use]
    pub fn of(input: &Recorded) -> Self {
        Self { event: input.meta.id.clone(), sequence: input.sequence, time: input.time }
    }
}

/// A version of the loop spec.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpecRecord {
    /// Where it is on the log.
    pub at: At,
    /// Counts the versions, from 1.
    pub version: u64,
    /// The hash of the spec.
    pub hash: ContentHash,
    /// Who applied it.
    pub by: String,
}

/// A command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandRecord {
    /// Where it is on the log.
    pub at: At,
    /// What for.
    #[serde(flatten)]
    pub kind: CommandKind,
    /// Who gave it.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// A dataset version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DatasetRecord {
    /// Where it is on the log.
    pub at: At,
    /// Its id.
    pub dataset: DatasetId,
    /// The version that it extends.
    pub parent: Option<DatasetId>,
    /// The segments that it adds.
    pub added: Vec<SegmentRef>,
    /// Rows in all.
    pub rows: u64,
    /// Segments in all.
    pub segments: u64,
    /// The earliest prediction in it.
    pub from: Timestamp,
    /// The latest prediction in it.
    pub to: Timestamp,
    /// Rows by source of their labels.
    pub sources: BTreeMap<LabelSource, u64>,
}

/// A window of the monitor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WindowRecord {
    /// Where it is on the log.
    pub at: At,
    /// The window.
    #[serde(flatten)]
    pub window: LoopWindow,
}

/// An alert of the monitor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlertRecord {
    /// Where it is on the log.
    pub at: At,
    /// The alert.
    pub alert: Alert,
    /// The window that says so, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<WindowRecord>,
}

/// A decision about a trigger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TriggerRecord {
    /// Where it is on the log.
    pub at: At,
    /// The decision.
    #[serde(flatten)]
    pub trigger: Trigger,
}

/// How far a trial is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrialState {
    /// It failed.
    Failed,
    /// It gave a result.
    Finished,
    /// It waits or runs.
    Planned,
}

/// A trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrialRecord {
    /// Where its plan is on the log.
    pub planned: At,
    /// Where its end is on the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<At>,
    /// The trial.
    pub trial: TrialId,
    /// The turn.
    pub turn: TurnId,
    /// What it is for.
    pub purpose: Purpose,
    /// How far it is.
    pub state: TrialState,
    /// The family of learners.
    pub algorithm: Algorithm,
    /// Its hyper-parameters.
    pub parameters: Parameters,
    /// What it learns from.
    pub strategy: Strategy,
    /// Seeds everything random in it.
    pub seed: u64,
    /// The dataset version.
    pub dataset: DatasetId,
    /// What it is scored by.
    pub metric: Metric,
    /// Rows learned from; before its end, the rows to choose from.
    pub rows: u64,
    /// Rows that it is scored on.
    pub validated: u64,
    /// What it was expected to cost.
    pub modelled: Span,
    /// Its mean loss; smaller is better.
    pub score: Option<f64>,
    /// Metrics by name.
    pub metrics: BTreeMap<String, f64>,
    /// What it cost where it ran.
    pub measured: Option<Measured>,
    /// The stored model.
    pub artefact: Option<ContentHash>,
    /// Why it failed.
    pub reason: Option<String>,
}

/// A candidate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CandidateRecord {
    /// Where it is on the log.
    pub at: At,
    /// The model version.
    pub version: ModelVersion,
    /// The hash of the stored model.
    pub artefact: ContentHash,
    /// The number of the first row that it has not learned from.
    pub trained_to: u64,
    /// The dataset version that it learned from.
    pub dataset: DatasetId,
    /// The trial that made it.
    pub trial: TrialId,
    /// What it is.
    pub choice: Choice,
    /// The trials of the search that it repeats on newer rows, each with its mean loss: one, or the members of an ensemble.
    pub won: Vec<(TrialId, f64)>,
}

/// A verdict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VerdictRecord {
    /// Where it is on the log.
    pub at: At,
    /// The turn.
    pub turn: TurnId,
    /// The candidate.
    pub version: ModelVersion,
    /// The model that it was compared with; none for the prior.
    pub champion: Option<ModelVersion>,
    /// What it says.
    pub outcome: GateOutcome,
    /// Gate by gate.
    pub gates: Vec<Gate>,
    /// The dataset version that judged.
    pub dataset: DatasetId,
    /// The version of the spec in force.
    pub spec_version: u64,
    /// New rows scored.
    pub recent_rows: u64,
    /// Old rows scored.
    pub old_rows: u64,
    /// The candidate's metrics on the new rows.
    pub candidate_metrics: BTreeMap<String, f64>,
    /// The champion's, or the prior's, on the same rows.
    pub champion_metrics: BTreeMap<String, f64>,
}

/// A model's part and share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weight {
    /// The model.
    pub version: ModelVersion,
    /// Its part.
    pub role: Role,
    /// Its share of traffic, in percent.
    pub weight: u8,
}

/// A step of a rollout.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RolloutRecord {
    /// Where it is on the log.
    pub at: At,
    /// What happened.
    pub step: RolloutStep,
    /// The model that it is about.
    pub version: Option<ModelVersion>,
    /// The way it takes.
    pub lane: Option<Lane>,
    /// The comparison that led to it.
    pub judgement: Option<Judgement>,
    /// The reason in a sentence.
    pub reason: String,
    /// The version of the route table.
    pub table: u64,
    /// Who answers from now on.
    pub weights: Vec<Weight>,
    /// The champion until now.
    pub champion_before: Option<ModelVersion>,
    /// The command or alert that it answers, if it is one of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<StepCause>,
}

/// What a step of a rollout answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepCause {
    /// An alert.
    Alert(Box<AlertRecord>),
    /// A command.
    Command(CommandRecord),
}
