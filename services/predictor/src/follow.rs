//! Puts in force what was kept on disk, then follows the loops' log, and puts a table in force once all its models are loaded.
//! Until then the one before it answers: a swap fails no request, and a model that cannot be loaded stops nothing but itself.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use tidemill_bus::{Backoff, chain};
use tidemill_domain::{ContentHash, LoopId};
use tidemill_events::{Event, Recorded};
use tidemill_predictor_core::Router;
use tidemill_service::{Health, PartState};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::sleep;
use tracing::{error, info};

use crate::control::Control;
use crate::counted::Counted;
use crate::keep::Kept;
use crate::load::{Artefacts, Schemas, Wanted, load_all, load_some};
use crate::serving::{LoopState, Serving, Snapshot};
use crate::shelf::Shelf;

/// The part of the process that readiness speaks of.
pub(crate) const PART: &str = "predictor";
/// Schemas remembered for each loop. A model that is older than so many changes of shape cannot be loaded any more.
const MAX_SCHEMAS: usize = 64;

/// What the log says of one loop.
#[derive(Default)]
struct Known {
    router: Router,
    schemas: Schemas,
    /// The schemas in the order in which they came.
    order: Vec<ContentHash>,
    changed: bool,
    loading: Option<AbortHandle>,
    /// How many loads have begun; only what the last one gives comes into force.
    loads: u64,
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
    shelf: Arc<Shelf<A>>,
    loops: BTreeMap<LoopId, Known>,
    loading: JoinSet<Loaded>,
    in_force: watch::Sender<Arc<Snapshot>>,
    counted: Counted,
    health: Health,
}

/// A load that ended: of which loop, the which of that loop, and what it loaded.
type Loaded = (LoopId, u64, Arc<Serving>);

impl<A: Artefacts> Follower<A> {
    pub(crate) fn new(
        shelf: Arc<Shelf<A>>,
        in_force: watch::Sender<Arc<Snapshot>>,
        counted: Counted,
        health: Health,
    ) -> Self {
        Self { shelf, loops: BTreeMap::new(), loading: JoinSet::new(), in_force, counted, health }
    }

    /// Puts in force what was kept, and then follows until it is dropped, whatever becomes of the log: a predictor that
    /// cannot read it goes on with what it has.
    pub(crate) async fn run(mut self, kept: Vec<Kept>, mut control: impl Control) -> Infallible {
        self.health.set(PART, PartState::CatchingUp);
        self.restore(kept).await;
        let mut backoff = Backoff::default();
        loop {
            // Of the past only the last table counts.
            if control.caught_up() {
                self.load_what_changed();
            }
            tokio::select! {
                Some(loaded) = self.loading.join_next(), if !self.loading.is_empty() => {
                    // A load that was overtaken ends without a result.
                    if let Ok((loop_id, load, serving)) = loaded {
                        self.put_in_force(&loop_id, load, serving);
                    }
                }
                events = control.next() => match events {
                    Ok(events) => {
                        backoff.reset();
                        for event in events {
                            self.loops.entry(event.subject.loop_id.clone()).or_default().fold(&event);
                        }
                    }
                    Err(error) => {
                        self.counted.read_failures.inc();
                        error!(error = chain(&error), "the log of the loops cannot be read, what is in force stays");
                        sleep(backoff.pause()).await;
                    }
                }
            }
        }
    }

    /// Puts in force whatever of it can be loaded from the data folder, and begins to load the rest from the store. The log
    /// is read from its beginning all the same, and what it says replaces this.
    async fn restore(&mut self, kept: Vec<Kept>) {
        let mut answering = 0;
        for Kept { loop_id, router, schemas } in kept {
            let schemas = schemas.into_iter().map(|s| (s.hash(), Arc::new(s))).collect();
            let mut wanted = Wanted { loop_id: loop_id.clone(), router, schemas, known: BTreeMap::new() };
            let serving = load_some(&self.shelf.kept, &wanted, &self.counted).await;
            let table = serving.table_version(&loop_id);
            answering += usize::from(!serving.lacks_champion(&loop_id));
            let spec_version = wanted.router.spec(&loop_id).map_or(0, |applied| applied.version);
            self.in_force.send_modify(|snapshot| {
                let mut next = Snapshot::clone(snapshot);
                next.is_complete = true;
                let state = LoopState { serving: Arc::clone(&serving), wanted: table, spec_version };
                next.loops.insert(loop_id.clone(), state);
                *snapshot = Arc::new(next);
            });
            self.count(&loop_id, table);
            info!(%loop_id, table, whole = serving.is_whole(), "in force, as it was kept on disk");
            if !serving.is_whole() {
                wanted.known = serving.scorers.clone();
                self.load(wanted);
            }
        }
        if answering > 0 {
            self.health.set(PART, PartState::Live);
        }
    }

    fn load(&mut self, wanted: Wanted) {
        let loop_id = wanted.loop_id.clone();
        let known = self.loops.entry(loop_id.clone()).or_default();
        if let Some(overtaken) = known.loading.take() {
            overtaken.abort();
        }
        known.loads += 1;
        let n = known.loads;
        let load = load_all(Arc::clone(&self.shelf), wanted, self.counted.clone());
        known.loading = Some(self.loading.spawn(async move { (loop_id, n, load.await) }));
    }

    fn load_what_changed(&mut self) {
        let mut changed = Vec::new();
        for (loop_id, known) in self.loops.iter_mut().filter(|(_, known)| known.changed) {
            known.changed = false;
            let now = self.in_force.borrow().loops.get(loop_id).cloned().unwrap_or_default();
            changed.push(Wanted {
                loop_id: loop_id.clone(),
                router: known.router.clone(),
                schemas: known.schemas.clone(),
                known: now.serving.scorers.clone(),
            });
        }
        for wanted in changed {
            self.load(wanted);
        }
        // A loop of which the log says nothing stays as it was kept.
        let said = self.loops.iter().map(|(id, known)| (id.clone(), known.wanted(id)));
        let states: Vec<_> = said.filter(|(_, wanted)| *wanted != (0, 0)).collect();
        let is_ready = self.loading.is_empty();
        self.in_force.send_if_modified(|snapshot| {
            let is_same = snapshot.is_current
                && states
                    .iter()
                    .all(|(id, wanted)| snapshot.loops.get(id).map(LoopState::wanted_pair) == Some(*wanted));
            if is_same {
                return false;
            }
            let mut next = Snapshot::clone(snapshot);
            (next.is_complete, next.is_current) = (true, true);
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

    fn put_in_force(&mut self, loop_id: &LoopId, load: u64, serving: Arc<Serving>) {
        if self.loops.get(loop_id).is_none_or(|known| known.loads != load) {
            // It was overtaken just as it ended.
            return;
        }
        let table = serving.table_version(loop_id);
        self.in_force.send_modify(|snapshot| {
            let mut next = Snapshot::clone(snapshot);
            next.loops.entry(loop_id.clone()).or_default().serving = Arc::clone(&serving);
            *snapshot = Arc::new(next);
        });
        self.count(loop_id, table);
        info!(%loop_id, table, "in force");
    }

    fn count(&self, loop_id: &LoopId, table: u64) {
        let models: usize =
            self.in_force.borrow().loops.values().map(|state| state.serving.scorers.len()).sum();
        self.counted.models.set(i64::try_from(models).unwrap_or(i64::MAX));
        self.counted.table(loop_id, table);
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
