//! Where a role's inputs come from. Most read one stream; ingest merges two and brings its own source.

use std::future::Future;
use std::time::Duration;

use tidemill_bus::{Bus, Error, Item, ReadFrom, Reader, Received};
use tidemill_domain::Timestamp;
use tidemill_events::emit::{Emitter, Outgoing};
use tidemill_events::stream::Role;
use tidemill_events::wire::IntakeDecoder;
use tidemill_events::{Draft, Recorded};

use crate::context::Context;
use crate::metrics::RoleMetrics;
use crate::trouble::Trouble;

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
    ///
    /// # Errors
    /// When they must not be written: the role begins anew.
    fn emit(
        &mut self,
        emitter: &mut Emitter,
        cause: &Recorded,
        drafts: Vec<Draft>,
    ) -> Result<Vec<Outgoing>, Trouble> {
        Ok(emitter.emit(cause, drafts))
    }

    /// Hears when the core wants to be woken, before each [`Source::next`]. Most roles are woken through their stream.
    fn hear_deadline(&mut self, _deadline: Option<Timestamp>) {}

    /// Outputs that [`Source::emit`] held back to join them with others, and that are due; asked after each [`Source::next`].
    fn ripe(&mut self) -> Vec<Outgoing> {
        Vec::new()
    }

    /// Hears that the log has everything that was given out by [`Source::emit`] and [`Source::ripe`]: the place to keep on
    /// this machine what a start need not fold again. `emitter` knows the positions of what was written.
    ///
    /// # Errors
    /// When that fails: the role begins anew.
    fn settled(&mut self, _emitter: &Emitter) -> impl Future<Output = Result<(), Trouble>> + Send {
        std::future::ready(Ok(()))
    }
}

/// Opens the source of a role, once for each time that this replica becomes active.
pub trait Inputs: Send + Sync {
    /// What is opened.
    type Source: Source;

    /// Whether it can be opened anywhere, so that the role goes on from snapshots.
    const RESUMES: bool = false;

    /// Opens it at the first input. `emitter` knows the positions of what the role has written.
    fn open(
        &self,
        context: &Context,
        role: &Role,
        emitter: &Emitter,
    ) -> impl Future<Output = Result<Self::Source, Trouble>> + Send;

    /// Opens it at the input after `sequence`, where it can be opened anywhere.
    fn open_after(
        &self,
        context: &Context,
        role: &Role,
        emitter: &Emitter,
        _sequence: u64,
    ) -> impl Future<Output = Result<Self::Source, Trouble>> + Send {
        self.open(context, role, emitter)
    }
}

/// The stream and filter of the role.
#[derive(Clone, Copy, Debug, Default)]
pub struct OneStream {
    /// A decoder for protobuf on intake subjects.
    pub protobuf: Option<IntakeDecoder>,
}

/// Reads one stream.
pub struct StreamSource {
    bus: Bus,
    name: String,
    reader: Reader,
    /// What was read and not given out yet; of it so many messages that are no events have been told.
    read: Vec<Item>,
    n_told: usize,
    metrics: RoleMetrics,
}

impl Inputs for OneStream {
    type Source = StreamSource;

    const RESUMES: bool = true;

    async fn open(&self, context: &Context, role: &Role, emitter: &Emitter) -> Result<StreamSource, Trouble> {
        self.open_after(context, role, emitter, 0).await
    }

    async fn open_after(
        &self,
        context: &Context,
        role: &Role,
        _: &Emitter,
        sequence: u64,
    ) -> Result<StreamSource, Trouble> {
        let from = ReadFrom {
            protobuf: self.protobuf,
            sequence: sequence.saturating_add(1),
            ..ReadFrom::first(role.stream, &role.filter)
        };
        let reader = Reader::open(&context.bus, from).await?;
        let metrics = context.metrics.role(&role.name);
        let (bus, name) = (context.bus.clone(), role.name.clone());
        Ok(StreamSource { bus, name, reader, read: Vec::new(), n_told: 0, metrics })
    }
}

impl Source for StreamSource {
    async fn next(&mut self) -> Result<Vec<Received>, Error> {
        if self.read.is_empty() {
            self.read = self.reader.next_batch(BATCH, WAIT).await?;
        }
        // What is no event is told before anything that lies after it is folded. Until then everything stays here, so that
        // nothing is lost when telling fails or is dropped under way: then it is told again, which changes nothing.
        let poison = |item: &Item| if let Item::Poison(poison) = item { Some(poison.clone()) } else { None };
        while let Some(poison) = self.read.iter().filter_map(poison).nth(self.n_told) {
            if self.bus.dead_letter(&self.name, &poison).await? {
                self.metrics.events_refused.inc();
            }
            self.metrics.events_poison.inc();
            self.n_told += 1;
        }
        self.n_told = 0;
        let event = |item| if let Item::Event(received) = item { Some(*received) } else { None };
        Ok(std::mem::take(&mut self.read).into_iter().filter_map(event).collect())
    }

    fn caught_up(&self) -> bool {
        self.read.is_empty() && self.reader.caught_up()
    }

    fn lag(&self) -> u64 {
        self.reader.lag()
    }
}
