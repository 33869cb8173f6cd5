//! Jobs: what a core wants done outside of itself. Wanting is a level: each name runs once until the core stops wanting it.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;
use tidemill_bus::error::Cause;
use tidemill_bus::{Backoff, chain};
use tidemill_events::Draft;
use tidemill_events::core::NoJob;
use tokio::task::{AbortHandle, JoinSet};
use tracing::{error, info, warn};

use crate::metrics::RoleMetrics;

/// A job that takes its worker down so often is given up, where its performer knows how to say so.
const MAX_PANICS: u32 = 3;

/// Does jobs.
pub trait Performer<J>: Send + Sync + 'static {
    /// Does one job and says what is to be reported; what fails for good is a report too.
    ///
    /// # Errors
    /// When it may succeed later; then it is tried again.
    fn perform(&self, name: &str, job: J) -> impl Future<Output = Result<Draft, Cause>> + Send;

    /// The report for a job that cannot be done; none if only further tries can help.
    fn give_up(&self, _job: &J, _reason: &str) -> Option<Draft> {
        None
    }
}

/// Does the jobs of cores that have none.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoJobs;

impl Performer<NoJob> for NoJobs {
    async fn perform(&self, _: &str, job: NoJob) -> Result<Draft, Cause> {
        match job {}
    }
}

/// The jobs of a role.
pub(crate) struct Jobs<J, P> {
    performer: Arc<P>,
    concurrency: usize,
    metrics: RoleMetrics,
    running: JoinSet<(String, Draft)>,
    handles: BTreeMap<String, AbortHandle>,
    reported: BTreeSet<String>,
    _job: std::marker::PhantomData<fn(J)>,
}

impl<J: Clone + Send + 'static, P: Performer<J>> Jobs<J, P> {
    pub(crate) fn new(performer: Arc<P>, concurrency: usize, metrics: RoleMetrics) -> Self {
        Self {
            performer,
            concurrency: concurrency.max(1),
            metrics,
            running: JoinSet::new(),
            handles: BTreeMap::new(),
            reported: BTreeSet::new(),
            _job: std::marker::PhantomData,
        }
    }

    /// Starts what is wanted and does not run, as far as there is room; stops what is not wanted any more.
    pub(crate) fn reconcile(&mut self, wanted: Vec<(String, J)>) {
        let names: BTreeSet<&str> = wanted.iter().map(|(name, _)| name.as_str()).collect();
        self.reported.retain(|name| names.contains(name.as_str()));
        self.handles.retain(|name, handle| {
            let keep = names.contains(name.as_str());
            if !keep {
                info!(job = name, "a job is not wanted any more");
                handle.abort();
            }
            keep
        });
        let is_open = |name: &String| !self.handles.contains_key(name) && !self.reported.contains(name);
        let n_open = wanted.iter().filter(|(name, _)| is_open(name)).count();
        let n_before = self.handles.len();
        for (name, job) in wanted {
            if self.handles.len() >= self.concurrency {
                break;
            }
            if self.handles.contains_key(&name) || self.reported.contains(&name) {
                continue;
            }
            let task = until_done(Arc::clone(&self.performer), name.clone(), job, self.metrics.clone());
            self.handles.insert(name, self.running.spawn(task));
        }
        let n_waiting = n_open.saturating_sub(self.handles.len() - n_before);
        self.metrics.jobs_waiting.set(i64::try_from(n_waiting).unwrap_or(i64::MAX));
        self.metrics.jobs_running.set(i64::try_from(self.handles.len()).unwrap_or(i64::MAX));
    }

    /// The next job that is done, with its report; never comes back while there is none.
    pub(crate) async fn next_done(&mut self) -> (String, Draft) {
        loop {
            match self.running.join_next().await {
                // What was stopped between its end and now is not wanted.
                Some(Ok((name, draft))) if self.handles.contains_key(&name) => return (name, draft),
                Some(Ok(_)) => {}
                Some(Err(e)) if e.is_cancelled() => {}
                Some(Err(e)) => error!(%e, "a job ended without a result"),
                None => std::future::pending().await,
            }
        }
    }

    /// Tells that the report of a job is on the log.
    pub(crate) fn reported(&mut self, name: String) {
        self.handles.remove(&name);
        self.reported.insert(name);
        self.metrics.jobs_finished.inc();
    }
}

async fn until_done<J: Clone, P: Performer<J>>(
    performer: Arc<P>,
    name: String,
    job: J,
    metrics: RoleMetrics,
) -> (String, Draft) {
    let mut backoff = Backoff::default();
    let mut n_panics = 0;
    loop {
        match guarded(&*performer, &name, job.clone()).await {
            Ok(draft) => return (name, draft),
            Err(Failure::Later(error)) => {
                warn!(job = name, error = chain(&*error), "a job failed, it is tried again")
            }
            Err(Failure::Panicked(reason)) => {
                error!(job = name, reason, "a job panicked");
                n_panics += 1;
                if n_panics >= MAX_PANICS
                    && let Some(draft) = performer.give_up(&job, &reason)
                {
                    return (name, draft);
                }
            }
        }
        metrics.jobs_retried.inc();
        tokio::time::sleep(backoff.pause()).await;
    }
}

/// Why a job gave no result.
pub(crate) enum Failure {
    Later(Cause),
    Panicked(String),
}

/// Does a job; one that panics takes nothing with it.
pub(crate) async fn guarded<J, P: Performer<J>>(performer: &P, name: &str, job: J) -> Result<Draft, Failure> {
    match AssertUnwindSafe(performer.perform(name, job)).catch_unwind().await {
        Ok(Ok(draft)) => Ok(draft),
        Ok(Err(error)) => Err(Failure::Later(error)),
        Err(panic) => {
            let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
            Err(Failure::Panicked(text.unwrap_or_else(|| "panicked".into())))
        }
    }
}
