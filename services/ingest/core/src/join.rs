//! Predictions meet their labels, in whatever order they come, each once; and control takes its place among the rows.

use std::collections::BTreeMap;

use tidemill_domain::{LoopId, Span, Timestamp};
use tidemill_events::core::{Core, Draft, NoJob};
use tidemill_events::event::Event;
use tidemill_events::intake::IntakeItem;
use tidemill_events::sample::{Mark, SampleItem};
use tidemill_events::{Partition, Recorded, Subject, Topic};

use crate::labels::{Labels, refuse};
use crate::memory::{InMemory, Memory};
use crate::state::{Head, State, Tally};

/// A loop whose rows stop gets a tick so often, so that windows and segments close all the same.
const TICK: Span = Span::seconds(10);

/// Predictions and labels remembered at most, in all loops together. Beyond it the oldest is expired early, which is seen.
const MAX_REMEMBERED: u64 = 4_000_000;

/// The core of one partition of ingest.
///
/// Its memory may fail. Then it stops: it says nothing more, and [`Ingest::check`] says why. Whoever drives it asks before
/// anything that followed from an input is written, and begins anew.
#[derive(Debug)]
pub struct Ingest<M: Memory = InMemory> {
    partition: Partition,
    partitions: u16,
    max_remembered: u64,
    state: State,
    memory: M,
    /// When the next deadline passes.
    next: Option<Timestamp>,
    error: Option<M::Error>,
    has_stopped: bool,
}

impl Ingest {
    /// The core of `partition` of `partitions`, which keeps everything in memory.
    #[must_use]
    pub fn new(partition: Partition, partitions: u16) -> Self {
        Self::with(partition, partitions, InMemory::default())
    }
}

impl<M: Memory> Ingest<M> {
    /// The core of `partition` of `partitions` with an empty memory.
    #[must_use]
    pub fn with(partition: Partition, partitions: u16, memory: M) -> Self {
        Self {
            partition,
            partitions,
            max_remembered: MAX_REMEMBERED,
            state: State::default(),
            memory,
            next: None,
            error: None,
            has_stopped: false,
        }
    }

    /// The core as it was when `state` was taken of it, with the memory that it had then.
    ///
    /// # Errors
    /// When the memory cannot be read.
    pub fn resume(partition: Partition, partitions: u16, memory: M, state: State) -> Result<Self, M::Error> {
        let mut core = Self { state, ..Self::with(partition, partitions, memory) };
        core.next = core.memory.next()?.map(|due| due.at);
        Ok(core)
    }

    /// The same with another bound on what is remembered.
    #[must_use]
    pub fn remembering(mut self, at_most: u64) -> Self {
        self.max_remembered = at_most;
        self
    }

    /// Everything that it knows beside its memory.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The same, and what it remembers.
    pub fn parts(&mut self) -> (&State, &mut M) {
        (&self.state, &mut self.memory)
    }

    /// What became of the rows of each loop so far.
    pub fn tallies(&self) -> impl Iterator<Item = (&LoopId, &Tally)> {
        self.state.head.tallies.iter()
    }

    /// Whether it can go on.
    ///
    /// # Errors
    /// When its memory failed; it has stopped then.
    pub fn check(&mut self) -> Result<(), M::Error> {
        self.error.take().map_or(Ok(()), Err)
    }

    fn take(
        &mut self,
        loop_id: &LoopId,
        sequence: u64,
        item: &IntakeItem,
        out: &mut Vec<SampleItem>,
    ) -> Result<(), M::Error> {
        let key = match item {
            IntakeItem::Prediction(record) => record.prediction_id.as_str(),
            IntakeItem::Label(label) => label.prediction_id.as_str(),
            IntakeItem::Unreadable(refused) => {
                if sequence % u64::from(self.partitions.max(1)) == u64::from(self.partition.0) {
                    out.push(SampleItem::Refused(refused.clone()));
                }
                return Ok(());
            }
        };
        if Partition::of(loop_id, key, self.partitions) != self.partition {
            return Ok(());
        }
        let State { head, control } = &mut self.state;
        let Some(spec) = control.get(loop_id).and_then(|c| c.spec.as_ref()) else {
            let reason = format!("no loop \"{loop_id}\" is applied: apply its loop file first, then send");
            out.push(refuse(item, reason));
            return Ok(());
        };
        let mut labels = Labels { memory: &mut self.memory, head, loop_id, spec, out };
        match item {
            IntakeItem::Prediction(record) => labels.prediction(record),
            IntakeItem::Label(label) if !spec.labels.sources.contains(&label.source) => {
                let named = format!("{:?}", label.source).to_lowercase();
                let reason = format!("labels of source {named} are not taken: add it to labels.sources");
                labels.out.push(refuse(item, reason));
                Ok(())
            }
            IntakeItem::Label(label) => labels.label(label),
            IntakeItem::Unreadable(_) => Ok(()),
        }
    }

    /// Closes what is due, and what the bound on memory pushes out.
    fn expire(&mut self, out: &mut BTreeMap<LoopId, Vec<SampleItem>>) -> Result<(), M::Error> {
        while self.memory.next()?.is_some_and(|due| due.at <= self.state.head.now) {
            self.expire_next(out, false)?;
        }
        while self.state.head.remembered > self.max_remembered && self.memory.next()?.is_some() {
            self.expire_next(out, true)?;
        }
        Ok(())
    }

    fn expire_next(
        &mut self,
        out: &mut BTreeMap<LoopId, Vec<SampleItem>>,
        is_early: bool,
    ) -> Result<(), M::Error> {
        let Some((loop_id, id)) = self.memory.take_next()? else { return Ok(()) };
        let State { head, control } = &mut self.state;
        // Ids are remembered only of loops that have a spec, and no loop loses it.
        let Some(spec) = control.get(&loop_id).and_then(|c| c.spec.as_ref()) else { return Ok(()) };
        if is_early {
            head.tally(&loop_id).expired_early += 1;
        }
        let out = out.entry(loop_id.clone()).or_default();
        Labels { memory: &mut self.memory, head, loop_id: &loop_id, spec, out }.due(&id)
    }

    /// Control of the loop's log that downstream must see among the rows.
    fn control(&mut self, input: &Recorded) -> Option<SampleItem> {
        let control = self.state.control.entry(input.subject.loop_id.clone()).or_default();
        if input.sequence <= control.last {
            return None;
        }
        control.last = input.sequence;
        match &input.event {
            Event::Spec(applied) => {
                control.spec = Some(applied.spec.clone());
                let mark = Mark::Spec { sequence: input.sequence, applied: applied.clone() };
                Some(SampleItem::Mark(mark))
            }
            Event::Candidate(candidate) => {
                control.profiles.add(input.sequence, candidate);
                None
            }
            Event::Rollout(rollout) => {
                Some(SampleItem::Mark(control.profiles.mark(input.sequence, &rollout.table)))
            }
            _ => None,
        }
    }

    /// The loops with a spec, and when something was last written about each.
    fn last_outs(&self) -> impl Iterator<Item = (&LoopId, Timestamp)> {
        let Head { last_out, .. } = &self.state.head;
        let governed = self.state.control.iter().filter(|(_, c)| c.spec.is_some());
        governed.map(|(id, _)| (id, last_out.get(id).copied().unwrap_or_default()))
    }

    fn follow(&mut self, input: &Recorded) -> Result<Vec<Draft>, M::Error> {
        if let Event::Intake(_) = input.event {
            if input.sequence <= self.state.head.last_intake {
                return Ok(Vec::new());
            }
            self.state.head.last_intake = input.sequence;
        }
        let now = self.state.head.now.max(input.time);
        self.state.head.now = now;
        let mut out: BTreeMap<LoopId, Vec<SampleItem>> = BTreeMap::new();
        self.expire(&mut out)?;
        let loop_id = &input.subject.loop_id;
        match &input.event {
            Event::Intake(batch) => {
                let mut items = Vec::new();
                for item in &batch.items {
                    self.take(loop_id, input.sequence, item, &mut items)?;
                }
                out.entry(loop_id.clone()).or_default().append(&mut items);
                // what the new ids push out of memory leaves with them
                self.expire(&mut out)?;
            }
            Event::Tick(_) => {
                for (id, _) in self.last_outs().filter(|(_, last_out)| now - *last_out >= TICK) {
                    out.entry(id.clone()).or_default().push(SampleItem::Mark(Mark::Tick));
                }
            }
            _ => {
                if let Some(item) = self.control(input) {
                    out.entry(loop_id.clone()).or_default().push(item);
                }
            }
        }
        self.next = self.memory.next()?.map(|due| due.at);
        let mut drafts = Vec::new();
        for (loop_id, items) in out.into_iter().filter(|(_, items)| !items.is_empty()) {
            if self.state.control.contains_key(&loop_id) {
                self.state.head.last_out.insert(loop_id.clone(), now);
            }
            drafts
                .push(Draft::new(Subject::new(loop_id, Topic::Sample(self.partition)), Event::Sample(items)));
        }
        Ok(drafts)
    }
}

impl<M: Memory> Core for Ingest<M> {
    type Job = NoJob;

    fn fold(&mut self, input: &Recorded) -> Vec<Draft> {
        if self.has_stopped {
            return Vec::new();
        }
        self.follow(input).unwrap_or_else(|error| {
            self.has_stopped = true;
            self.error = Some(error);
            Vec::new()
        })
    }

    fn deadline(&self) -> Option<Timestamp> {
        self.last_outs().map(|(_, last_out)| last_out + TICK).chain(self.next).min()
    }
}
