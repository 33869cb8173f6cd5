//! Virtual time: what is sent, what the cores make of it, the jobs they want, the deadlines that wake them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tidemill_domain::{EventId, LoopId, LoopSpec, Span, Timestamp};
use tidemill_events::core::Draft;
use tidemill_events::emit::{Emitter, Outgoing};
use tidemill_events::envelope::Meta;
use tidemill_events::event::{Command, SpecApplied, Tick};
use tidemill_events::intake::{IntakeBatch, IntakeItem};
use tidemill_events::training::Report;
use tidemill_events::{Event, Intake, Log, Recorded, Subject, Topic};
use tidemill_ingest_core::Order;
use tidemill_predictor_core::Router;

use crate::fault::{Fault, Faults};
use crate::jobs::Shelf;
use crate::log::Stream;
use crate::player::{Begin, Cast, Job, Player, Reads};

/// How a world is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// The time at which it begins.
    pub start: Timestamp,
    /// Whether rows that everybody has read are let go; nothing can be checked or begun anew then.
    pub forget: bool,
    /// Which faults strike, by seed.
    pub faults: Faults,
}

struct Role {
    name: String,
    reads: Reads,
    begin: Begin,
    player: Box<dyn Player>,
    emitter: Emitter,
    order: Order,
    /// The next message to read, of the samples or of the log; for ingest of the log.
    next: u64,
    /// The next message of the intake.
    next_intake: u64,
    /// What ingest folded, in its order, so that it can begin anew.
    merged: Vec<Arc<Recorded>>,
    ticked: Option<Timestamp>,
}

/// The whole system on virtual time.
pub struct World {
    now: Timestamp,
    forget: bool,
    faults: Faults,
    intake: Stream,
    samples: Stream,
    log: Stream,
    roles: Vec<Role>,
    router: Router,
    routed: u64,
    shelf: Shelf,
    started: BTreeSet<String>,
    due: BTreeMap<(Timestamp, u64), (LoopId, String, Report)>,
    jobs: u64,
    sent: u64,
    written: u64,
    specs: BTreeMap<LoopId, u64>,
}

impl World {
    /// A world in which nothing has happened.
    #[must_use]
    pub fn new(cast: Cast, options: Options) -> Self {
        let role = |(name, reads, begin): (String, Reads, Begin)| Role {
            emitter: Emitter::new(name.clone()),
            player: begin(),
            name,
            reads,
            begin,
            order: Order::default(),
            next: 1,
            next_intake: 1,
            merged: Vec::new(),
            ticked: None,
        };
        Self {
            now: options.start,
            forget: options.forget,
            faults: options.faults,
            intake: Stream::default(),
            samples: Stream::default(),
            log: Stream::default(),
            roles: cast.0.into_iter().map(role).collect(),
            router: Router::new(),
            routed: 0,
            shelf: Shelf::default(),
            started: BTreeSet::new(),
            due: BTreeMap::new(),
            jobs: 0,
            sent: 0,
            written: 0,
            specs: BTreeMap::new(),
        }
    }

    /// The virtual time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The loop's log so far.
    #[must_use]
    pub fn log(&self) -> &Stream {
        &self.log
    }

    /// The rows so far, unless they were let go.
    #[must_use]
    pub fn samples(&self) -> &Stream {
        &self.samples
    }

    /// The producers' messages so far, unless they were let go.
    #[must_use]
    pub fn intake(&self) -> &Stream {
        &self.intake
    }

    /// Who answers.
    #[must_use]
    pub fn router(&self) -> &Router {
        &self.router
    }

    /// Segments and models.
    #[must_use]
    pub fn shelf(&self) -> &Shelf {
        &self.shelf
    }

    /// Puts a spec in force.
    pub fn apply(&mut self, spec: LoopSpec) {
        let version = self.specs.entry(spec.name.clone()).or_default();
        *version += 1;
        let applied = SpecApplied { version: *version, hash: spec.hash(), by: "simulator".to_owned(), spec };
        let subject = Subject::log(applied.spec.name.clone(), Log::Spec);
        self.write(subject, Event::Spec(Box::new(applied)));
        self.settle();
    }

    /// Gives a command.
    pub fn command(&mut self, loop_id: &LoopId, command: Command) {
        self.write(Subject::log(loop_id.clone(), Log::Command), Event::Command(command));
        self.settle();
    }

    /// Sends what a producer sends.
    pub fn send(&mut self, loop_id: &LoopId, kind: Intake, batch: IntakeBatch) {
        self.sent += 1;
        let id = EventId::new(format!("sent-{}", self.sent));
        // What cannot be read has no id by which it could be recognised: sent again it is another message.
        let is_readable = !batch.items.iter().any(|item| matches!(item, IntakeItem::Unreadable(_)));
        let meta = Meta { id, source: "producer".to_owned(), causation: None, correlation: None, upto: None };
        let subject = Subject::new(loop_id.clone(), Topic::Intake(kind));
        self.intake.append(subject, meta, Event::Intake(batch), self.now);
        self.settle();
        if is_readable
            && self.faults.strikes(Fault::ProducerRepeats)
            && let Some(again) = self.intake.get(self.intake.last()).cloned()
        {
            let meta = Meta { id: EventId::new(format!("{}-again", again.meta.id)), ..again.meta.clone() };
            self.intake.append(again.subject.clone(), meta, again.event.clone(), self.now);
            self.settle();
        }
    }

    /// Lets time pass: jobs end and deadlines wake whoever waits for them, in order.
    pub fn advance(&mut self, to: Timestamp) {
        loop {
            let job = self.due.keys().next().map(|k| k.0);
            let tick = self.roles.iter().filter_map(wakes).min();
            let Some(next) = [job, tick].into_iter().flatten().min().filter(|t| *t <= to) else { break };
            self.now = self.now.max(next);
            if job == Some(next) {
                self.end_job();
            } else {
                self.tick(next);
            }
            self.settle();
        }
        self.now = self.now.max(to);
    }

    /// Lets time pass until no job runs.
    pub fn finish_jobs(&mut self) {
        while let Some(time) = self.due.keys().next().map(|k| k.0) {
            self.advance(time);
        }
    }

    fn end_job(&mut self) {
        let Some((_, (loop_id, name, report))) = self.due.pop_first() else { return };
        let subject = Subject::log(loop_id, Log::Report);
        let meta = |id: &str| Meta {
            id: EventId::new(id),
            source: "worker".to_owned(),
            causation: None,
            correlation: None,
            upto: None,
        };
        let event = Event::Report(Box::new(report));
        self.log.append(subject.clone(), meta(&name), event.clone(), self.now);
        if self.faults.strikes(Fault::WorkerRepeats) {
            self.settle();
            self.log.append(subject, meta(&format!("{name}-again")), event, self.now);
        }
    }

    fn tick(&mut self, due: Timestamp) {
        let now = self.now;
        for index in 0..self.roles.len() {
            let role = &mut self.roles[index];
            if wakes(role) != Some(due) {
                continue;
            }
            role.ticked = Some(due);
            let Some(loop_id) = self.specs.keys().next().cloned() else { continue };
            let id = format!("tick/{}/{}", role.name, due.0);
            let event = Event::Tick(Tick { role: role.name.clone(), due });
            let meta = Meta {
                id: EventId::new(id),
                source: role.name.clone(),
                causation: None,
                correlation: None,
                upto: None,
            };
            let subject = Subject::log(loop_id, Log::Tick);
            if role.reads == Reads::Merged {
                let input = Arc::new(Recorded { sequence: 0, time: now, subject, meta, event });
                self.fold(index, &input);
            } else {
                self.log.append(subject, meta, event, now);
            }
        }
    }

    fn write(&mut self, subject: Subject, event: Event) {
        self.written += 1;
        let id = EventId::new(format!("console-{}", self.written));
        let meta = Meta { id, source: "console".to_owned(), causation: None, correlation: None, upto: None };
        self.log.append(subject, meta, event, self.now);
    }

    /// Lets every role read what there is, until nobody writes any more, and starts the jobs that are wanted.
    pub fn settle(&mut self) {
        loop {
            let mut moved = false;
            for index in 0..self.roles.len() {
                while let Some(input) = self.next_input(index) {
                    moved = true;
                    self.fold(index, &input);
                    self.strike(index, &input);
                }
            }
            self.route();
            moved |= self.start_jobs();
            if !moved {
                break;
            }
        }
        if self.forget {
            let read =
                |r: &Role| if matches!(r.reads, Reads::Merged | Reads::Log) { u64::MAX } else { r.next - 1 };
            let samples = self.roles.iter().map(read).min().unwrap_or(0).min(self.samples.last());
            self.samples.trim(samples);
            self.intake.trim(self.intake.last());
        }
    }

    fn next_input(&mut self, index: usize) -> Option<Arc<Recorded>> {
        let role = self.roles.get_mut(index)?;
        let stream = match role.reads {
            Reads::Merged | Reads::Log => &self.log,
            _ => &self.samples,
        };
        while let Some(input) = stream.get(role.next) {
            role.next += 1;
            if role.reads.takes(input.subject.topic) {
                return Some(Arc::clone(input));
            }
        }
        if role.reads == Reads::Merged {
            let input = self.intake.get(role.next_intake)?;
            role.next_intake += 1;
            return Some(Arc::clone(input));
        }
        None
    }

    fn fold(&mut self, index: usize, input: &Arc<Recorded>) {
        let Some(role) = self.roles.get_mut(index) else { return };
        if role.reads == Reads::Merged && !self.forget {
            role.merged.push(Arc::clone(input));
        }
        let drafts = role.player.fold(input);
        let out = emit(role, input, drafts);
        self.publish(out);
    }

    fn publish(&mut self, out: Vec<Outgoing>) {
        for Outgoing { subject, meta, event, content } in out {
            if let Some(content) = &content {
                self.shelf.store(content);
            }
            match (subject.topic, event) {
                (Topic::Log(_), event) => {
                    self.log.append(subject, meta, event, self.now);
                }
                (_, event) => {
                    self.samples.append(subject, meta, event, self.now);
                }
            }
        }
    }

    fn start_jobs(&mut self) -> bool {
        let mut wanted: Vec<_> = self.roles.iter().flat_map(|r| r.player.jobs()).collect();
        wanted.retain(|(name, _)| !self.started.contains(name));
        for (name, job) in &wanted {
            self.started.insert(name.clone());
            let (loop_id, (report, span)) = match job {
                Job::Evaluate(job) => (&job.loop_id, self.shelf.evaluate(job)),
                Job::Try(job) => (&job.loop_id, self.shelf.trial(job)),
            };
            self.end_later(loop_id, name.clone(), report, span);
        }
        !wanted.is_empty()
    }

    fn end_later(&mut self, loop_id: &LoopId, name: String, report: Report, span: Span) {
        self.jobs += 1;
        // A job never ends in the moment in which it began: its report is a later event.
        let end = self.now + Span(span.0.max(1));
        self.due.insert((end, self.jobs), (loop_id.clone(), name, report));
    }

    /// The predictor follows the log like everybody else.
    fn route(&mut self) {
        while let Some(input) = self.log.get(self.routed + 1) {
            self.routed += 1;
            self.router.fold(input);
            if self.forget && matches!(input.event, Event::Rollout(_)) && self.due.is_empty() {
                let live: Vec<_> = self.router.wanted().into_iter().map(|(_, artefact)| artefact).collect();
                self.shelf.keep_models(&live);
            }
        }
    }

    /// Lets faults strike a role that has just folded `input`.
    fn strike(&mut self, index: usize, input: &Arc<Recorded>) {
        if self.faults.strikes(Fault::Redelivered) {
            let Some(role) = self.roles.get_mut(index) else { return };
            let drafts = role.player.fold(input);
            let again = emit(role, input, drafts);
            self.publish(again);
        }
        if self.faults.strikes(Fault::Restarted) {
            self.restart(index);
        }
    }

    /// Begins a role anew, as after a crash: it folds everything again and publishes only what is not on the log.
    fn restart(&mut self, index: usize) {
        let Some(role) = self.roles.get_mut(index) else { return };
        role.player = (role.begin)();
        role.emitter = Emitter::new(role.name.clone());
        role.order = Order::default();
        role.ticked = None;
        for stream in [&self.samples, &self.log] {
            for recorded in stream.iter().filter(|r| r.meta.source == role.name) {
                if let Some(upto) = recorded.meta.upto {
                    role.emitter.resume(recorded.subject.clone(), upto);
                }
            }
        }
        let past: Vec<Arc<Recorded>> = match role.reads {
            Reads::Merged => std::mem::take(&mut role.merged),
            Reads::Log => self.log.iter().filter(|r| r.sequence < role.next).cloned().collect(),
            _ => self.samples.iter().filter(|r| r.sequence < role.next).cloned().collect(),
        };
        let mut missed = Vec::new();
        let reads = role.reads;
        for input in past.iter().filter(|i| reads == Reads::Merged || reads.takes(i.subject.topic)) {
            let drafts = role.player.fold(input);
            missed.extend(emit(role, input, drafts));
        }
        if role.reads == Reads::Merged {
            role.merged = past;
        }
        self.publish(missed);
    }
}

fn emit(role: &mut Role, input: &Recorded, drafts: Vec<Draft>) -> Vec<Outgoing> {
    if role.reads == Reads::Merged {
        role.order.emit(&mut role.emitter, input, drafts)
    } else {
        role.emitter.emit(input, drafts)
    }
}

/// When a role wants to be woken, unless it was woken for that time already.
fn wakes(role: &Role) -> Option<Timestamp> {
    role.player.deadline().filter(|due| role.ticked.is_none_or(|ticked| *due > ticked))
}
