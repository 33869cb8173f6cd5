//! Corrected labels: each row teaches once.

use std::collections::BTreeMap;

use tidemill_domain::{
    EventId, Feature, FeatureKind, LabelSource, PredictionId, Schema, Target, TargetKind, Value,
};
use tidemill_events::Meta;
use tidemill_events::core::Content;
use tidemill_events::event::SpecApplied;

use super::*;

/// What followed from what ingest wrote.
#[derive(Default)]
struct Said {
    clean: Vec<CleanItem>,
    quarantined: Vec<Quarantined>,
    sealed: Vec<CleanRow>,
}

/// The rows `items` of one loop, segments of 25 rows.
fn said(items: Vec<SampleItem>) -> Said {
    let loop_id = LoopId::new("a").unwrap_or_else(|e| unreachable!("{e}"));
    let schema = Schema {
        features: vec![Feature {
            name: "x".into(),
            kind: FeatureKind::Numeric { min: None, max: None },
            required: true,
        }],
        target: Target {
            name: "y".into(),
            kind: TargetKind::Categorical { classes: Some(vec!["yes".into(), "no".into()]) },
        },
        entity: None,
        slices: vec![],
    };
    let mut spec = LoopSpec::with_defaults(loop_id.clone(), schema);
    spec.triggers.new_labels = Some(100);
    let applied = SpecApplied { version: 1, hash: spec.hash(), spec, by: "test".into() };
    let mark = SampleItem::Mark(Mark::Spec { sequence: 1, applied: Box::new(applied) });
    let mut core = Validate::new(Partition(0));
    let mut said = Said::default();
    for (sequence, item) in (1..).zip(std::iter::once(mark).chain(items)) {
        let meta = Meta {
            id: EventId::new(sequence.to_string()),
            source: "ingest-0".into(),
            causation: None,
            correlation: None,
            upto: None,
        };
        let subject = Subject::new(loop_id.clone(), Topic::Sample(Partition(0)));
        let event = Event::Sample(vec![item]);
        let input = Recorded { sequence, time: Timestamp(0), subject, meta, event };
        for draft in core.fold(&input) {
            if let Some(Content::Segment { rows, .. }) = draft.content {
                said.sealed.extend(rows.iter().cloned());
            }
            match draft.event {
                Event::Clean(items) => said.clean.extend(items),
                Event::Quarantined(row) => said.quarantined.push(row),
                _ => {}
            }
        }
    }
    said
}

fn label(id: usize, class: &str) -> Label {
    Label {
        prediction_id: PredictionId::new(id.to_string()),
        label: Value::Text(class.into()),
        source: LabelSource::Application,
        time: Timestamp(1),
    }
}

fn labelled(id: usize, class: &str, earlier: &[&str]) -> SampleItem {
    let record = PredictionRecord {
        prediction_id: PredictionId::new(id.to_string()),
        entity: None,
        time: Timestamp(0),
        features: BTreeMap::from([("x".into(), Value::Number(1.0))]),
        scored: vec![],
    };
    let earlier = earlier.iter().map(|class| label(id, class)).collect();
    SampleItem::Labelled { record, label: label(id, class), late: false, earlier }
}

fn taught(said: &Said) -> Vec<(String, String)> {
    let label = |row: &CleanRow| row.label.as_ref().and_then(|l| l.value.text().map(str::to_owned));
    let pair = |row: &CleanRow| (row.prediction_id.to_string(), label(row).unwrap_or_default());
    said.sealed.iter().map(pair).collect()
}

#[test]
fn a_row_that_is_not_sealed_yet_is_corrected() {
    let mut items: Vec<_> = (0..24).map(|id| labelled(id, "yes", &[])).collect();
    items.push(labelled(3, "no", &["yes"]));
    items.push(labelled(24, "yes", &[]));
    let said = said(items);
    assert_eq!(taught(&said).len(), 25);
    assert_eq!(taught(&said)[3], ("3".into(), "no".into()));
    assert_eq!(said.quarantined, []);
    let n_labelled = said.clean.iter().filter(|i| matches!(i, CleanItem::Labelled(_))).count();
    assert_eq!(n_labelled, 25, "the monitor measures each row once");
}

#[test]
fn a_correction_of_a_sealed_row_lies_in_quarantine() {
    let mut items: Vec<_> = (0..25).map(|id| labelled(id, "yes", &[])).collect();
    items.push(labelled(3, "no", &["yes"]));
    items.extend((25..50).map(|id| labelled(id, "yes", &[])));
    let said = said(items);
    assert_eq!(taught(&said).len(), 50);
    assert!(taught(&said).iter().all(|(_, class)| class == "yes"));
    let [row] = &said.quarantined[..] else { unreachable!("{:?}", said.quarantined) };
    assert!(row.labelled && row.reasons[0].contains("sealed"), "{row:?}");
}

#[test]
fn a_good_label_after_bad_ones_is_the_first() {
    let mut items: Vec<_> = (0..24).map(|id| labelled(id, "yes", &[])).collect();
    items.push(labelled(24, "perhaps", &[]));
    items.push(labelled(24, "no", &["perhaps"]));
    items.push(labelled(24, "perhaps", &["perhaps", "no"]));
    items.push(labelled(24, "yes", &["perhaps", "no", "perhaps"]));
    let said = said(items);
    assert_eq!(taught(&said).last(), Some(&("24".into(), "no".into())));
    assert_eq!(taught(&said).len(), 25);
    assert_eq!(said.quarantined.len(), 3, "two bad labels, and a correction that came too late");
}
