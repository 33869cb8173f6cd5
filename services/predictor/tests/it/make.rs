//! What tests tell the predictor: specs, tables, requests.

use std::collections::BTreeMap;

use tidemill_domain::{Feature, FeatureKind, LoopId, LoopSpec, Schema, Target, TargetKind};
use tidemill_events::Event;
use tidemill_events::event::SpecApplied;
use tidemill_events::model::Deployed;
use tidemill_events::rollout::{Role, Rollout, RolloutStep, Route, RouteTable};
use tidemill_proto::v1;

pub(crate) fn loop_id() -> LoopId {
    LoopId::new("parcels").unwrap_or_else(|e| unreachable!("{e}"))
}

pub(crate) fn schema(n_features: usize) -> Schema {
    let kind = FeatureKind::Numeric { min: None, max: None };
    let feature = |i| Feature { name: format!("x{i}"), kind: kind.clone(), required: true };
    Schema {
        features: (0..n_features).map(feature).collect(),
        target: Target { name: "y".into(), kind: TargetKind::Numeric },
        entity: None,
        slices: vec![],
    }
}

/// The events of a loop's spec and of a table with everybody's parts.
pub(crate) fn spec_event(version: u64, n_features: usize) -> Event {
    let spec = LoopSpec::with_defaults(loop_id(), schema(n_features));
    Event::Spec(Box::new(SpecApplied { version, hash: spec.hash(), spec, by: "test".into() }))
}

pub(crate) fn route_event(version: u64, routes: Vec<(&Deployed, Role, u8)>) -> Event {
    let routes = routes.into_iter().map(|(model, role, weight)| Route { model: model.clone(), role, weight });
    Event::Rollout(Box::new(Rollout {
        step: RolloutStep::Promoted,
        version: None,
        lane: None,
        table: RouteTable { version, routes: routes.collect(), previous: None },
        judgement: None,
        reason: "test".into(),
    }))
}

pub(crate) fn request(id: &str, entity: Option<&str>) -> v1::PredictRequest {
    let one = v1::Value { kind: Some(v1::value::Kind::Number(1.0)) };
    v1::PredictRequest {
        r#loop: "parcels".into(),
        prediction_id: id.into(),
        entity: entity.map(str::to_owned),
        features: BTreeMap::from([("x0".to_owned(), one)]),
    }
}

pub(crate) fn number(answer: &v1::PredictResponse) -> f64 {
    match answer.prediction.as_ref().and_then(|v| v.kind.clone()) {
        Some(v1::value::Kind::Number(y)) => y,
        other => unreachable!("{other:?}"),
    }
}
