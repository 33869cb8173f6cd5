//! The two streams of ingest, read in the order of [`Merge`], and its outputs, joined into batches; and the places at which
//! what is remembered goes to this machine's disk.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tidemill_bus::{Bus, Error, Extent, Item, Poison, ReadFrom, Reader, Received, chain, clock};
use tidemill_domain::Timestamp;
use tidemill_events::emit::{Emitter, Outgoing, Upto};
use tidemill_events::stream::{Role, Stream};
use tidemill_events::{Draft, Recorded};
use tidemill_ingest_core::{Ingest, Order};
use tidemill_proto::decode_intake;
use tidemill_service::{Context, Inputs, RoleMetrics, Source, Trouble};
use tokio::time::Instant;
use tracing::warn;

use crate::disk::LocalError;
use crate::joined::Joined;
use crate::kept::{Extents, Kept, Whose, recover};
use crate::local::Local;
use crate::merge::{End, MARGIN, Merge, Step};
use crate::outlet::Outlet;
use crate::places::Places;
use crate::tallies::{RoleTallies, Tallies};

/// Messages that are decoded at once.
const AT_ONCE: usize = 8;
/// How long to wait for something to read.
const WAIT: Duration = Duration::from_millis(500);
/// How often what is remembered goes to the disk, if it is not much.
const KEEP_EVERY: Duration = Duration::from_secs(1);
/// Ids remembered on disk at most; beyond it the oldest are given up early, which is counted. Beyond all sense, but a bound.
const MAX_ON_DISK: u64 = 100_000_000;

/// Opens what the partition reads, and what it remembers.
#[derive(Clone, Debug)]
pub(crate) struct Streams {
    pub(crate) whose: Whose,
    /// The core that is made when the streams are opened.
    pub(crate) core: Joined,
    pub(crate) tallies: Tallies,
    /// What is on this machine was found damaged.
    pub(crate) is_damaged: Arc<AtomicBool>,
}

/// What the partition reads, and what it has still to write.
pub(crate) struct Merged {
    streams: Streams,
    bus: Bus,
    intake: Reader,
    control: Reader,
    merge: Merge,
    outlet: Outlet,
    role: String,
    /// What was read and is no event; told before anything that was read with it is given out.
    untold: Vec<Poison>,
    /// The last position on the log when the streams were opened.
    tail: Upto,
    is_beyond: bool,
    /// The last position that was given out.
    written: Upto,
    /// Something was folded that is not kept yet.
    has_news: bool,
    kept_at: Instant,
    shown: RoleTallies,
    /// The streams when they were opened.
    log: Extents,
    metrics: RoleMetrics,
}

impl Drop for Merged {
    /// The folder can be opened again by whoever is next.
    fn drop(&mut self) {
        *self.streams.core.lock() = None;
    }
}

impl Streams {
    /// The folder of what this partition keeps.
    fn folder(&self, context: &Context) -> Option<PathBuf> {
        Some(context.local.as_ref()?.join("ingest").join(self.whose.partition.0.to_string()))
    }

    /// Opens what is kept, or an empty memory.
    fn recover(
        &self,
        context: &Context,
        log: &Extents,
        emitter: &Emitter,
    ) -> Result<(Ingest<Local>, Option<Kept>), LocalError> {
        let Whose { partition, partitions } = self.whose;
        let Some(folder) = self.folder(context) else {
            return Ok((Ingest::with(partition, partitions, Local::default()), None));
        };
        let is_damaged = self.is_damaged.swap(false, Ordering::Relaxed);
        let (memory, found) = recover(&folder, is_damaged, self.whose, log, emitter)?;
        let (core, kept) = match found {
            Some((kept, state)) => (Ingest::resume(partition, partitions, memory, state)?, Some(kept)),
            None => (Ingest::with(partition, partitions, memory), None),
        };
        Ok((core.remembering(MAX_ON_DISK), kept))
    }

    /// Notes whether what failed has to be made anew.
    fn trouble(&self, error: LocalError) -> Trouble {
        if error.is_damage() {
            self.is_damaged.store(true, Ordering::Relaxed);
        }
        Trouble::Local(Box::new(error))
    }
}

impl Inputs for Streams {
    type Source = Merged;

    async fn open(&self, context: &Context, role: &Role, emitter: &Emitter) -> Result<Merged, Trouble> {
        let bus = context.bus.clone();
        // What an earlier tenure had open has to be closed first.
        *self.core.lock() = None;
        let log = Extents {
            intake: bus.extent(Stream::Intake).await?,
            control: bus.extent(Stream::Loop).await?,
            samples: bus.extent(Stream::Samples).await?,
        };
        let (core, kept) = self.recover(context, &log, emitter).map_err(|e| self.trouble(e))?;
        let mut shown = RoleTallies::new(self.tallies.clone(), &role.name, core.tallies());
        shown.show(core.tallies());
        *self.core.lock() = Some(core);

        let (merge, order) = match kept {
            Some(kept) => {
                let samples = kept.samples();
                let mut stand = kept.merge;
                stand.places = stand.places.read_after(&bus, self.whose.partition, samples).await?;
                (Merge::resume(&role.name, stand), kept.order)
            }
            None => {
                let places = Places::read(&bus, self.whose.partition).await?;
                (Merge::new(&role.name, places), Order::default())
            }
        };
        // The filter of every role that reads control.
        let control = ReadFrom {
            sequence: merge.control.read() + 1,
            ..ReadFrom::first(Stream::Loop, Role::deployer().filter)
        };
        let intake = ReadFrom {
            sequence: merge.intake.read() + 1,
            protobuf: Some(decode_intake),
            ..ReadFrom::first(role.stream, &role.filter)
        };
        let mut merged = Merged {
            streams: self.clone(),
            tail: merge.tail(),
            written: merge.tail(),
            merge,
            control: Reader::open(&bus, control).await?,
            intake: Reader::open(&bus, intake).await?,
            bus,
            role: role.name.clone(),
            untold: Vec::new(),
            outlet: Outlet { order, ..Outlet::default() },
            is_beyond: false,
            has_news: false,
            kept_at: Instant::now(),
            shown,
            log,
            metrics: context.metrics.role(&role.name),
        };
        let Merged { merge, intake, control, .. } = &mut merged;
        merge.intake.add([], intake.next_sequence() - 1, intake.caught_up());
        merge.control.add([], control.next_sequence() - 1, control.caught_up());
        Ok(merged)
    }
}

impl Source for Merged {
    async fn next(&mut self) -> Result<Vec<Received>, Error> {
        loop {
            self.tell().await?;
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

    fn emit(
        &mut self,
        emitter: &mut Emitter,
        cause: &Recorded,
        drafts: Vec<Draft>,
    ) -> Result<Vec<Outgoing>, Trouble> {
        if let Some(core) = self.streams.core.lock().as_mut() {
            core.check().map_err(|error| self.streams.trouble(error))?;
        }
        self.has_news = true;
        let beyond = std::mem::take(&mut self.is_beyond).then_some(self.tail);
        let out = self.outlet.emit(emitter, beyond, cause, drafts);
        self.hear_written(&out);
        Ok(out)
    }

    fn ripe(&mut self) -> Vec<Outgoing> {
        let ripe = if self.is_keeping_due() {
            let mut all = Vec::new();
            self.outlet.batches.flush(&mut all);
            all
        } else {
            self.outlet.batches.ripe(Instant::now())
        };
        self.hear_written(&ripe);
        ripe
    }

    async fn settled(&mut self, emitter: &Emitter) -> Result<(), Trouble> {
        if !self.is_keeping_due() || !self.outlet.batches.is_empty() {
            return Ok(());
        }
        // All of it is on the log before this one: what comes after is read again by whoever starts.
        let samples = match self.bus.extent(Stream::Samples).await {
            Ok(samples) => samples,
            Err(error) if error.is_fatal() => return Err(error.into()),
            Err(error) => {
                warn!(error = chain(&error), "the local index is not written yet");
                self.kept_at = Instant::now();
                return Ok(());
            }
        };
        self.keep(samples, emitter).map_err(|error| self.streams.trouble(error))
    }
}

impl Merged {
    /// Whether it is time to keep what is remembered.
    fn is_keeping_due(&self) -> bool {
        let is_much = || self.streams.core.lock().as_mut().is_some_and(|core| core.parts().1.is_much());
        self.has_news && (self.kept_at.elapsed() >= KEEP_EVERY || is_much())
    }

    fn hear_written(&mut self, out: &[Outgoing]) {
        self.written = out.iter().filter_map(|o| o.meta.upto).max().unwrap_or_default().max(self.written);
    }

    /// Keeps what is remembered, together with where it stands; everything that followed from it is on the log.
    fn keep(&mut self, samples: Extent, emitter: &Emitter) -> Result<(), LocalError> {
        self.has_news = false;
        self.kept_at = Instant::now();
        let mut core = self.streams.core.lock();
        let Some(core) = core.as_mut() else { return Ok(()) };
        self.shown.show(core.tallies());
        let (state, memory) = core.parts();
        if !memory.is_kept() {
            return Ok(());
        }
        let place = (self.merge.stand(self.written), self.outlet.order);
        let log = Extents { samples, ..self.log };
        let kept = Kept::new(self.streams.whose, &log, emitter, place, state);
        memory.commit(&kept, &state.control)
    }

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
        let Self { intake, control, merge, untold, .. } = self;
        let wants_intake = !merge.intake.is_full();
        let wants_control = !merge.control.is_full();
        let n_read = tokio::select! {
            items = control.next_batch(AT_ONCE, wait), if wants_control => {
                let items = items?;
                let n_read = items.len();
                merge.control.add(events(items, untold), control.next_sequence() - 1, control.caught_up());
                n_read
            }
            items = intake.next_batch(AT_ONCE, wait), if wants_intake => {
                let items = items?;
                let n_read = items.len();
                merge.intake.add(events(items, untold), intake.next_sequence() - 1, intake.caught_up());
                n_read
            }
            else => 0,
        };
        Ok(n_read > 0)
    }

    /// Writes a dead letter for each message that is no event. May be dropped while it waits: a letter is there once.
    async fn tell(&mut self) -> Result<(), Error> {
        while let Some(poison) = self.untold.last() {
            if self.bus.dead_letter(&self.role, poison).await? {
                self.metrics.events_poison.inc();
            }
            self.untold.pop();
        }
        Ok(())
    }

    /// Asks the broker where the streams end.
    async fn ask(&mut self) -> Result<(), Error> {
        let as_of = (clock::now() - MARGIN).max(self.merge.heard());
        let end = |extent: Extent| End { sequence: if extent.is_empty() { 0 } else { extent.last }, as_of };
        let control = self.bus.extent(Stream::Loop).await?;
        let intake = self.bus.extent(Stream::Intake).await?;
        self.merge.control.hear(end(control));
        self.merge.intake.hear(end(intake));
        Ok(())
    }
}

/// The events among what was read; the rest is to be told.
fn events(items: Vec<Item>, untold: &mut Vec<Poison>) -> Vec<Received> {
    let events = items.into_iter().filter_map(|item| match item {
        Item::Event(received) => Some(*received),
        Item::Poison(poison) => {
            untold.push(poison);
            None
        }
    });
    events.collect()
}
