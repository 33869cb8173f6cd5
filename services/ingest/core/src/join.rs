//! Predictions meet their labels, in whatever order they come, each once.

use std::collections::BTreeMap;

use tidemill_domain::{Label, LoopId, LoopSpec, PredictionId, PredictionRecord, Span, Timestamp};
use tidemill_events::core::{Core, Draft, NoJob, Now};
use tidemill_events::event::Event;
use tidemill_events::intake::{IntakeItem, Refused};
use tidemill_events::sample::{Mark, SampleItem};
use tidemill_events::{Partition, Recorded, Subject, Topic};

use crate::expiry::Expiry;
use crate::marks::Profiles;

/// A loop whose rows stop gets a tick so often, so that windows and segments close all the same.
const TICK: Span = Span::seconds(10);

/// Predictions and labels remembered at most, in all loops together. Beyond it the oldest is expired early, which is seen.
const MAX_REMEMBERED: usize = 4_000_000;

/// What was passed over without a trace among the rows: the same again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Predictions that were known already.
    pub duplicate_predictions: u64,
    /// Labels that were known already.
    pub duplicate_labels: u64,
    /// Predictions or labels expired before their time because of the bound on memory.
    pub expired_early: u64,
}

/// What is known of a prediction id.
#[derive(Clone, Debug)]
enum Known {
    /// A prediction awaits its label.
    Pending(Box<PredictionRecord>),
    /// A label awaits its prediction.
    Early(Label),
    /// Both came.
    Labelled,
    /// No label came in time.
    Expired,
}

#[derive(Debug, Default)]
struct LoopState {
    spec: Option<LoopSpec>,
    known: BTreeMap<PredictionId, Known>,
    profiles: Profiles,
    last_out: Timestamp,
    last_control: u64,
}

/// The core of one partition of ingest.
#[derive(Debug)]
pub struct Ingest {
    partition: Partition,
    partitions: u16,
    now: Now,
    /// The place of the newest message; what is not beyond it was folded already (INV-1).
    last_intake: u64,
    loops: BTreeMap<LoopId, LoopState>,
    expiry: Expiry,
    remembered: usize,
    max_remembered: usize,
    counters: Counters,
}

impl Ingest {
    /// The core of `partition` of `partitions`.
    #[must_use]
    pub fn new(partition: Partition, partitions: u16) -> Self {
        Self {
            partition,
            partitions,
            now: Now::default(),
            last_intake: 0,
            loops: BTreeMap::new(),
            expiry: Expiry::default(),
            remembered: 0,
            max_remembered: MAX_REMEMBERED,
            counters: Counters::default(),
        }
    }

    /// The same with another bound on what is remembered.
    #[must_use]
    pub fn remembering(mut self, at_most: usize) -> Self {
        self.max_remembered = at_most;
        self
    }

    /// What was passed over so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Predictions that await their label.
    #[must_use]
    pub fn pending(&self) -> usize {
        let of_loop = |l: &LoopState| l.known.values().filter(|k| matches!(k, Known::Pending(_))).count();
        self.loops.values().map(of_loop).sum()
    }

    fn take(&mut self, loop_id: &LoopId, sequence: u64, item: &IntakeItem, out: &mut Vec<SampleItem>) {
        let key = match item {
            IntakeItem::Prediction(record) => record.prediction_id.as_str(),
            IntakeItem::Label(label) => label.prediction_id.as_str(),
            IntakeItem::Unreadable(refused) => {
                if sequence % u64::from(self.partitions.max(1)) == u64::from(self.partition.0) {
                    out.push(SampleItem::Refused(refused.clone()));
                }
                return;
            }
        };
        if Partition::of(loop_id, key, self.partitions) != self.partition {
            return;
        }
        let Some(spec) = self.loops.get(loop_id).and_then(|l| l.spec.as_ref()) else {
            out.push(refuse(
                item,
                format!("no loop \"{loop_id}\" is applied: apply its loop file first, then send"),
            ));
            return;
        };
        let horizon = spec.labels.horizon;
        let sources = spec.labels.sources.clone();
        match item {
            IntakeItem::Prediction(record) => self.prediction(loop_id, record, horizon, out),
            IntakeItem::Label(label) if !sources.contains(&label.source) => {
                let named = format!("{:?}", label.source).to_lowercase();
                out.push(refuse(
                    item,
                    format!("labels of source {named} are not taken: add it to labels.sources"),
                ));
            }
            IntakeItem::Label(label) => self.label(loop_id, label, horizon, item, out),
            IntakeItem::Unreadable(_) => {}
        }
    }

    fn prediction(
        &mut self,
        loop_id: &LoopId,
        record: &PredictionRecord,
        horizon: Span,
        out: &mut Vec<SampleItem>,
    ) {
        let Some(state) = self.loops.get_mut(loop_id) else { return };
        let id = &record.prediction_id;
        match state.known.get_mut(id) {
            None => {
                out.push(SampleItem::Observed(record.clone()));
                state.known.insert(id.clone(), Known::Pending(Box::new(record.clone())));
                self.remember(loop_id, id, horizon);
            }
            Some(known @ Known::Early(_)) => {
                if let Known::Early(label) = std::mem::replace(known, Known::Labelled) {
                    out.push(SampleItem::Observed(record.clone()));
                    out.push(SampleItem::Labelled { record: record.clone(), label });
                }
            }
            Some(_) => self.counters.duplicate_predictions += 1,
        }
    }

    fn label(
        &mut self,
        loop_id: &LoopId,
        label: &Label,
        horizon: Span,
        item: &IntakeItem,
        out: &mut Vec<SampleItem>,
    ) {
        let Some(state) = self.loops.get_mut(loop_id) else { return };
        let id = &label.prediction_id;
        match state.known.get_mut(id) {
            None => {
                state.known.insert(id.clone(), Known::Early(label.clone()));
                self.remember(loop_id, id, horizon);
            }
            Some(known @ Known::Pending(_)) => {
                if let Known::Pending(record) = std::mem::replace(known, Known::Labelled) {
                    out.push(SampleItem::Labelled { record: *record, label: label.clone() });
                }
            }
            Some(Known::Early(_) | Known::Labelled) => self.counters.duplicate_labels += 1,
            Some(known @ Known::Expired) => {
                // The same label again is a duplicate like any other.
                *known = Known::Labelled;
                out.push(refuse(
                    item,
                    format!("the label came later than labels.horizon ({horizon}) allows"),
                ));
            }
        }
    }

    /// Notes a new id: forgotten when twice the horizon is over, since what comes later cannot be told from new.
    fn remember(&mut self, loop_id: &LoopId, id: &PredictionId, horizon: Span) {
        self.remembered += 1;
        self.expiry.add(self.now.get() + horizon, loop_id.clone(), id.clone());
    }

    /// Closes what is due, and what the bound on memory pushes out.
    fn expire(&mut self, out: &mut BTreeMap<LoopId, Vec<SampleItem>>) {
        let now = self.now.get();
        while let Some((loop_id, id)) = self.expiry.pop(now) {
            self.expire_one(&loop_id, &id, now, out);
        }
        while self.remembered > self.max_remembered {
            let Some((loop_id, id)) = self.expiry.pop_earliest() else { break };
            self.counters.expired_early += 1;
            self.expire_one(&loop_id, &id, now, out);
        }
    }

    fn expire_one(
        &mut self,
        loop_id: &LoopId,
        id: &PredictionId,
        now: Timestamp,
        out: &mut BTreeMap<LoopId, Vec<SampleItem>>,
    ) {
        let Some(state) = self.loops.get_mut(loop_id) else { return };
        let horizon = state.spec.as_ref().map_or(TICK, |s| s.labels.horizon);
        let items = out.entry(loop_id.clone()).or_default();
        match state.known.get_mut(id) {
            Some(known @ Known::Pending(_)) => {
                if let Known::Pending(record) = std::mem::replace(known, Known::Expired) {
                    items.push(SampleItem::Expired { prediction_id: id.clone(), time: record.time });
                }
                self.expiry.add(now + horizon, loop_id.clone(), id.clone());
            }
            Some(Known::Early(label)) => {
                let item = IntakeItem::Label(label.clone());
                items.push(refuse(&item, "no prediction with this id came within labels.horizon".to_owned()));
                state.known.remove(id);
                self.remembered -= 1;
            }
            Some(Known::Labelled | Known::Expired) => {
                state.known.remove(id);
                self.remembered -= 1;
            }
            None => {}
        }
    }

    /// Control of the loop's log that downstream must see among the rows.
    fn control(&mut self, input: &Recorded) -> Option<SampleItem> {
        let state = self.loops.entry(input.subject.loop_id.clone()).or_default();
        if input.sequence <= state.last_control {
            return None;
        }
        state.last_control = input.sequence;
        match &input.event {
            Event::Spec(applied) => {
                state.spec = Some(applied.spec.clone());
                let mark = Mark::Spec { sequence: input.sequence, applied: applied.clone() };
                Some(SampleItem::Mark(mark))
            }
            Event::Candidate(candidate) => {
                state.profiles.add(input.sequence, candidate);
                None
            }
            Event::Rollout(rollout) => {
                Some(SampleItem::Mark(state.profiles.mark(input.sequence, &rollout.table)))
            }
            _ => None,
        }
    }
}

impl Core for Ingest {
    type Job = NoJob;

    fn fold(&mut self, input: &Recorded) -> Vec<Draft> {
        if let Event::Intake(_) = input.event {
            if input.sequence <= self.last_intake {
                return Vec::new();
            }
            self.last_intake = input.sequence;
        }
        let now = self.now.advance(input.time);
        let mut out: BTreeMap<LoopId, Vec<SampleItem>> = BTreeMap::new();
        self.expire(&mut out);
        let loop_id = &input.subject.loop_id;
        match &input.event {
            Event::Intake(batch) => {
                let mut items = Vec::new();
                for item in &batch.items {
                    self.take(loop_id, input.sequence, item, &mut items);
                }
                out.entry(loop_id.clone()).or_default().append(&mut items);
                // what the new ids push out of memory leaves with them
                self.expire(&mut out);
            }
            Event::Tick(_) => {
                for (id, state) in
                    self.loops.iter().filter(|(_, s)| s.spec.is_some() && now - s.last_out >= TICK)
                {
                    let _ = state;
                    out.entry(id.clone()).or_default().push(SampleItem::Mark(Mark::Tick));
                }
            }
            _ => {
                if let Some(item) = self.control(input) {
                    out.entry(loop_id.clone()).or_default().push(item);
                }
            }
        }
        let mut drafts = Vec::new();
        for (loop_id, items) in out.into_iter().filter(|(_, items)| !items.is_empty()) {
            if let Some(state) = self.loops.get_mut(&loop_id) {
                state.last_out = now;
            }
            drafts
                .push(Draft::new(Subject::new(loop_id, Topic::Sample(self.partition)), Event::Sample(items)));
        }
        drafts
    }

    fn deadline(&self) -> Option<Timestamp> {
        let ticks = self.loops.values().filter(|s| s.spec.is_some()).map(|s| s.last_out + TICK);
        ticks.chain(self.expiry.next()).min()
    }
}

fn refuse(item: &IntakeItem, reason: String) -> SampleItem {
    let payload = match item {
        IntakeItem::Label(label) => serde_json::to_string(label),
        IntakeItem::Prediction(record) => serde_json::to_string(record),
        IntakeItem::Unreadable(refused) => Ok(refused.payload.clone()),
    };
    SampleItem::Refused(Refused { payload: payload.unwrap_or_default(), reasons: vec![reason] })
}
