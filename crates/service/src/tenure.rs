//! One tenure: from the claim to the loss of the lease or an orderly stop.

use std::ops::ControlFlow;
use std::sync::Arc;

use tidemill_bus::{Backoff, Error, Lease, Publisher, Received, chain};
use tidemill_events::emit::Emitter;
use tidemill_events::stream::Stream;
use tidemill_events::{Core, Draft, Event};
use tokio::time::sleep;
use tracing::{info, warn};

use crate::context::Context;
use crate::health::PartState;
use crate::jobs::{Jobs, Performer};
use crate::metrics::RoleMetrics;
use crate::outbox::Outbox;
use crate::role::RoleSetup;
use crate::snapshot::{Restored, Snapshots};
use crate::source::{Inputs, Source};
use crate::ticker::Ticker;
use crate::traces::Traces;
use crate::trouble::Trouble;

/// Works as the active replica until told to stop.
///
/// # Errors
/// When the role is fenced, or something fails that waiting inside did not mend.
pub(crate) async fn serve<C: Core, P: Performer<C::Job>, I: Inputs>(
    setup: &RoleSetup,
    make_core: &(impl Fn() -> C + Send + Sync),
    inputs: &I,
    performer: Arc<P>,
    context: &Context,
    lease: &Lease,
) -> Result<(), Trouble> {
    let role = &setup.role;
    context.health.set(&role.name, PartState::CatchingUp);
    let publisher = Publisher::claim(context.bus.clone(), role, lease).await?;
    let mut emitter = Emitter::new(&role.name);
    publisher.resume(&mut emitter);
    let metrics = context.metrics.role(&role.name);
    let mut snapshots =
        if I::RESUMES { Snapshots::open::<C>(context, role, setup.snapshots).await? } else { None };
    let restored = match &mut snapshots {
        Some(snapshots) => snapshots.restore(make_core).await,
        None => None,
    };
    let mut ticker = Ticker::new(&role.name);
    let (core, folded_to) = match restored {
        Some(Restored { core, ticked, sequence }) => {
            ticker.resume(ticked);
            (core, sequence)
        }
        None => (make_core(), 0),
    };
    let source = inputs.open_after(context, role, &emitter, folded_to).await?;
    let mut tenure = Tenure {
        context,
        setup,
        core,
        source,
        emitter,
        outbox: Outbox::new(context.clone(), &role.name, publisher, metrics.clone()),
        jobs: Jobs::new(performer, setup.concurrency, metrics.clone()),
        ticker,
        snapshots,
        folded_to,
        n_unsettled: 0,
        traces: Traces::default(),
        live: false,
        metrics,
    };
    tenure.work().await?;
    tenure.settled().await;
    if let Some(snapshots) = &mut tenure.snapshots {
        snapshots.last(&tenure.core, &tenure.ticker, tenure.folded_to).await;
    }
    Ok(())
}

struct Tenure<'a, C: Core, S, P> {
    context: &'a Context,
    setup: &'a RoleSetup,
    core: C,
    source: S,
    emitter: Emitter,
    outbox: Outbox,
    jobs: Jobs<C::Job, P>,
    ticker: Ticker,
    snapshots: Option<Snapshots>,
    /// The last input that was folded, with everything that followed from it on the log.
    folded_to: u64,
    /// Inputs folded since snapshots heard of them.
    n_unsettled: u64,
    traces: Traces,
    live: bool,
    metrics: RoleMetrics,
}

/// What woke the role.
enum Woken {
    Stop,
    Done(String, Box<Draft>),
    Due,
    Inputs(Result<Vec<Received>, Error>),
}

impl<C: Core, S: Source, P: Performer<C::Job>> Tenure<'_, C, S, P> {
    async fn work(&mut self) -> Result<(), Trouble> {
        let mut backoff = Backoff::default();
        loop {
            self.look_after();
            let deadline = self.core.deadline();
            self.source.hear_deadline(deadline);
            let wait = if self.ticks() { self.ticker.wait(deadline) } else { None };
            let woken = tokio::select! {
                biased;
                () = self.context.stop.cancelled() => Woken::Stop,
                (name, draft) = self.jobs.next_done() => Woken::Done(name, Box::new(draft)),
                () = sleep(wait.unwrap_or_default()), if wait.is_some() => Woken::Due,
                inputs = self.source.next() => Woken::Inputs(inputs),
            };
            match woken {
                Woken::Stop => return Ok(()),
                Woken::Done(name, draft) => {
                    self.outbox.report(&name, *draft, &mut self.traces).await?;
                    self.jobs.reported(name);
                }
                Woken::Due => self.tick().await?,
                Woken::Inputs(Ok(inputs)) => {
                    backoff.reset();
                    if self.fold_all(inputs).await?.is_break() {
                        return Ok(());
                    }
                    for output in self.source.ripe() {
                        let trace = self.traces.of(&output);
                        self.outbox.put(output, trace.as_ref()).await?;
                    }
                    self.source.settled(&self.emitter).await?;
                    self.settled().await;
                }
                Woken::Inputs(Err(error)) if error.is_fatal() => return Err(error.into()),
                Woken::Inputs(Err(error)) => {
                    warn!(role = self.setup.role.name, error = chain(&error), "reading is tried again");
                    sleep(backoff.pause()).await;
                }
            }
        }
    }

    /// Between batches: whether the past is folded, and which jobs are wanted.
    fn look_after(&mut self) {
        self.context.metrics.show_let_go(&self.setup.role.name, self.core.let_go());
        self.metrics.lag_events.set(i64::try_from(self.source.lag()).unwrap_or(i64::MAX));
        if !self.live && self.source.caught_up() {
            self.live = true;
            self.context.health.set(&self.setup.role.name, PartState::Live);
            info!(role = self.setup.role.name, folded = self.metrics.events_folded.get(), "live");
        }
        // What the past left undone is known only when all of it is folded.
        if self.live {
            self.jobs.reconcile(self.core.jobs());
        }
    }

    /// Whether this role asks for ticks: data roles get the time from ingest, among the rows.
    fn ticks(&self) -> bool {
        self.live && self.setup.role.stream == Stream::Loop
    }

    async fn tick(&mut self) -> Result<(), Trouble> {
        let deadline = self.core.deadline();
        if let Some(tick) = self.ticker.tick(deadline) {
            self.outbox.shared(&tick, None).await?;
            self.ticker.asked(deadline);
            self.metrics.ticks.inc();
        }
        Ok(())
    }

    /// Between batches, when the log has everything that was said.
    async fn settled(&mut self) {
        let n_inputs = std::mem::take(&mut self.n_unsettled);
        if let Some(snapshots) = &mut self.snapshots {
            snapshots.settled(&self.core, &self.ticker, self.folded_to, n_inputs).await;
        }
    }

    /// Folds inputs one by one, each with everything that follows from it, and stops between two if asked to.
    async fn fold_all(&mut self, inputs: Vec<Received>) -> Result<ControlFlow<()>, Trouble> {
        for Received { event, trace } in inputs {
            if self.context.stop.is_cancelled() {
                return Ok(ControlFlow::Break(()));
            }
            self.ticker.fold(&event);
            self.traces.hear(&event, trace);
            if matches!(event.event, Event::Unknown { .. }) {
                self.metrics.events_unknown.inc();
            }
            let drafts = self.core.fold(&event);
            self.metrics.events_folded.inc();
            self.metrics.newest_input_seconds.set(event.time.0 / 1_000_000);
            let n_drafts = drafts.len();
            let outputs = self.source.emit(&mut self.emitter, &event, drafts)?;
            self.metrics.events_suppressed.inc_by((n_drafts - outputs.len().min(n_drafts)) as u64);
            for output in outputs {
                let trace = self.traces.of(&output);
                self.outbox.put(output, trace.as_ref()).await?;
            }
            self.folded_to = event.sequence;
            self.n_unsettled += 1;
        }
        Ok(ControlFlow::Continue(()))
    }
}
