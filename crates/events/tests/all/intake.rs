//! What producers send: read for good where it is good, refused with every reason where it is not.

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use tidemill_domain::{
    Label, LabelSource, ModelVersion, Output, PredictionId, PredictionRecord, Scored, Timestamp, Value,
};
use tidemill_events::intake::{
    self, IntakeBatch, IntakeItem, Refused, decode_json, encode_label, encode_prediction,
};
use tidemill_events::wire::{self, Incoming};
use tidemill_events::{Event, Intake, Topic};

use crate::make::{number, outgoing, value};

const NOW: Timestamp = Timestamp(1_772_366_400_000_000);

fn items(kind: Intake, text: &str) -> Vec<IntakeItem> {
    decode_json(kind, text.as_bytes(), NOW).items
}

fn prediction(text: &str) -> PredictionRecord {
    match items(Intake::Prediction, text).as_slice() {
        [IntakeItem::Prediction(record)] => record.clone(),
        other => panic!("{other:#?}"),
    }
}

fn label(kind: Intake, text: &str) -> Label {
    match items(kind, text).as_slice() {
        [IntakeItem::Label(label)] => label.clone(),
        other => panic!("{other:#?}"),
    }
}

fn reasons(kind: Intake, text: &str) -> Vec<String> {
    match items(kind, text).as_slice() {
        [IntakeItem::Unreadable(Refused { reasons, payload })] => {
            assert_eq!(payload, text.trim());
            reasons.clone()
        }
        other => panic!("{other:#?}"),
    }
}

#[test]
fn a_whole_record_is_read() {
    let record = prediction(
        r#"{"prediction_id": "p-1", "entity": 7, "time": "2026-03-01T12:00:00.5+01:00", "unheard_of": [1],
            "features": {"a": 1, "b": -2.5e3, "c": "x", "d": true, "e": null},
            "prediction": "up", "probabilities": {"up": 0.7, "down": 0.3}, "model_version": "m-1",
            "also": [{"model_version": "m-2", "prediction": "down"}]}"#,
    );
    assert_eq!(record.prediction_id, PredictionId::new("p-1"));
    assert_eq!(record.entity.as_deref(), Some("7"));
    assert_eq!(record.time.to_string(), "2026-03-01T11:00:00.500000Z");
    let expected = [
        ("a", Value::Number(1.0)),
        ("b", Value::Number(-2500.0)),
        ("c", Value::Text("x".into())),
        ("d", Value::Text("true".into())),
        ("e", Value::Missing),
    ];
    assert_eq!(record.features, expected.map(|(k, v)| (k.to_owned(), v)).into());
    // In the order in which they were sent, which is that of the model.
    let first = Output::Classes(vec![("up".into(), 0.7), ("down".into(), 0.3)]);
    let second = Output::Classes(vec![("down".into(), 1.0)]);
    let scored = [("m-1", first), ("m-2", second)];
    assert_eq!(record.scored, scored.map(|(v, output)| Scored { version: ModelVersion::new(v), output }));
}

#[test]
fn a_row_needs_no_prediction_and_no_time() {
    let record = prediction(r#"{"prediction_id": 17, "features": {}, "prediction": null}"#);
    assert_eq!((record.time, record.scored.len(), record.prediction_id.as_str()), (NOW, 0, "17"));
}

#[test]
fn times_are_rfc_3339_or_microseconds() {
    let time = |t: &str| format!(r#"{{"prediction_id": "p", "features": {{}}, "time": {t}}}"#);
    assert_eq!(prediction(&time("1772366400000001")).time, Timestamp(1_772_366_400_000_001));
    for bad in
        ["1772366400", "1772366400000", "1772366400.5", "-5", "\"yesterday\"", "true", "9007199254740993000"]
    {
        let reasons = reasons(Intake::Prediction, &time(bad));
        assert_eq!(reasons.len(), 1, "{bad}: {reasons:?}");
        assert!(reasons[0].starts_with("time: it is"), "{reasons:?}");
    }
}

#[test]
fn labels_have_the_source_of_their_subject_and_other_names() {
    let plain = label(Intake::Label, r#"{"prediction_id": "p", "label": 3}"#);
    assert_eq!((plain.source, plain.label, plain.time), (LabelSource::Application, Value::Number(3.0), NOW));
    let feedback =
        label(Intake::Feedback, r#"{"id": 5, "ground_truth": false, "time": "2026-03-01T12:00:00Z"}"#);
    assert_eq!((feedback.source, feedback.label), (LabelSource::Feedback, Value::Text("false".into())));
    let human = label(Intake::Feedback, r#"{"prediction_id": "p", "label": "x", "source": "human"}"#);
    assert_eq!(human.source, LabelSource::Human);
}

#[test]
fn every_problem_is_named_with_what_would_be_right() {
    let found = reasons(
        Intake::Prediction,
        r#"{"prediction_id": "", "entity": ["x"], "time": "noon", "features": {"a": [1], "b": 12345678901234567, "": 1, "a": 2},
            "probabilities": {"up": 0.9, "down": -0.3}, "also": [{"model_version": "m"}, 3]}"#,
    );
    let starts = [
        "entity: it is a list; a text",
        "time: it is the text \"noon\"; RFC 3339",
        "features.a: it is a list; a number",
        "features.b: 12345678901234567 has too many digits; a number keeps",
        "features.a: it is here twice; each feature",
        "model_version: it is missing; a text",
        "also[0].prediction: it is missing; a prediction or",
        "also[1]: it is the number 3; an object",
        "prediction_id: it has 0 bytes; 1 to 256",
        "features: the name \"\" has 0 bytes; 1 to 256",
        "probabilities.down: it is -0.3; a number from 0 to 1",
        "probabilities: their sum is 0.6000000000000001; 1 is expected",
    ];
    assert_eq!(found.len(), starts.len(), "{found:#?}");
    for (reason, start) in found.iter().zip(starts) {
        assert!(reason.starts_with(start), "{reason:?} does not start with {start:?}");
    }
    let found = reasons(Intake::Label, r#"{"label": null, "source": "aunt", "time": 5}"#);
    let starts = [
        "prediction_id: it is missing",
        "label: it is missing",
        "source: it is the text \"aunt\"; one of app",
        "time: it is",
    ];
    assert_eq!(found.len(), starts.len(), "{found:#?}");
    assert!(found.iter().zip(starts).all(|(reason, start)| reason.starts_with(start)), "{found:#?}");
}

#[test]
fn more_ways_to_be_wrong() {
    for (text, expected) in [
        (r#"{"prediction_id": "a\u0000b", "features": {}}"#, "control characters"),
        (r#"{"prediction_id": "p"}"#, "features: they are missing"),
        (r#"{"prediction_id": "p", "features": {"a": 1e999}}"#, "a number is too big"),
        (r#"{"prediction_id": "p", "features": {"a": NaN}}"#, "it is no JSON"),
        (
            r#"{"prediction_id": "p", "prediction_id": "q", "features": {}}"#,
            "prediction_id: it is here twice",
        ),
        (
            r#"{"prediction_id": "p", "features": {}, "prediction": "x", "probabilities": {"y": 1}, "model_version": "m"}"#,
            "has no probability",
        ),
        (
            r#"{"prediction_id": "p", "features": {}, "probabilities": {}, "model_version": "m"}"#,
            "there are none",
        ),
        (
            r#"{"prediction_id": "p", "features": {}, "probabilities": {"a": "b"}, "model_version": "m"}"#,
            "a number from 0 to 1",
        ),
        (
            r#"{"prediction_id": "p", "features": {}, "also": [{"model_version": "m", "prediction": 1}]}"#,
            "comes first",
        ),
        (
            r#"{"prediction_id": "p", "features": {}, "prediction": 1, "model_version": "m", "also": [{"model_version": "m", "prediction": 1}]}"#,
            "named twice",
        ),
        ("17", "it is the number 17"),
        ("nonsense", "it is no JSON"),
    ] {
        let found = reasons(Intake::Prediction, text);
        assert!(found.len() == 1 && found[0].contains(expected), "{text}: {found:?}");
    }
}

#[test]
fn one_bad_record_does_not_hurt_the_others() {
    let good = r#"{"prediction_id": "p", "label": "]},\"[{"}"#;
    for bad in ["{\"label\": }", "", "}", "{\"a\": \"\\\"}\"}", "nonsense", "1e999", "[{}]"] {
        let list = items(Intake::Label, &format!(" [{good}, {bad},{good}] "));
        assert_eq!(list.len(), 3, "{bad}: {list:#?}");
        assert!(
            matches!(list[0], IntakeItem::Label(_)) && matches!(list[2], IntakeItem::Label(_)),
            "{bad}: {list:#?}"
        );
        assert!(matches!(list[1], IntakeItem::Unreadable(_)), "{bad}: {list:#?}");
    }
    for bad in ["{\"label\": ", "{", "nonsense", "\"", "[[["] {
        let lines = items(Intake::Label, &format!("{good}\r\n\n{bad}\n{good}\n"));
        let kinds: Vec<_> = lines.iter().map(|item| matches!(item, IntakeItem::Label(_))).collect();
        assert_eq!(kinds, [true, false, true], "{bad}");
    }
    assert_eq!(items(Intake::Label, "[]"), []);
}

#[test]
fn a_list_that_does_not_end_well_says_so() {
    let good = r#"{"prediction_id": "p", "label": 1}"#;
    for (text, expected) in [
        (format!("[{good}"), "the list does not end"),
        (format!("[{good}] {good}"), "it follows the end of the list"),
    ] {
        let list = items(Intake::Label, &text);
        assert!(matches!(list[0], IntakeItem::Label(_)), "{list:#?}");
        let IntakeItem::Unreadable(refused) = &list[1] else { panic!("{list:#?}") };
        assert!(refused.reasons[0].contains(expected), "{refused:?}");
    }
}

#[test]
fn an_object_may_be_laid_out_over_lines() {
    let text = "\u{feff}{\n\"prediction_id\": \"p\",\n\"features\":\n{\n\"a\": 1}\n}\n";
    assert!(matches!(items(Intake::Prediction, text)[..], [IntakeItem::Prediction(_)]));
    assert!(matches!(
        items(Intake::Prediction, "{\n\"prediction_id\": \"p\",\n}")[..],
        [IntakeItem::Unreadable(_)]
    ));
}

#[test]
fn everything_has_a_bound() {
    let long = format!(r#"{{"prediction_id": "{}", "label": 1}}"#, "é".repeat(20_000));
    let [IntakeItem::Unreadable(refused)] = &items(Intake::Label, &long)[..] else { panic!("accepted") };
    assert!(refused.payload.len() <= intake::MAX_SHOWN && refused.payload.len() > intake::MAX_SHOWN - 4);
    let many: Vec<_> = (0..500).map(|i| format!(r#""f{i}": []"#)).collect();
    let [IntakeItem::Unreadable(refused)] = &items(
        Intake::Prediction,
        &format!(r#"{{"prediction_id": "p", "features": {{{}}}}}"#, many.join(",")),
    )[..] else {
        panic!("accepted")
    };
    assert_eq!(refused.reasons.len(), intake::MAX_REASONS + 1);
    assert_eq!(refused.reasons.last().unwrap(), "and 400 more problems");
    for text in [format!("[{}{{}}]", "{},".repeat(intake::MAX_RECORDS)), " ".repeat(wire::MAX_MESSAGE) + "{}"]
    {
        assert_eq!(items(Intake::Label, &text).len(), 1);
    }
    let wide: Vec<_> = (0..=intake::MAX_FEATURES).map(|i| format!(r#""f{i}": 1"#)).collect();
    let found = items(
        Intake::Prediction,
        &format!(r#"{{"prediction_id": "p", "features": {{{}}}}}"#, wide.join(",")),
    );
    assert!(
        matches!(&found[..], [IntakeItem::Unreadable(r)] if r.reasons == ["features: there are 10001; at most 10000 are allowed"])
    );
    let deep = "[".repeat(100_000);
    assert!(!items(Intake::Label, &format!("{{\"x\": {deep}")).is_empty());
}

fn short() -> impl Strategy<Value = String> {
    "[^\\p{Cc}]{1,20}"
}

fn output() -> impl Strategy<Value = Output> {
    let classes = vec((short(), 0.01..1.0), 1..5).prop_map(|mut classes| {
        classes.sort_by(|a, b| a.0.cmp(&b.0));
        classes.dedup_by(|a, b| a.0 == b.0);
        classes.reverse();
        let sum: f64 = classes.iter().map(|c| c.1).sum();
        classes.iter_mut().for_each(|c| c.1 /= sum);
        Output::Classes(classes)
    });
    prop_oneof![number().prop_map(Output::Number), classes]
}

prop_compose! {
    fn record()(
        id in short(),
        entity in option::of(short()),
        time in -62_135_596_800_000_000_i64..253_402_207_200_000_000,
        features in btree_map(short(), value(), 0..6),
        scored in btree_map(short(), output(), 0..4),
    ) -> PredictionRecord {
        PredictionRecord {
            prediction_id: PredictionId::new(id),
            entity,
            time: Timestamp(time),
            features,
            scored: scored.into_iter().map(|(v, output)| Scored { version: ModelVersion::new(v), output }).collect(),
        }
    }
}

proptest! {
    #[test]
    fn predictions_come_back(record in record()) {
        let sent = encode_prediction(&record);
        let batch = IntakeBatch { items: vec![IntakeItem::Prediction(record)] };
        prop_assert_eq!(decode_json(Intake::Prediction, &sent, NOW), batch.clone());
        let out = outgoing(Topic::Intake(Intake::Prediction), Event::Intake(batch.clone()));
        let message = wire::encode(&out, NOW, None).unwrap();
        let read = wire::decode(&message.incoming(1, NOW)).unwrap();
        prop_assert_eq!((read.event, read.meta.id), (Event::Intake(batch), out.meta.id));
    }

    #[test]
    fn labels_come_back(id in short(), number in number(), text in short(), is_text: bool, human: bool) {
        let label = Label {
            prediction_id: PredictionId::new(id),
            label: if is_text { Value::Text(text) } else { Value::Number(number) },
            source: if human { LabelSource::Human } else { LabelSource::Application },
            time: NOW,
        };
        let sent = encode_label(&label);
        let expected = IntakeBatch { items: vec![IntakeItem::Label(label)] };
        prop_assert_eq!(decode_json(Intake::Feedback, &sent, Timestamp(0)), expected);
    }

    #[test]
    fn any_bytes_are_read(bytes in vec(any::<u8>(), 0..300), kind in 0..3_usize) {
        let kind = [Intake::Prediction, Intake::Label, Intake::Feedback][kind];
        let _ = decode_json(kind, &bytes, NOW);
    }

    #[test]
    fn any_text_like_json_is_read(text in "[\\[\\]{}:,\"\\\\ \n0-9a-e.-]{0,80}", kind in 0..3_usize) {
        let kind = [Intake::Prediction, Intake::Label, Intake::Feedback][kind];
        let _ = decode_json(kind, text.as_bytes(), NOW);
    }
}

#[test]
fn a_message_is_named_by_its_producer_or_by_its_place() {
    let read = |headers: Vec<(&'static str, &'static str)>, sequence| {
        let subject = "tidemill.a.intake.label";
        wire::decode(&Incoming { subject, sequence, time: NOW, headers, payload: b"{}" }).unwrap().meta
    };
    assert_eq!(read(vec![("nats-msg-id", "x"), ("ce-id", "y")], 1).id.as_str(), "x");
    assert_eq!(read(vec![("CE-ID", "y"), ("ce-source", "shop")], 1).source, "shop");
    assert_ne!(read(vec![], 1).id, read(vec![], 2).id);
    assert_eq!(
        read(vec![], 1),
        read(vec![("ce-causationid", "x"), ("tm-upto", "9.9"), ("ce-correlationid", "t")], 1)
    );
}

#[test]
fn protobuf_is_read_by_whoever_can() {
    let incoming = Incoming {
        subject: "tidemill.a.intake.label",
        sequence: 1,
        time: NOW,
        headers: vec![("Content-Type", "application/x-protobuf; messageType=Label")],
        payload: b"\x0a",
    };
    let Event::Intake(batch) = wire::decode(&incoming).unwrap().event else { panic!("another event") };
    assert!(
        matches!(&batch.items[..], [IntakeItem::Unreadable(r)] if r.reasons[0].contains("application/json"))
    );
    let read = wire::decode_with(&incoming, Some(|_, _, _| IntakeBatch::default())).unwrap();
    assert_eq!(read.event, Event::Intake(IntakeBatch::default()));
}
