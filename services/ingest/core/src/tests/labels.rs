//! Labels early, late, again and corrected.

use std::collections::BTreeMap;

use tidemill_domain::{
    EventId, Feature, FeatureKind, LabelSource, Schema, Span, Target, TargetKind, Timestamp, Value,
};
use tidemill_events::core::Core;
use tidemill_events::event::SpecApplied;
use tidemill_events::intake::IntakeBatch;
use tidemill_events::{Event, Intake, Log, Meta, Partition, Recorded, Subject, Tick, Topic};

use super::*;
use crate::join::Ingest;

const HORIZON: Span = Span::seconds(100);

/// A core that folds what tests say.
struct Bench {
    core: Ingest,
    sequence: u64,
    now: Timestamp,
}

fn loop_id() -> LoopId {
    LoopId::new("a").unwrap_or_else(|e| unreachable!("{e}"))
}

impl Bench {
    fn new(corrections: Corrections) -> Self {
        let mut bench = Self { core: Ingest::new(Partition(0), 1), sequence: 0, now: Timestamp(0) };
        let schema = Schema {
            features: vec![Feature {
                name: "x".into(),
                kind: FeatureKind::Numeric { min: None, max: None },
                required: false,
            }],
            target: Target { name: "y".into(), kind: TargetKind::Numeric },
            entity: None,
            slices: vec![],
        };
        let mut spec = LoopSpec::with_defaults(loop_id(), schema);
        spec.labels.horizon = HORIZON;
        spec.labels.corrections = corrections;
        let applied = SpecApplied { version: 1, hash: spec.hash(), spec, by: "test".into() };
        bench.fold(Topic::Log(Log::Spec), Event::Spec(Box::new(applied)));
        bench
    }

    fn fold(&mut self, topic: Topic, event: Event) -> Vec<SampleItem> {
        self.sequence += 1;
        let meta = Meta {
            id: EventId::new(self.sequence.to_string()),
            source: "test".into(),
            causation: None,
            correlation: None,
            upto: None,
        };
        let subject = Subject::new(loop_id(), topic);
        let input = Recorded { sequence: self.sequence, time: self.now, subject, meta, event };
        let mut items = Vec::new();
        for draft in self.core.fold(&input) {
            if let Event::Sample(sample) = draft.event {
                items.extend(sample);
            }
        }
        items
    }

    fn predict(&mut self) -> Vec<SampleItem> {
        let item = IntakeItem::Prediction(record());
        self.fold(Topic::Intake(Intake::Prediction), Event::Intake(IntakeBatch { items: vec![item] }))
    }

    /// The label `value`, known since `time`.
    fn label(&mut self, value: f64, time: i64) -> Vec<SampleItem> {
        let item = IntakeItem::Label(label(value, time));
        self.fold(Topic::Intake(Intake::Label), Event::Intake(IntakeBatch { items: vec![item] }))
    }

    /// Time passes; what expires.
    fn pass(&mut self, span: Span) -> Vec<SampleItem> {
        self.now = self.now + span;
        let tick = Event::Tick(Tick { role: "ingest-0".into(), due: self.now });
        let mut items = self.fold(Topic::Log(Log::Tick), tick);
        items.retain(|item| !matches!(item, SampleItem::Mark(_)));
        items
    }

    fn tally(&self) -> Tally {
        self.core.tallies().map(|(_, tally)| *tally).next().unwrap_or_default()
    }
}

fn record() -> PredictionRecord {
    PredictionRecord {
        prediction_id: PredictionId::new("p"),
        entity: None,
        time: Timestamp(0),
        features: BTreeMap::new(),
        scored: vec![],
    }
}

fn label(value: f64, time: i64) -> Label {
    Label {
        prediction_id: PredictionId::new("p"),
        label: Value::Number(value),
        source: LabelSource::Application,
        time: Timestamp(time),
    }
}

fn labelled(value: f64, time: i64, late: bool, earlier: Vec<Label>) -> Vec<SampleItem> {
    vec![SampleItem::Labelled { record: record(), label: label(value, time), late, earlier }]
}

#[test]
fn a_label_comes_before_or_after_its_prediction() {
    let mut bench = Bench::new(Corrections::Latest);
    assert_eq!(bench.predict(), [SampleItem::Observed(record())]);
    assert_eq!(bench.tally().pending, 1);
    assert_eq!(bench.label(1.0, 1), labelled(1.0, 1, false, vec![]));
    let mut early = Bench::new(Corrections::Latest);
    assert_eq!(early.label(1.0, 1), []);
    let both = [vec![SampleItem::Observed(record())], labelled(1.0, 1, false, vec![])].concat();
    assert_eq!(early.predict(), both);
    for bench in [bench, early] {
        assert_eq!(bench.tally(), Tally { matured: 1, ..Tally::default() });
    }
}

#[test]
fn the_same_again_is_counted_and_changes_nothing() {
    let mut bench = Bench::new(Corrections::Latest);
    bench.predict();
    assert_eq!(bench.predict(), []);
    bench.label(1.0, 1);
    assert_eq!(bench.label(1.0, 1), []);
    assert_eq!(bench.label(1.0, 9), []);
    assert_eq!(bench.predict(), []);
    let expected = Tally { matured: 1, duplicate_labels: 2, duplicate_predictions: 2, ..Tally::default() };
    assert_eq!(bench.tally(), expected);
}

#[test]
fn the_latest_label_stands() {
    let mut bench = Bench::new(Corrections::Latest);
    bench.predict();
    bench.label(1.0, 1);
    assert_eq!(bench.label(2.0, 2), labelled(2.0, 2, false, vec![label(1.0, 1)]));
    // The first one, sent again after the correction.
    assert_eq!(bench.label(1.0, 1), []);
    assert_eq!(bench.label(3.0, 3), labelled(3.0, 3, false, vec![label(1.0, 1), label(2.0, 2)]));
    assert_eq!(bench.tally(), Tally { matured: 1, corrected: 2, overruled: 1, ..Tally::default() });
}

#[test]
fn corrections_have_a_bound() {
    let mut bench = Bench::new(Corrections::Latest);
    bench.predict();
    let said: Vec<usize> = (0..20_i32).map(|n| bench.label(n.into(), n.into()).len()).collect();
    assert_eq!(said.iter().sum::<usize>(), 1 + MAX_CORRECTIONS);
    assert_eq!(bench.tally().overruled, 19 - MAX_CORRECTIONS as u64);
}

#[test]
fn the_first_label_stands_where_the_loop_wants_it() {
    let mut bench = Bench::new(Corrections::First);
    bench.predict();
    bench.label(1.0, 1);
    assert_eq!(bench.label(2.0, 2), []);
    assert_eq!(bench.tally(), Tally { matured: 1, overruled: 1, ..Tally::default() });
}

#[test]
fn an_early_label_is_corrected_before_anybody_sees_it() {
    let mut bench = Bench::new(Corrections::Latest);
    bench.label(1.0, 1);
    bench.label(2.0, 2);
    let both = [vec![SampleItem::Observed(record())], labelled(2.0, 2, false, vec![])].concat();
    assert_eq!(bench.predict(), both);
    assert_eq!(bench.tally(), Tally { matured: 1, corrected: 1, ..Tally::default() });
}

#[test]
fn a_late_label_is_kept_and_marked() {
    let mut bench = Bench::new(Corrections::Latest);
    bench.predict();
    let expired = SampleItem::Expired { prediction_id: PredictionId::new("p"), time: Timestamp(0) };
    assert_eq!(bench.pass(HORIZON), [expired]);
    assert_eq!(bench.tally(), Tally { expired: 1, ..Tally::default() });
    assert_eq!(bench.label(1.0, 1), labelled(1.0, 1, true, vec![]));
    assert_eq!(bench.label(1.0, 1), []);
    assert_eq!(bench.label(2.0, 2), labelled(2.0, 2, true, vec![label(1.0, 1)]));
    let expected = Tally { expired: 1, late: 1, corrected: 1, duplicate_labels: 1, ..Tally::default() };
    assert_eq!(bench.tally(), expected);
    // Then the id is forgotten.
    assert_eq!(bench.pass(HORIZON), []);
    assert_eq!(bench.core.state().head.remembered, 0);
}

#[test]
fn a_label_without_a_prediction_is_refused_in_the_end() {
    let mut bench = Bench::new(Corrections::Latest);
    bench.label(1.0, 1);
    let refused = bench.pass(HORIZON);
    assert!(matches!(&refused[..], [SampleItem::Refused(_)]), "{refused:?}");
    assert_eq!(bench.core.state().head.remembered, 0);
}
