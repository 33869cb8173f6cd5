//! Arbitrary rows and events, for the properties.

use std::collections::BTreeMap;

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use tidemill_domain::sample::CleanLabel;
use tidemill_domain::{
    CleanRow, EventId, Label, LabelSource, LoopId, ModelVersion, Output, PredictionId, PredictionRecord,
    Scored, Timestamp, TurnId, Value,
};
use tidemill_events::emit::Outgoing;
use tidemill_events::intake::Refused;
use tidemill_events::rollout::RouteTable;
use tidemill_events::sample::{CleanItem, Mark, SampleItem};
use tidemill_events::{Event, Meta, Partition, Subject, Topic, Upto};

pub(crate) fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>().prop_filter("finite", |x| x.is_finite()),
        (-1000..1000).prop_map(f64::from),
        Just(-0.0)
    ]
}

pub(crate) fn value() -> impl Strategy<Value = Value> {
    prop_oneof![4 => number().prop_map(Value::Number), 2 => any::<String>().prop_map(Value::Text), 1 => Just(Value::Missing)]
}

pub(crate) fn instant() -> impl Strategy<Value = Timestamp> {
    any::<i64>().prop_map(Timestamp)
}

fn output() -> impl Strategy<Value = Output> {
    let classes = vec((any::<String>(), number()), 0..4);
    prop_oneof![number().prop_map(Output::Number), classes.prop_map(Output::Classes)]
}

fn scored() -> impl Strategy<Value = Vec<Scored>> {
    let one = (any::<String>(), output());
    vec(one.prop_map(|(version, output)| Scored { version: ModelVersion::new(version), output }), 0..3)
}

fn source() -> impl Strategy<Value = LabelSource> {
    use LabelSource::{Application, Feedback, Human, Rule};
    prop_oneof![Just(Application), Just(Feedback), Just(Human), Just(Rule)]
}

fn id() -> impl Strategy<Value = PredictionId> {
    any::<String>().prop_map(PredictionId::new)
}

pub(crate) fn record() -> impl Strategy<Value = PredictionRecord> {
    let features = btree_map(any::<String>(), value(), 0..5);
    (id(), option::of(any::<String>()), instant(), features, scored()).prop_map(
        |(prediction_id, entity, time, features, scored)| PredictionRecord {
            prediction_id,
            entity,
            time,
            features,
            scored,
        },
    )
}

pub(crate) fn label() -> impl Strategy<Value = Label> {
    (id(), value(), source(), instant()).prop_map(|(prediction_id, label, source, time)| Label {
        prediction_id,
        label,
        source,
        time,
    })
}

pub(crate) fn row() -> impl Strategy<Value = CleanRow> {
    let label =
        (value(), source(), instant()).prop_map(|(value, source, time)| CleanLabel { value, source, time });
    // Mostly the same width, and columns that mostly hold one type, as in life.
    let typed = (number(), option::of(any::<String>()), value())
        .prop_map(|(a, b, c)| vec![Value::Number(a), b.map_or(Value::Missing, Value::Text), c]);
    let features = prop_oneof![4 => typed, 1 => vec(value(), 0..5)];
    (id(), option::of(any::<String>()), instant(), features, scored(), option::of(label)).prop_map(
        |(prediction_id, entity, time, features, scored, label)| CleanRow {
            prediction_id,
            entity,
            time,
            features,
            scored,
            label,
        },
    )
}

fn mark() -> impl Strategy<Value = Mark> {
    let routes = any::<u64>().prop_map(|sequence| Mark::Routes {
        sequence,
        table: Box::new(RouteTable { version: sequence, ..RouteTable::default() }),
        profiles: BTreeMap::new(),
    });
    prop_oneof![Just(Mark::Tick), routes]
}

pub(crate) fn sample_item() -> impl Strategy<Value = SampleItem> {
    let refused = (any::<String>(), vec(any::<String>(), 0..3));
    prop_oneof![
        (id(), instant()).prop_map(|(prediction_id, time)| SampleItem::Expired { prediction_id, time }),
        (record(), label()).prop_map(|(record, label)| SampleItem::labelled(record, label)),
        (record(), label(), any::<bool>(), vec(label(), 0..3)).prop_map(|(record, label, late, earlier)| {
            let label = Label { prediction_id: record.prediction_id.clone(), ..label };
            SampleItem::Labelled { record, label, late, earlier }
        }),
        mark().prop_map(SampleItem::Mark),
        record().prop_map(SampleItem::Observed),
        refused.prop_map(|(payload, reasons)| SampleItem::Refused(Refused { payload, reasons })),
    ]
}

pub(crate) fn clean_item() -> impl Strategy<Value = CleanItem> {
    prop_oneof![
        1 => id().prop_map(|prediction_id| CleanItem::Expired { prediction_id }),
        3 => row().prop_map(CleanItem::Labelled),
        1 => mark().prop_map(CleanItem::Mark),
        3 => row().prop_map(CleanItem::Observed),
    ]
}

pub(crate) fn meta() -> impl Strategy<Value = Meta> {
    let upto = (any::<u64>(), any::<u32>()).prop_map(|(sequence, ordinal)| Upto { sequence, ordinal });
    (".+", any::<String>(), option::of(any::<String>()), option::of(any::<String>()), option::of(upto))
        .prop_map(|(id, source, causation, correlation, upto)| Meta {
            id: EventId::new(id),
            source,
            causation: causation.map(EventId::new),
            correlation: correlation.map(TurnId::new),
            upto,
        })
}

/// The event on its subject, with a meta that says little.
pub(crate) fn outgoing(topic: Topic, event: Event) -> Outgoing {
    let meta = Meta {
        id: EventId::new("e-1"),
        source: "validator-0".into(),
        causation: Some(EventId::new("e-0")),
        correlation: None,
        upto: Some(Upto { sequence: 7, ordinal: 1 }),
    };
    let subject = Subject::new(LoopId::new("electricity").unwrap(), topic);
    Outgoing { subject, meta, event, content: None }
}

pub(crate) const P: Partition = Partition(0);
