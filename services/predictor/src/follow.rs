//! Follows the loops' log, and puts a table in force once all its models are loaded. Until then the one before it answers:
//! a swap fails no request, and a model that cannot be loaded stops nothing but itself.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use tidemill_bus::{Backoff, Bus, Error, Item, ReadFrom, Reader, chain};
use tidemill_domain::{ContentHash, LoopId};
use tidemill_events::stream::{Role, Stream};
use tidemill_events::{Event, Recorded};
use tidemill_predictor_core::Router;
use tidemill_service::{Health, Metrics, PartState};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tracing::{info, warn};

use crate::counted::Counted;
use crate::load::{Artefacts, Schemas, Wanted, load_all};
use crate::serving::{LoopState, Serving, Snapshot};

/// The part of the process that readiness speaks of.
pub(crate) const PART: &str = "predictor";
/// Schemas remembered for each loop. A model that is older than so many changes of shape cannot be loaded any more.
const MAX_SCHEMAS: usize = 64;
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
                tokio::time::sleep(self.backoff.pause()).await;
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

/// What the log says of one loop.
#[derive(Default)]
struct Known {
    router: Router,
    schemas: Schemas,
    /// The schemas in the order in which they came.
    order: Vec<ContentHash>,
    changed: bool,
    loading: Option<AbortHandle>,
}

impl Known {
    fn fold(&mut self, event: &Recorded) {
        if let Event::Spec(applied) = &event.event {
            let schema = &applied.spec.schema;
            let hash = schema.hash();
            self.order.retain(|known| *known != hash);
            self.order.push(hash.clone());
            self.schemas.insert(hash, Arc::new(schema.clone()));
            if self.order.len() > MAX_SCHEMAS {
                self.schemas.remove(&self.order.remove(0));
            }
        }
        self.changed |= self.router.fold(event);
    }
}

pub(crate) struct Follower<A> {
    artefacts: Arc<A>,
    loops: BTreeMap<LoopId, Known>,
    loading: JoinSet<(LoopId, Arc<Serving>)>,
    in_force: watch::Sender<Arc<Snapshot>>,
    counted: Counted,
    health: Health,
}

impl<A: Artefacts> Follower<A> {
    pub(crate) fn new(
        artefacts: Arc<A>,
        in_force: watch::Sender<Arc<Snapshot>>,
        counted: Counted,
        health: Health,
    ) -> Self {
        Self { artefacts, loops: BTreeMap::new(), loading: JoinSet::new(), in_force, counted, health }
    }

    /// Follows until it is dropped.
    ///
    /// # Errors
    /// When the log can not be read, and trying again cannot help.
    pub(crate) async fn run(mut self, mut control: impl Control) -> Result<(), Error> {
        self.health.set(PART, PartState::CatchingUp);
        loop {
            // Of the past only the last table counts.
            if control.caught_up() {
                self.load_what_changed();
            }
            tokio::select! {
                Some(loaded) = self.loading.join_next(), if !self.loading.is_empty() => {
                    // A load that was overtaken ends without a result.
                    if let Ok((loop_id, serving)) = loaded {
                        self.put_in_force(&loop_id, serving);
                    }
                }
                events = control.next() => {
                    for event in events? {
                        self.loops.entry(event.subject.loop_id.clone()).or_default().fold(&event);
                    }
                }
            }
        }
    }

    fn load_what_changed(&mut self) {
        for (loop_id, known) in self.loops.iter_mut().filter(|(_, known)| known.changed) {
            known.changed = false;
            if let Some(overtaken) = known.loading.take() {
                overtaken.abort();
            }
            let now = self.in_force.borrow().loops.get(loop_id).cloned().unwrap_or_default();
            let wanted = Wanted {
                loop_id: loop_id.clone(),
                router: known.router.clone(),
                schemas: known.schemas.clone(),
                known: now.serving.scorers.clone(),
            };
            let load = load_all(Arc::clone(&self.artefacts), wanted, self.counted.clone());
            let id = loop_id.clone();
            known.loading = Some(self.loading.spawn(async move { (id, load.await) }));
        }
        let states: Vec<_> = self.loops.iter().map(|(id, known)| (id.clone(), known.wanted(id))).collect();
        let is_ready = self.loading.is_empty();
        self.in_force.send_if_modified(|snapshot| {
            let is_same = snapshot.is_complete
                && states
                    .iter()
                    .all(|(id, wanted)| snapshot.loops.get(id).map(LoopState::wanted_pair) == Some(*wanted));
            if is_same {
                return false;
            }
            let mut next = Snapshot::clone(snapshot);
            next.is_complete = true;
            for (id, (wanted, spec_version)) in &states {
                let state = next.loops.entry(id.clone()).or_default();
                (state.wanted, state.spec_version) = (*wanted, *spec_version);
            }
            *snapshot = Arc::new(next);
            true
        });
        if is_ready && self.health.get(PART) != Some(PartState::Live) {
            self.health.set(PART, PartState::Live);
            info!(loops = self.loops.len(), "routes are in force");
        }
    }

    fn put_in_force(&mut self, loop_id: &LoopId, serving: Arc<Serving>) {
        let now = self.in_force.borrow().loops.get(loop_id).and_then(|state| state.serving.router.position());
        if serving.router.position() < now {
            // It was overtaken just as it ended.
            return;
        }
        let table = serving.table_version(loop_id);
        self.in_force.send_modify(|snapshot| {
            let mut next = Snapshot::clone(snapshot);
            next.loops.entry(loop_id.clone()).or_default().serving = Arc::clone(&serving);
            *snapshot = Arc::new(next);
        });
        let models: usize =
            self.in_force.borrow().loops.values().map(|state| state.serving.scorers.len()).sum();
        self.counted.models.set(i64::try_from(models).unwrap_or(i64::MAX));
        self.counted.table(loop_id, table);
        info!(%loop_id, table, "in force");
    }
}

impl Known {
    /// The versions of the table and of the spec.
    fn wanted(&self, loop_id: &LoopId) -> (u64, u64) {
        let table = self.router.table(loop_id).map_or(0, |table| table.version);
        (table, self.router.spec(loop_id).map_or(0, |applied| applied.version))
    }
}

impl LoopState {
    fn wanted_pair(&self) -> (u64, u64) {
        (self.wanted, self.spec_version)
    }
}
