//! Intake as protobuf: what is written is read back, and whatever the bytes, nothing is dropped and nothing panics.

use std::collections::BTreeMap;

use proptest::prelude::*;
use prost::Message;
use tidemill_domain::{
    Label, LabelSource, ModelVersion, Output, PredictionId, PredictionRecord, Scored, Timestamp, Value,
};
use tidemill_events::Intake;
use tidemill_events::intake::{IntakeItem, MAX_RECORDS, Refused, decode_json};
use tidemill_proto::{decode_intake, encode_labels, encode_predictions, v1};

const NOW: Timestamp = Timestamp(1_772_366_400_000_000);

fn record(id: &str) -> PredictionRecord {
    PredictionRecord {
        prediction_id: PredictionId::new(id),
        entity: Some("m-7".into()),
        time: NOW,
        features: BTreeMap::from([
            ("load".into(), Value::Missing),
            ("price".into(), Value::Number(0.04)),
            ("day".into(), Value::Text("2".into())),
        ]),
        scored: vec![Scored {
            version: ModelVersion::new("m-1"),
            output: Output::Classes(vec![("up".into(), 0.7), ("down".into(), 0.3)]),
        }],
    }
}

fn label(id: &str) -> Label {
    Label {
        prediction_id: PredictionId::new(id),
        label: Value::Text("up".into()),
        source: LabelSource::Human,
        time: NOW,
    }
}

fn refused(item: &IntakeItem) -> &Refused {
    match item {
        IntakeItem::Unreadable(refused) => refused,
        other => unreachable!("{other:?} was taken"),
    }
}

#[test]
fn records_are_read_as_they_were_written() {
    let batch =
        decode_intake(Intake::Prediction, &encode_predictions([record("a"), record("b")]), Timestamp(0));
    assert_eq!(batch.items, [IntakeItem::Prediction(record("a")), IntakeItem::Prediction(record("b"))]);
    for kind in [Intake::Label, Intake::Feedback] {
        let batch = decode_intake(kind, &encode_labels([label("a")]), Timestamp(0));
        assert_eq!(batch.items, [IntakeItem::Label(label("a"))]);
    }
}

#[test]
fn what_is_not_said_comes_from_subject_and_time() {
    let bare = v1::Label {
        prediction_id: "a".into(),
        label: Some(Value::Number(1.0).into()),
        source: 0,
        time: None,
    };
    let bytes = v1::LabelBatch { labels: vec![bare] }.encode_to_vec();
    for (kind, source) in
        [(Intake::Label, LabelSource::Application), (Intake::Feedback, LabelSource::Feedback)]
    {
        let batch = decode_intake(kind, &bytes, NOW);
        let expected = Label { label: Value::Number(1.0), source, ..label("a") };
        assert_eq!(batch.items, [IntakeItem::Label(expected)]);
    }
}

#[test]
fn every_problem_of_a_record_is_listed_and_the_others_are_taken() {
    let mut bad = record("");
    bad.features.insert("price".into(), Value::Number(f64::NAN));
    let mut batch =
        v1::PredictionBatch::decode(encode_predictions([bad, record("b")]).as_slice()).unwrap_or_default();
    batch.records[0].time = Some(prost_types::Timestamp { seconds: i64::MAX, nanos: 0 });
    batch.records[0].scored.push(v1::Scored { model_version: "m-2".into(), output: None });
    let items = decode_intake(Intake::Prediction, &batch.encode_to_vec(), NOW).items;
    assert_eq!(items[1], IntakeItem::Prediction(record("b")));
    let reasons = refused(&items[0]).reasons.join("\n");
    for part in ["prediction_id: ", "features.price: ", "time: ", "scored[1]: "] {
        assert!(reasons.contains(part), "{part} is not in {reasons}");
    }
}

#[test]
fn a_malformed_record_does_not_hurt_the_others() {
    let mut bytes = encode_predictions([record("a")]);
    bytes.extend([0x0A, 0x02, 0xFF, 0xFF]);
    bytes.extend(encode_predictions([record("b")]));
    let items = decode_intake(Intake::Prediction, &bytes, NOW).items;
    assert_eq!(items.len(), 3);
    assert!(refused(&items[1]).reasons[0].contains("record 1 is malformed"));
    assert_eq!(items[2], IntakeItem::Prediction(record("b")));
}

#[test]
fn messages_that_are_no_batch_are_refused_whole() {
    let many = [0x0A, 0x00].repeat(MAX_RECORDS + 1);
    for (bytes, part) in [
        (b"".as_slice(), "no records"),
        (br#"{"prediction_id":"a"}"#, "no protobuf"),
        (&many, "20001 records"),
        (&vec![0; (1 << 20) + 1], "bytes"),
    ] {
        let items = decode_intake(Intake::Label, bytes, NOW).items;
        assert_eq!(items.len(), 1, "{part}");
        assert!(refused(&items[0]).reasons[0].contains(part), "{:?}", refused(&items[0]).reasons);
    }
}

#[test]
fn schemas_of_json_records_are_json_and_their_examples_are_taken() {
    let files = [
        (Intake::Prediction, include_str!("../schema/prediction.json")),
        (Intake::Label, include_str!("../schema/label.json")),
    ];
    for (kind, text) in files {
        let schema: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
        let examples = schema["examples"].as_array().cloned().unwrap_or_default();
        assert!(!examples.is_empty());
        let properties = schema["properties"].as_object().cloned().unwrap_or_default();
        for example in examples {
            let batch = decode_json(kind, example.to_string().as_bytes(), NOW);
            assert!(!matches!(batch.items[..], [IntakeItem::Unreadable(_)]), "{example}: {batch:?}");
            for key in example.as_object().into_iter().flat_map(|o| o.keys()) {
                assert!(properties.contains_key(key), "{key} is not described");
            }
        }
    }
}

fn kind() -> impl Strategy<Value = Intake> {
    prop_oneof![Just(Intake::Prediction), Just(Intake::Label), Just(Intake::Feedback)]
}

proptest! {
    #[test]
    fn any_bytes_are_read(kind in kind(), bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(!decode_intake(kind, &bytes, NOW).items.is_empty());
    }

    #[test]
    fn damaged_messages_are_read(
        kind in kind(),
        labels: bool,
        at in 0_usize..1_000,
        byte: u8,
        cut in 0_usize..1_000,
    ) {
        let mut bytes = if labels {
            encode_labels([label("a"), label("b")])
        } else {
            encode_predictions([record("a"), record("b")])
        };
        let n = bytes.len();
        bytes[at % n] = byte;
        bytes.truncate(n - cut % n);
        prop_assert!(!decode_intake(kind, &bytes, NOW).items.is_empty());
    }
}
