//! Measures a candidate and the champion on the rows of the job, loaded from the store.

use tidemill_bus::error::Cause;
use tidemill_domain::ContentHash;
use tidemill_evaluator_core::{measure, prior};
use tidemill_events::dataset::RowRange;
use tidemill_events::training::Report;
use tidemill_events::verdict::{EvaluationJob, Measurement};
use tidemill_events::{Draft, Event, Log, Subject};
use tidemill_learn::Model;
use tidemill_service::Performer;
use tidemill_store::Store;

/// Does the jobs of the evaluator.
#[derive(Clone, Debug)]
pub struct Evaluate {
    store: Store,
}

impl Evaluate {
    /// Evaluations over what `store` holds.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    async fn model(&self, artefact: &ContentHash) -> Result<Result<Model, String>, Cause> {
        let bytes = self.store.artefact(artefact).await?;
        Ok(Model::from_bytes(&bytes).map_err(|e| format!("model {artefact}: {e}")))
    }

    async fn measure(&self, job: &EvaluationJob) -> Result<Result<Measurement, String>, Cause> {
        let end = job.located.start + job.located.segments.iter().map(|s| s.rows).sum::<u64>();
        let rows = self.store.rows(&job.located, RowRange { from: job.located.start, to: end }).await?;
        let candidate = match self.model(&job.candidate.model.artefact).await? {
            Ok(model) => model,
            Err(reason) => return Ok(Err(reason)),
        };
        let champion = match &job.champion {
            None => None,
            Some(champion) => match self.model(&champion.model.artefact).await? {
                Ok(model) => Some(model),
                Err(reason) => return Ok(Err(reason)),
            },
        };
        let job = job.clone();
        let measured = tokio::task::spawn_blocking(move || {
            let answer = |row: &tidemill_domain::CleanRow| candidate.predict(&row.features);
            match champion {
                Some(champion) => measure(&job, &rows, answer, |row| champion.predict(&row.features)),
                None => {
                    let prior = prior(&job, &rows);
                    measure(&job, &rows, answer, |_| prior.clone())
                }
            }
        });
        Ok(Ok(measured.await?))
    }
}

fn report(job: &EvaluationJob, report: Report) -> Draft {
    let to = Subject::log(job.loop_id.clone(), Log::Report);
    Draft::new(to, Event::Report(Box::new(report))).in_turn(job.turn.clone())
}

impl Performer<EvaluationJob> for Evaluate {
    async fn perform(&self, _: &str, job: EvaluationJob) -> Result<Draft, Cause> {
        let measured = self.measure(&job).await?;
        Ok(match measured {
            Ok(measurement) => report(&job, Report::Evaluated { job: job.clone(), measurement }),
            Err(reason) => report(&job, Report::EvaluationFailed { job: job.clone(), reason }),
        })
    }

    fn give_up(&self, job: &EvaluationJob, reason: &str) -> Option<Draft> {
        Some(report(job, Report::EvaluationFailed { job: job.clone(), reason: reason.to_owned() }))
    }
}
