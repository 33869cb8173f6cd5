//! Where a role's inputs come from. Most read one stream; ingest merges two and brings its own source.

use std::future::Future;
use std::time::Duration;

use tidemill_bus::{Error, Item, ReadFrom, Reader, Received};
use tidemill_domain::Timestamp;
use tidemill_events::emit::{Emitter, Outgoing};
use tidemill_events::stream::Role;
use tidemill_events::wire::IntakeDecoder;
use tidemill_events::{Draft, Recorded};

use crate::context::Context;
use crate::metrics::RoleMetrics;

/// How many inputs are folded before jobs and time are looked after.
const BATCH: usize = 256;
/// How long to wait for an input before looking after jobs and time.
const WAIT: Duration = Duration::from_millis(500);

/// Inputs in the one order in which the role folds them, the same after every start.
pub trait Source: Send {
    /// The next inputs, none after a short while. May be dropped while it waits, and must then lose nothing.
    fn next(&mut self) -> impl Future<Output = Result<Vec<Received>, Error>> + Send;

    /// Whether everything was given out that was on the log when the source was opened.
    fn caught_up(&self) -> bool;

    /// How many inputs there were still to read lately.
    fn lag(&self) -> u64 {
        0
    }

    /// Gives the drafts that followed from `cause` their ids and positions.
    fn emit(&mut self, emitter: &mut Emitter, cause: &Recorded, drafts: Vec<Draft>) -> Vec<Outgoing> {
        emitter.emit(cause, drafts)
    }

    /// Hears when the core wants to be woken, before each [`Source::next`]. Most roles are woken through their stream.
    fn hear_deadline(&mut self, _deadline: Option<Timestamp>) {}

    /// Outputs that [`Source::emit`] held back to join them with others, and that are due; asked after each [`Source::next`].
    fn ripe(&mut self) -> Vec<Outgoing> {
        Vec::new()
    }
}

/// Opens the source of a role, once for each time that this replica becomes active.
pub trait Inputs: Send + Sync {
    /// What is opened.
    type Source: Source;

    /// Opens it at the first input. `emitter` knows the positions of what the role has written.
    fn open(
        &self,
        context: &Context,
        role: &Role,
        emitter: &Emitter,
    ) -> impl Future<Output = Result<Self::Source, Error>> + Send;
}

/// The stream and filter of the role.
#[derive(Clone, Copy, Debug, Default)]
pub struct OneStream {
    /// A decoder for protobuf on intake subjects.
    pub protobuf: Option<IntakeDecoder>,
}

/// Reads one stream.
pub struct StreamSource {
    reader: Reader,
    metrics: RoleMetrics,
}

impl Inputs for OneStream {
    type Source = StreamSource;

    async fn open(&self, context: &Context, role: &Role, _: &Emitter) -> Result<StreamSource, Error> {
        let from = ReadFrom { protobuf: self.protobuf, ..ReadFrom::first(role.stream, &role.filter) };
        let reader = Reader::open(&context.bus, from).await?;
        Ok(StreamSource { reader, metrics: context.metrics.role(&role.name) })
    }
}

impl Source for StreamSource {
    async fn next(&mut self) -> Result<Vec<Received>, Error> {
        let items = self.reader.next_batch(BATCH, WAIT).await?;
        let mut events = Vec::with_capacity(items.len());
        for item in items {
            match item {
                Item::Event(received) => events.push(*received),
                Item::Poison(_) => _ = self.metrics.events_poison.inc(),
            }
        }
        Ok(events)
    }

    fn caught_up(&self) -> bool {
        self.reader.caught_up()
    }

    fn lag(&self) -> u64 {
        self.reader.lag()
    }
}
