//! Bytes that no friend sent: they end in an error or in an event, never in a panic.

use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use arrow_ipc::writer::StreamWriter;
use proptest::collection::vec;
use proptest::prelude::*;
use tidemill_domain::Timestamp;
use tidemill_events::sample::SampleItem;
use tidemill_events::wire::{self, Incoming, WireError};
use tidemill_events::{Event, Topic};

use crate::make::{P, clean_item, outgoing, sample_item};

const SAMPLE: &str = "dev.tidemill.rows.joined.v1";
const CLEAN: &str = "dev.tidemill.rows.accepted.v1";

fn read(type_name: &str, payload: &[u8]) -> Result<Event, WireError> {
    let subject = if type_name == SAMPLE { "tidemill.a.sample.0" } else { "tidemill.a.clean.0" };
    let headers = vec![("ce-id", "e-1"), ("ce-source", "x"), ("ce-type", type_name)];
    wire::decode(&Incoming { subject, sequence: 1, time: Timestamp(0), headers, payload }).map(|r| r.event)
}

fn damaged(payload: &mut Vec<u8>, damage: &[(prop::sample::Index, u8)], cut: Option<prop::sample::Index>) {
    for (at, byte) in damage {
        let at = at.index(payload.len());
        payload[at] = *byte;
    }
    if let Some(cut) = cut {
        payload.truncate(cut.index(payload.len()));
    }
}

type Damage = (Vec<(prop::sample::Index, u8)>, Option<prop::sample::Index>);

fn damage() -> impl Strategy<Value = Damage> {
    let byte = prop_oneof![any::<u8>(), Just(0xFF), Just(0x7F), Just(0)];
    (
        vec((any::<prop::sample::Index>(), byte), 0..6),
        prop::option::weighted(0.2, any::<prop::sample::Index>()),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn damaged_batches_do_no_harm(
        samples in vec(sample_item(), 0..4),
        cleans in vec(clean_item(), 0..4),
        (bytes, cut) in damage(),
    ) {
        let mut payload = wire::encode(&outgoing(Topic::Sample(P), Event::Sample(samples)), Timestamp(0), None).unwrap().payload;
        damaged(&mut payload, &bytes, cut);
        let _ = read(SAMPLE, &payload);
        let mut payload = wire::encode(&outgoing(Topic::Clean(P), Event::Clean(cleans)), Timestamp(0), None).unwrap().payload;
        damaged(&mut payload, &bytes, cut);
        let _ = read(CLEAN, &payload);
    }

    #[test]
    fn any_message_is_read(
        subject in prop_oneof![Just("tidemill.a.sample.0"), Just("tidemill.a.log.tick"), Just("tidemill.a.intake.label"), Just("x")],
        type_name in prop_oneof![Just(SAMPLE.to_owned()), Just("dev.tidemill.time.passed.v1".to_owned()), any::<String>()],
        id in any::<String>(),
        upto in any::<String>(),
        payload in vec(any::<u8>(), 0..200),
    ) {
        let headers = vec![("ce-type", type_name.as_str()), ("Nats-Msg-Id", &id), ("ce-id", &id), ("tm-upto", &upto), ("ce-source", "x")];
        let result = wire::decode(&Incoming { subject, sequence: 1, time: Timestamp(0), headers, payload: &payload });
        if subject.contains("intake") {
            prop_assert!(result.is_ok());
        }
    }
}

#[test]
fn every_cut_of_a_batch_is_an_error() {
    let event = Event::Sample(vec![SampleItem::Expired {
        prediction_id: tidemill_domain::PredictionId::new("p"),
        time: Timestamp(1),
    }]);
    let payload = wire::encode(&outgoing(Topic::Sample(P), event), Timestamp(0), None).unwrap().payload;
    for length in 0..payload.len() {
        assert!(read(SAMPLE, &payload[..length]).is_err(), "{length} of {}", payload.len());
    }
    assert!(read(SAMPLE, &[&payload[..], b"x"].concat()).is_err());
}

#[test]
fn promised_lengths_are_not_believed() {
    let huge = [&[0xFF; 4][..], &0x7FFF_FFF0_u32.to_le_bytes(), &[0; 64]].concat();
    assert!(read(CLEAN, &huge).is_err());
    // Every place in the metadata where a length may lie.
    let payload =
        wire::encode(&outgoing(Topic::Clean(P), Event::Clean(vec![])), Timestamp(0), None).unwrap().payload;
    for at in (0..payload.len() - 8).step_by(4) {
        for evil in [0x7FFF_FFFF_i64, i64::MAX, -1, 1 << 40] {
            let mut payload = payload.clone();
            payload[at..at + 8].copy_from_slice(&evil.to_le_bytes());
            let _ = read(CLEAN, &payload);
        }
    }
}

fn stream(columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
    let batch =
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, a)| (n, a, true))).unwrap();
    let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    writer.into_inner().unwrap()
}

fn texts(cells: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(cells.to_vec()))
}

#[test]
fn columns_are_matched_by_name_and_others_passed_over() {
    let numbers: ArrayRef = Arc::new(Float64Array::from(vec![1.0, 2.0]));
    let payload = stream(vec![
        ("of_tomorrow", Arc::new(arrow_array::BooleanArray::from(vec![true, false]))),
        ("prediction_id", texts(&["p-1", "p-2"])),
        ("f.9", numbers),
        ("nested", Arc::new(arrow_array::NullArray::new(2))),
        ("kind", texts(&["expired", "expired"])),
    ]);
    let Event::Clean(items) = read(CLEAN, &payload).unwrap() else { panic!("another event") };
    assert_eq!(items.len(), 2);
}

#[test]
fn a_column_of_another_type_is_an_error() {
    let payload = stream(vec![("kind", Arc::new(arrow_array::Int64Array::from(vec![1])))]);
    assert!(read(CLEAN, &payload).is_err());
    let payload = stream(vec![("kind", Arc::new(Float64Array::from(vec![1.0])))]);
    assert!(read(CLEAN, &payload).is_err());
}

#[test]
fn rows_without_what_they_need_are_an_error() {
    for (kind, id) in [("expired", None), ("nonsense", Some("p")), ("observed", Some("p")), ("mark", None)] {
        let ids: ArrayRef = Arc::new(StringArray::from(vec![id]));
        assert!(
            read(CLEAN, &stream(vec![("kind", texts(&[kind])), ("prediction_id", ids)])).is_err(),
            "{kind}"
        );
    }
    assert!(read(CLEAN, &stream(vec![("prediction_id", texts(&["p"]))])).is_err());
}

#[test]
fn columns_that_share_their_bytes_cannot_make_a_small_message_large() {
    // One text of 100 KB, and three hundred columns whose buffers are made to lie over it.
    let long = "x".repeat(100_000);
    let names: Vec<String> = (0..300).map(|i| format!("f.{i}")).collect();
    let mut columns: Vec<(&str, ArrayRef)> = vec![
        ("kind", texts(&["observed"])),
        ("prediction_id", texts(&["p"])),
        ("time", Arc::new(arrow_array::TimestampMicrosecondArray::from(vec![1]))),
    ];
    columns.extend(names.iter().map(|n| (n.as_str(), texts(&["y"]))));
    columns.push(("entity", texts(&[&long])));
    let mut payload = stream(columns);
    let first_f = find_buffers(&payload);
    let Some((offsets_of_f0, offsets, values)) = first_f else {
        panic!("the layout of messages has changed")
    };
    for index in 0..300 {
        // Validity, offsets, values: sixteen bytes each.
        let at = offsets_of_f0 + index * 48;
        payload[at + 16..at + 32].copy_from_slice(&offsets);
        payload[at + 32..at + 48].copy_from_slice(&values);
    }
    let error = read(CLEAN, &payload).unwrap_err();
    let chain = format!("{error:?}");
    assert!(chain.contains("share their bytes"), "{chain}");
}

/// Where the buffers of the fourth column are described, and the descriptions of the offsets and values of the last one.
fn find_buffers(payload: &[u8]) -> Option<(usize, [u8; 16], [u8; 16])> {
    // Buffers of kind, prediction_id (3 each), time (2), 300 features (3 each), entity (3), as offset and length.
    const COUNT: usize = 3 + 3 + 2 + 900 + 3;
    let mut vector =
        payload.windows(4).enumerate().filter(|(_, w)| **w == u32::try_from(COUNT).unwrap().to_le_bytes());
    let (at, _) = vector.next_back()?;
    let entry = |index: usize| payload.get(at + 4 + index * 16..at + 20 + index * 16)?.try_into().ok();
    Some((at + 4 + 8 * 16, entry(COUNT - 2)?, entry(COUNT - 1)?))
}

#[test]
fn a_message_over_the_limit_is_refused_unread() {
    let payload = vec![b' '; wire::MAX_MESSAGE + 1];
    assert!(matches!(read(CLEAN, &payload), Err(WireError::TooLarge { .. })));
    let incoming = Incoming {
        subject: "tidemill.a.intake.label",
        sequence: 1,
        time: Timestamp(0),
        headers: vec![],
        payload: &payload,
    };
    let Event::Intake(batch) = wire::decode(&incoming).unwrap().event else { panic!("another event") };
    assert_eq!(batch.items.len(), 1);
}
