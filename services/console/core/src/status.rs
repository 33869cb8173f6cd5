//! How a loop is, at a glance.

use serde::{Deserialize, Serialize};
use tidemill_domain::spec::Lane;
use tidemill_domain::{Algorithm, ContentHash, DatasetId, LoopId, Metric, ModelVersion, Timestamp, TurnId};
use tidemill_events::monitor::WindowKind;
use tidemill_events::rollout::Role;

use crate::loops::LoopState;
use crate::record::{
    AlertRecord, CommandRecord, DatasetRecord, RolloutRecord, SpecRecord, TriggerRecord, VerdictRecord,
    WindowRecord,
};
use crate::summary::{Stage, TurnSummary};

/// Trigger decisions that a status shows.
const MAX_TRIGGERS: usize = 5;

/// A loop in short.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoopSummary {
    /// Its name.
    pub name: LoopId,
    /// The version of its spec.
    pub spec_version: u64,
    /// Whether people stopped its automatic actions.
    pub paused: bool,
    /// The model that answers.
    pub champion: Option<ModelVersion>,
    /// Rows of its newest dataset version.
    pub rows: u64,
    /// Alerts that are not cleared.
    pub alerts: u64,
    /// The turn under way.
    pub turn: Option<TurnId>,
}

impl LoopSummary {
    pub(crate) fn of(id: &LoopId, state: &LoopState) -> Self {
        Self {
            name: id.clone(),
            spec_version: state.spec_version(),
            paused: state.paused.is_some(),
            champion: state.table.champion().map(|c| c.model.version.clone()),
            rows: state.datasets.last().map_or(0, |d| d.rows),
            alerts: state.active.len() as u64,
            turn: under_way(state).map(|t| t.turn),
        }
    }
}

/// A model that gets rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelStatus {
    /// The model.
    pub version: ModelVersion,
    /// Its part.
    pub role: Role,
    /// Its share of traffic, in percent.
    pub weight: u8,
    /// Since when it plays this part.
    pub since: Timestamp,
    /// The family of its learner.
    pub algorithm: Algorithm,
    /// The hash of the stored model.
    pub artefact: ContentHash,
    /// The turn that made it.
    pub turn: TurnId,
    /// The number of the first row that it has not learned from.
    pub trained_to: u64,
    /// Its newest window of labelled rows.
    pub labelled: Option<WindowRecord>,
    /// Its newest window of predictions, with the drift against its training rows.
    pub observed: Option<WindowRecord>,
}

/// The newest dataset version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DatasetStatus {
    /// Its id.
    pub dataset: DatasetId,
    /// Rows in all.
    pub rows: u64,
    /// Segments in all.
    pub segments: u64,
    /// The earliest prediction in it.
    pub from: Timestamp,
    /// The latest prediction in it.
    pub to: Timestamp,
}

impl DatasetStatus {
    fn of(record: &DatasetRecord) -> Self {
        let DatasetRecord { dataset, rows, segments, from, to, .. } = record;
        Self { dataset: dataset.clone(), rows: *rows, segments: *segments, from: *from, to: *to }
    }
}

/// How a loop is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Its name.
    pub name: LoopId,
    /// The place of the newest event that this rests on.
    pub sequence: u64,
    /// The time of that event.
    pub time: Timestamp,
    /// The spec in force.
    pub spec: Option<SpecRecord>,
    /// What trials are compared by, and what alerts of decay are about.
    pub metric: Metric,
    /// The command that paused or froze it.
    pub paused: Option<CommandRecord>,
    /// The step that pinned it to a model.
    #[serde(default)]
    pub pinned: Option<RolloutRecord>,
    /// Candidates that wait for a person's approval.
    #[serde(default)]
    pub waiting: Vec<ModelVersion>,
    /// The models that get rows: champion, then challenger or shadow.
    pub models: Vec<ModelStatus>,
    /// The champion before this one, ready to return.
    pub previous: Option<ModelVersion>,
    /// The way that the newest rollout takes.
    pub lane: Option<Lane>,
    /// The newest step of a rollout.
    pub rollout: Option<RolloutRecord>,
    /// The newest dataset version.
    pub dataset: Option<DatasetStatus>,
    /// The newest window of predictions or rows without a model, where no model serves.
    pub window: Option<WindowRecord>,
    /// Alerts that are not cleared.
    pub alerts: Vec<AlertRecord>,
    /// The turn under way.
    pub turn: Option<TurnSummary>,
    /// The newest verdict.
    pub verdict: Option<VerdictRecord>,
    /// The newest decisions about triggers, newest first.
    pub triggers: Vec<TriggerRecord>,
}

impl Status {
    pub(crate) fn of(id: &LoopId, state: &LoopState, sequence: u64, time: Timestamp) -> Self {
        let mut models: Vec<ModelStatus> =
            state.table.routes.iter().map(|route| model(state, route)).collect();
        models.sort_by_key(|m| m.role);
        Self {
            name: id.clone(),
            sequence,
            time,
            spec: state.specs.last().cloned(),
            metric: state.spec.training.metric,
            paused: state.paused.clone(),
            pinned: state.pinned.clone(),
            waiting: state.waiting.clone(),
            models,
            previous: state.table.previous.as_ref().map(|p| p.model.version.clone()),
            lane: state.lane,
            rollout: state.rollouts.last().cloned(),
            dataset: state.datasets.last().map(DatasetStatus::of),
            window: state.windows.iter().rev().find(|w| w.window.key.version.is_none()).cloned(),
            alerts: state.active.values().cloned().collect(),
            turn: under_way(state),
            verdict: state.verdict.clone(),
            triggers: state.triggers.iter().rev().take(MAX_TRIGGERS).cloned().collect(),
        }
    }
}

/// The turn that searches or awaits its verdict, or else the newest one on its way to traffic.
fn under_way(state: &LoopState) -> Option<TurnSummary> {
    let open = || state.turns.iter().rev().filter(|t| t.stage() != Stage::Closed);
    let busy = open().find(|t| matches!(t.stage(), Stage::Searching | Stage::Judged));
    busy.or_else(|| open().next()).map(|turn| turn.summary.clone())
}

fn model(state: &LoopState, route: &tidemill_events::rollout::Route) -> ModelStatus {
    let deployed = &route.model;
    let version = &deployed.model.version;
    let newest = |kind| {
        let fits =
            |w: &&WindowRecord| w.window.key.kind == kind && w.window.key.version.as_ref() == Some(version);
        state.windows.iter().rev().find(fits).cloned()
    };
    ModelStatus {
        version: version.clone(),
        role: route.role,
        weight: route.weight,
        since: state.since.get(version).map_or(Timestamp::default(), |(_, since)| *since),
        algorithm: deployed.model.algorithm,
        artefact: deployed.model.artefact.clone(),
        turn: deployed.turn.clone(),
        trained_to: deployed.trained_to,
        labelled: newest(WindowKind::Labelled),
        observed: newest(WindowKind::Observed),
    }
}
