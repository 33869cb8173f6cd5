//! What is on disk is what would be in memory, whenever it was written and whoever reads it.

use std::convert::Infallible;

use proptest::prelude::*;
use tidemill_domain::{Label, Span, Value};
use tidemill_events::core::Core;
use tidemill_events::intake::IntakeItem;
use tidemill_events::{Event, Log, Partition, Recorded, Subject, Tick, Topic};
use tidemill_ingest_core::{InMemory, Ingest, State};

use super::*;
use crate::fixtures::{candidate, intake, label, loop_id, prediction, recorded, rollout, spec};

fn tick(time: Timestamp) -> Recorded {
    let event = Event::Tick(Tick { role: "ingest-0".into(), due: time });
    let mut tick = recorded("a", 0, time, event);
    tick.subject = Subject::new(loop_id("a"), Topic::Log(Log::Tick));
    tick
}

/// Inputs in their order; the last number says what happens to the disk after it.
fn inputs(ops: &[(u8, u8, u8)]) -> Vec<(Recorded, u8)> {
    let (mut now, mut sequence, mut control) = (Timestamp(1_000_000_000), 0, 0);
    let mut all: Vec<(Recorded, u8)> = Vec::new();
    for name in ["a", "b"] {
        control += 1;
        all.push((recorded(name, control, now, spec(name, control, Span::seconds(20))), 0));
    }
    for (op, x, disk) in ops {
        now = now + Span::millis(i64::from(*x) * 10);
        let name = ["a", "b"][usize::from(x % 2)];
        let id = format!("p{}", x / 2 % 30);
        sequence += 1;
        let input = match op {
            0..=3 => {
                recorded(name, sequence, now, intake(vec![IntakeItem::Prediction(prediction(&id, now))]))
            }
            4..=7 => {
                let label = Label { label: Value::Number(f64::from(x % 3)), ..label(&id, now) };
                recorded(name, sequence, now, intake(vec![IntakeItem::Label(label)]))
            }
            8 => {
                now = now + Span::seconds(i64::from(*x) / 8);
                tick(now)
            }
            9 => {
                control += 1;
                recorded(name, control, now, spec(name, control, Span::seconds(5 + i64::from(*x) / 8)))
            }
            10 => {
                control += 1;
                recorded(name, control, now, candidate(control))
            }
            _ => {
                control += 1;
                recorded(name, control, now, rollout(control))
            }
        };
        all.push((input, *disk));
    }
    all
}

fn on(dir: &std::path::Path) -> Local {
    Local::on(Disk::open(dir).unwrap_or_else(|e| unreachable!("{e}")))
}

fn resumed(dir: &std::path::Path, at_most: u64) -> Ingest<Local> {
    let mut memory = on(dir);
    let head = memory.head().unwrap_or_else(|e| unreachable!("{e}"));
    let control = memory.read_control().unwrap_or_else(|e| unreachable!("{e}"));
    let head = head.map(|head| serde_json::from_slice(&head).unwrap_or_else(|e| unreachable!("{e}")));
    let state = State { head: head.unwrap_or_default(), control };
    let core = Ingest::resume(Partition(0), 1, memory, state).unwrap_or_else(|e| unreachable!("{e}"));
    core.remembering(at_most)
}

fn fold<M: Memory>(
    core: &mut Ingest<M>,
    input: &Recorded,
) -> (Vec<tidemill_events::Draft>, Option<Timestamp>) {
    let drafts = core.fold(input);
    core.check().unwrap_or_else(|e| unreachable!("{e}"));
    (drafts, core.deadline())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn disk_and_memory_decide_the_same(
        ops in prop::collection::vec((0_u8..12, any::<u8>(), 0_u8..24), 1..160),
        at_most in prop_oneof![Just(1_000_u64), 5_u64..20],
    ) {
        let dir = tempfile::tempdir().unwrap_or_else(|e| unreachable!("{e}"));
        let mut one: Ingest<InMemory> = Ingest::new(Partition(0), 1).remembering(at_most);
        let mut other = resumed(dir.path(), at_most);
        let all = inputs(&ops);
        let mut kept = 0;
        let mut said = Vec::new();
        for (n, (input, disk)) in all.iter().enumerate() {
            let expected = fold(&mut one, input);
            let found = fold(&mut other, input);
            prop_assert_eq!(&found, &expected, "input {}", n);
            said.push(expected);
            match disk {
                0..=3 => {
                    let (state, memory) = other.parts();
                    memory.commit(&state.head, &state.control).unwrap_or_else(|e| unreachable!("{e}"));
                    kept = n + 1;
                }
                4 => {
                    // Whoever begins anew folds again what came after that, and says the same.
                    drop(other);
                    other = resumed(dir.path(), at_most);
                    for (again, said) in all[kept..=n].iter().zip(&said[kept..]) {
                        prop_assert_eq!(&fold(&mut other, &again.0), said);
                    }
                }
                _ => {}
            }
        }
        prop_assert_eq!(one.state(), other.state());
    }
}

#[test]
fn deadlines_are_read_in_their_order_however_many_there_are() {
    let dir = tempfile::tempdir().unwrap_or_else(|e| unreachable!("{e}"));
    let mut memory = on(dir.path());
    let a = loop_id("a");
    let due = |n: u64| Due { at: Timestamp(i64::try_from(n * 7_919 % 1_009).unwrap_or(0) - 500), nth: n };
    let id = |n: u64| PredictionId::new(format!("p{n}"));
    let mut expected: Vec<(Due, PredictionId)> = (0..1_500).map(|n| (due(n), id(n))).collect();
    expected.sort();
    for n in 0..1_500 {
        memory.note(due(n), &a, &id(n));
        if n % 100 == 0 {
            memory.commit(&0, &BTreeMap::new()).unwrap_or_else(|e| unreachable!("{e}"));
        }
    }
    let mut found = Vec::new();
    while let Some(next) = memory.next().unwrap_or_else(|e| unreachable!("{e}")) {
        let Ok(Some((_, id))) = memory.take_next() else { unreachable!("{next:?} is there") };
        found.push((next, id));
        if found.len() % 300 == 0 {
            memory.commit(&0, &BTreeMap::new()).unwrap_or_else(|e| unreachable!("{e}"));
        }
        if found.len() == 700 {
            memory.commit(&0, &BTreeMap::new()).unwrap_or_else(|e| unreachable!("{e}"));
            drop(memory);
            memory = on(dir.path());
        }
    }
    assert_eq!(found, expected);
}

#[test]
fn without_a_disk_nothing_is_left_of_what_is_forgotten() {
    let mut memory = Local::default();
    let (a, id) = (loop_id("a"), PredictionId::new("p"));
    let known = Known::Early(label("p", Timestamp(1)));
    memory.set(&a, &id, known.clone()).unwrap_or_else(|e| unreachable!("{e}"));
    assert_eq!(memory.get(&a, &id).unwrap_or_else(|e| unreachable!("{e}")), Some(known));
    memory.forget(&a, &id);
    assert!(memory.known.is_empty());
}

/// Remembers nothing and answers so, as a check that the comparison above sees a difference.
#[derive(Debug, Default)]
struct Forgetful(InMemory);

impl Memory for Forgetful {
    type Error = Infallible;
    fn get(&mut self, _: &LoopId, _: &PredictionId) -> Result<Option<Known>, Infallible> {
        Ok(None)
    }
    fn set(&mut self, loop_id: &LoopId, id: &PredictionId, known: Known) -> Result<(), Infallible> {
        self.0.set(loop_id, id, known)
    }
    fn forget(&mut self, loop_id: &LoopId, id: &PredictionId) {
        self.0.forget(loop_id, id);
    }
    fn note(&mut self, due: Due, loop_id: &LoopId, id: &PredictionId) {
        self.0.note(due, loop_id, id);
    }
    fn next(&mut self) -> Result<Option<Due>, Infallible> {
        self.0.next()
    }
    fn take_next(&mut self) -> Result<Option<(LoopId, PredictionId)>, Infallible> {
        self.0.take_next()
    }
}

#[test]
fn a_memory_that_forgets_is_told_from_one_that_does_not() {
    let ops: Vec<_> = (0..40_u8).map(|n| (if n % 2 == 0 { 0 } else { 4 }, n / 2, 9)).collect();
    let mut one: Ingest<InMemory> = Ingest::new(Partition(0), 1);
    let mut other = Ingest::with(Partition(0), 1, Forgetful::default());
    assert!(inputs(&ops).iter().any(|(input, _)| fold(&mut one, input) != fold(&mut other, input)));
}
