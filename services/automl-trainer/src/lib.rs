//! The shell of automl-trainer: one role that leads the search, and workers that run its trials.
//!
//! Workers need not live where the role does: any number of processes may run them alone.

mod queue;
mod work;

use std::sync::Arc;

use clap::Args;
use tidemill_automl_trainer_core::Trainer;
use tidemill_events::stream::Role;
use tidemill_service::{Context, RoleError, run_all, run_workers};

pub use queue::Enqueue;
pub use work::RunTrials;

/// What the service is told beside what all are.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// How many trials run at the same time in this process; 0 leaves them to others
    #[arg(long, env = "TIDEMILL_WORKERS", default_value_t = 2)]
    pub workers: u16,
    /// Only run trials: decide nothing
    #[arg(long, env = "TIDEMILL_WORKERS_ONLY")]
    pub workers_only: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { workers: 2, workers_only: false }
    }
}

/// Runs the role and the workers until `context.stop`.
///
/// # Errors
/// When trying again cannot help: a permission is missing.
pub async fn run(context: Context, options: Options) -> Result<(), RoleError> {
    let mut parts: Vec<futures::future::BoxFuture<'static, _>> = Vec::new();
    if !options.workers_only {
        let enqueue = Arc::new(Enqueue);
        parts.push(Box::pin(tidemill_service::run(Role::trainer(), Trainer::new, enqueue, context.clone())));
    }
    if options.workers > 0 {
        let trials = Arc::new(RunTrials::new(context.store.clone(), context.owner.clone()));
        parts.push(Box::pin(run_workers(usize::from(options.workers), trials, context.clone())));
    }
    run_all(&context, parts).await
}
