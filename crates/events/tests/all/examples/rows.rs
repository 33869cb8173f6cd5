//! Rows, and what is said of them: examples of the data events.

use std::collections::BTreeMap;

use tidemill_domain::sample::CleanLabel;
use tidemill_domain::{
    Algorithm, CleanRow, ContentHash, DatasetId, Feature, FeatureKind, Label, LabelSource, LoopId, LoopSpec,
    ModelRef, ModelVersion, Output, PredictionId, PredictionRecord, Schema, Scored, Span, Target, TargetKind,
    TurnId, Value,
};
use tidemill_events::dataset::{DatasetCreated, SegmentRef, SegmentSealed, segment_hash};
use tidemill_events::event::SpecApplied;
use tidemill_events::intake::{IntakeBatch, IntakeItem, Refused};
use tidemill_events::model::{Deployed, Profile};
use tidemill_events::rollout::{Role, Route, RouteTable};
use tidemill_events::sample::{CleanItem, Mark, Quarantined, SampleItem};
use tidemill_stats::sketch::Counts;

use super::NOON;
use crate::make::P;

pub(super) fn loop_id() -> LoopId {
    LoopId::new("electricity").unwrap()
}

pub(super) fn turn() -> TurnId {
    TurnId::new("t-1")
}

pub(super) fn schema() -> Schema {
    let days = Some(["1", "2"].map(str::to_owned).to_vec());
    Schema {
        features: vec![
            Feature {
                name: "nswprice".into(),
                kind: FeatureKind::Numeric { min: Some(0.0), max: None },
                required: true,
            },
            Feature { name: "day".into(), kind: FeatureKind::Categorical { values: days }, required: false },
        ],
        target: Target {
            name: "direction".into(),
            kind: TargetKind::Categorical { classes: Some(vec!["down".into(), "up".into()]) },
        },
        entity: Some("meter_id".into()),
        slices: vec!["day".into()],
    }
}

pub(super) fn deployed(name: &str, trained_to: u64) -> Deployed {
    let artefact = ContentHash::of(name.as_bytes());
    let version = ModelVersion::of(&artefact);
    Deployed {
        model: ModelRef { version, artefact, algorithm: Algorithm::Boosting },
        turn: turn(),
        trained_to,
    }
}

pub(super) fn output(up: f64) -> Output {
    Output::Classes(vec![("down".into(), 1.0 - up), ("up".into(), up)])
}

pub(super) fn scored() -> Vec<Scored> {
    let version = |name| deployed(name, 0).model.version;
    vec![
        Scored { version: version("champion"), output: output(0.75) },
        Scored { version: version("challenger"), output: output(0.5) },
    ]
}

pub(super) fn record() -> PredictionRecord {
    PredictionRecord {
        prediction_id: PredictionId::new("p-1"),
        entity: Some("meter-7".into()),
        time: NOON,
        features: [
            ("nswprice".to_owned(), Value::Number(0.0625)),
            ("day".to_owned(), Value::Text("2".into())),
        ]
        .into(),
        scored: scored(),
    }
}

pub(super) fn label() -> Label {
    let time = NOON + Span::hours(1);
    Label {
        prediction_id: PredictionId::new("p-1"),
        label: Value::Text("up".into()),
        source: LabelSource::Human,
        time,
    }
}

pub(super) fn row(id: &str, day: Value) -> CleanRow {
    CleanRow {
        prediction_id: PredictionId::new(id),
        entity: Some("meter-7".into()),
        time: NOON,
        features: vec![Value::Number(0.0625), day],
        scored: scored(),
        label: None,
    }
}

pub(super) fn labelled() -> CleanRow {
    let label = CleanLabel {
        value: Value::Text("up".into()),
        source: LabelSource::Human,
        time: NOON + Span::hours(1),
    };
    CleanRow { label: Some(label), ..row("p-1", Value::Text("2".into())) }
}

pub(super) fn marks() -> Vec<Mark> {
    let profiles = BTreeMap::from([(deployed("champion", 0).model.version, profile())]);
    vec![
        Mark::Spec { sequence: 1, applied: Box::new(spec()) },
        Mark::Routes { sequence: 9, table: Box::new(table()), profiles },
        Mark::Tick,
    ]
}

pub(super) fn refused() -> Refused {
    Refused {
        payload: "{\"label\": 1}".into(),
        reasons: vec!["prediction_id: it is missing; a text is expected".into()],
    }
}

pub(super) fn clean() -> Vec<CleanItem> {
    let mut items = vec![
        CleanItem::Observed(row("p-1", Value::Text("2".into()))),
        CleanItem::Observed(row("p-2", Value::Missing)),
        CleanItem::Labelled(labelled()),
        CleanItem::Expired { prediction_id: PredictionId::new("p-2") },
    ];
    items.extend(marks().into_iter().map(CleanItem::Mark));
    items
}

pub(super) fn sample() -> Vec<SampleItem> {
    let mut items = vec![
        SampleItem::Observed(record()),
        SampleItem::labelled(record(), label()),
        SampleItem::Expired { prediction_id: PredictionId::new("p-2"), time: NOON },
        SampleItem::Refused(refused()),
    ];
    items.extend(marks().into_iter().map(SampleItem::Mark));
    items
}

pub(super) fn intake() -> IntakeBatch {
    IntakeBatch { items: vec![IntakeItem::Prediction(record())] }
}

pub(super) fn quarantined() -> Quarantined {
    let Refused { payload, reasons } = refused();
    Quarantined { prediction_id: Some(PredictionId::new("p-3")), payload, reasons, labelled: true }
}

pub(super) fn segment_ref() -> SegmentRef {
    SegmentRef { hash: segment_hash(&[labelled()]), rows: 1 }
}

pub(super) fn segment() -> SegmentSealed {
    SegmentSealed {
        segment: segment_ref(),
        partition: P,
        schema: schema().hash(),
        from: NOON,
        to: NOON,
        sources: [(LabelSource::Human, 1)].into(),
        classes: classes(),
    }
}

pub(super) fn classes() -> Counts {
    let mut classes = Counts::default();
    classes.insert(Some("up"));
    classes
}

pub(super) fn dataset_id() -> DatasetId {
    DatasetId::of(None, [&segment_ref().hash])
}

pub(super) fn dataset() -> DatasetCreated {
    DatasetCreated {
        dataset: dataset_id(),
        parent: Some(DatasetId::of(None, [])),
        added: vec![segment_ref()],
        rows: 1,
        segments: 1,
        schema: schema().hash(),
        from: NOON,
        to: NOON,
        sources: [(LabelSource::Human, 1)].into(),
        classes: classes(),
    }
}

pub(super) fn profile() -> Profile {
    let mut profile = Profile::new(&schema(), 32);
    for row in [labelled(), row("p-2", Value::Missing)] {
        profile.add_row(&row);
    }
    profile
}

pub(super) fn spec() -> SpecApplied {
    let spec = LoopSpec::with_defaults(loop_id(), schema());
    SpecApplied { version: 1, hash: ContentHash::of(b"spec"), spec, by: "ada".into() }
}

pub(super) fn table() -> RouteTable {
    RouteTable {
        version: 12,
        routes: vec![
            Route { model: deployed("champion", 1_000), role: Role::Champion, weight: 75 },
            Route { model: deployed("challenger", 2_000), role: Role::Challenger, weight: 25 },
        ],
        previous: Some(deployed("previous", 500)),
    }
}
