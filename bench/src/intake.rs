//! Rows a second from intake to a dataset, beside what JetStream alone carries of the same messages in the same run.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::StreamExt;
use tempfile::TempDir;
use tidemill::system::{Options, System};
use tidemill_bus::{Bus, clock};
use tidemill_domain::sample::LabelSource;
use tidemill_domain::{Label, LoopId, PredictionRecord};
use tidemill_events::intake::{encode_label, encode_prediction};
use tidemill_events::{Intake, Subject, Topic};

use crate::{BenchError, stream};

const ROWS: usize = 100_000;
/// Rows a message.
const BATCH: usize = 100;
/// Rows of a segment, where no number of new labels starts a turn; what does not fill one waits for its age.
const SEGMENT: usize = 250;
/// How often the broker alone carries all messages.
const ROUNDS: usize = 10;
/// Messages that may wait for their acknowledgement.
const UNDER_WAY: usize = 64;

pub(crate) async fn main() -> Result<String, BenchError> {
    let folder = TempDir::new()?;
    let mut system = System::start(Options::on_free_ports(folder.path())).await?;
    system.ready(Duration::from_secs(60)).await?;
    let console = system.console_url();
    // More labels than there are rows, so that no turn takes part of the machine.
    let file = stream::loop_file("bench", 4 * ROWS as u64).replace("new_labels: 400000", "every: 24h");
    let applied = reqwest::Client::new().put(format!("{console}/v1/loops")).body(file).send().await?;
    applied.error_for_status()?;
    let bus = system.context().bus.clone();
    let (loop_id, unknown) = (name("bench")?, name("alone")?);
    let messages = messages();

    // The same messages under a loop that nobody has applied would be refused row by row, so the broker is measured on its own.
    let alone = TempDir::new()?;
    let server =
        tidemill_bus::NatsServer::start(alone.path()).await.map_err(|e| BenchError::Other(e.to_string()))?;
    let config =
        tidemill_bus::BusConfig { url: server.url().to_owned(), credentials: None, name: "bench".to_owned() };
    let quiet = Bus::connect(config).await?;
    tidemill_bus::provision(&quiet, &tidemill_bus::Provision::default()).await?;
    let limit = carried(&quiet, server.url(), &unknown, &messages).await?;
    server.stop().await;

    let started = Instant::now();
    send(&bus, &loop_id, &messages).await?;
    let sent = started.elapsed().as_secs_f64();
    let full = (ROWS / SEGMENT * SEGMENT) as u64;
    let end = Instant::now() + Duration::from_secs(300);
    loop {
        let status: serde_json::Value =
            reqwest::get(format!("{console}/v1/loops/bench")).await?.json().await?;
        let rows = status["dataset"]["rows"].as_u64().unwrap_or(0);
        if rows >= full {
            break;
        }
        if Instant::now() > end {
            return Err(BenchError::Other(format!(
                "{rows} of {full} rows are in the dataset after five minutes"
            )));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let rate = ROWS as f64 / started.elapsed().as_secs_f64();
    system.stop().await;
    Ok(format!(
        "  {rate:>10.0} labelled rows/s from intake to dataset ({BATCH} rows a message; sent in {sent:.1} s)\n  \
         {limit:>10.0} labelled rows/s that JetStream alone carries to a consumer\n  {:>10.2} of it\n",
        rate / limit
    ))
}

fn name(text: &str) -> Result<LoopId, BenchError> {
    LoopId::new(text).map_err(|e| BenchError::Other(e.to_string()))
}

/// Messages of predictions, each followed by the message of their labels.
fn messages() -> Vec<(Intake, Bytes)> {
    let rows = stream::rows(ROWS);
    let mut messages = Vec::new();
    for (number, batch) in rows.chunks(BATCH).enumerate() {
        let id = |index: usize| stream::id("row", number * BATCH + index);
        let (mut predictions, mut labels) = (Vec::new(), Vec::new());
        for (index, cells) in batch.iter().enumerate() {
            let record = PredictionRecord {
                prediction_id: id(index),
                entity: None,
                time: clock::now(),
                features: stream::features(cells).into_iter().collect(),
                scored: vec![],
            };
            let label = cells[stream::FEATURES].clone();
            let source = LabelSource::Application;
            predictions.push(encode_prediction(&record));
            labels.push(encode_label(&Label { prediction_id: id(index), label, source, time: clock::now() }));
        }
        messages.push((Intake::Prediction, lines(&predictions)));
        messages.push((Intake::Label, lines(&labels)));
    }
    messages
}

fn lines(records: &[Vec<u8>]) -> Bytes {
    Bytes::from(records.join(&b'\n'))
}

/// Labelled rows a second that JetStream alone stores and hands to one consumer, of the same messages over and over: long
/// enough that they do not just lie in a buffer.
async fn carried(
    bus: &Bus,
    url: &str,
    loop_id: &LoopId,
    messages: &[(Intake, Bytes)],
) -> Result<f64, BenchError> {
    let wrong = |e: &dyn std::fmt::Display| BenchError::Other(format!("JetStream alone: {e}"));
    let client = async_nats::connect(url).await.map_err(|e| wrong(&e))?;
    let stream = tidemill_events::stream::Stream::Intake.name();
    let stream = async_nats::jetstream::new(client).get_stream(stream).await.map_err(|e| wrong(&e))?;
    let config = async_nats::jetstream::consumer::pull::OrderedConfig::default();
    let consumer = stream.create_consumer(config).await.map_err(|e| wrong(&e))?;
    let mut arriving = consumer.messages().await.map_err(|e| wrong(&e))?;
    let expected = ROUNDS * messages.len();
    let started = Instant::now();
    let sending = async {
        for _ in 0..ROUNDS {
            send(bus, loop_id, messages).await?;
        }
        Ok::<(), BenchError>(())
    };
    let receiving = async {
        for _ in 0..expected {
            match arriving.next().await {
                Some(Ok(_)) => {}
                Some(Err(e)) => return Err(wrong(&e)),
                None => return Err(wrong(&"the consumer ended")),
            }
        }
        Ok(())
    };
    tokio::try_join!(sending, receiving)?;
    Ok((ROUNDS * ROWS) as f64 / started.elapsed().as_secs_f64())
}

async fn send(bus: &Bus, loop_id: &LoopId, messages: &[(Intake, Bytes)]) -> Result<(), BenchError> {
    let sending = messages.iter().map(|(kind, payload)| {
        let subject = Subject::new(loop_id.clone(), Topic::Intake(*kind)).to_string();
        async move { bus.publish_raw(&subject, None, &[], payload.clone()).await }
    });
    let mut sending = futures::stream::iter(sending).buffered(UNDER_WAY);
    while let Some(stored) = sending.next().await {
        stored?;
    }
    Ok(())
}
