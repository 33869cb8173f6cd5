//! The simulator and the real bus decide alike: the same stream in the same batches, the same kinds of decisions in order.

use std::time::Duration;

use tidemill_domain::sample::LabelSource;
use tidemill_domain::{Label, PredictionRecord, Scored, Span, Timestamp};
use tidemill_events::Intake;
use tidemill_events::intake::{IntakeBatch, IntakeItem};
use tidemill_integration::{TestSystem, wait};
use tidemill_proto::v1::StatusRequest;
use tidemill_proto::v1::predictor_client::PredictorClient;
use tidemill_sim::fault::Faults;
use tidemill_sim::result::decision;
use tidemill_sim::{Cast, Options, World};

use crate::small;

const ROWS: usize = 800;
/// Accepted rows of a batch: those of a segment, so that whatever a batch leads to begins with its last row.
const BATCH: usize = 25;
const START: Timestamp = Timestamp(1_000_000_000_000_000);
/// How long the system may take to do what the simulator did.
const CEILING: Duration = Duration::from_secs(60);

/// The rows of each batch.
fn batches() -> Vec<Vec<usize>> {
    let (mut batches, mut batch) = (Vec::new(), Vec::new());
    for index in 0..ROWS {
        batch.push(index);
        if batch.iter().filter(|i| !small::is_refused(**i)).count() == BATCH {
            batches.push(std::mem::take(&mut batch));
        }
    }
    batches
}

/// The decisions of the simulator, and how many they were after each batch.
fn simulated() -> (Vec<String>, Vec<usize>) {
    let decided =
        |world: &World| -> Vec<String> { world.log().iter().filter_map(|r| decision(&r.event)).collect() };
    let mut counts = Vec::new();
    let spec = small::spec();
    let name = spec.name.clone();
    let options = Options { start: START, forget: false, faults: Faults::default() };
    let mut world = World::new(Cast::production(1), options);
    world.apply(spec);
    for batch in batches() {
        for index in batch.iter().copied() {
            let (row, _) = small::row(index);
            let mut scored = Vec::new();
            if let Some(routing) = world.router().route(&name, row.id.as_str()) {
                for deployed in std::iter::once(routing.answer).chain(routing.also) {
                    let model = world.shelf().model(&deployed.model.artefact).unwrap();
                    let cells: Vec<_> = row.features.iter().map(|f| f.1.clone()).collect();
                    let version = deployed.model.version.clone();
                    scored.push(Scored { version, output: model.predict(&cells) });
                }
            }
            let record = PredictionRecord {
                prediction_id: row.id.clone(),
                entity: None,
                time: world.now(),
                features: small::features(&row),
                scored,
            };
            world.send(
                &name,
                Intake::Prediction,
                IntakeBatch { items: vec![IntakeItem::Prediction(record)] },
            );
        }
        world.advance(world.now() + Span::seconds(1));
        for index in batch {
            let (row, label) = small::row(index);
            let source = LabelSource::Application;
            let label = Label { prediction_id: row.id, label, source, time: world.now() };
            world.send(&name, Intake::Label, IntakeBatch { items: vec![IntakeItem::Label(label)] });
        }
        world.finish_jobs();
        world.advance(world.now() + Span::seconds(1));
        counts.push(decided(&world).len());
    }
    (decided(&world), counts)
}

async fn on_the_bus(counts: &[usize]) -> Vec<String> {
    let system = TestSystem::start().await.unwrap();
    let url = format!("{}/v1/loops", system.system.console_url());
    let applied = reqwest::Client::new().put(url).body(small::LOOP).send().await.unwrap();
    assert!(applied.status().is_success(), "{}", applied.text().await.unwrap());
    let producer = system.producer(small::spec().name).unwrap();
    let mut sent = 0;
    for (batch, count) in batches().into_iter().zip(counts) {
        for index in batch.iter().copied() {
            let (row, _) = small::row(index);
            producer.predict(&row).await.unwrap();
        }
        sent += batch.len();
        observed(&system, sent).await;
        for index in batch {
            let (row, label) = small::row(index);
            producer.label(&row.id, label).await.unwrap();
        }
        decided(&system, *count).await;
        serving(&system).await;
    }
    let decisions = system.log().await.unwrap().iter().filter_map(|r| decision(&r.event)).collect();
    system.stop().await;
    decisions
}

/// Waits until the rows so far are among the accepted ones, apart from those that are refused.
async fn observed(system: &TestSystem, rows: usize) {
    let expected = (0..rows).filter(|i| !small::is_refused(*i)).count();
    let look = || async {
        let clean = system.clean().await.map_err(|e| e.to_string())?;
        let items = clean.iter().filter_map(|r| match &r.event {
            tidemill_events::Event::Clean(items) => Some(items),
            _ => None,
        });
        let seen =
            items.flatten().filter(|i| matches!(i, tidemill_events::sample::CleanItem::Observed(_))).count();
        if seen >= expected { Ok(()) } else { Err(format!("{seen} of {expected} rows were accepted")) }
    };
    wait::until(Duration::from_secs(30), look).await.unwrap();
}

/// Waits until as much was decided as the simulator decided.
async fn decided(system: &TestSystem, count: usize) {
    let look = || async {
        let log = system.log().await.map_err(|e| e.to_string())?;
        let decisions: Vec<String> = log.iter().filter_map(|r| decision(&r.event)).collect();
        if decisions.len() >= count {
            Ok(())
        } else {
            Err(format!("{count} decisions are expected: {decisions:#?}"))
        }
    };
    wait::until(CEILING, look).await.unwrap();
}

/// Waits until the predictor answers by the newest table.
async fn serving(system: &TestSystem) {
    let mut client = PredictorClient::connect(system.system.grpc_url()).await.unwrap();
    let log = system.log().await.unwrap();
    let newest = log.iter().filter_map(|r| match &r.event {
        tidemill_events::Event::Rollout(rollout) => Some(rollout.table.version),
        _ => None,
    });
    let newest = newest.max().unwrap_or(0);
    let end = tokio::time::Instant::now() + CEILING;
    loop {
        let request = StatusRequest { r#loop: "small".to_owned() };
        let status = client.status(request).await.map(tonic::Response::into_inner).unwrap_or_default();
        if newest == 0 || status.loops.first().is_some_and(|l| l.table_version >= newest) {
            return;
        }
        assert!(tokio::time::Instant::now() < end, "the predictor does not take table {newest}: {status:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_simulator_and_the_bus_decide_alike() {
    let (simulated, counts) = simulated();
    let promoted = simulated.iter().filter(|d| *d == "rollout Promoted").count();
    assert!(promoted >= 2, "the stream must be worth comparing: {simulated:#?}");
    let real = on_the_bus(&counts).await;
    assert_eq!(simulated, real);
}
