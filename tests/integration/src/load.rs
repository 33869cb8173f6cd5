//! An application under test: asks for predictions at a rate, and sends each label a while later, until the bus has it.
//!
//! It behaves as a good client: what is not taken is sent again. What was not answered at once is told, so that a test can
//! ask for an application that notices nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tidemill::producer::Producer;
use tidemill_domain::{PredictionId, Value};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};

use crate::{HarnessError, quick};

/// How long to wait before something is sent again.
const AGAIN: Duration = Duration::from_millis(50);
/// Labels that wait for their time or for the bus.
const WAITING: usize = 1_000_000;

/// What is sent.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The first row.
    pub from: usize,
    /// How many rows.
    pub rows: usize,
    /// Rows a second; none sends them as they are answered.
    pub rate: Option<u32>,
    /// How long after its prediction a label is known.
    pub label_after: Duration,
}

/// What became of it, as the application saw it.
#[derive(Clone, Debug, Default)]
pub struct Sent {
    /// The rows that were taken, and when.
    pub ids: BTreeMap<PredictionId, Instant>,
    /// Rows that a model answered.
    pub answered: usize,
    /// Rows that were taken without an answer.
    pub unanswered: usize,
    /// What went wrong at first, predictions only.
    pub failures: Vec<String>,
    /// The longest time that an answer took.
    pub slowest: Duration,
}

/// An application that runs.
#[derive(Debug)]
pub struct Load {
    sent: Arc<AtomicUsize>,
    predicting: JoinHandle<Sent>,
    labelling: JoinHandle<()>,
}

impl Load {
    /// Begins.
    #[must_use]
    pub fn start(producer: Producer, plan: Plan) -> Self {
        let sent = Arc::new(AtomicUsize::new(0));
        let (due, labels) = mpsc::channel(WAITING);
        let predicting = tokio::spawn(predict(producer.clone(), plan, Arc::clone(&sent), due));
        let labelling = tokio::spawn(label(producer, labels));
        Self { sent, predicting, labelling }
    }

    /// Rows sent so far.
    #[must_use]
    pub fn sent(&self) -> usize {
        self.sent.load(Ordering::Relaxed)
    }

    /// Waits until every row and every label was sent.
    ///
    /// # Errors
    /// When a part of it broke.
    pub async fn finish(self) -> Result<Sent, HarnessError> {
        let broke = |e: tokio::task::JoinError| HarnessError::Other(format!("the load broke: {e}"));
        let sent = self.predicting.await.map_err(broke)?;
        self.labelling.await.map_err(broke)?;
        Ok(sent)
    }
}

async fn predict(
    producer: Producer,
    plan: Plan,
    progress: Arc<AtomicUsize>,
    labels: mpsc::Sender<(Instant, PredictionId, Value)>,
) -> Sent {
    let mut sent = Sent::default();
    let mut ticks = plan.rate.map(|rate| {
        let mut ticks = interval(Duration::from_secs(1) / rate.max(1));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        ticks
    });
    for index in plan.from..plan.from + plan.rows {
        if let Some(ticks) = &mut ticks {
            ticks.tick().await;
        }
        let (row, truth) = quick::row(index);
        loop {
            let asked = Instant::now();
            let answer = producer.predict(&row).await;
            sent.slowest = sent.slowest.max(asked.elapsed());
            match answer {
                Ok(answer) => {
                    let count = if answer.is_some() { &mut sent.answered } else { &mut sent.unanswered };
                    *count += 1;
                    break;
                }
                Err(error) => sent.failures.push(format!("{}: {}", row.id, tidemill_bus::chain(&error))),
            }
            sleep(AGAIN).await;
        }
        sent.ids.insert(row.id.clone(), Instant::now());
        progress.fetch_add(1, Ordering::Relaxed);
        // The other end goes on for as long as there is anything to send.
        let _ = labels.send((Instant::now() + plan.label_after, row.id, truth)).await;
    }
    sent
}

async fn label(producer: Producer, mut labels: mpsc::Receiver<(Instant, PredictionId, Value)>) {
    while let Some((due, id, truth)) = labels.recv().await {
        sleep_until(due).await;
        while producer.label(&id, truth.clone()).await.is_err() {
            sleep(AGAIN).await;
        }
    }
}
