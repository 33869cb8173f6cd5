//! Parcel deliveries: will one be late? The rows, marks and cores that the tests share.

use std::collections::BTreeMap;

use tidemill_domain::sample::CleanLabel;
use tidemill_domain::spec::Window;
use tidemill_domain::{
    Algorithm, CleanRow, ContentHash, EventId, Feature, FeatureKind, LabelSource, LoopId, LoopSpec, ModelRef,
    ModelVersion, Output, PredictionId, Schema, Scored, Span, Target, TargetKind, Timestamp, TurnId, Value,
};
use tidemill_events::core::{Core, Draft};
use tidemill_events::envelope::{Meta, Recorded};
use tidemill_events::event::{Event, SpecApplied};
use tidemill_events::model::{Deployed, Profile};
use tidemill_events::monitor::{Alert, LoopWindow, PartWindow};
use tidemill_events::rollout::{Role, Route, RouteTable};
use tidemill_events::sample::{CleanItem, Mark};
use tidemill_events::subject::{Partition, Subject, Topic};
use tidemill_monitor_core::{Measure, Merge};

pub(crate) fn parcels() -> LoopId {
    LoopId::new("parcels").unwrap_or_else(|e| unreachable!("{e}"))
}

pub(crate) fn version(name: &str) -> ModelVersion {
    ModelVersion::new(name)
}

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::default() + Span::seconds(second)
}

/// Windows of `rows`; distance and load are numbers, weather is a category, late is yes or no.
pub(crate) fn spec(rows: u64) -> LoopSpec {
    let feature = |name: &str, kind| Feature { name: name.into(), kind, required: false };
    let numeric = FeatureKind::Numeric { min: None, max: None };
    let schema = Schema {
        features: vec![
            feature("distance", numeric.clone()),
            feature("load", numeric),
            feature("weather", FeatureKind::Categorical { values: None }),
        ],
        target: Target { name: "late".into(), kind: TargetKind::Categorical { classes: None } },
        entity: None,
        slices: Vec::new(),
    };
    let mut spec = LoopSpec::with_defaults(parcels(), schema);
    spec.monitor.window = Window::Rows(rows);
    spec.monitor.false_alarm_every = Span::days(1);
    spec
}

pub(crate) fn spec_mark(spec: &LoopSpec) -> CleanItem {
    let applied = SpecApplied { version: 1, hash: spec.hash(), spec: spec.clone(), by: "ada".into() };
    CleanItem::Mark(Mark::Spec { sequence: 1, applied: Box::new(applied) })
}

/// A table of these parts; every model learned from `profile`.
pub(crate) fn routes(parts: &[(&str, Role, u8)], profile: Option<&Profile>) -> CleanItem {
    let route = |(name, role, weight): &(&str, Role, u8)| {
        let artefact = ContentHash::of(name.as_bytes());
        let model = ModelRef { version: version(name), artefact, algorithm: Algorithm::Linear };
        let model = Deployed { model, turn: TurnId::new("turn-1"), trained_to: 0 };
        Route { model, role: *role, weight: *weight }
    };
    let table = RouteTable { version: 1, routes: parts.iter().map(route).collect(), previous: None };
    let profiles = parts.iter().filter_map(|(name, ..)| Some((version(name), profile?.clone()))).collect();
    CleanItem::Mark(Mark::Routes { sequence: 2, table: Box::new(table), profiles })
}

pub(crate) fn champion(name: &str, profile: Option<&Profile>) -> CleanItem {
    routes(&[(name, Role::Champion, 100)], profile)
}

/// How a stretch of the stream behaves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weather {
    /// Added to every distance, in kilometres; distances spread over 100.
    pub(crate) detour: f64,
    /// The share of rows whose load was not measured.
    pub(crate) unweighed: f64,
    /// The share of rows where the model is wrong.
    pub(crate) wrong: f64,
}

pub(crate) const CALM: Weather = Weather { detour: 0.0, unweighed: 0.02, wrong: 0.2 };

/// Rows of a seeded generator (Knuth's MMIX constants), each with its label.
pub(crate) struct Stream {
    state: u64,
    rows: u64,
}

impl Stream {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15), rows: 0 }
    }

    fn unit(&mut self) -> f64 {
        self.state =
            self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A row as these versions answered it, the first of them to the client.
    pub(crate) fn row(&mut self, weather: Weather, versions: &[&str]) -> CleanRow {
        self.rows += 1;
        let distance = self.unit() * 100.0 + weather.detour;
        let load =
            if self.unit() < weather.unweighed { Value::Missing } else { Value::Number(self.unit().powi(2)) };
        let sky = ["sun", "rain", "snow"][(self.unit() * 3.0) as usize % 3];
        let late = distance > 60.0;
        let scored = versions
            .iter()
            .map(|name| {
                let says_late = late != (self.unit() < weather.wrong);
                let p = if says_late { 0.8 } else { 0.2 };
                let output = Output::Classes(vec![("no".into(), 1.0 - p), ("yes".into(), p)]);
                Scored { version: version(name), output }
            })
            .collect();
        let truth = Value::Text(if late { "yes" } else { "no" }.into());
        CleanRow {
            prediction_id: PredictionId::new(format!("parcel-{}", self.rows)),
            entity: None,
            time: at(0),
            features: vec![Value::Number(distance), load, Value::Text(sky.into())],
            scored,
            label: Some(CleanLabel { value: truth, source: LabelSource::Application, time: at(0) }),
        }
    }

    pub(crate) fn observed(&mut self, weather: Weather, versions: &[&str]) -> CleanItem {
        let mut row = self.row(weather, versions);
        row.label = None;
        CleanItem::Observed(row)
    }

    pub(crate) fn labelled(&mut self, weather: Weather, versions: &[&str]) -> CleanItem {
        CleanItem::Labelled(self.row(weather, versions))
    }

    /// What a model learned from: calm rows, and its own answers on them.
    pub(crate) fn profile(&mut self, rows: u64, name: &str) -> Profile {
        let mut profile = Profile::new(&spec(1).schema, 256);
        (0..rows).for_each(|_| profile.add_row(&self.row(CALM, &[name])));
        profile
    }
}

pub(crate) fn recorded(sequence: u64, second: i64, topic: Topic, event: Event) -> Recorded {
    let id = EventId::new(format!("{topic}-{sequence}"));
    let meta = Meta { id, source: "parcels".into(), causation: None, correlation: None, upto: None };
    Recorded { sequence, time: at(second), subject: Subject::new(parcels(), topic), meta, event }
}

/// One partition, fed batch by batch.
pub(crate) struct Partitioned {
    pub(crate) core: Measure,
    partition: Partition,
    pub(crate) sequence: u64,
}

impl Partitioned {
    pub(crate) fn new(partition: u16) -> Self {
        let partition = Partition(partition);
        Self { core: Measure::new(partition), partition, sequence: 0 }
    }

    pub(crate) fn feed(&mut self, second: i64, items: Vec<CleanItem>) -> Vec<PartWindow> {
        self.sequence += 1;
        self.again(second, items)
    }

    /// Delivers under the last sequence number once more.
    pub(crate) fn again(&mut self, second: i64, items: Vec<CleanItem>) -> Vec<PartWindow> {
        let topic = Topic::Clean(self.partition);
        parts(self.core.fold(&recorded(self.sequence, second, topic, Event::Clean(items))))
    }
}

pub(crate) fn parts(drafts: Vec<Draft>) -> Vec<PartWindow> {
    let part = |draft: Draft| match draft.event {
        Event::PartWindow(part) => *part,
        other => unreachable!("{other:?} is no window of a partition"),
    };
    drafts.into_iter().map(part).collect()
}

/// What a merge said.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Said {
    pub(crate) windows: Vec<LoopWindow>,
    pub(crate) alerts: Vec<Alert>,
}

pub(crate) fn merged(core: &mut Merge, part: PartWindow) -> Said {
    let topic = Topic::Window(part.partition);
    let mut said = Said::default();
    for draft in core.fold(&recorded(1, 0, topic, Event::PartWindow(Box::new(part)))) {
        match draft.event {
            Event::Window(window) => said.windows.push(*window),
            Event::Alert(alert) => said.alerts.push(alert),
            other => unreachable!("{other:?} is not what a merge says"),
        }
    }
    said
}

/// One partition and the merge behind it.
pub(crate) struct Monitor {
    pub(crate) partition: Partitioned,
    merge: Merge,
}

impl Monitor {
    pub(crate) fn new(spec: &LoopSpec, start: CleanItem) -> Self {
        let mut monitor = Self { partition: Partitioned::new(0), merge: Merge::new(1) };
        monitor.feed(0, vec![spec_mark(spec), start]);
        monitor
    }

    pub(crate) fn feed(&mut self, second: i64, items: Vec<CleanItem>) -> Said {
        let mut said = Said::default();
        for part in self.partition.feed(second, items) {
            let more = merged(&mut self.merge, part);
            said.windows.extend(more.windows);
            said.alerts.extend(more.alerts);
        }
        said
    }
}

/// Counts by name, for short assertions.
pub(crate) fn tally<T: Ord>(items: impl IntoIterator<Item = T>) -> BTreeMap<T, u64> {
    let mut counts = BTreeMap::new();
    items.into_iter().for_each(|item| *counts.entry(item).or_default() += 1);
    counts
}
