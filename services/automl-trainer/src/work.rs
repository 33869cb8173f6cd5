//! Runs a trial: rows from the store, learning on a thread of its own, the model back into the store.

use std::time::Instant;

use tidemill_automl_trainer_core::train::{self, TrialError};
use tidemill_bus::chain;
use tidemill_bus::error::Cause;
use tidemill_events::dataset::RowRange;
use tidemill_events::training::{Measured, Purpose, Report, TrialJob, TrialResult};
use tidemill_events::{Draft, Event, Log, Subject};
use tidemill_service::{Performer, process};
use tidemill_store::Store;

/// Runs trials.
#[derive(Clone, Debug)]
pub struct RunTrials {
    store: Store,
    worker: String,
}

impl RunTrials {
    /// Trials over what `store` holds; `worker` is the name under which they are reported.
    #[must_use]
    pub fn new(store: Store, worker: String) -> Self {
        Self { store, worker }
    }

    async fn run(&self, job: &TrialJob) -> Result<Result<TrialResult, TrialError>, Cause> {
        let started = Instant::now();
        let to = if job.purpose == Purpose::Search { job.validate.to } else { job.train.to };
        let from = job.train.from;
        let rows = self.store.rows(&job.located, RowRange { from, to }).await?;
        let running = job.clone();
        let computed = tokio::task::spawn_blocking(move || {
            let before = process::thread_cpu_seconds();
            let trained = train::run(&running, from, &rows);
            (trained, process::thread_cpu_seconds() - before)
        });
        let (trained, cpu_seconds) = computed.await?;
        let trained = match trained {
            Ok(trained) => trained,
            Err(error) => return Ok(Err(error)),
        };
        let artefact = match trained.artefact {
            Some(bytes) => Some(self.store.put_artefact(&bytes).await?),
            None => None,
        };
        let measured = Measured {
            wall_seconds: started.elapsed().as_secs_f64(),
            cpu_seconds,
            peak_rss_bytes: process::peak_rss_bytes(),
            worker: self.worker.clone(),
            code: env!("CARGO_PKG_VERSION").to_owned(),
        };
        Ok(Ok(TrialResult {
            score: trained.score,
            temperature: trained.temperature,
            metrics: trained.metrics,
            rows: trained.rows,
            artefact,
            profile: trained.profile,
            measured,
        }))
    }
}

fn report(job: &TrialJob, report: Report) -> Draft {
    let to = Subject::log(job.loop_id.clone(), Log::Report);
    Draft::new(to, Event::Report(Box::new(report))).in_turn(job.turn.clone())
}

fn failed(job: &TrialJob, reason: String) -> Draft {
    report(job, Report::TrialFailed { trial: job.trial.clone(), turn: job.turn.clone(), reason })
}

impl Performer<TrialJob> for RunTrials {
    async fn perform(&self, _: &str, job: TrialJob) -> Result<Draft, Cause> {
        Ok(match self.run(&job).await? {
            Ok(result) => {
                let (trial, turn) = (job.trial.clone(), job.turn.clone());
                report(&job, Report::TrialFinished { trial, turn, result })
            }
            Err(error) => failed(&job, chain(&error).to_string()),
        })
    }

    fn give_up(&self, job: &TrialJob, reason: &str) -> Option<Draft> {
        Some(failed(job, reason.to_owned()))
    }
}
