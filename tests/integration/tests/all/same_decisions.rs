//! The simulator and the real bus decide alike: the same stream in the same batches, the same kinds of decisions in order.

use std::time::Duration;

use tidemill_domain::sample::LabelSource;
use tidemill_domain::{Label, PredictionRecord, Scored, Span, Timestamp};
use tidemill_events::Intake;
use tidemill_events::intake::{IntakeBatch, IntakeItem};
use tidemill_integration::{TestSystem, wait};
use tidemill_sim::fault::Faults;
use tidemill_sim::result::decision;
use tidemill_sim::{Cast, Options, World};

use crate::small;

const ROWS: usize = 800;
const BATCH: usize = 50;
const START: Timestamp = Timestamp(1_000_000_000_000_000);
/// The log is quiet when it has not grown for so long.
const QUIET: Duration = Duration::from_millis(1_500);

fn simulated() -> Vec<String> {
    let spec = small::spec();
    let name = spec.name.clone();
    let options = Options { start: START, forget: false, faults: Faults::default() };
    let mut world = World::new(Cast::production(1), options);
    world.apply(spec);
    for batch in (0..ROWS).step_by(BATCH) {
        for index in batch..batch + BATCH {
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
        for index in batch..batch + BATCH {
            let (row, label) = small::row(index);
            let source = LabelSource::Application;
            let label = Label { prediction_id: row.id, label, source, time: world.now() };
            world.send(&name, Intake::Label, IntakeBatch { items: vec![IntakeItem::Label(label)] });
        }
        world.finish_jobs();
        world.advance(world.now() + Span::seconds(1));
    }
    world.log().iter().filter_map(|r| decision(&r.event)).collect()
}

async fn on_the_bus() -> Vec<String> {
    let system = TestSystem::start().await.unwrap();
    let url = format!("{}/v1/loops", system.system.console_url());
    let applied = reqwest::Client::new().put(url).body(small::LOOP).send().await.unwrap();
    assert!(applied.status().is_success(), "{}", applied.text().await.unwrap());
    quiet(&system).await;
    let producer = system.producer(small::spec().name).unwrap();
    for batch in (0..ROWS).step_by(BATCH) {
        for index in batch..batch + BATCH {
            let (row, _) = small::row(index);
            producer.predict(&row).await.unwrap();
        }
        observed(&system, batch + BATCH).await;
        for index in batch..batch + BATCH {
            let (row, label) = small::row(index);
            producer.label(&row.id, label).await.unwrap();
        }
        quiet(&system).await;
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

/// Waits until nothing is decided any more.
async fn quiet(system: &TestSystem) {
    let mut last = (0, tokio::time::Instant::now());
    let end = tokio::time::Instant::now() + Duration::from_secs(60);
    while last.1.elapsed() < QUIET {
        let n_events = system.log().await.unwrap().len();
        if n_events != last.0 {
            last = (n_events, tokio::time::Instant::now());
        }
        assert!(tokio::time::Instant::now() < end, "the log does not come to rest");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_simulator_and_the_bus_decide_alike() {
    let simulated = simulated();
    let promoted = simulated.iter().filter(|d| *d == "rollout Promoted").count();
    assert!(promoted >= 2, "the stream must be worth comparing: {simulated:#?}");
    let real = on_the_bus().await;
    assert_eq!(simulated, real);
}
