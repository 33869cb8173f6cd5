//! The work queue: trials that many workers pull side by side, each kept alive by progress while it runs.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::AckKind;
use async_nats::jetstream::consumer::PullConsumer;
use async_nats::jetstream::message::{Acker, Message};
use futures::StreamExt;
use tidemill_events::stream::{Stream, WORKERS};
use tidemill_events::training::TrialJob;
use tidemill_events::{Event, Recorded};
use tokio::task::JoinHandle;
use tracing::debug;

use crate::connect::Bus;
use crate::error::{Cause, Error, chain};
use crate::message::{Stored, timestamp};
use crate::read::Poison;
use crate::trace::TraceParent;

/// A delivery beyond this one is not tried any more: whatever it is, it takes its workers down.
pub const MAX_TRIES: u64 = 3;

/// Hands out work.
#[derive(Clone, Debug)]
pub struct WorkQueue {
    bus: Bus,
    consumer: PullConsumer,
    progress: Duration,
}

/// What was pulled.
#[derive(Debug)]
pub enum Pulled {
    /// A trial to run.
    Work(Box<Work>),
    /// A message that is no trial; it was told and taken off the queue.
    Poison(Poison),
}

/// A trial, ours until it is dropped.
#[derive(Debug)]
pub struct Work {
    /// What to run.
    pub job: TrialJob,
    /// The request for it.
    pub request: Recorded,
    /// The trace that it belongs to.
    pub trace: Option<TraceParent>,
    /// How often it was handed out, from 1.
    pub delivery: u64,
    held: Held,
}

/// Tells the broker that the work goes on, until dropped; then it is handed out again after a while.
struct Held {
    acker: Arc<Acker>,
    progress: JoinHandle<()>,
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held").finish_non_exhaustive()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.progress.abort();
    }
}

impl WorkQueue {
    /// Opens the queue that provisioning made.
    ///
    /// # Errors
    /// When it does not exist or the broker does not answer.
    pub async fn open(bus: &Bus) -> Result<Self, Error> {
        let stream = bus.stream(Stream::Work.name()).await?;
        let consumer: PullConsumer = stream.get_consumer(WORKERS).await.map_err(|e| {
            let api = format!("$JS.API.CONSUMER.INFO.{}.{WORKERS}", Stream::Work.name());
            bus.explain(&api, failed(e))
        })?;
        let progress = consumer.cached_info().config.ack_wait / 3;
        Ok(Self { bus: bus.clone(), consumer, progress })
    }

    /// The next work, if there is any within `wait`.
    ///
    /// # Errors
    /// When the broker does not let us pull.
    pub async fn next(&self, wait: Duration) -> Result<Option<Pulled>, Error> {
        let pull = self.consumer.batch().max_messages(1).expires(wait).messages();
        let mut messages = pull.await.map_err(|e| self.explain(failed(e.into())))?;
        match messages.next().await {
            None => Ok(None),
            Some(Err(e)) => Err(self.explain(failed(e))),
            Some(Ok(message)) => self.pulled(message).await.map(Some),
        }
    }

    fn explain(&self, error: Error) -> Error {
        let api = format!("$JS.API.CONSUMER.MSG.NEXT.{}.{WORKERS}", Stream::Work.name());
        self.bus.explain(&api, error)
    }

    async fn pulled(&self, message: Message) -> Result<Pulled, Error> {
        let (sequence, delivery, time) = match message.info() {
            Ok(info) => {
                (info.stream_sequence, u64::try_from(info.delivered).unwrap_or(1), timestamp(info.published))
            }
            Err(e) => return Err(failed(e)),
        };
        let (message, acker) = message.split();
        let stored = Stored {
            subject: &message.subject,
            sequence,
            time,
            headers: message.headers.as_ref(),
            payload: &message.payload,
        };
        let reason = match stored.decode(None) {
            Ok(request) => {
                if let Event::Work(job) = &request.event {
                    let job = (**job).clone();
                    let held = Held::new(acker, self.progress);
                    return Ok(Pulled::Work(Box::new(Work {
                        job,
                        request,
                        trace: stored.trace(),
                        delivery,
                        held,
                    })));
                }
                format!("expected a trial, found {}", request.event.type_name())
            }
            Err(error) => chain(&*error),
        };
        let poison = Poison::new(Stream::Work, &stored, reason);
        // First it is told, then it is gone; if it cannot be told, it is handed out again.
        self.bus.dead_letter(WORKERS, &poison).await?;
        acker.ack_with(AckKind::Term).await.map_err(|source| acknowledge(sequence, source))?;
        Ok(Pulled::Poison(poison))
    }
}

impl Work {
    /// Whether it was tried often enough: report a failure instead of running it.
    #[must_use]
    pub fn is_exhausted(&self) -> bool {
        self.delivery > MAX_TRIES
    }

    /// Takes it off the queue, once its result is on the log.
    ///
    /// # Errors
    /// When the broker does not confirm it; then it may be handed out again.
    pub async fn done(self) -> Result<(), Error> {
        self.held.acker.double_ack().await.map_err(|source| acknowledge(self.request.sequence, source))
    }

    /// Gives it back at once, for another worker.
    ///
    /// # Errors
    /// When the broker cannot be told; then it is handed out again after a while.
    pub async fn give_back(self) -> Result<(), Error> {
        let answer = self.held.acker.ack_with(AckKind::Nak(None)).await;
        answer.map_err(|source| acknowledge(self.request.sequence, source))
    }
}

impl Held {
    fn new(acker: Acker, every: Duration) -> Self {
        let acker = Arc::new(acker);
        let kept = Arc::clone(&acker);
        let progress = tokio::spawn(async move {
            loop {
                tokio::time::sleep(every).await;
                if let Err(error) = kept.ack_with(AckKind::Progress).await {
                    debug!(%error, "cannot tell the broker that work goes on");
                }
            }
        });
        Self { acker, progress }
    }
}

fn failed(source: Cause) -> Error {
    Error::Consume { stream: Stream::Work.name(), filter: WORKERS.to_owned(), source }
}

fn acknowledge(sequence: u64, source: Cause) -> Error {
    Error::Acknowledge { stream: Stream::Work.name(), sequence, source }
}
