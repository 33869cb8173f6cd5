//! What is written is read back as it was.

use proptest::collection::vec;
use proptest::prelude::*;
use tidemill_domain::{CleanRow, PredictionId, Timestamp, Value};
use tidemill_events::event::Claimed;
use tidemill_events::sample::{CleanItem, SampleItem};
use tidemill_events::wire::{self, MAX_MESSAGE, Weigh, WireError};
use tidemill_events::{Event, Log, Tick, Topic};

use crate::make::{P, clean_item, meta, outgoing, sample_item};

fn back(topic: Topic, event: Event) -> Event {
    let message = wire::encode(&outgoing(topic, event), Timestamp(0), None).unwrap();
    wire::decode(&message.incoming(1, Timestamp(0))).unwrap().event
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn joined_rows_come_back(items in vec(sample_item(), 0..12)) {
        prop_assert_eq!(back(Topic::Sample(P), Event::Sample(items.clone())), Event::Sample(items));
    }

    #[test]
    fn accepted_rows_come_back_bit_by_bit(items in vec(clean_item(), 0..12)) {
        let read = back(Topic::Clean(P), Event::Clean(items.clone()));
        // Texts tell -0 from 0, which comparing numbers does not.
        prop_assert_eq!(format!("{read:?}"), format!("{:?}", Event::Clean(items)));
    }

    #[test]
    fn headers_come_back(meta in meta(), now in any::<i64>(), sequence in any::<u64>(), time in any::<i64>()) {
        let mut out = outgoing(Topic::Log(Log::Tick), Event::Tick(Tick { role: "deployer".into(), due: Timestamp(now) }));
        out.meta = meta;
        let message = wire::encode(&out, Timestamp(now), Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")).unwrap();
        for (_, value) in &message.headers {
            prop_assert!(value.bytes().all(|b| b.is_ascii_graphic()));
        }
        let read = wire::decode(&message.incoming(sequence, Timestamp(time))).unwrap();
        prop_assert_eq!((read.sequence, read.time), (sequence, Timestamp(time)));
        prop_assert_eq!((read.subject, read.meta, read.event), (out.subject, out.meta, out.event));
    }

    #[test]
    fn rows_are_not_larger_than_they_weigh(samples in vec(sample_item(), 1..30), cleans in vec(clean_item(), 1..30)) {
        const SCHEMA: usize = 4 << 10;
        let weight: usize = samples.iter().map(Weigh::weigh).sum();
        let message = wire::encode(&outgoing(Topic::Sample(P), Event::Sample(samples)), Timestamp(0), None).unwrap();
        prop_assert!(message.payload.len() <= weight + SCHEMA, "{} > {weight}", message.payload.len());
        let weight: usize = cleans.iter().map(Weigh::weigh).sum();
        let message = wire::encode(&outgoing(Topic::Clean(P), Event::Clean(cleans)), Timestamp(0), None).unwrap();
        prop_assert!(message.payload.len() <= weight + SCHEMA, "{} > {weight}", message.payload.len());
    }
}

fn row(features: Vec<Value>) -> CleanItem {
    CleanItem::Observed(CleanRow {
        prediction_id: PredictionId::new("p-1"),
        entity: None,
        time: Timestamp(5),
        features,
        scored: Vec::new(),
        label: None,
    })
}

#[test]
fn the_widest_rows_fit() {
    let wide: Vec<Value> = (0..10_000).map(|i| Value::Number(f64::from(i) / 3.0)).collect();
    let items = vec![row(wide.clone()), row(wide[..300].to_vec()), row(wide[..200].to_vec())];
    assert_eq!(back(Topic::Clean(P), Event::Clean(items.clone())), Event::Clean(items.clone()));
    let items: Vec<_> = items.into_iter().rev().collect();
    assert_eq!(back(Topic::Clean(P), Event::Clean(items.clone())), Event::Clean(items));
}

#[test]
fn a_full_batch_fits_into_a_message() {
    for width in [1_usize, 20, 256, 400] {
        let rows: Vec<_> =
            (0..40_000 / width).map(|i| row(vec![Value::Number(i as f64 / 7.0); width])).collect();
        for batch in wire::split(rows) {
            let message =
                wire::encode(&outgoing(Topic::Clean(P), Event::Clean(batch)), Timestamp(0), None).unwrap();
            assert!(message.payload.len() < MAX_MESSAGE * 3 / 4, "{width}: {}", message.payload.len());
        }
    }
}

#[test]
fn what_is_not_finite_is_refused_by_its_writer() {
    for bad in [f64::NAN, f64::INFINITY] {
        let event = Event::Clean(vec![row(vec![Value::Number(bad)])]);
        let refused = wire::encode(&outgoing(Topic::Clean(P), event), Timestamp(0), None);
        assert!(matches!(refused, Err(WireError::Columns { .. })), "{refused:?}");
    }
}

#[test]
fn an_event_in_the_wrong_place_is_refused_on_both_ends() {
    let tick = Event::Tick(Tick { role: "deployer".into(), due: Timestamp(0) });
    let refused = wire::encode(&outgoing(Topic::Log(Log::Alert), tick.clone()), Timestamp(0), None);
    assert!(matches!(refused, Err(WireError::Misplaced { .. })), "{refused:?}");
    let mut message = wire::encode(&outgoing(Topic::Log(Log::Tick), tick), Timestamp(0), None).unwrap();
    message.subject = "tidemill.electricity.log.alert".into();
    let refused = wire::decode(&message.incoming(1, Timestamp(0)));
    assert!(matches!(refused, Err(WireError::Misplaced { .. })), "{refused:?}");
}

#[test]
fn a_claim_belongs_on_every_subject_that_is_owned() {
    let claim = Event::Claimed(Claimed { role: "ingest-0".into(), owner: "a".into(), epoch: 3 });
    for topic in [Topic::Sample(P), Topic::Clean(P), Topic::Log(Log::Verdict)] {
        assert_eq!(back(topic, claim.clone()), claim);
    }
}

#[test]
fn a_type_of_tomorrow_is_passed_over_with_its_position() {
    let tick = Event::Tick(Tick { role: "deployer".into(), due: Timestamp(0) });
    let mut message = wire::encode(&outgoing(Topic::Log(Log::Tick), tick), Timestamp(0), None).unwrap();
    for (name, value) in &mut message.headers {
        if *name == "ce-type" {
            *value = "dev.tidemill.time.passed.v2".into();
        }
    }
    let read = wire::decode(&message.incoming(1, Timestamp(0))).unwrap();
    assert_eq!(read.event, Event::Unknown { type_name: "dev.tidemill.time.passed.v2".into() });
    assert_eq!(read.meta.upto.map(|u| u.sequence), Some(7));
    let refused = wire::encode(&outgoing(Topic::Log(Log::Tick), read.event), Timestamp(0), None);
    assert!(matches!(refused, Err(WireError::NotWritable(_))), "{refused:?}");
}

#[test]
fn header_names_may_be_in_any_case() {
    let tick = Event::Tick(Tick { role: "deployer".into(), due: Timestamp(0) });
    let message = wire::encode(&outgoing(Topic::Log(Log::Tick), tick.clone()), Timestamp(0), None).unwrap();
    let mut incoming = message.incoming(1, Timestamp(0));
    let upper: Vec<_> = message.headers.iter().map(|(name, _)| name.to_ascii_uppercase()).collect();
    for (header, name) in incoming.headers.iter_mut().zip(&upper) {
        header.0 = name;
    }
    assert_eq!(wire::decode(&incoming).unwrap().event, tick);
    incoming.headers.clear();
    assert!(matches!(wire::decode(&incoming), Err(WireError::MissingHeader("ce-type"))));
}

#[test]
fn a_message_that_the_broker_would_refuse_is_refused_here() {
    let refused = tidemill_events::intake::Refused { payload: "x".repeat(MAX_MESSAGE), reasons: Vec::new() };
    let event = Event::Sample(vec![SampleItem::Refused(refused)]);
    let refused = wire::encode(&outgoing(Topic::Sample(P), event), Timestamp(0), None);
    assert!(matches!(refused, Err(WireError::TooLarge { .. })), "{refused:?}");
}
