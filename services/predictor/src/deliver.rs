//! From the spool to the bus: in order for each loop, again and again until the bus has it.
//!
//! A message has the hash of its rows for an id, so that the broker drops it when it comes twice. After a restart the same
//! rows may come in other messages; then their prediction ids tell. This module must not know how rows are kept.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tidemill_bus::{Backoff, Bus, Error, chain};
use tidemill_domain::hash::hash_parts;
use tidemill_domain::{Code, LoopId};
use tidemill_events::envelope::header;
use tidemill_events::wire::JSON;
use tidemill_events::{Intake, Subject, Topic};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use crate::counted::{Counted, Shed};
use crate::spool::line::Row;
use crate::spool::{Batch, Cursor, Spool};

/// Rows in a message.
const MAX_ROWS: usize = 1_000;
/// Bytes in a message, unless one row is larger.
const MAX_BYTES: usize = 256 << 10;
/// How often it is looked whether rows wait that should outlive a power cut.
const SYNCED: Duration = Duration::from_secs(1);

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
        if !self.bus.is_connected() {
            // The client would hold every try in memory until the broker is back.
            return Err(Error::Publish { subject: subject.to_string(), source: "the bus is away".into() });
        }
        let source = format!("predictor/{}", self.owner.replace(char::is_control, ""));
        let headers = [(header::CONTENT_TYPE, JSON), (header::SOURCE, source.as_str())];
        self.bus.publish_raw(&subject.to_string(), Some(id), &headers, lines.into()).await.map(drop)
    }
}

/// Delivers until `finish`, and then until nothing is left.
pub(crate) async fn deliver<S: Sink>(
    spool: Arc<Spool>,
    sink: Arc<S>,
    counted: Counted,
    finish: CancellationToken,
) {
    let mut cursor = spool.cursor();
    let mut backoff = Backoff::default();
    loop {
        let (reading, mut at) = (Arc::clone(&spool), cursor);
        let read = spawn_blocking(move || {
            let batch = next(&reading, &mut at);
            (at, batch)
        });
        // It fails only when the runtime ends.
        let Ok((at, batch)) = read.await else { return };
        cursor = at;
        let batch = match batch {
            Ok(batch) => batch,
            Err(error) => {
                counted.disk_failures.inc();
                error!(error = chain(&error), "the spool can be neither read nor passed over");
                sleep(backoff.pause()).await;
                continue;
            }
        };
        backoff.reset();
        if batch.is_empty() {
            if finish.is_cancelled() {
                return;
            }
            tokio::select! {
                () = spool.news.notified() => {}
                () = finish.cancelled() => {}
            }
            continue;
        }
        if batch.damaged > 0 {
            error!(rows = batch.damaged, "predictions in the spool are damaged, they are shed");
            counted.shed(Shed::SpoolDamaged, batch.damaged);
        }
        publish_all(batch.rows, &sink, &counted).await;
        let (spool, upto) = (Arc::clone(&spool), batch.upto);
        if spawn_blocking(move || spool.delivered(upto)).await.is_err() {
            return;
        }
    }
}

fn next(spool: &Spool, cursor: &mut Cursor) -> io::Result<Batch> {
    spool.read(cursor).or_else(|error| {
        error!(error = chain(&error), "a file of the spool cannot be read, it is passed over");
        spool.pass_over(cursor)
    })
}

/// Sees that what waits outlives a power cut.
pub(crate) async fn sync(spool: Arc<Spool>) {
    let mut ticks = interval(SYNCED);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let spool = Arc::clone(&spool);
        if spawn_blocking(move || spool.sync()).await.is_err() {
            return;
        }
    }
}

struct Message {
    lines: Vec<u8>,
    rows: usize,
}

/// Publishes all rows: those of a loop in order, loops side by side.
async fn publish_all<S: Sink>(rows: Vec<Row>, sink: &Arc<S>, counted: &Counted) {
    let mut loops = JoinSet::new();
    for (loop_id, messages) in pack(rows) {
        let (sink, counted) = (Arc::clone(sink), counted.clone());
        loops.spawn(async move {
            let subject = Subject::new(loop_id, Topic::Intake(Intake::Prediction));
            for message in messages {
                publish(&*sink, &subject, message, &counted).await;
            }
        });
    }
    while loops.join_next().await.is_some() {}
}

fn pack(rows: Vec<Row>) -> BTreeMap<LoopId, Vec<Message>> {
    let mut packed: BTreeMap<LoopId, Vec<Message>> = BTreeMap::new();
    for Row { loop_id, json } in rows {
        let messages = packed.entry(loop_id).or_default();
        let room = |m: &&mut Message| m.rows < MAX_ROWS && m.lines.len() + json.len() < MAX_BYTES;
        match messages.last_mut().filter(room) {
            Some(message) => {
                message.lines.extend(json);
                message.lines.push(b'\n');
                message.rows += 1;
            }
            None => {
                let mut lines = json;
                lines.push(b'\n');
                messages.push(Message { lines, rows: 1 });
            }
        }
    }
    packed
}

/// Publishes until the bus has the message, or will never take it.
async fn publish<S: Sink>(sink: &S, subject: &Subject, message: Message, counted: &Counted) {
    let hash = hash_parts([b"predictions".as_slice(), &message.lines]);
    let id = hash.as_str().get(..32).unwrap_or_default();
    let rows = message.rows as u64;
    let mut backoff = Backoff::default();
    loop {
        match sink.publish(subject, id, message.lines.clone()).await {
            Ok(()) => {
                counted.logged.inc_by(rows);
                return;
            }
            // A permission may yet be given, and the broker replaced; these two are in the message itself.
            Err(failed @ (Error::TooLarge { .. } | Error::Encode { .. })) => {
                error!(%subject, rows, error = chain(&failed), "{} predictions are not logged", Code::PredictionsLost);
                counted.shed(Shed::Refused, rows);
                return;
            }
            Err(failed) => {
                warn!(%subject, rows, error = chain(&failed), "logging predictions is tried again");
            }
        }
        sleep(backoff.pause()).await;
    }
}
