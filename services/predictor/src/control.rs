//! The loops' log as the predictor reads it: from its beginning, as soon as there is a bus, and for ever. It must not know what
//! follows from an event.

use std::future::Future;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use tidemill_bus::{Backoff, Bus, Error, Item, ReadFrom, Reader, chain};
use tidemill_events::Recorded;
use tidemill_events::stream::{Role, Stream};
use tidemill_service::Metrics;
use tokio::time::sleep;
use tracing::warn;

const BATCH: usize = 256;
const WAIT: Duration = Duration::from_millis(500);

/// The loops' log, in order.
pub trait Control: Send + 'static {
    /// The next events, none after a short while. May be dropped while it waits, and must then lose nothing.
    fn next(&mut self) -> impl Future<Output = Result<Vec<Recorded>, Error>> + Send;

    /// Whether everything was read that was there when reading began.
    fn caught_up(&self) -> bool;
}

/// The log on the bus, opened as soon as the bus is there.
pub(crate) struct BusControl {
    bus: Bus,
    reader: Option<Reader>,
    backoff: Backoff,
    poison: Counter,
}

impl BusControl {
    pub(crate) fn new(bus: Bus, metrics: &Metrics) -> Self {
        let poison = Counter::default();
        metrics.register("predictor_poison", "Messages of the loops' log that are no events", poison.clone());
        Self { bus, reader: None, backoff: Backoff::default(), poison }
    }

    async fn open(&mut self) -> Result<(), Error> {
        // The filter of every role that reads control.
        match Reader::open(&self.bus, ReadFrom::first(Stream::Loop, Role::deployer().filter)).await {
            Ok(reader) => self.reader = Some(reader),
            Err(error) if error.is_fatal() => return Err(error),
            Err(error) => {
                warn!(error = chain(&error), "the log of the loops cannot be read yet");
                sleep(self.backoff.pause()).await;
            }
        }
        Ok(())
    }
}

impl Control for BusControl {
    async fn next(&mut self) -> Result<Vec<Recorded>, Error> {
        let Some(reader) = &mut self.reader else {
            self.open().await?;
            return Ok(Vec::new());
        };
        let items = reader.next_batch(BATCH, WAIT).await?;
        let events = items.into_iter().filter_map(|item| match item {
            Item::Event(received) => Some(received.event),
            Item::Poison(_) => {
                self.poison.inc();
                None
            }
        });
        Ok(events.collect())
    }

    fn caught_up(&self) -> bool {
        self.reader.as_ref().is_some_and(Reader::caught_up)
    }
}
