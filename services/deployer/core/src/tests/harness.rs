//! A loop's log in a test's hand: gives events to a deployer and keeps the last table, as any reader of the log would.

use tidemill_domain::spec::{AlertKind, Lane};
use tidemill_domain::{
    Algorithm, ContentHash, DatasetId, EventId, Feature, FeatureKind, LoopId, LoopSpec, ModelRef,
    ModelVersion, Schema, Span, Target, TargetKind, Timestamp, TurnId,
};
use tidemill_events::core::{Core, Draft};
use tidemill_events::envelope::{Meta, Recorded};
use tidemill_events::event::{Command, CommandKind, Event, SpecApplied, Tick};
use tidemill_events::model::Deployed;
use tidemill_events::monitor::{Alert, AlertState, LoopWindow, Paired, WindowKey, WindowKind};
use tidemill_events::rollout::{Rollout, RolloutStep, RouteTable};
use tidemill_events::subject::{Log, Subject};
use tidemill_events::verdict::{GateOutcome, Measurement, Verdict};
use tidemill_stats::sketch::Moments;

use crate::Deployer;

pub(crate) use Algorithm::{Boosting, Linear, Mlp};
pub(crate) use RolloutStep::{
    Awaiting, Declined, Demoted, Frozen, Kept, Paused, Pinned, Promoted, Replaced, Resumed, RolledBack,
    Shadowed, StepStarted, Unpinned, Watched,
};

pub(crate) fn loop_id() -> LoopId {
    LoopId::new("demo").unwrap()
}

pub(crate) fn spec() -> LoopSpec {
    let feature =
        Feature { name: "x".into(), kind: FeatureKind::Numeric { min: None, max: None }, required: false };
    let target = Target { name: "y".into(), kind: TargetKind::Categorical { classes: None } };
    let schema = Schema { features: vec![feature], target, entity: None, slices: Vec::new() };
    let mut spec = LoopSpec::with_defaults(loop_id(), schema);
    spec.rollout.watch = Span::hours(1);
    spec
}

pub(crate) fn applied(version: u64, spec: LoopSpec) -> Event {
    Event::Spec(Box::new(SpecApplied { version, hash: spec.hash(), spec, by: "ann".into() }))
}

pub(crate) fn deployed(name: &str, algorithm: Algorithm) -> Deployed {
    let artefact = ContentHash::of(name.as_bytes());
    let model = ModelRef { version: ModelVersion::new(name), artefact, algorithm };
    Deployed { model, turn: TurnId::new(format!("turn of {name}")), trained_to: 0 }
}

pub(crate) fn verdict(model: &Deployed, champion: Option<ModelVersion>, outcome: GateOutcome) -> Verdict {
    Verdict {
        turn: model.turn.clone(),
        candidate: model.clone(),
        champion,
        outcome,
        gates: Vec::new(),
        dataset: DatasetId::new("d-1"),
        spec_version: 1,
        measurement: Measurement::default(),
    }
}

/// A window of `rows` pairs whose differences alternate about `mean`, with a champion whose loss is 1.
pub(crate) fn window(champion: &str, challenger: &str, rows: u64, mean: f64) -> Event {
    let (mut difference, mut champion_loss) = (Moments::new(), Moments::new());
    for i in 0..rows {
        difference.insert(mean + if i % 2 == 0 { 0.05 } else { -0.05 });
        champion_loss.insert(1.0);
    }
    let (champion, challenger) = (ModelVersion::new(champion), ModelVersion::new(challenger));
    let key = WindowKey { kind: WindowKind::Paired, version: Some(challenger.clone()), index: 0 };
    Event::Window(Box::new(LoopWindow {
        key,
        rows,
        from: Timestamp(0),
        to: Timestamp(0),
        metrics: Default::default(),
        loss: None,
        drift: Vec::new(),
        paired: Some(Paired { champion, challenger, difference, champion_loss }),
    }))
}

pub(crate) fn alert(alert: AlertKind, state: AlertState, version: &str) -> Event {
    let version = Some(ModelVersion::new(version));
    let window = WindowKey { kind: WindowKind::Labelled, version: version.clone(), index: 0 };
    let (evidence, columns) = (Default::default(), Vec::new());
    Event::Alert(Alert { alert, state, version, window, evidence, columns, summary: "loss doubled".into() })
}

pub(crate) fn command(kind: CommandKind) -> Event {
    Event::Command(Command { kind, by: "ann".into(), reason: String::new() })
}

fn log_of(event: &Event) -> Log {
    let mut logs = tidemill_events::subject::LOGS.iter().map(|l| l.0);
    logs.find(|l| event.belongs_on(tidemill_events::subject::Topic::Log(*l))).unwrap()
}

/// A deployer, the log that it has read, and the table that it last told.
pub(crate) struct World {
    pub(crate) core: Deployer,
    pub(crate) log: Vec<Recorded>,
    pub(crate) table: RouteTable,
    pub(crate) now: Timestamp,
}

impl World {
    pub(crate) fn empty() -> Self {
        Self { core: Deployer::new(), log: Vec::new(), table: RouteTable::default(), now: Timestamp(0) }
    }

    /// A loop with this spec.
    pub(crate) fn with(spec: LoopSpec) -> Self {
        let mut world = Self::empty();
        world.give(applied(1, spec));
        world
    }

    /// A loop of that lane whose first model is `a`, linear.
    pub(crate) fn begun(lane: Lane) -> Self {
        let mut spec = spec();
        spec.rollout.lane = lane;
        let mut world = Self::with(spec);
        world.pass("a", Linear);
        world
    }

    pub(crate) fn record(&self, event: Event) -> Recorded {
        let sequence = self.log.len() as u64 + 1;
        let id = EventId::new(format!("e-{sequence}"));
        Recorded {
            sequence,
            time: self.now,
            subject: Subject::log(loop_id(), log_of(&event)),
            meta: Meta { id, source: "test".into(), causation: None, correlation: None, upto: None },
            event,
        }
    }

    pub(crate) fn give_drafts(&mut self, event: Event) -> Vec<Draft> {
        let recorded = self.record(event);
        let drafts = self.core.fold(&recorded);
        self.log.push(recorded);
        for draft in &drafts {
            let Event::Rollout(rollout) = &draft.event else { panic!("only rollouts are told") };
            assert_eq!(draft.to, Subject::log(loop_id(), Log::Rollout));
            assert_eq!(rollout.table.violations(), Vec::<String>::new());
            assert_eq!(rollout.table.version, self.table.version + 1, "versions rise one by one");
            self.table = rollout.table.clone();
        }
        drafts
    }

    pub(crate) fn rollouts(&mut self, event: Event) -> Vec<Rollout> {
        let drafts = self.give_drafts(event).into_iter();
        drafts.map(|d| if let Event::Rollout(r) = d.event { *r } else { unreachable!() }).collect()
    }

    /// What follows from `event`: steps, each with the model that it is about.
    pub(crate) fn give(&mut self, event: Event) -> Vec<(RolloutStep, String)> {
        let name = |v: Option<ModelVersion>| v.map(|v| v.to_string()).unwrap_or_default();
        self.rollouts(event).into_iter().map(|r| (r.step, name(r.version))).collect()
    }

    /// A verdict that passes a model against the present champion.
    pub(crate) fn pass(&mut self, name: &str, algorithm: Algorithm) -> Vec<(RolloutStep, String)> {
        let champion = self.table.champion().map(|c| c.model.version.clone());
        let verdict = verdict(&deployed(name, algorithm), champion, GateOutcome::Passed);
        self.give(Event::Verdict(Box::new(verdict)))
    }

    /// A window of the present pair.
    pub(crate) fn pairs(&mut self, rows: u64, mean: f64) -> Vec<(RolloutStep, String)> {
        let champion = self.table.champion().unwrap().model.version.to_string();
        let contender = self.table.contender().unwrap().model.model.version.to_string();
        self.give(window(&champion, &contender, rows, mean))
    }

    pub(crate) fn decay(&mut self, version: &str) -> Vec<(RolloutStep, String)> {
        self.give(alert(AlertKind::Decay, AlertState::Detected, version))
    }

    pub(crate) fn wait(&mut self, span: Span) -> &mut Self {
        self.now = self.now + span;
        self
    }

    pub(crate) fn tick(&mut self) -> Vec<(RolloutStep, String)> {
        let due = self.now;
        self.give(Event::Tick(Tick { role: "deployer".into(), due }))
    }

    /// The table in short: `a:95 b:5 (was c)`.
    pub(crate) fn routes(&self) -> String {
        let mut text: Vec<String> =
            self.table.routes.iter().map(|r| format!("{}:{}", r.model.model.version, r.weight)).collect();
        text.extend(self.table.previous.iter().map(|p| format!("(was {})", p.model.version)));
        text.join(" ")
    }
}

/// Steps as they are compared in tests.
pub(crate) fn steps<const N: usize>(expected: [(RolloutStep, &str); N]) -> Vec<(RolloutStep, String)> {
    expected.into_iter().map(|(step, version)| (step, version.to_owned())).collect()
}
