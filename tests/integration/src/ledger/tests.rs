//! The checks themselves: an orderly log passes, and each kind of disorder is found.

use tidemill_domain::{ContentHash, EventId, ModelVersion, Timestamp};
use tidemill_domain::{PredictionRecord, TriggerId, TurnId};
use tidemill_events::emit::Upto;
use tidemill_events::event::Claimed;
use tidemill_events::intake::{IntakeBatch, IntakeItem};
use tidemill_events::rollout::{Rollout, RolloutStep, RouteTable};
use tidemill_events::sample::SampleItem;
use tidemill_events::training::{Trigger, TurnOutcome};
use tidemill_events::{Intake, Log, Meta, Partition, Subject, Topic};

use super::*;

fn loop_id() -> LoopId {
    LoopId::new("quick").unwrap_or_else(|e| unreachable!("{e}"))
}

fn at(sequence: u64, topic: Topic, event: Event) -> Recorded {
    let upto = Upto { sequence, ordinal: 0 };
    Recorded {
        sequence,
        time: Timestamp(0),
        subject: Subject::new(loop_id(), topic),
        meta: Meta {
            id: EventId::new(format!("e-{sequence}")),
            source: "test".to_owned(),
            causation: None,
            correlation: None,
            upto: Some(upto),
        },
        event,
    }
}

fn record(id: &str) -> PredictionRecord {
    PredictionRecord {
        prediction_id: PredictionId::new(id),
        entity: None,
        time: Timestamp(0),
        features: std::collections::BTreeMap::new(),
        scored: vec![],
    }
}

fn sent(sequence: u64, id: &str) -> Recorded {
    let items = vec![IntakeItem::Prediction(record(id))];
    at(sequence, Topic::Intake(Intake::Prediction), Event::Intake(IntakeBatch { items }))
}

fn observed(sequence: u64, id: &str) -> Recorded {
    let items = vec![SampleItem::Observed(record(id))];
    at(sequence, Topic::Sample(Partition(0)), Event::Sample(items))
}

fn closed(sequence: u64) -> Recorded {
    let (trigger, turn) = (TriggerId::new("g"), TurnId::new("t"));
    let event = Trigger::Closed { trigger, turn, outcome: TurnOutcome::Promoted };
    at(sequence, Topic::Log(Log::Trigger), Event::Trigger(event))
}

fn rollout(sequence: u64, version: u64) -> Recorded {
    let table = RouteTable { version, ..RouteTable::default() };
    let rollout = Rollout {
        step: RolloutStep::Paused,
        version: None::<ModelVersion>,
        lane: None,
        table,
        judgement: None,
        reason: String::new(),
    };
    at(sequence, Topic::Log(Log::Rollout), Event::Rollout(Box::new(rollout)))
}

fn ledger(events: &[Recorded]) -> Ledger {
    let mut ledger = Ledger::default();
    for event in events {
        ledger.fold(event);
    }
    ledger
}

#[test]
fn an_orderly_log_is_in_order() {
    let ledger =
        ledger(&[sent(1, "a"), observed(1, "a"), observed(2, "b"), closed(3), rollout(4, 1), rollout(5, 2)]);
    assert_eq!(ledger.wrong(), Vec::<String>::new());
    assert_eq!(ledger.account().pending, 1);
}

#[test]
fn a_lost_row_is_missing() {
    let mut ledger = ledger(&[]);
    ledger.expect(&loop_id(), [PredictionId::new("a")]);
    assert_eq!(ledger.missing(), ["quick: a was sent and is not on the intake"]);
    assert_eq!(ledger.account().lost, 1);
    ledger.fold(&sent(1, "a"));
    assert_eq!(ledger.missing(), ["quick: a is on the intake and was not observed"]);
}

#[test]
fn a_doubled_row_is_wrong() {
    let wrong = ledger(&[sent(1, "a"), observed(1, "a"), observed(2, "a")]).wrong();
    assert_eq!(wrong, ["quick: a is 2 times observed"]);
}

#[test]
fn an_input_that_is_answered_twice_is_wrong() {
    let again =
        Recorded { meta: Meta { id: EventId::new("other"), ..observed(1, "a").meta }, ..observed(1, "b") };
    let wrong = ledger(&[observed(1, "a"), again]).wrong();
    assert!(wrong[0].contains("follows 1.0"), "{wrong:?}");
}

#[test]
fn a_claim_of_an_old_epoch_is_wrong() {
    let claim = |sequence, epoch| {
        let claim = Claimed { role: "ingest-0".to_owned(), owner: "a".to_owned(), epoch };
        at(sequence, Topic::Sample(Partition(0)), Event::Claimed(claim))
    };
    let wrong = ledger(&[claim(1, 2), claim(2, 2)]).wrong();
    assert!(wrong[0].contains("epoch 2 of a follows epoch 2"), "{wrong:?}");
}

#[test]
fn a_decision_that_is_made_twice_is_wrong() {
    let wrong = ledger(&[closed(1), closed(2)]).wrong();
    assert_eq!(wrong, ["t was closed again at 2"]);
}

#[test]
fn tables_must_rise() {
    let wrong = ledger(&[rollout(1, 2), rollout(2, 2)]).wrong();
    assert_eq!(wrong, ["table 2 follows table 2"]);
}

#[test]
fn a_segment_of_rows_that_nobody_accepted_is_wrong() {
    let mut ledger = ledger(&[]);
    let hash = ContentHash::of(b"x");
    let sealed = SegmentSealed {
        segment: tidemill_events::dataset::SegmentRef { hash: hash.clone(), rows: 2 },
        partition: Partition(0),
        schema: hash,
        from: Timestamp(0),
        to: Timestamp(0),
        sources: std::collections::BTreeMap::new(),
        classes: tidemill_stats_counts(),
    };
    let row = CleanRow {
        prediction_id: PredictionId::new("a"),
        entity: None,
        time: Timestamp(0),
        features: vec![],
        scored: vec![],
        label: None,
    };
    ledger.sealed(&loop_id(), &sealed, &[row]);
    let wrong = ledger.wrong();
    assert!(wrong[0].contains("holds 1 rows and says 2"), "{wrong:?}");
    assert!(wrong[1].contains("never accepted with a label"), "{wrong:?}");
}

/// Counts without a dependency on their crate.
fn tidemill_stats_counts<T: Default>() -> T {
    T::default()
}
