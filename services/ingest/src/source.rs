//! The two streams of ingest, read in the order of [`Merge`], and its outputs, joined into batches.

use std::time::Duration;

use tidemill_bus::{Bus, Error, Item, ReadFrom, Reader, Received, clock};
use tidemill_domain::Timestamp;
use tidemill_events::emit::{Emitter, Outgoing, Upto};
use tidemill_events::stream::{Role, Stream};
use tidemill_events::{Draft, Partition, Recorded};
use tidemill_proto::decode_intake;
use tidemill_service::{Context, Inputs, RoleMetrics, Source};
use tokio::time::Instant;

use crate::merge::{End, MARGIN, Merge, Step};
use crate::outlet::Outlet;
use crate::places::Places;

/// Messages that wait to be folded.
const WAITING: usize = 256;
/// How long to wait for something to read.
const WAIT: Duration = Duration::from_millis(500);

/// Opens what the partition reads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Streams {
    pub(crate) partition: Partition,
}

/// What the partition reads, and what it has still to write.
pub(crate) struct Merged {
    bus: Bus,
    intake: Reader,
    control: Reader,
    merge: Merge,
    outlet: Outlet,
    tail: Upto,
    is_beyond: bool,
    metrics: RoleMetrics,
}

impl Inputs for Streams {
    type Source = Merged;

    async fn open(&self, context: &Context, role: &Role, _: &Emitter) -> Result<Merged, Error> {
        let bus = context.bus.clone();
        let places = Places::read(&bus, self.partition).await?;
        // The filter of every role that reads control.
        let control = Reader::open(&bus, ReadFrom::first(Stream::Loop, Role::deployer().filter)).await?;
        let from = ReadFrom { protobuf: Some(decode_intake), ..ReadFrom::first(role.stream, &role.filter) };
        let intake = Reader::open(&bus, from).await?;
        let mut merged = Merged {
            tail: places.tail(),
            merge: Merge::new(&role.name, places),
            bus,
            intake,
            control,
            outlet: Outlet::default(),
            is_beyond: false,
            metrics: context.metrics.role(&role.name),
        };
        merged.merge.intake.add([], 0, merged.intake.caught_up());
        merged.merge.control.add([], 0, merged.control.caught_up());
        Ok(merged)
    }
}

impl Source for Merged {
    async fn next(&mut self) -> Result<Vec<Received>, Error> {
        loop {
            match self.merge.step(clock::now()) {
                Step::Give(input, is_beyond) => {
                    self.is_beyond = is_beyond;
                    return Ok(vec![*input]);
                }
                Step::AwaitEnds => self.ask().await?,
                Step::AwaitControl | Step::AwaitIntake => {
                    if !self.read(None).await? {
                        return Ok(Vec::new());
                    }
                }
                Step::Idle(until) => {
                    if !self.read(until).await? {
                        return Ok(Vec::new());
                    }
                }
            }
        }
    }

    fn caught_up(&self) -> bool {
        self.merge.intake.caught_up() && self.merge.control.caught_up()
    }

    fn lag(&self) -> u64 {
        self.intake.lag().saturating_add(self.merge.intake.n_waiting() as u64)
    }

    fn hear_deadline(&mut self, deadline: Option<Timestamp>) {
        self.merge.set_deadline(deadline);
    }

    fn emit(&mut self, emitter: &mut Emitter, cause: &Recorded, drafts: Vec<Draft>) -> Vec<Outgoing> {
        let beyond = std::mem::take(&mut self.is_beyond).then_some(self.tail);
        self.outlet.emit(emitter, beyond, cause, drafts)
    }

    fn ripe(&mut self) -> Vec<Outgoing> {
        self.outlet.batches.ripe(Instant::now())
    }
}

impl Merged {
    /// Reads what there is, or waits for a while; says whether anything came.
    async fn read(&mut self, until: Option<Timestamp>) -> Result<bool, Error> {
        let mut wait = WAIT;
        if let Some(until) = until {
            let left = until - clock::now();
            wait = wait.min(Duration::from_micros(u64::try_from(left.0).unwrap_or(0)));
        }
        if let Some(due) = self.outlet.batches.due() {
            wait = wait.min(due.saturating_duration_since(Instant::now()));
        }
        let Self { intake, control, merge, metrics, .. } = self;
        let wants_intake = merge.intake.n_waiting() < WAITING;
        let wants_control = merge.control.n_waiting() < WAITING;
        let n_read = tokio::select! {
            items = control.next_batch(WAITING, wait), if wants_control => {
                let items = items?;
                let n_read = items.len();
                merge.control.add(events(items, metrics), control.next_sequence() - 1, control.caught_up());
                n_read
            }
            items = intake.next_batch(WAITING, wait), if wants_intake => {
                let items = items?;
                let n_read = items.len();
                merge.intake.add(events(items, metrics), intake.next_sequence() - 1, intake.caught_up());
                n_read
            }
            else => 0,
        };
        Ok(n_read > 0)
    }

    /// Asks the broker where the streams end.
    async fn ask(&mut self) -> Result<(), Error> {
        let as_of = (clock::now() - MARGIN).max(self.merge.heard());
        let end = |extent: tidemill_bus::Extent| End {
            sequence: if extent.is_empty() { 0 } else { extent.last },
            as_of,
        };
        let control = self.bus.extent(Stream::Loop).await?;
        let intake = self.bus.extent(Stream::Intake).await?;
        self.merge.control.hear(end(control));
        self.merge.intake.hear(end(intake));
        Ok(())
    }
}

fn events(items: Vec<Item>, metrics: &RoleMetrics) -> Vec<Received> {
    let events = items.into_iter().filter_map(|item| match item {
        Item::Event(received) => Some(*received),
        Item::Poison(_) => {
            metrics.events_poison.inc();
            None
        }
    });
    events.collect()
}
