//! Snapshots of a role: its state now and then as an object, and a pointer that names the newest; a start goes on from there.
//!
//! A snapshot is written when the log has every output up to its position, so nothing is lost with those after it. It is a
//! shortcut: whatever is wrong with one is said and counted, and the log is folded from its first message instead.

mod object;
mod write;

use std::time::Duration;

use tidemill_bus::{Backoff, Error, Pointer, chain};
use tidemill_events::Core;
use tidemill_events::snapshot::BadSnapshot;
use tidemill_events::stream::Role;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tracing::{info, warn};

use object::{Head, Pointed, frame, unframe};
use write::write;

use crate::context::Context;
use crate::metrics::RoleMetrics;
use crate::ticker::{Ticked, Ticker};
use crate::trouble::Trouble;

/// Tries to read a snapshot before the log is folded without it.
const TRIES: u32 = 3;
/// How long writing the last snapshot may hold up an orderly stop.
const LAST: Duration = Duration::from_secs(2);

/// How often a snapshot is written: after so many inputs, or after so long if there were any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Inputs between two snapshots.
    pub inputs: u64,
    /// Time between two snapshots.
    pub every: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { inputs: 20_000, every: Duration::from_secs(300) }
    }
}

/// Why a snapshot is not used.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error("the log ends at {last}, the snapshot is of {sequence}")]
    BeyondLog { last: u64, sequence: u64 },
    #[error("it is not what the pointer says")]
    Other,
    #[error("it is of version {found} of the fold, this is {wanted}")]
    Version { found: u32, wanted: u32 },
    #[error("the core does not take it")]
    Core(#[source] BadSnapshot),
    #[error("the pointer cannot be read")]
    Pointer(#[source] serde_json::Error),
    #[error("the object cannot be used")]
    Store(#[source] tidemill_store::Error),
    #[error("the broker cannot be asked")]
    Bus(#[source] Error),
}

impl Unusable {
    fn may_pass(&self) -> bool {
        match self {
            Self::Bus(error) => !error.is_fatal(),
            Self::Store(error) => error.is_transient(),
            Self::BeyondLog { .. }
            | Self::Core(_)
            | Self::Other
            | Self::Pointer(_)
            | Self::Version { .. } => false,
        }
    }
}

/// A core with everything folded up to a place.
pub(crate) struct Restored<C> {
    pub(crate) core: C,
    pub(crate) ticked: Ticked,
    pub(crate) sequence: u64,
}

/// The snapshots of one tenure.
pub(crate) struct Snapshots {
    context: Context,
    role: Role,
    fold: u32,
    pace: Pace,
    pointer: Pointer,
    /// That of the pointer, as far as we know.
    revision: u64,
    n_inputs: u64,
    since: Instant,
    writing: Option<JoinHandle<Option<u64>>>,
    metrics: RoleMetrics,
}

impl Snapshots {
    /// Opens the snapshots of the role; none if there is no bucket for them yet, which is said.
    pub(crate) async fn open<C: Core>(
        context: &Context,
        role: &Role,
        pace: Pace,
    ) -> Result<Option<Self>, Trouble> {
        let pointer = match Pointer::open(&context.bus, &role.name).await {
            Ok(pointer) => pointer,
            Err(error @ Error::NotProvisioned { .. }) => {
                warn!(role = role.name, error = chain(&error), "works without snapshots");
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        Ok(Some(Self {
            context: context.clone(),
            role: role.clone(),
            fold: C::FOLD,
            pace,
            pointer,
            revision: 0,
            n_inputs: 0,
            since: Instant::now(),
            writing: None,
            metrics: context.metrics.role(&role.name),
        }))
    }

    /// The newest snapshot, if there is one that can be used.
    pub(crate) async fn restore<C: Core>(&mut self, make_core: impl Fn() -> C) -> Option<Restored<C>> {
        let mut backoff = Backoff::default();
        for n in 1.. {
            let unusable = match self.newest(&make_core).await {
                Ok(None) => return None,
                Ok(Some(restored)) => {
                    info!(role = self.role.name, sequence = restored.sequence, "goes on from a snapshot");
                    self.metrics.snapshots_used.inc();
                    return Some(restored);
                }
                Err(unusable) => unusable,
            };
            warn!(role = self.role.name, error = chain(&unusable), "the snapshot is of no use");
            if n >= TRIES || !unusable.may_pass() {
                break;
            }
            sleep(backoff.pause()).await;
        }
        self.metrics.snapshots_failed.inc();
        warn!(role = self.role.name, "the log is folded from its first message");
        None
    }

    async fn newest<C: Core>(&mut self, make_core: &impl Fn() -> C) -> Result<Option<Restored<C>>, Unusable> {
        let Some((value, revision)) = self.pointer.get().await.map_err(Unusable::Bus)? else {
            return Ok(None);
        };
        self.revision = revision;
        let pointed: Pointed = serde_json::from_slice(&value).map_err(Unusable::Pointer)?;
        if pointed.fold != self.fold {
            return Err(Unusable::Version { found: pointed.fold, wanted: self.fold });
        }
        let last = self.context.bus.extent(self.role.stream).await.map_err(Unusable::Bus)?.last;
        if last < pointed.sequence {
            return Err(Unusable::BeyondLog { last, sequence: pointed.sequence });
        }
        let object = self.context.store.snapshot(&self.role.name, self.fold, &pointed.hash).await;
        let (head, state) = unframe(&object.map_err(Unusable::Store)?).ok_or(Unusable::Other)?;
        if (&head.role, head.fold, head.sequence) != (&self.role.name, self.fold, pointed.sequence) {
            return Err(Unusable::Other);
        }
        let mut core = make_core();
        core.load(&state).map_err(Unusable::Core)?;
        Ok(Some(Restored { core, ticked: head.ticked, sequence: head.sequence }))
    }

    /// Hears that the log has everything that followed from inputs up to `sequence`, `n_inputs` of them since last told, and
    /// begins to write a snapshot if it is time.
    pub(crate) async fn settled(&mut self, core: &impl Core, ticker: &Ticker, sequence: u64, n_inputs: u64) {
        self.n_inputs += n_inputs;
        if self.writing.as_ref().is_some_and(JoinHandle::is_finished) {
            self.written().await;
        }
        let is_due = self.n_inputs >= self.pace.inputs || self.since.elapsed() >= self.pace.every;
        if is_due && self.n_inputs > 0 && self.writing.is_none() {
            self.begin(core, ticker, sequence);
        }
    }

    /// Writes the last one, so that the next owner has little to fold; gives up after a moment.
    pub(crate) async fn last(&mut self, core: &impl Core, ticker: &Ticker, sequence: u64) {
        let writing = async {
            self.written().await;
            if self.n_inputs > 0 {
                self.begin(core, ticker, sequence);
                self.written().await;
            }
        };
        if timeout(LAST, writing).await.is_err() {
            warn!(role = self.role.name, "the last snapshot is given up, the role stops");
        }
    }

    fn begin(&mut self, core: &impl Core, ticker: &Ticker, sequence: u64) {
        (self.n_inputs, self.since) = (0, Instant::now());
        let Some(state) = core.save() else { return };
        let head = Head { role: self.role.name.clone(), fold: self.fold, sequence, ticked: ticker.ticked() };
        let Some(object) = frame(&head, &state) else { return };
        let task = write(
            self.context.clone(),
            self.pointer.clone(),
            self.revision,
            head,
            object,
            self.metrics.clone(),
        );
        self.writing = Some(tokio::spawn(task));
    }

    /// Waits for the one that is being written.
    async fn written(&mut self) {
        let Some(writing) = &mut self.writing else { return };
        // A task that panicked has written nothing that counts.
        if let Ok(Some(revision)) = writing.await {
            self.revision = revision;
        }
        self.writing = None;
    }
}

impl Drop for Snapshots {
    fn drop(&mut self) {
        if let Some(writing) = &self.writing {
            writing.abort();
        }
    }
}
