//! Crashes at any point, without a broker: what is on the log afterwards is what one run would write that folds the same
//! inputs at the recorded places, each item once and in the same order. Some of those who take over begin with nothing, and
//! some where an earlier one kept what it remembered.

use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::*;
use tidemill_bus::Received;
use tidemill_domain::{Label, Span, Timestamp, Value};
use tidemill_events::core::Core;
use tidemill_events::emit::{Emitter, Outgoing, Upto};
use tidemill_events::intake::IntakeItem;
use tidemill_events::sample::{Mark, SampleItem};
use tidemill_events::{Event, Partition, Recorded, Subject, Topic};
use tidemill_ingest_core::{InMemory, Ingest, Order, State};

use crate::fixtures::{candidate, intake, label, prediction, recorded, rollout, spec};
use crate::merge::{End, MARGIN, Merge, Stand, Step};
use crate::outlet::Outlet;
use crate::places::Places;

const LOOPS: [&str; 2] = ["a", "b"];
const ROLE: &str = "ingest-0";

/// The broker: two streams that are read, one that is written, and the time.
#[derive(Default)]
struct World {
    intake: Vec<Recorded>,
    control: Vec<Recorded>,
    samples: Vec<Recorded>,
    clock: Timestamp,
    /// What one who was active kept on its machine.
    kept: Option<Kept>,
}

/// What is kept: a place in the order, and how many messages there were of the rows.
#[derive(Clone)]
struct Kept {
    stand: Stand,
    order: Order,
    state: State,
    memory: InMemory,
    samples: usize,
}

/// One tenure of ingest.
struct Running {
    merge: Merge,
    places: Places,
    core: Ingest,
    outlet: Outlet,
    emitter: Emitter,
    /// What is on its way to the broker; nothing is folded before it is there.
    sending: VecDeque<Outgoing>,
    n_intake: usize,
    n_control: usize,
}

impl World {
    fn send(&mut self, name: &str, event: Event) {
        self.clock = self.clock + Span::millis(1);
        let stream = if matches!(event, Event::Intake(_)) { &mut self.intake } else { &mut self.control };
        let sequence = stream.len() as u64 + 1;
        stream.push(recorded(name, sequence, self.clock, event));
    }

    fn places(&self) -> Places {
        let mut places = Places::default();
        for message in &self.samples {
            places.add(message, true);
        }
        places
    }

    fn start(&self, resumes: bool) -> Running {
        let places = self.places();
        let mut emitter = Emitter::new(ROLE);
        if resumes {
            for message in &self.samples {
                emitter.resume(message.subject.clone(), message.meta.upto.unwrap_or_default());
            }
        }
        let (n_intake, n_control) = (self.intake.len() as u64, self.control.len() as u64);
        let mut merge = Merge::new(ROLE, places.clone());
        merge.intake.add([], 0, n_intake == 0);
        merge.control.add([], 0, n_control == 0);
        Running {
            merge,
            places,
            core: Ingest::new(Partition(0), 1),
            outlet: Outlet::default(),
            emitter,
            sending: VecDeque::new(),
            n_intake: 0,
            n_control: 0,
        }
    }

    /// Goes on from what was kept, if anything was.
    fn resume(&self) -> Running {
        let mut running = self.start(true);
        let Some(Kept { mut stand, order, state, memory, samples }) = self.kept.clone() else {
            return running;
        };
        for message in &self.samples[samples..] {
            stand.places.add(message, true);
        }
        running.core = Ingest::resume(Partition(0), 1, memory, state).unwrap_or_else(|e| match e {});
        running.outlet = Outlet { order, ..Outlet::default() };
        (running.n_intake, running.n_control) =
            (usize::try_from(stand.intake).unwrap_or(0), usize::try_from(stand.control).unwrap_or(0));
        running.places = stand.places.clone();
        running.merge = Merge::resume(ROLE, stand);
        let (read, all) = (running.n_intake as u64, running.n_intake == self.intake.len());
        running.merge.intake.add([], read, all);
        let (read, all) = (running.n_control as u64, running.n_control == self.control.len());
        running.merge.control.add([], read, all);
        running
    }

    fn store(&mut self, out: Outgoing) {
        self.clock = self.clock + Span::millis(1);
        let sequence = self.samples.len() as u64 + 1;
        let Outgoing { subject, meta, event, .. } = out;
        self.samples.push(Recorded { sequence, time: self.clock, subject, meta, event });
    }
}

impl Running {
    fn deliver_intake(&mut self, world: &World, n: usize) {
        let to = world.intake.len().min(self.n_intake + n);
        let events = world.intake[self.n_intake..to].iter().cloned().map(Received::from);
        self.merge.intake.add(events, to as u64, to == world.intake.len());
        self.n_intake = to;
    }

    fn deliver_control(&mut self, world: &World, n: usize) {
        let to = world.control.len().min(self.n_control + n);
        let events = world.control[self.n_control..to].iter().cloned().map(Received::from);
        self.merge.control.add(events, to as u64, to == world.control.len());
        self.n_control = to;
    }

    /// One step; says whether anything was folded.
    fn step(&mut self, world: &World) -> bool {
        self.merge.set_deadline(self.core.deadline());
        match self.merge.step(world.clock) {
            Step::Give(input, is_beyond) => {
                let drafts = self.core.fold(&input.event);
                let beyond = is_beyond.then(|| self.places.tail());
                let out = self.outlet.emit(&mut self.emitter, beyond, &input.event, drafts);
                self.sending.extend(out);
                true
            }
            Step::AwaitEnds => {
                let as_of = (world.clock - MARGIN).max(self.merge.heard());
                self.merge.control.hear(End { sequence: world.control.len() as u64, as_of });
                self.merge.intake.hear(End { sequence: world.intake.len() as u64, as_of });
                true
            }
            Step::AwaitControl | Step::AwaitIntake | Step::Idle(_) => false,
        }
    }

    fn flush(&mut self) {
        let mut out = Vec::new();
        self.outlet.batches.flush(&mut out);
        self.sending.extend(out);
    }

    /// Keeps what is remembered, when everything that followed from it is there.
    fn keep(&mut self, world: &mut World) {
        self.flush();
        for out in std::mem::take(&mut self.sending) {
            world.store(out);
        }
        let written = world.samples.iter().filter_map(|m| m.meta.upto).max().unwrap_or_default();
        let (state, memory) = self.core.parts();
        world.kept = Some(Kept {
            stand: self.merge.stand(written),
            order: self.outlet.order,
            state: state.clone(),
            memory: memory.clone(),
            samples: world.samples.len(),
        });
    }

    /// Everything that there is.
    fn finish(&mut self, world: &World) {
        self.deliver_intake(world, usize::MAX / 2);
        self.deliver_control(world, usize::MAX / 2);
        while self.step(world) {}
        self.flush();
    }
}

fn items<'a>(
    messages: impl IntoIterator<Item = (&'a Subject, &'a Event)>,
) -> BTreeMap<Subject, Vec<SampleItem>> {
    let mut all: BTreeMap<Subject, Vec<SampleItem>> = BTreeMap::new();
    for (subject, event) in messages {
        if let Event::Sample(items) = event {
            all.entry(subject.clone()).or_default().extend(items.iter().cloned());
        }
    }
    all
}

/// Items in short, for messages.
fn shape(all: &BTreeMap<Subject, Vec<SampleItem>>) -> Vec<String> {
    let short = |item: &SampleItem| match item {
        SampleItem::Expired { prediction_id, .. } => format!("expired {prediction_id}"),
        SampleItem::Labelled { record, .. } => format!("labelled {}", record.prediction_id),
        SampleItem::Mark(Mark::Routes { sequence, .. }) => format!("routes {sequence}"),
        SampleItem::Mark(Mark::Spec { sequence, .. }) => format!("spec {sequence}"),
        SampleItem::Mark(Mark::Tick) => "tick".to_owned(),
        SampleItem::Observed(record) => format!("observed {} {}", record.prediction_id, record.time.0),
        SampleItem::Refused(refused) => format!("refused {:?}", refused.reasons),
    };
    all.iter()
        .map(|(subject, items)| format!("{subject}: {:?}", items.iter().map(short).collect::<Vec<_>>()))
        .collect()
}

/// Plays a story to its end; gives the world as it was when everything was folded.
fn play(ops: &[(u8, u8)]) -> (World, Timestamp) {
    let mut world = World { clock: Timestamp(1_000_000_000), ..World::default() };
    let mut running = world.start(true);
    let mut version = 0;
    for (op, x) in ops {
        let name = LOOPS[usize::from(x % 2)];
        let id = format!("{}", x / 2 % 24);
        match op {
            0..=3 => world.send(name, intake(vec![IntakeItem::Prediction(prediction(&id, world.clock))])),
            4..=6 => {
                // Now and then another one than before.
                let value = Value::Number(f64::from(x % 5 / 4));
                let label = Label { label: value, ..label(&id, world.clock) };
                world.send(name, intake(vec![IntakeItem::Label(label)]));
            }
            7 => {
                version += 1;
                if x % 4 < 2 {
                    world.send(name, spec(name, version, Span::seconds(5 + i64::from(*x) / 8)));
                } else {
                    world.send(name, candidate(version));
                    world.send(name, rollout(version));
                }
            }
            8 => world.clock = world.clock + Span::millis(50 * i64::from(*x)),
            9..=11 => running.deliver_intake(&world, usize::from(*x) / 16 + 1),
            12 => running.deliver_control(&world, usize::from(*x) / 64 + 1),
            13..=17 => {
                for _ in 0..=x / 16 {
                    while let Some(out) = running.sending.pop_front() {
                        world.store(out);
                    }
                    running.step(&world);
                }
            }
            18 => running.flush(),
            19 => {
                if let Some(out) = running.sending.pop_front() {
                    world.store(out);
                }
            }
            20 => running.keep(&mut world),
            21 => running = world.start(true),
            _ => running = world.resume(),
        }
    }
    running = if ops.len() % 2 == 0 { world.resume() } else { world.start(true) };
    world.clock = world.clock + Span::seconds(1);
    let at = world.clock;
    running.finish(&world);
    for out in std::mem::take(&mut running.sending) {
        world.store(out);
    }
    (world, at)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn after_crashes_the_log_is_that_of_one_run(ops in prop::collection::vec((0_u8..24, any::<u8>()), 1..300)) {
        let (mut world, at) = play(&ops);
        let log = items(world.samples.iter().map(|m| (&m.subject, &m.event)));
        // One run over the same inputs, with control at the recorded places, that writes everything.
        world.clock = at;
        let mut audit = world.start(false);
        audit.finish(&world);
        let expected = items(audit.sending.iter().map(|o| (&o.subject, &o.event)));
        for (subject, expected) in &expected {
            let found = log.get(subject).map(Vec::as_slice).unwrap_or_default();
            for (place, (found, expected)) in found.iter().zip(expected).enumerate() {
                prop_assert_eq!(found, expected, "{} item {}", subject, place);
            }
        }
        prop_assert_eq!(shape(&log), shape(&expected));
        for (subject, found) in &log {
            for item in found {
                if let SampleItem::Mark(Mark::Routes { table, profiles, .. }) = item {
                    prop_assert_eq!(profiles.len(), table.routes.len());
                }
            }
            let positions: Vec<_> =
                world.samples.iter().filter(|m| m.subject == *subject).filter_map(|m| m.meta.upto).collect();
            prop_assert!(positions.windows(2).all(|w| w[0] < w[1]), "{:?}", positions);
            let mut observed: Vec<_> = found.iter().filter_map(|i| match i {
                SampleItem::Observed(record) => Some((&record.prediction_id, record.time)),
                _ => None,
            }).collect();
            let n_observed = observed.len();
            observed.sort();
            observed.dedup();
            prop_assert_eq!(observed.len(), n_observed);
        }
    }
}

/// What was folded long ago: control is old, the messages are gone, rows are still there.
#[test]
fn where_messages_grew_old_positions_go_on() {
    let old = Timestamp(1_000_000_000);
    let mut world = World { clock: old, ..World::default() };
    world.send("a", spec("a", 1, Span::seconds(30)));
    let written = old + Span::days(10);
    let upto = Upto { sequence: 50, ordinal: 3 };
    let row = SampleItem::Observed(prediction("old", written));
    let mut message = recorded("a", 7, written, Event::Sample(vec![row]));
    message.subject = Subject::new(message.subject.loop_id, Topic::Sample(Partition(0)));
    message.meta.upto = Some(upto);

    let mut running = world.start(true);
    running.places = Places::default();
    running.places.add(&message, false);
    running.merge = Merge::new(ROLE, running.places.clone());
    running.merge.intake.add([], 0, true);
    running.emitter.resume(message.subject.clone(), upto);
    world.clock = written + Span::seconds(35);
    running.finish(&world);
    let ticks: Vec<_> = running.sending.drain(..).collect();
    assert!(!ticks.is_empty(), "time goes on");
    assert!(ticks.iter().all(|out| out.meta.upto > Some(upto)));
    let n_ticks: usize = items(ticks.iter().map(|o| (&o.subject, &o.event))).values().map(Vec::len).sum();
    assert!((3..=4).contains(&n_ticks), "{n_ticks} ticks: those of ten days were written long ago");

    // New control, and a new message.
    world.send("a", spec("a", 2, Span::seconds(30)));
    running.finish(&world);
    let marks: Vec<_> = running.sending.drain(..).collect();
    assert!(
        matches!(&marks[..], [mark] if mark.meta.upto > ticks.last().and_then(|t| t.meta.upto)),
        "{marks:?}"
    );
    world.clock = world.clock + Span::millis(1);
    let event = intake(vec![IntakeItem::Prediction(prediction("new", world.clock))]);
    running.merge.intake.add([Received::from(recorded("a", 51, world.clock, event))], 51, true);
    while running.step(&world) {}
    running.flush();
    let rows: Vec<_> = running.sending.iter().map(|out| out.meta.upto).collect();
    assert_eq!(rows, [Some(Upto { sequence: 51, ordinal: 1 })]);
}
