//! The prediction log on its way to the spool. Nobody waits for it: an answer is given whatever becomes of its record.
//!
//! Records wait in a queue that is bounded by number and size; beyond it they are shed and counted. They are taken out in
//! batches, scored by the models that are not heard, and written down in their order. This module must not know of the bus.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tidemill_domain::{LoopId, PredictionRecord};
use tidemill_events::intake::encode_prediction;
use tidemill_events::wire::Weigh;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::counted::{Counted, Shed};
use crate::serving::Scorer;
use crate::spool::Spool;
use crate::spool::line::Row;

/// Records in a batch.
const BATCH: usize = 100;
/// How long a batch waits for more records.
const HELD: Duration = Duration::from_millis(10);
/// Batches that are scored at once.
const SCORED_AT_ONCE: usize = 4;

/// A record that shall reach the bus.
pub(crate) struct Entry {
    pub(crate) loop_id: LoopId,
    /// With the answer, if there was one.
    pub(crate) record: PredictionRecord,
    /// Who scores the row beside.
    pub(crate) also: Vec<Arc<Scorer>>,
}

/// The end of the queue that takes. Clones share it.
#[derive(Clone)]
pub(crate) struct Journal {
    queue: mpsc::Sender<Entry>,
    load: Arc<Load>,
    counted: Counted,
}

/// What waits or is under way.
#[derive(Debug)]
struct Load {
    rows: AtomicUsize,
    bytes: AtomicUsize,
    max_bytes: usize,
}

impl Load {
    fn take_off(&self, rows: usize, bytes: usize, counted: &Counted) {
        let before = self.rows.fetch_sub(rows, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        counted.queue.set(i64::try_from(before - rows).unwrap_or(i64::MAX));
    }
}

/// A queue for so many records and bytes, and its other end.
pub(crate) fn journal(rows: usize, max_bytes: usize, counted: Counted) -> (Journal, Writer) {
    let (queue, entries) = mpsc::channel(rows);
    let load = Arc::new(Load { rows: AtomicUsize::new(0), bytes: AtomicUsize::new(0), max_bytes });
    let journal = Journal { queue, load: Arc::clone(&load), counted: counted.clone() };
    (journal, Writer { entries, load, counted })
}

impl Journal {
    /// Takes a record, or sheds it.
    pub(crate) fn put(&self, entry: Entry) {
        let bytes = entry.record.weigh();
        let load = &self.load;
        load.rows.fetch_add(1, Ordering::Relaxed);
        let had = load.bytes.fetch_add(bytes, Ordering::Relaxed);
        if had + bytes > load.max_bytes || self.queue.try_send(entry).is_err() {
            load.take_off(1, bytes, &self.counted);
            self.counted.shed(Shed::QueueFull, 1);
        }
    }
}

/// The end of the queue that gives.
pub(crate) struct Writer {
    entries: mpsc::Receiver<Entry>,
    load: Arc<Load>,
    counted: Counted,
}

/// Rows ready to be written down, and what they weighed in the queue.
struct Scored {
    rows: Vec<Row>,
    weight: usize,
}

impl Writer {
    /// Writes down until `stop`, and then what is left.
    pub(crate) async fn run(self, spool: Arc<Spool>, stop: CancellationToken) {
        let Self { mut entries, load, counted } = self;
        // Scoring takes time; neither requests nor other batches wait for it, but all are written in their order.
        let (scoring, mut scored) = mpsc::channel::<JoinHandle<Scored>>(SCORED_AT_ONCE);
        let counts = counted.clone();
        let scoring_all = async move {
            while let Some(batch) = next_batch(&mut entries, &stop).await {
                let counted = counts.clone();
                if scoring.send(spawn_blocking(move || score(batch, &counted))).await.is_err() {
                    return;
                }
            }
        };
        let writing_all = async {
            while let Some(batch) = scored.recv().await {
                // It fails only when the runtime ends.
                let Ok(Scored { rows, weight }) = batch.await else { return };
                let (spool, n_rows) = (Arc::clone(&spool), rows.len());
                if spawn_blocking(move || spool.append(&rows)).await.is_err() {
                    return;
                }
                load.take_off(n_rows, weight, &counted);
            }
        };
        tokio::join!(scoring_all, writing_all);
    }
}

/// The next records: as many as come within a short while. None when it is time to stop and nothing is left.
async fn next_batch(entries: &mut mpsc::Receiver<Entry>, stop: &CancellationToken) -> Option<Vec<Entry>> {
    let mut batch = Vec::new();
    tokio::select! {
        n_read = entries.recv_many(&mut batch, BATCH) => {
            if n_read == 0 {
                return None;
            }
        }
        () = stop.cancelled() => {
            entries.close();
            entries.recv_many(&mut batch, BATCH).await;
        }
    }
    let until = Instant::now() + HELD;
    while batch.len() < BATCH {
        let room = BATCH - batch.len();
        match timeout_at(until, entries.recv_many(&mut batch, room)).await {
            Ok(n_read) if n_read > 0 => {}
            Ok(_) | Err(_) => break,
        }
    }
    (!batch.is_empty()).then_some(batch)
}

/// Lets everybody score who is to.
fn score(batch: Vec<Entry>, counted: &Counted) -> Scored {
    let mut weight = 0;
    let row = |Entry { loop_id, mut record, also }: Entry| {
        weight += record.weigh();
        for scorer in also {
            match catch_unwind(AssertUnwindSafe(|| scorer.score(&record))) {
                Ok(scored) => record.scored.push(scored),
                Err(_) => counted.shed(Shed::ScorerFailed, 1),
            }
        }
        Row { loop_id, json: encode_prediction(&record) }
    };
    let rows = batch.into_iter().map(row).collect();
    Scored { rows, weight }
}
