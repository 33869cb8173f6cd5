//! In which order producers' messages, control and time are folded: the same after every start.
//!
//! Three things come together, and nothing but their order decides what is written:
//!
//! - Producers' messages have an order of their own, that of INTAKE.
//! - Control (specs and rollouts; candidates just before the next of those, because they leave no mark) takes effect at a
//!   place among the messages that depends on when it arrived. That place is on the log: ingest writes the mark of a control
//!   event alone in a message, before anything that follows it, and its position says after which message it was. Who
//!   starts again puts control that has a mark back to its place, and control without a mark after everything that is
//!   written. New control goes before the first message that is younger than it.
//! - Ticks are not recorded at all. A tick bears the time of the deadline that it serves, and is given before the first
//!   message or control event that is not older, once everything older than the tick was read. Where nothing comes, that is
//!   known when the broker says, after the deadline, where the streams end. So its place follows from messages and marks.
//!
//! This rests on the time stamps of the broker not going back, and on its clock being within [`MARGIN`] of ours. Where that
//! fails, rows stay exact (their order is that of INTAKE), but a tick or an expiry near the jump may be written twice or be
//! left out after a restart. And it rests on messages being kept for as long as a label may take, and longer; of what grew
//! old, control is folded before everything else.
//!
//! All of it can be put down between two inputs and taken up again ([`Stand`]): what follows is the same.
//!
//! It must not know how things are read: it is handed what comes, and says what it waits for.

use std::collections::{BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};
use tidemill_bus::Received;
use tidemill_domain::{EventId, LoopId, Span, Timestamp};
use tidemill_events::emit::Upto;
use tidemill_events::intake::IntakeItem;
use tidemill_events::wire::Weigh;
use tidemill_events::{Event, Log, Meta, Recorded, Subject, Tick};

use crate::places::{Place, Places};

/// How much the clocks of the broker's servers and ours may differ.
pub(crate) const MARGIN: Span = Span::millis(250);

/// Events of a stream that wait to be given at most, in number and in bytes; a message may hold thousands of records.
const WAITING: usize = 256;
const WAITING_BYTES: usize = 2 << 20;

/// Candidates that wait for their rollout; older ones have lost theirs.
const MAX_CANDIDATES: usize = 64;

/// What comes next.
#[derive(Debug)]
pub(crate) enum Step {
    /// This input, and whether positions go on after everything that is written.
    Give(Box<Received>, bool),
    /// Nothing until control comes: there is some to be read.
    AwaitControl,
    /// Nothing until a message comes: there is some to be read.
    AwaitIntake,
    /// Nothing until the broker says where the streams end.
    AwaitEnds,
    /// Nothing until something comes, or until the deadline.
    Idle(Option<Timestamp>),
}

/// How far a stream goes, as the broker said.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct End {
    /// The last sequence; 0 if nothing is there.
    pub(crate) sequence: u64,
    /// Nothing older than this lies beyond.
    pub(crate) as_of: Timestamp,
}

/// One of the two streams.
#[derive(Debug, Default)]
pub(crate) struct Side {
    waiting: VecDeque<Received>,
    /// What the records in them weigh.
    weight: usize,
    /// The last sequence that was read.
    read: u64,
    /// The newest time stamp that was read.
    newest: Timestamp,
    /// Whether all was read that was there at the start.
    caught_up: bool,
    end: End,
}

impl Side {
    /// Adds what was read: the events, the last sequence, and whether all was read that was there at the start.
    pub(crate) fn add(&mut self, events: impl IntoIterator<Item = Received>, read: u64, caught_up: bool) {
        for received in events {
            self.newest = self.newest.max(received.event.time);
            self.weight += weight(&received.event.event);
            self.waiting.push_back(received);
        }
        self.read = read;
        self.caught_up |= caught_up;
    }

    /// Hears where the stream ends.
    pub(crate) fn hear(&mut self, end: End) {
        self.end = end;
    }

    /// Whether so much waits to be given that reading can wait too.
    pub(crate) fn is_full(&self) -> bool {
        self.waiting.len() >= WAITING || self.weight >= WAITING_BYTES
    }

    fn take(&mut self) -> Option<Received> {
        let taken = self.waiting.pop_front()?;
        self.weight = self.weight.saturating_sub(weight(&taken.event.event));
        Some(taken)
    }

    /// How many events wait to be given.
    pub(crate) fn n_waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Whether everything was read and given that was there at the start.
    pub(crate) fn caught_up(&self) -> bool {
        self.caught_up && self.waiting.is_empty()
    }

    fn front(&self) -> Option<&Recorded> {
        self.waiting.front().map(|received| &received.event)
    }

    /// The last sequence that was read.
    pub(crate) fn read(&self) -> u64 {
        self.read
    }

    /// The last sequence of which nothing waits any more.
    fn given(&self) -> u64 {
        self.front().map_or(self.read, |front| front.sequence.saturating_sub(1))
    }

    /// What is missing to know that everything older than `time` was read; `read_on` says that there is more to read.
    fn missing(&self, time: Timestamp, read_on: Step) -> Option<Step> {
        if self.end.as_of < time {
            Some(Step::AwaitEnds)
        } else if self.read < self.end.sequence {
            Some(read_on)
        } else {
            None
        }
    }
}

/// A place in the order, between two inputs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Stand {
    /// The producers' messages up to here were given.
    pub(crate) intake: u64,
    /// The control up to here was given.
    pub(crate) control: u64,
    /// The record of the order beyond.
    pub(crate) places: Places,
    known: BTreeSet<LoopId>,
    at: u64,
    now: Timestamp,
    any_loop: Option<LoopId>,
}

/// What the records of a message weigh; control is counted by number.
fn weight(event: &Event) -> usize {
    let Event::Intake(batch) = event else { return 0 };
    let of = |item: &IntakeItem| match item {
        IntakeItem::Label(label) => label.weigh(),
        IntakeItem::Prediction(record) => record.weigh(),
        IntakeItem::Unreadable(refused) => refused.weigh(),
    };
    batch.items.iter().map(of).sum()
}

/// Merges the two streams and time.
#[derive(Debug)]
pub(crate) struct Merge {
    places: Places,
    role: String,
    pub(crate) intake: Side,
    pub(crate) control: Side,
    candidates: VecDeque<Received>,
    /// Loops with a spec: what is sent to others may wait for one.
    known: BTreeSet<LoopId>,
    /// The last message that was given.
    at: u64,
    now: Timestamp,
    deadline: Option<Timestamp>,
    any_loop: Option<LoopId>,
}

impl Merge {
    pub(crate) fn new(role: &str, places: Places) -> Self {
        Self {
            places,
            role: role.to_owned(),
            intake: Side::default(),
            control: Side::default(),
            candidates: VecDeque::new(),
            known: BTreeSet::new(),
            at: 0,
            now: Timestamp(i64::MIN),
            deadline: None,
            any_loop: None,
        }
    }

    /// Goes on from where another one stood.
    pub(crate) fn resume(role: &str, stand: Stand) -> Self {
        let Stand { intake, control, places, known, at, now, any_loop } = stand;
        let side = |read| Side { read, ..Side::default() };
        let (intake, control) = (side(intake), side(control));
        Self { intake, control, known, at, now, any_loop, ..Self::new(role, places) }
    }

    /// Where it stands, when everything up to `written` is on the log.
    pub(crate) fn stand(&self, written: Upto) -> Stand {
        // Candidates wait together with the control that follows them.
        let waiting = self.candidates.front().map(|c| c.event.sequence.saturating_sub(1));
        let control = waiting.unwrap_or(u64::MAX).min(self.control.given());
        Stand {
            intake: self.intake.given(),
            control,
            places: self.places.beyond(control, written),
            known: self.known.clone(),
            at: self.at,
            now: self.now,
            any_loop: self.any_loop.clone(),
        }
    }

    /// Hears when the core wants to be woken, after it folded the last input.
    pub(crate) fn set_deadline(&mut self, deadline: Option<Timestamp>) {
        self.deadline = deadline;
    }

    /// The last position that was on the log at the start.
    pub(crate) fn tail(&self) -> Upto {
        self.places.tail()
    }

    /// The newest time stamp of the broker that was seen: what it stores later is not older.
    pub(crate) fn heard(&self) -> Timestamp {
        self.intake.newest.max(self.control.newest)
    }

    /// Says what comes next, at the wall time `clock`.
    pub(crate) fn step(&mut self, clock: Timestamp) -> Step {
        self.set_candidates_aside();
        match (self.control.front(), self.intake.front()) {
            (Some(control), message) => {
                let place = self.places.of(control.sequence, control.time);
                let time = control.time;
                let is_next = match (place, message) {
                    (Place::After(at), Some(message)) => message.sequence > at,
                    (Place::New, Some(m)) => m.sequence > self.places.tail().sequence && m.time >= time,
                    (_, None) if !self.intake.caught_up => return Step::AwaitIntake,
                    (Place::After(_), None) => true,
                    (Place::New, None) => match self.intake.missing(time, Step::AwaitIntake) {
                        Some(missing) => return missing,
                        None => true,
                    },
                };
                if is_next { self.give_control(place) } else { self.give_message() }
            }
            // Control from before the start has its place, which may be the next one.
            (None, _) if !self.control.caught_up => Step::AwaitControl,
            (None, Some(message)) => {
                // Whoever applies a spec and then sends rows may expect that the spec comes first.
                let may_be_new = !self.known.contains(&message.subject.loop_id);
                match self.control.missing(message.time, Step::AwaitControl).filter(|_| may_be_new) {
                    Some(missing) => missing,
                    None => self.give_message(),
                }
            }
            (None, None) if !self.intake.caught_up => Step::AwaitIntake,
            (None, None) => self.wait(clock),
        }
    }

    /// Nothing is there to be read, as far as we know: a tick, when its time has come and the broker knows of nothing.
    fn wait(&mut self, clock: Timestamp) -> Step {
        let Some(due) = self.deadline else { return Step::Idle(None) };
        if clock < due + MARGIN {
            return Step::Idle(Some(due + MARGIN));
        }
        let missing = self.control.missing(due, Step::AwaitControl);
        match missing.or_else(|| self.intake.missing(due, Step::AwaitIntake)) {
            Some(missing) => missing,
            None => self.tick(due),
        }
    }

    /// Candidates leave no mark, so that their place could not be found again: they go with what needs them.
    fn set_candidates_aside(&mut self) {
        while let Some(received) = self.control.waiting.pop_front() {
            match received.event.event {
                Event::Candidate(_) => {
                    if self.candidates.len() == MAX_CANDIDATES {
                        self.candidates.pop_front();
                    }
                    self.candidates.push_back(received);
                }
                Event::Rollout(_) | Event::Spec(_) => {
                    self.control.waiting.push_front(received);
                    return;
                }
                _ => {}
            }
        }
    }

    fn give_control(&mut self, place: Place) -> Step {
        let Some(time) = self.control.front().map(|c| c.time) else { return Step::Idle(None) };
        if let Some(due) = self.due_by(time) {
            return self.tick(due);
        }
        // A candidate bears the time of what follows it, so that it changes nothing by itself.
        if let Some(mut candidate) = self.candidates.pop_front() {
            candidate.event.time = time;
            self.now = self.now.max(time);
            return Step::Give(Box::new(candidate), false);
        }
        let Some(control) = self.control.waiting.pop_front() else { return Step::Idle(None) };
        let loop_id = &control.event.subject.loop_id;
        self.any_loop.get_or_insert_with(|| loop_id.clone());
        if matches!(control.event.event, Event::Spec(_)) {
            self.known.insert(loop_id.clone());
        }
        self.now = self.now.max(time);
        Step::Give(Box::new(control), place == Place::New)
    }

    fn give_message(&mut self) -> Step {
        let Some(time) = self.intake.front().map(|m| m.time) else { return Step::Idle(None) };
        if let Some(due) = self.due_by(time) {
            // Control that is older than the tick goes before it.
            let missing =
                self.control.missing(due, Step::AwaitControl).filter(|_| self.control.front().is_none());
            return missing.unwrap_or_else(|| self.tick(due));
        }
        let Some(message) = self.intake.take() else { return Step::Idle(None) };
        self.at = message.event.sequence;
        self.now = self.now.max(time);
        Step::Give(Box::new(message), false)
    }

    /// The deadline, if it passes before an input of that time.
    fn due_by(&self, time: Timestamp) -> Option<Timestamp> {
        self.deadline.filter(|due| *due <= self.now.max(time))
    }

    fn tick(&mut self, due: Timestamp) -> Step {
        let Some(loop_id) = self.any_loop.clone() else { return Step::Idle(None) };
        self.now = self.now.max(due);
        // The core says when it wants the next one.
        self.deadline = None;
        let event = Recorded {
            sequence: 0,
            time: due,
            subject: Subject::log(loop_id, Log::Tick),
            meta: Meta {
                id: EventId::new(format!("tick/{}/{}/{}", self.role, self.at, due.0)),
                source: self.role.clone(),
                causation: None,
                correlation: None,
                upto: None,
            },
            event: Event::Tick(Tick { role: self.role.clone(), due }),
        };
        // Messages that grew old cannot be counted any more; what is newer than the rows is numbered after them.
        let is_beyond = self.at < self.places.tail().sequence
            && self.intake.waiting.is_empty()
            && !self.places.reach(due);
        Step::Give(Box::new(Received::from(event)), is_beyond)
    }
}
