//! Events for tests.

use std::collections::BTreeMap;

use tidemill_domain::{
    Algorithm, ContentHash, DatasetId, EventId, Feature, FeatureKind, Label, LabelSource, LoopId, LoopSpec,
    ModelRef, ModelVersion, PredictionId, PredictionRecord, Schema, Span, Strategy, Target, TargetKind,
    Timestamp, TrialId, TurnId, Value,
};
use tidemill_events::event::SpecApplied;
use tidemill_events::intake::{IntakeBatch, IntakeItem};
use tidemill_events::model::{Deployed, Profile};
use tidemill_events::rollout::{Role, Rollout, RolloutStep, Route, RouteTable};
use tidemill_events::training::{Candidate, Choice};
use tidemill_events::{Event, Intake, Log, Meta, Recorded, Subject, Topic};

pub(crate) fn loop_id(name: &str) -> LoopId {
    LoopId::new(name).unwrap_or_else(|e| unreachable!("{e}"))
}

fn schema() -> Schema {
    let kind = FeatureKind::Numeric { min: None, max: None };
    Schema {
        features: vec![Feature { name: "x".into(), kind, required: false }],
        target: Target { name: "y".into(), kind: TargetKind::Numeric },
        entity: None,
        slices: vec![],
    }
}

pub(crate) fn spec(name: &str, version: u64, horizon: Span) -> Event {
    let mut spec = LoopSpec::with_defaults(loop_id(name), schema());
    spec.labels.horizon = horizon;
    Event::Spec(Box::new(SpecApplied { version, hash: spec.hash(), spec, by: "test".into() }))
}

fn deployed(version: u64) -> Deployed {
    let artefact = ContentHash::of(&version.to_le_bytes());
    let model = ModelRef { version: ModelVersion::of(&artefact), artefact, algorithm: Algorithm::Linear };
    Deployed { model, turn: TurnId::new("t"), trained_to: 0 }
}

/// The model that [`rollout`] of the same version makes champion.
pub(crate) fn candidate(version: u64) -> Event {
    Event::Candidate(Box::new(Candidate {
        model: deployed(version),
        dataset: DatasetId::new("d"),
        trial: TrialId::new("t"),
        choice: Choice { algorithm: Algorithm::Linear, parameters: BTreeMap::new(), strategy: Strategy::All },
        members: Vec::new(),
        profile: Profile::new(&schema(), 32),
        leaderboard: vec![],
    }))
}

pub(crate) fn rollout(version: u64) -> Event {
    let routes = vec![Route { model: deployed(version), role: Role::Champion, weight: 100 }];
    Event::Rollout(Box::new(Rollout {
        step: RolloutStep::Promoted,
        version: None,
        lane: None,
        table: RouteTable { version, routes, previous: None },
        judgement: None,
        reason: "test".into(),
    }))
}

pub(crate) fn prediction(id: &str, time: Timestamp) -> PredictionRecord {
    PredictionRecord {
        prediction_id: PredictionId::new(id),
        entity: None,
        time,
        features: BTreeMap::from([("x".into(), Value::Number(1.0))]),
        scored: vec![],
    }
}

pub(crate) fn label(id: &str, time: Timestamp) -> Label {
    Label {
        prediction_id: PredictionId::new(id),
        label: Value::Number(1.0),
        source: LabelSource::Application,
        time,
    }
}

pub(crate) fn intake(items: Vec<IntakeItem>) -> Event {
    Event::Intake(IntakeBatch { items })
}

/// An event on a subject where it belongs.
pub(crate) fn recorded(name: &str, sequence: u64, time: Timestamp, event: Event) -> Recorded {
    let topic = match &event {
        Event::Intake(_) => Topic::Intake(Intake::Prediction),
        Event::Candidate(_) => Topic::Log(Log::Candidate),
        Event::Spec(_) => Topic::Log(Log::Spec),
        _ => Topic::Log(Log::Rollout),
    };
    let kind = if matches!(topic, Topic::Intake(_)) { "i" } else { "c" };
    let meta = Meta {
        id: EventId::new(format!("{kind}{sequence}")),
        source: "test".into(),
        causation: None,
        correlation: None,
        upto: None,
    };
    Recorded { sequence, time, subject: Subject::new(loop_id(name), topic), meta, event }
}
