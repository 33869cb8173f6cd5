//! Reading a stream in order from a place that the reader chooses, without any trace of it on the broker.
//!
//! An ordered input is not read with a durable: after a crash that would hand its new owner newer messages first and the
//! unacknowledged ones after `ack_wait`. Here the reader knows the next sequence; its consumer on the broker is ephemeral,
//! acknowledges nothing, and is made anew at that sequence whenever a message is missed.

use std::time::Duration;

use async_nats::jetstream::consumer::pull::{Config, Stream as Messages};
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy};
use async_nats::jetstream::message::Message;
use futures::{FutureExt, StreamExt};
use tidemill_events::Recorded;
use tidemill_events::event::DeadLetter;
use tidemill_events::stream::Stream;
use tidemill_events::wire::IntakeDecoder;
use tokio::time::{Instant, timeout_at};
use tracing::{debug, warn};

use crate::backoff::Backoff;
use crate::connect::Bus;
use crate::error::{Cause, Error, chain};
use crate::message::{Stored, timestamp};
use crate::trace::TraceParent;

/// How many messages may be under way to us.
const AHEAD: usize = 256;
/// Without messages, the broker says this often that it is there; silence twice as long means that it is not.
const HEARTBEAT: Duration = Duration::from_secs(2);
/// How long one request for messages stands.
const STANDS: Duration = Duration::from_secs(30);
/// The broker forgets a consumer that nobody asks anything for so long.
const FORGOTTEN: Duration = Duration::from_secs(60);

/// What to read.
#[derive(Clone, Debug)]
pub struct ReadFrom {
    /// The stream.
    pub stream: Stream,
    /// The subjects.
    pub filter: String,
    /// The first sequence.
    pub sequence: u64,
    /// A decoder for protobuf on intake subjects.
    pub protobuf: Option<IntakeDecoder>,
}

impl ReadFrom {
    /// Everything that there is.
    #[must_use]
    pub fn first(stream: Stream, filter: impl Into<String>) -> Self {
        Self { stream, filter: filter.into(), sequence: 1, protobuf: None }
    }
}

/// An event as it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Received {
    /// The event.
    pub event: Recorded,
    /// The trace that it belongs to.
    pub trace: Option<TraceParent>,
}

impl From<Recorded> for Received {
    fn from(event: Recorded) -> Self {
        Self { event, trace: None }
    }
}

/// A message that is no event; whoever owns a role tells it ([`Bus::dead_letter`]), counts it and goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poison {
    /// The stream that holds it.
    pub stream: Stream,
    /// Its place there.
    pub sequence: u64,
    /// Where it was written.
    pub subject: String,
    /// What is wrong with it.
    pub reason: String,
    /// The size of its payload.
    pub bytes: u64,
    /// The beginning of its payload.
    pub head: String,
}

impl Poison {
    /// A message that is no event because of `reason`.
    pub(crate) fn new(stream: Stream, stored: &Stored<'_>, reason: String) -> Self {
        Self {
            stream,
            sequence: stored.sequence,
            subject: stored.subject.to_owned(),
            reason,
            bytes: stored.payload.len() as u64,
            head: DeadLetter::head_of(stored.payload),
        }
    }
}

/// One message that was read.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// It is an event.
    Event(Box<Received>),
    /// It is not.
    Poison(Poison),
}

/// Reads in order.
pub struct Reader {
    bus: Bus,
    from: ReadFrom,
    /// The end of the stream when reading began.
    target: u64,
    lag: u64,
    caught_up: bool,
    open: Option<Open>,
    backoff: Backoff,
}

struct Open {
    messages: Messages,
    consumer_sequence: u64,
}

impl Reader {
    /// Begins to read; what is on the stream now is what there is to catch up with.
    ///
    /// # Errors
    /// When the stream does not exist or the broker does not answer.
    pub async fn open(bus: &Bus, from: ReadFrom) -> Result<Self, Error> {
        let stream = bus.stream(from.stream.name()).await?;
        let target = stream.cached_info().state.last_sequence;
        let mut reader = Self {
            bus: bus.clone(),
            from,
            target,
            lag: u64::MAX,
            caught_up: false,
            open: None,
            backoff: Backoff::default(),
        };
        reader.reopen().await?;
        Ok(reader)
    }

    /// The next messages: at most `max`, as soon as there is one, none after `wait`. May be dropped while it waits.
    ///
    /// # Errors
    /// When the broker does not let us read; what passes by itself is waited for, within `wait`.
    pub async fn next_batch(&mut self, max: usize, wait: Duration) -> Result<Vec<Item>, Error> {
        let until = Instant::now() + wait;
        let mut items = Vec::new();
        while items.is_empty() {
            let Some(open) = &mut self.open else {
                match timeout_at(until, self.reopen()).await {
                    Err(_) => return Ok(items),
                    Ok(Ok(())) => {
                        self.bus.counts().count_reopened();
                        self.backoff.reset();
                    }
                    Ok(Err(error)) if error.is_fatal() => return Err(error),
                    Ok(Err(error)) => {
                        warn!(error = chain(&error), "cannot read yet");
                        let pause = Instant::now() + self.backoff.pause();
                        tokio::time::sleep_until(pause.min(until)).await;
                        if pause >= until {
                            return Ok(items);
                        }
                    }
                }
                continue;
            };
            match timeout_at(until, open.messages.next()).await {
                Err(_) => return Ok(items),
                Ok(next) => self.take(next.map(|m| m.map_err(Cause::from)), &mut items),
            }
        }
        while items.len() < max {
            let Some(open) = &mut self.open else { break };
            match open.messages.next().now_or_never() {
                None => break,
                Some(next) => self.take(next.map(|m| m.map_err(Cause::from)), &mut items),
            }
        }
        Ok(items)
    }

    /// Whether everything was read that was on the stream when reading began.
    #[must_use]
    pub fn caught_up(&self) -> bool {
        self.caught_up
    }

    /// How many messages there were still to read when the last one came.
    #[must_use]
    pub fn lag(&self) -> u64 {
        self.lag
    }

    /// The sequence from which reading goes on.
    #[must_use]
    pub fn next_sequence(&self) -> u64 {
        self.from.sequence
    }

    fn take(&mut self, next: Option<Result<Message, Cause>>, items: &mut Vec<Item>) {
        let message = match next {
            Some(Ok(message)) => message,
            Some(Err(error)) => {
                debug!(filter = self.from.filter, error = chain(&*error), "reading is begun again");
                self.open = None;
                return;
            }
            None => {
                self.open = None;
                return;
            }
        };
        let Some(open) = &mut self.open else { return };
        let info = match message.info() {
            Ok(info) if info.consumer_sequence == open.consumer_sequence + 1 => info,
            // Something was missed between the broker and us.
            Ok(_) | Err(_) => {
                debug!(filter = self.from.filter, "a message was missed, reading is begun again");
                self.open = None;
                return;
            }
        };
        open.consumer_sequence = info.consumer_sequence;
        self.lag = info.pending;
        if info.stream_sequence >= self.from.sequence {
            items.push(self.item(&message, info.stream_sequence, timestamp(info.published)));
            self.from.sequence = info.stream_sequence + 1;
        }
        self.caught_up |= self.lag == 0 || self.from.sequence > self.target;
    }

    fn item(&self, message: &Message, sequence: u64, time: tidemill_domain::Timestamp) -> Item {
        let stored = Stored {
            subject: &message.subject,
            sequence,
            time,
            headers: message.headers.as_ref(),
            payload: &message.payload,
        };
        match stored.decode(self.from.protobuf) {
            Ok(event) => Item::Event(Box::new(Received { event, trace: stored.trace() })),
            Err(error) => {
                let poison = Poison::new(self.from.stream, &stored, chain(&*error));
                debug!(sequence, subject = poison.subject, reason = poison.reason, "a message is no event");
                Item::Poison(poison)
            }
        }
    }

    async fn reopen(&mut self) -> Result<(), Error> {
        let stream_name = self.from.stream.name();
        let config = Config {
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: self.from.sequence.max(1) },
            ack_policy: AckPolicy::None,
            filter_subject: self.from.filter.clone(),
            inactive_threshold: FORGOTTEN,
            memory_storage: true,
            num_replicas: 1,
            ..Config::default()
        };
        let failed =
            |source| Error::Consume { stream: stream_name, filter: self.from.filter.clone(), source };
        let consumer = match self.bus.js.create_consumer_on_stream(config, stream_name).await {
            Ok(consumer) => consumer,
            Err(e) => {
                let api = format!("$JS.API.CONSUMER.CREATE.{stream_name}");
                return Err(self.bus.explain(&api, failed(e.into())));
            }
        };
        let pending = consumer.cached_info().num_pending;
        let messages = consumer
            .stream()
            .max_messages_per_batch(AHEAD)
            .expires(STANDS)
            .heartbeat(HEARTBEAT)
            .messages()
            .await
            .map_err(|e| failed(e.into()))?;
        self.lag = pending;
        self.caught_up |= pending == 0;
        self.open = Some(Open { messages, consumer_sequence: 0 });
        Ok(())
    }
}
