//! Which trace an output belongs to: that of its turn of the loop, or else that of the input that caused it.
//!
//! A prediction has a trace of its own, which its label joins; what follows from them goes on in it, to the turn that a row
//! tips off, its trials and verdicts and the promotion at its end. What it remembers is bounded; what is forgotten or has
//! no cause begins a trace of its own. Traces explain and decide nothing, so they need not be exact.

use std::collections::{BTreeMap, VecDeque};

use tidemill_bus::{TraceParent, clock, spans};
use tidemill_domain::{EventId, PredictionId, Timestamp, TurnId};
use tidemill_events::emit::Outgoing;
use tidemill_events::intake::{IntakeBatch, IntakeItem};
use tidemill_events::{Event, Recorded};

/// Inputs that are remembered, for outputs that are held back.
const MAX_INPUTS: usize = 1_024;
/// Turns that are remembered.
const MAX_TURNS: usize = 256;

/// What led to what, as far as it is remembered.
#[derive(Debug, Default)]
pub(crate) struct Traces {
    inputs: Recent<EventId, Input>,
    turns: Recent<TurnId, TraceParent>,
}

#[derive(Clone, Debug)]
struct Input {
    trace: TraceParent,
    /// A message of a producer that named no trace: nobody but us tells of it.
    untold: Option<Box<Untold>>,
}

#[derive(Clone, Debug)]
struct Untold {
    name: String,
    source: String,
    subject: String,
    id: EventId,
    time: Timestamp,
}

impl Traces {
    /// Sees an input and the trace that it names.
    pub(crate) fn hear(&mut self, event: &Recorded, named: Option<TraceParent>) {
        let is_named = named.is_some();
        let trace = named.unwrap_or_else(|| origin(event));
        if let Some(turn) = &event.meta.correlation {
            self.turns.add(MAX_TURNS, turn, || trace.clone());
        }
        let untold = (!is_named && spans::wanted()).then(|| {
            Box::new(Untold {
                name: event.event.type_name().to_owned(),
                source: event.meta.source.clone(),
                subject: event.subject.to_string(),
                id: event.meta.id.clone(),
                time: event.time,
            })
        });
        self.inputs.add(MAX_INPUTS, &event.meta.id, || Input { trace, untold });
    }

    /// The trace that `output` goes on, if there is one.
    pub(crate) fn of(&mut self, output: &Outgoing) -> Option<TraceParent> {
        let cause = output.meta.causation.as_ref().and_then(|id| self.inputs.get_mut(id));
        let cause = cause.map(|input| {
            if let Some(event) = input.untold.take() {
                event.tell(&input.trace);
            }
            input.trace.clone()
        });
        let Some(turn) = &output.meta.correlation else { return cause };
        let known = self.turns.get_mut(turn).cloned();
        match (known, cause) {
            // The cause is a part of the same trace, and nearer.
            (Some(known), Some(cause)) if known.trace_id() == cause.trace_id() => Some(cause),
            (Some(known), _) => Some(known),
            (None, cause) => {
                let opened = TraceParent::of_event(cause.as_ref(), &output.meta.id);
                self.turns.add(MAX_TURNS, turn, || opened);
                cause
            }
        }
    }
}

/// The trace of an input that names none.
fn origin(event: &Recorded) -> TraceParent {
    match &event.event {
        Event::Intake(batch) => match first(batch) {
            // Each message about a prediction is a span of its own in the one trace.
            Some(prediction) => {
                TraceParent::of_prediction(&event.subject.loop_id, prediction).child(&event.meta.id)
            }
            None => TraceParent::root(&event.meta.id),
        },
        _ => TraceParent::root(&event.meta.id),
    }
}

/// A message of many predictions goes by its first one.
fn first(batch: &IntakeBatch) -> Option<&PredictionId> {
    batch.items.iter().find_map(|item| match item {
        IntakeItem::Label(label) => Some(&label.prediction_id),
        IntakeItem::Prediction(record) => Some(&record.prediction_id),
        IntakeItem::Unreadable(_) => None,
    })
}

impl Untold {
    /// From the time when the log took the message until something followed from it.
    fn tell(&self, own: &TraceParent) {
        spans::tell(&spans::Span {
            name: &self.name,
            role: &self.source,
            subject: &self.subject,
            id: self.id.as_str(),
            turn: None,
            own,
            parent: None,
            began: self.time,
            ended: clock::now(),
        });
    }
}

/// A map that forgets what came first.
#[derive(Debug)]
struct Recent<K, V> {
    by_key: BTreeMap<K, V>,
    order: VecDeque<K>,
}

impl<K, V> Default for Recent<K, V> {
    fn default() -> Self {
        Self { by_key: BTreeMap::new(), order: VecDeque::new() }
    }
}

impl<K: Ord + Clone, V> Recent<K, V> {
    /// Remembers the first value of a key.
    fn add(&mut self, most: usize, key: &K, value: impl FnOnce() -> V) {
        if self.by_key.contains_key(key) {
            return;
        }
        if self.order.len() >= most
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_key.remove(&oldest);
        }
        self.order.push_back(key.clone());
        self.by_key.insert(key.clone(), value());
    }

    fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.by_key.get_mut(key)
    }
}

#[cfg(test)]
mod tests {
    use tidemill_domain::{Label, LoopId, Value};
    use tidemill_events::emit::Outgoing;
    use tidemill_events::{Intake, Log, Meta, Subject, Tick, Topic};

    use super::*;

    fn loop_id() -> LoopId {
        LoopId::new("a").unwrap_or_else(|e| unreachable!("{e}"))
    }

    fn meta(id: &str, causation: Option<&str>, turn: Option<&str>) -> Meta {
        Meta {
            id: EventId::new(id),
            source: "x".into(),
            causation: causation.map(EventId::new),
            correlation: turn.map(TurnId::new),
            upto: None,
        }
    }

    fn label(id: &str, prediction: &str) -> Recorded {
        let label = Label {
            prediction_id: PredictionId::new(prediction),
            label: Value::Number(1.0),
            source: tidemill_domain::sample::LabelSource::Application,
            time: Timestamp(0),
        };
        let subject = Subject::new(loop_id(), Topic::Intake(Intake::Label));
        let event = Event::Intake(IntakeBatch { items: vec![IntakeItem::Label(label)] });
        Recorded { sequence: 1, time: Timestamp(0), subject, meta: meta(id, None, None), event }
    }

    fn output(id: &str, causation: Option<&str>, turn: Option<&str>) -> Outgoing {
        let event = Event::Tick(Tick { role: "x".into(), due: Timestamp(0) });
        let subject = Subject::log(loop_id(), Log::Tick);
        Outgoing { subject, meta: meta(id, causation, turn), event, content: None }
    }

    #[test]
    fn a_label_goes_on_in_the_trace_of_its_prediction() {
        let mut traces = Traces::default();
        traces.hear(&label("l", "p"), None);
        let trace = traces.of(&output("o", Some("l"), None)).map(|t| t.trace_id().to_owned());
        let expected = TraceParent::of_prediction(&loop_id(), &PredictionId::new("p"));
        assert_eq!(trace.as_deref(), Some(expected.trace_id()));
        assert_eq!(traces.of(&output("o", Some("never seen"), None)), None);
    }

    #[test]
    fn a_turn_is_one_trace_whatever_wakes_it() {
        let mut traces = Traces::default();
        let (first, second) = (TraceParent::root(&EventId::new("1")), TraceParent::root(&EventId::new("2")));
        traces.hear(&label("tips", "p"), Some(first.clone()));
        traces.hear(&label("other", "q"), Some(second.clone()));
        let id = |trace: Option<TraceParent>| trace.map(|t| t.trace_id().to_owned());
        assert_eq!(traces.of(&output("trigger", Some("tips"), Some("t"))), Some(first.clone()));
        let later = traces.of(&output("trial", Some("other"), Some("t")));
        assert_eq!(id(later), id(Some(first.clone())), "the turn wins over another cause");
        let report = traces.of(&output("report", None, Some("t")));
        assert_eq!(id(report), id(Some(first)), "jobs have no cause but their turn");
        assert_eq!(id(traces.of(&output("o", Some("other"), None))), id(Some(second)));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut recent = Recent::default();
        for n in 0..100 {
            recent.add(10, &n, || n);
        }
        assert_eq!((recent.by_key.len(), recent.order.len()), (10, 10));
        assert!(recent.get_mut(&89).is_none() && recent.get_mut(&90).is_some());
    }
}
