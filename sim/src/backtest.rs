//! A recorded stream through the loop: predict each row with the model then in force, give its label later, let the loop do
//! the rest.
//!
//! Step t: predict row t, score it, then the label of row t - delay arrives. Everything that production does happens here
//! in the same cores; only the clock is virtual, and jobs take modelled time.

use std::collections::BTreeMap;

use tidemill_domain::sample::LabelSource;
use tidemill_domain::{
    Label, LoopId, LoopSpec, ModelVersion, Output, PredictionId, PredictionRecord, Schema, Scored, Span,
    Timestamp, Value,
};
use tidemill_events::Intake;
use tidemill_events::intake::{IntakeBatch, IntakeItem};
use tidemill_learn::Prior;

use crate::fault::Faults;
use crate::player::Cast;
use crate::result::{BacktestResult, Recorder};
use crate::world::{Options, World};

/// What is to be played.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The loop.
    pub spec: LoopSpec,
    /// The rows in stream order: features in schema order, then the target.
    pub rows: Vec<Vec<Value>>,
    /// The time of each row.
    pub times: Times,
    /// How many rows later a label comes.
    pub label_delay: usize,
    /// Varies everything that is drawn by lot.
    pub seed: u64,
}

/// When rows come.
#[derive(Clone, Debug)]
pub enum Times {
    /// At these times, not falling.
    At(Vec<Timestamp>),
    /// One after another at this interval.
    Every(Span),
}

/// The moment at which virtual time begins: 2020-01-01T00:00:00Z.
const START: Timestamp = Timestamp(1_577_836_800_000_000);

impl Times {
    fn of(&self, row: usize) -> Timestamp {
        match self {
            Self::At(times) => times.get(row).copied().unwrap_or(START),
            Self::Every(span) => {
                START + Span(span.0.saturating_mul(i64::try_from(row).unwrap_or(i64::MAX) + 1))
            }
        }
    }
}

/// What was predicted for a row.
#[derive(Clone, Debug, PartialEq)]
pub struct Predicted<'a> {
    /// The row, from 0.
    pub row: usize,
    /// The answer.
    pub output: &'a Output,
    /// Who gave it; none for the prior.
    pub version: Option<&'a ModelVersion>,
    /// The truth.
    pub truth: &'a Value,
}

/// Plays the stream. `on_row` is told of every prediction as it is made.
pub fn run(setup: &Setup, mut on_row: impl FnMut(&Predicted<'_>)) -> BacktestResult {
    let start = setup.times.of(0);
    let options = Options { start, forget: true, faults: Faults::default() };
    let mut world = World::new(Cast::production(1), options);
    let loop_id = setup.spec.name.clone();
    world.apply(setup.spec.clone());
    let schema = &setup.spec.schema;
    let mut prior = Prior::new(schema);
    let mut recorder = Recorder::new(schema, setup.spec.training.metric, setup.rows.len());
    for (row, cells) in setup.rows.iter().enumerate() {
        world.advance(setup.times.of(row));
        let (features, target) = cells.split_at(schema.features.len());
        let record = predict(&world, &loop_id, schema, setup.seed, row, features);
        let prior_output = prior.predict();
        let answer = record.scored.first();
        let predicted = Predicted {
            row,
            output: answer.map_or(&prior_output, |s| &s.output),
            version: answer.map(|s| &s.version),
            truth: &target[0],
        };
        recorder.row(&predicted, schema);
        on_row(&predicted);
        world.send(&loop_id, Intake::Prediction, one(IntakeItem::Prediction(record)));
        if let Some(labelled) = row.checked_sub(setup.label_delay) {
            label(&mut world, setup, labelled, &loop_id, &mut prior);
        }
        recorder.log(row, world.log());
    }
    recorder.finish()
}

fn label(world: &mut World, setup: &Setup, row: usize, loop_id: &LoopId, prior: &mut Prior) {
    let schema = &setup.spec.schema;
    let Some(target) = setup.rows.get(row).and_then(|cells| cells.get(schema.features.len())) else { return };
    if let Ok(value) = schema.target_value(target) {
        prior.observe(&value);
    }
    let label = Label {
        prediction_id: id(setup.seed, row),
        label: target.clone(),
        source: LabelSource::Application,
        time: world.now(),
    };
    world.send(loop_id, Intake::Label, one(IntakeItem::Label(label)));
}

/// The record of a row: what every model that the route table names says of it, the answering one first.
fn predict(
    world: &World,
    loop_id: &LoopId,
    schema: &Schema,
    seed: u64,
    row: usize,
    features: &[Value],
) -> PredictionRecord {
    let prediction_id = id(seed, row);
    let position = schema.entity.as_deref().and_then(|name| schema.position(name));
    let entity = position.and_then(|i| features[i].category());
    let key = entity.as_deref().unwrap_or(prediction_id.as_str());
    let mut scored = Vec::new();
    if let Some(routing) = world.router().route(loop_id, key) {
        for deployed in std::iter::once(routing.answer).chain(routing.also) {
            if let Some(model) = world.shelf().model(&deployed.model.artefact) {
                let version = deployed.model.version.clone();
                scored.push(Scored { version, output: model.predict(features) });
            }
        }
    }
    let names = schema.features.iter().map(|f| f.name.clone());
    let features: BTreeMap<String, Value> = names.zip(features.iter().cloned()).collect();
    PredictionRecord { prediction_id, entity, time: world.now(), features, scored }
}

fn id(seed: u64, row: usize) -> PredictionId {
    PredictionId::new(format!("row-{seed}-{row}"))
}

fn one(item: IntakeItem) -> IntakeBatch {
    IntakeBatch { items: vec![item] }
}
