//! Random schedules: what producers and people do to a small loop, by seed.

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tidemill_domain::sample::LabelSource;
use tidemill_domain::spec::{AlertKind, Budget, Lane, Window};
use tidemill_domain::{
    Algorithm, Feature, FeatureKind, Label, LoopId, LoopSpec, PredictionId, PredictionRecord, Schema, Scored,
    Span, Target, TargetKind, Timestamp, Value,
};
use tidemill_events::Intake;
use tidemill_events::event::{Command, CommandKind};
use tidemill_events::intake::{IntakeBatch, IntakeItem, Refused};

use crate::world::World;

/// One thing that happens.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Time passes.
    Pass(Span),
    /// A row is predicted and sent.
    Predict(usize),
    /// The label of a row is sent.
    Label(usize),
    /// Something unreadable is sent.
    Garbage,
    /// A person commands.
    Command(CommandKind),
    /// Another version of the spec is applied.
    Apply(Box<LoopSpec>),
}

/// A schedule and its rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// The loop.
    pub spec: LoopSpec,
    /// The rows: features and target.
    pub rows: Vec<(Vec<Value>, Value)>,
    /// What happens, in order.
    pub steps: Vec<Step>,
}

/// The time at which schedules begin.
pub const START: Timestamp = Timestamp(1_000_000_000_000_000);

fn small_loop(rng: &mut ChaCha8Rng) -> Option<LoopSpec> {
    let numeric = |name: &str| Feature {
        name: name.to_owned(),
        kind: FeatureKind::Numeric { min: Some(-10.0), max: Some(10.0) },
        required: true,
    };
    let target = Target { name: "y".to_owned(), kind: TargetKind::Categorical { classes: None } };
    let schema = Schema { features: vec![numeric("a"), numeric("b")], target, entity: None, slices: vec![] };
    let mut spec = LoopSpec::with_defaults(LoopId::new("small").ok()?, schema);
    spec.labels.horizon = Span::seconds(rng.random_range(60..400));
    spec.monitor.window = Window::Rows(rng.random_range(10..40));
    spec.triggers.new_labels = Some(rng.random_range(30..60));
    spec.triggers.on = vec![AlertKind::Decay, AlertKind::Drift];
    spec.training.algorithms = vec![Algorithm::Linear];
    spec.training.budget = Budget { trials: 2, time: Span::minutes(1), workers: rng.random_range(1..3) };
    spec.training.cooldown = Span::seconds(rng.random_range(0..20));
    spec.evaluation.min_rows = 10;
    spec.evaluation.max_regression = 0.5;
    spec.rollout.lane = [Lane::Auto, Lane::Fast, Lane::Steps][rng.random_range(0..3_usize)];
    spec.rollout.shadow = rng.random_range(0..20);
    spec.rollout.steps = vec![50, 100];
    spec.rollout.min_rows = 10;
    spec.rollout.max_rows = 100;
    spec.rollout.margin = 0.5;
    spec.rollout.watch = Span::seconds(rng.random_range(10..200));
    Some(spec)
}

impl Schedule {
    /// The schedule of a seed: some hundred steps over `n_rows` rows.
    #[must_use]
    pub fn seeded(seed: u64, n_rows: usize) -> Option<Self> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let spec = small_loop(&mut rng)?;
        let turning = rng.random_range(n_rows / 3..n_rows);
        let rows = (0..n_rows).map(|i| row(i >= turning, &mut rng)).collect();
        let mut steps = Vec::new();
        let mut labels: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for index in 0..n_rows {
            let due = match rng.random_range(0..20) {
                0 => None,                                      // never
                1 => Some(index),                               // before its prediction
                2 => Some(index + rng.random_range(0..n_rows)), // perhaps too late
                _ => Some(index + rng.random_range(1..12)),
            };
            labels.entry(due.unwrap_or(usize::MAX)).or_default().push(index);
            steps.extend(labels.remove(&index).unwrap_or_default().into_iter().map(Step::Label));
            steps.push(Step::Predict(index));
            steps.push(Step::Pass(Span::millis(rng.random_range(0..3_000))));
            match rng.random_range(0..200) {
                0 => steps.push(Step::Garbage),
                1 => steps.push(Step::Command(CommandKind::Rollback)),
                2 => steps.push(Step::Command(CommandKind::Retrain)),
                3 => steps.extend([CommandKind::Pause, CommandKind::Resume].map(Step::Command)),
                4 => {
                    let window = Window::Rows(rng.random_range(10..40));
                    let monitor = tidemill_domain::spec::Monitor { window, ..spec.monitor.clone() };
                    steps.push(Step::Apply(Box::new(LoopSpec { monitor, ..spec.clone() })));
                }
                // A hold that ends some rows later, if it ends.
                5 => steps.push(Step::Command(CommandKind::Freeze)),
                6 => steps.push(Step::Command(CommandKind::Pin { version: None })),
                7..=9 => steps.extend([CommandKind::Resume, CommandKind::Unpin].map(Step::Command)),
                _ => {}
            }
        }
        let late = labels.into_iter().filter(|(due, _)| *due != usize::MAX);
        steps.extend(late.flat_map(|(_, rows)| rows).map(Step::Label));
        // Long enough for every label to expire and for the last segment to be sealed by its age.
        steps.push(Step::Pass(Span(spec.labels.horizon.0 * 3 + Span::minutes(11).0)));
        Some(Self { spec, rows, steps })
    }

    /// Lets it all happen.
    pub fn play(&self, world: &mut World) {
        let name = self.spec.name.clone();
        world.apply(self.spec.clone());
        for step in &self.steps {
            match step {
                Step::Pass(span) => world.advance(world.now() + *span),
                Step::Predict(index) => {
                    let item = IntakeItem::Prediction(self.predict(*index, world));
                    world.send(&name, Intake::Prediction, IntakeBatch { items: vec![item] });
                }
                Step::Label(index) => {
                    let label = Label {
                        prediction_id: id(*index),
                        label: self.rows[*index].1.clone(),
                        source: LabelSource::Application,
                        time: world.now(),
                    };
                    world.send(&name, Intake::Label, IntakeBatch { items: vec![IntakeItem::Label(label)] });
                }
                Step::Garbage => {
                    let refused = Refused { payload: "{".to_owned(), reasons: vec!["no JSON".to_owned()] };
                    let item = IntakeItem::Unreadable(refused);
                    world.send(&name, Intake::Prediction, IntakeBatch { items: vec![item] });
                }
                Step::Command(kind) => {
                    let command =
                        Command { kind: kind.clone(), by: "test".to_owned(), reason: String::new() };
                    world.command(&name, command);
                }
                Step::Apply(spec) => world.apply(LoopSpec::clone(spec)),
            }
        }
        world.finish_jobs();
    }

    fn predict(&self, index: usize, world: &World) -> PredictionRecord {
        let prediction_id = id(index);
        let (features, _) = &self.rows[index];
        let mut scored = Vec::new();
        if let Some(routing) = world.router().route(&self.spec.name, prediction_id.as_str()) {
            for deployed in std::iter::once(routing.answer).chain(routing.also) {
                if let Some(model) = world.shelf().model(&deployed.model.artefact) {
                    let version = deployed.model.version.clone();
                    scored.push(Scored { version, output: model.predict(features) });
                }
            }
        }
        let features = ["a", "b"].map(str::to_owned).into_iter().zip(features.iter().cloned()).collect();
        PredictionRecord { prediction_id, entity: None, time: world.now(), features, scored }
    }
}

/// One row in thirty is out of range; after the turn of the tide the label means the opposite.
fn row(turned: bool, rng: &mut ChaCha8Rng) -> (Vec<Value>, Value) {
    let mut cell = || rng.random_range(-3.0..3.0_f64);
    let (a, b) = (cell(), cell());
    let wild = rng.random_range(0..30) == 0;
    let positive = (a + 0.5 * b > 0.0) != turned;
    let a = if wild { 99.0 } else { a };
    (vec![Value::Number(a), Value::Number(b)], Value::Text(if positive { "yes" } else { "no" }.to_owned()))
}

/// The id of a row.
#[must_use]
pub fn id(index: usize) -> PredictionId {
    PredictionId::new(format!("row-{index}"))
}
