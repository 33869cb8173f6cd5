//! How drafts are joined into messages and cut to their size.

use tidemill_domain::{EventId, LoopId};
use tidemill_events::emit::Upto;
use tidemill_events::intake::Refused;
use tidemill_events::{Meta, Partition, Topic};

use super::*;

fn output(loop_name: &str, sequence: u64, sizes: &[usize]) -> Outgoing {
    let loop_id = LoopId::new(loop_name).unwrap_or_else(|e| unreachable!("{e}"));
    let item = |n: &usize| SampleItem::Refused(Refused { payload: "x".repeat(*n), reasons: vec![] });
    Outgoing {
        subject: Subject::new(loop_id, Topic::Sample(Partition(0))),
        meta: Meta {
            id: EventId::new(format!("{loop_name}{sequence}")),
            source: "ingest-0".into(),
            causation: None,
            correlation: None,
            upto: Some(Upto { sequence, ordinal: 1 }),
        },
        event: Event::Sample(sizes.iter().map(item).collect()),
        content: None,
    }
}

fn shape(event: &Outgoing) -> (String, usize) {
    let n_items = match &event.event {
        Event::Sample(items) => items.len(),
        _ => 0,
    };
    (event.meta.id.to_string(), n_items)
}

#[tokio::test(start_paused = true)]
async fn small_outputs_of_a_subject_are_joined_under_the_last_position() {
    let (mut batches, mut out) = (Batches::default(), Vec::new());
    for (name, sequence) in [("a", 1), ("b", 2), ("a", 3)] {
        batches.add(output(name, sequence, &[10]), Instant::now(), &mut out);
    }
    assert!(out.is_empty());
    assert!(batches.ripe(Instant::now()).is_empty());
    assert_eq!(batches.due(), Some(Instant::now() + HELD));
    let ripe = batches.ripe(Instant::now() + HELD);
    assert_eq!(ripe.iter().map(shape).collect::<Vec<_>>(), [("b2".into(), 1), ("a3".into(), 2)]);
    assert_eq!(batches.due(), None);
}

#[tokio::test(start_paused = true)]
async fn messages_are_closed_by_size_and_by_number() {
    let (mut batches, mut out) = (Batches::default(), Vec::new());
    batches.add(output("a", 1, &[10]), Instant::now(), &mut out);
    batches.add(output("a", 2, &[GOOD_BYTES]), Instant::now(), &mut out);
    assert_eq!(out.iter().map(shape).collect::<Vec<_>>(), [("a2".into(), 2)]);
    out.clear();
    batches.add(output("a", 3, &[10]), Instant::now(), &mut out);
    batches.add(output("a", 4, &[BATCH_BYTES - 140]), Instant::now(), &mut out);
    assert_eq!(out.iter().map(shape).collect::<Vec<_>>(), [("a3".into(), 1), ("a4".into(), 1)]);
    out.clear();
    batches.add(output("a", 5, &[1; 600]), Instant::now(), &mut out);
    batches.add(output("a", 6, &[1; 600]), Instant::now(), &mut out);
    batches.flush(&mut out);
    let n_items: Vec<usize> = out.iter().map(|o| shape(o).1).collect();
    assert_eq!(n_items.iter().sum::<usize>(), 1_200);
    assert!(n_items.iter().all(|n| *n <= GOOD_ITEMS));
}

#[test]
fn what_does_not_fit_is_cut_before_it_gets_its_position() {
    let Outgoing { subject, event, .. } = output("a", 1, &[400 << 10, 400 << 10]);
    let parts = cut(vec![Draft::new(subject, event)]);
    assert_eq!(parts.len(), 2);
}
