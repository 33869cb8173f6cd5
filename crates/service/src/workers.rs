//! Workers: pull trials from the queue, run them, report, take them off the queue.

use std::sync::Arc;
use std::time::Duration;

use tidemill_bus::{Backoff, Error, Pulled, TraceParent, Work, WorkQueue, chain, clock, spans};
use tidemill_domain::{EventId, Timestamp};
use tidemill_events::stream::WORKERS;
use tidemill_events::training::{Report, TrialJob};
use tidemill_events::{Draft, Event, Log, Subject};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tracing::{error, info, warn};

use crate::context::Context;
use crate::health::PartState;
use crate::jobs::{Failure, Performer, guarded};
use crate::metrics::RoleMetrics;
use crate::outbox::{publish_shared, report};
use crate::role::RoleError;
use crate::trouble::Trouble;

/// How long one request for work stands.
const WAIT: Duration = Duration::from_secs(1);

/// Runs so many workers until `context.stop`; what they have not finished then is handed out again.
///
/// # Errors
/// When the broker does not let them work.
pub async fn run_workers<P: Performer<TrialJob>>(
    n_workers: usize,
    performer: Arc<P>,
    context: Context,
) -> Result<(), RoleError> {
    let failed = |source: Trouble| RoleError { role: WORKERS.to_owned(), source };
    context.health.set(WORKERS, PartState::Starting);
    let Some(queue) = open(&context).await.map_err(|e| failed(e.into()))? else { return Ok(()) };
    context.health.set(WORKERS, PartState::Live);
    let metrics = context.metrics.role(WORKERS);
    let mut workers = JoinSet::new();
    for _ in 0..n_workers.max(1) {
        workers.spawn(work(queue.clone(), Arc::clone(&performer), context.clone(), metrics.clone()));
    }
    let mut ended = Ok(());
    while let Some(worker) = workers.join_next().await {
        match worker {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                ended = Err(failed(error));
                workers.abort_all();
            }
            Err(e) => error!(%e, "a worker ended"),
        }
    }
    context.health.set(WORKERS, PartState::Stopped);
    ended
}

async fn open(context: &Context) -> Result<Option<WorkQueue>, Error> {
    let mut backoff = Backoff::default();
    loop {
        match WorkQueue::open(&context.bus).await {
            Ok(queue) => return Ok(Some(queue)),
            Err(error) if error.is_fatal() => return Err(error),
            Err(error) => warn!(error = chain(&error), "the work queue cannot be opened yet"),
        }
        tokio::select! {
            () = context.stop.cancelled() => return Ok(None),
            () = sleep(backoff.pause()) => {}
        }
    }
}

async fn work<P: Performer<TrialJob>>(
    queue: WorkQueue,
    performer: Arc<P>,
    context: Context,
    metrics: RoleMetrics,
) -> Result<(), Trouble> {
    let mut backoff = Backoff::default();
    loop {
        let pulled = tokio::select! {
            biased;
            () = context.stop.cancelled() => return Ok(()),
            pulled = queue.next(WAIT) => pulled,
        };
        match pulled {
            Ok(None) => backoff.reset(),
            Ok(Some(Pulled::Poison(_))) => _ = metrics.events_poison.inc(),
            Ok(Some(Pulled::Work(work))) => {
                metrics.jobs_running.inc();
                let ended = one(*work, &*performer, &context, &metrics).await;
                metrics.jobs_running.dec();
                ended?;
            }
            Err(error) if error.is_fatal() => return Err(error.into()),
            Err(error) => {
                warn!(error = chain(&error), "cannot pull work");
                sleep(backoff.pause()).await;
            }
        }
    }
}

async fn one<P: Performer<TrialJob>>(
    work: Work,
    performer: &P,
    context: &Context,
    metrics: &RoleMetrics,
) -> Result<(), Trouble> {
    let name = work.job.trial.as_str().to_owned();
    let began = clock::now();
    let draft = if work.is_exhausted() {
        failure(&work.job, format!("it was handed out {} times and never ended", work.delivery))
    } else {
        info!(trial = name, delivery = work.delivery, "trial begins");
        let performed = tokio::select! {
            biased;
            () = context.stop.cancelled() => Err(None),
            performed = guarded(performer, &name, work.job.clone()) => performed.map_err(Some),
        };
        match performed {
            Ok(draft) => draft,
            Err(failure) => {
                match failure {
                    None => info!(trial = name, "given back"),
                    Some(Failure::Later(error)) => {
                        metrics.jobs_retried.inc();
                        warn!(trial = name, error = chain(&*error), "a trial failed and is given back");
                    }
                    Some(Failure::Panicked(reason)) => {
                        metrics.jobs_retried.inc();
                        error!(trial = name, reason, "a trial panicked and is given back");
                    }
                }
                if let Err(error) = work.give_back().await {
                    warn!(trial = name, error = chain(&error), "it is handed out again later");
                }
                return Ok(());
            }
        }
    };
    let trace = tell_trial(&work, began);
    publish_shared(context, &report(WORKERS, &name, draft), Some(&trace)).await?;
    metrics.jobs_finished.inc();
    if let Err(error) = work.done().await {
        warn!(trial = name, error = chain(&error), "it may be handed out again, for nothing");
    }
    Ok(())
}

/// The trial as a span, between the request for it and its report.
fn tell_trial(work: &Work, began: Timestamp) -> TraceParent {
    let id = EventId::new(format!("trial/{}/{}", work.job.trial, work.delivery));
    let own = TraceParent::of_event(work.trace.as_ref(), &id);
    if spans::wanted() {
        spans::tell(&spans::Span {
            name: "trial",
            role: WORKERS,
            subject: "",
            id: id.as_str(),
            turn: Some(work.job.turn.as_str()),
            own: &own,
            parent: work.trace.as_ref(),
            began,
            ended: clock::now(),
        });
    }
    own
}

fn failure(job: &TrialJob, reason: String) -> Draft {
    let report = Report::TrialFailed { trial: job.trial.clone(), turn: job.turn.clone(), reason };
    let to = Subject::log(job.loop_id.clone(), Log::Report);
    Draft::new(to, Event::Report(Box::new(report))).in_turn(job.turn.clone())
}
