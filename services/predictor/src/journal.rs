//! The prediction log on its way to the bus. Nobody waits for it: an answer is given whatever becomes of its record.
//!
//! Records wait in a queue that is bounded by number and size; beyond it they are shed and counted. A few writers take
//! them out in batches, let the models score them that are not heard, and publish until the bus has them.

use std::collections::BTreeMap;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tidemill_bus::{Backoff, Bus, Error, chain};
use tidemill_domain::hash::hash_parts;
use tidemill_domain::{LoopId, PredictionRecord};
use tidemill_events::envelope::header;
use tidemill_events::intake::encode_prediction;
use tidemill_events::wire::{JSON, Weigh};
use tidemill_events::{Intake, Subject, Topic};
use tokio::sync::{Mutex, mpsc};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use crate::counted::{Counted, Shed};
use crate::serving::Scorer;

/// Records in a message.
const BATCH: usize = 100;
/// How long a message waits for more records.
const HELD: Duration = Duration::from_millis(10);
/// Bytes in a message, unless one record is larger.
const BATCH_BYTES: usize = 256 << 10;
/// Messages under way at once.
const WRITERS: usize = 4;

/// Where the log goes.
pub trait Sink: Send + Sync + 'static {
    /// Publishes records as lines of JSON; the same `id` again has no further effect.
    ///
    /// # Errors
    /// When nobody has said that they are stored.
    fn publish(
        &self,
        subject: &Subject,
        id: &str,
        lines: Vec<u8>,
    ) -> impl Future<Output = Result<(), Error>> + Send;
}

/// The bus, and the name under which the predictor writes.
#[derive(Debug)]
pub(crate) struct BusSink {
    pub(crate) bus: Bus,
    pub(crate) owner: String,
}

impl Sink for BusSink {
    async fn publish(&self, subject: &Subject, id: &str, lines: Vec<u8>) -> Result<(), Error> {
        let source = format!("predictor/{}", self.owner.replace(char::is_control, ""));
        let headers = [(header::CONTENT_TYPE, JSON), (header::SOURCE, source.as_str())];
        self.bus.publish_raw(&subject.to_string(), Some(id), &headers, lines.into()).await.map(drop)
    }
}

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
pub(crate) fn journal(rows: usize, max_bytes: usize, counted: Counted) -> (Journal, Writers) {
    let (queue, entries) = mpsc::channel(rows);
    let load = Arc::new(Load { rows: AtomicUsize::new(0), bytes: AtomicUsize::new(0), max_bytes });
    let journal = Journal { queue, load: Arc::clone(&load), counted: counted.clone() };
    (journal, Writers { entries: Arc::new(Mutex::new(entries)), load, counted })
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
pub(crate) struct Writers {
    entries: Arc<Mutex<mpsc::Receiver<Entry>>>,
    load: Arc<Load>,
    counted: Counted,
}

impl Writers {
    /// Writes until `stop`, and then for at most `drain` what is left. What is left after that is shed.
    pub(crate) async fn run<S: Sink>(self, sink: Arc<S>, stop: CancellationToken, drain: Duration) {
        let mut writers = tokio::task::JoinSet::new();
        for _ in 0..WRITERS {
            let (entries, load, counted) =
                (Arc::clone(&self.entries), Arc::clone(&self.load), self.counted.clone());
            let (sink, stop) = (Arc::clone(&sink), stop.clone());
            writers.spawn(async move {
                while let Some(batch) = next_batch(&entries, &stop).await {
                    write(batch, &*sink, &load, &counted).await;
                }
            });
        }
        stop.cancelled().await;
        let until = Instant::now() + drain;
        while let Ok(Some(_)) = timeout_at(until, writers.join_next()).await {}
        writers.shutdown().await;
        let left = self.load.rows.load(Ordering::Relaxed);
        if left > 0 {
            error!(rows = left, "predictions were not logged before the end");
            self.counted.shed(Shed::Stopped, left as u64);
        }
    }
}

/// The next records: as many as come within a short while. None when it is time to stop and nothing is left.
async fn next_batch(entries: &Mutex<mpsc::Receiver<Entry>>, stop: &CancellationToken) -> Option<Vec<Entry>> {
    let mut entries = entries.lock().await;
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

async fn write<S: Sink>(batch: Vec<Entry>, sink: &S, load: &Load, counted: &Counted) {
    let counts = counted.clone();
    // Scoring takes time; requests must not wait for it.
    let scored = tokio::task::spawn_blocking(move || messages(batch, &counts)).await;
    let messages = match scored {
        Ok(messages) => messages,
        // Only when the runtime ends.
        Err(_) => return,
    };
    for message in messages {
        publish(sink, &message, counted).await;
        load.take_off(message.rows, message.weight, counted);
    }
}

struct Message {
    subject: Subject,
    lines: Vec<u8>,
    rows: usize,
    weight: usize,
}

/// Lets everybody score who is to, and packs the records by loop and size.
fn messages(batch: Vec<Entry>, counted: &Counted) -> Vec<Message> {
    let mut open: BTreeMap<LoopId, Message> = BTreeMap::new();
    let mut done = Vec::new();
    for Entry { loop_id, mut record, also } in batch {
        let weight = record.weigh();
        for scorer in also {
            match catch_unwind(AssertUnwindSafe(|| scorer.score(&record))) {
                Ok(scored) => record.scored.push(scored),
                Err(_) => counted.shed(Shed::ScorerFailed, 1),
            }
        }
        let line = encode_prediction(&record);
        if let Some(full) =
            open.get(&loop_id).filter(|m| m.lines.len() + line.len() >= BATCH_BYTES).map(|_| loop_id.clone())
        {
            done.extend(open.remove(&full));
        }
        let message = open.entry(loop_id).or_insert_with_key(|loop_id| Message {
            subject: Subject::new(loop_id.clone(), Topic::Intake(Intake::Prediction)),
            lines: Vec::new(),
            rows: 0,
            weight: 0,
        });
        message.lines.extend(line);
        message.lines.push(b'\n');
        message.rows += 1;
        message.weight += weight;
    }
    done.extend(open.into_values());
    done
}

/// Publishes until the bus has the message, or refuses it for good.
async fn publish<S: Sink>(sink: &S, message: &Message, counted: &Counted) {
    let hash = hash_parts([b"predictions".as_slice(), &message.lines]);
    let id = hash.as_str().get(..32).unwrap_or_default();
    let mut backoff = Backoff::default();
    loop {
        match sink.publish(&message.subject, id, message.lines.clone()).await {
            Ok(()) => {
                counted.logged.inc_by(message.rows as u64);
                return;
            }
            Err(failed) if failed.is_fatal() => {
                error!(subject = %message.subject, rows = message.rows, error = chain(&failed), "predictions are not logged");
                counted.shed(Shed::Refused, message.rows as u64);
                return;
            }
            Err(failed) => {
                warn!(subject = %message.subject, error = chain(&failed), "logging predictions is tried again")
            }
        }
        tokio::time::sleep(backoff.pause()).await;
    }
}
