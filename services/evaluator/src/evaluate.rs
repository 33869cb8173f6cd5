//! Measures a candidate and the champion on the rows of the job, loaded from the store.

use tidemill_bus::error::Cause;
use tidemill_domain::{CleanRow, ContentHash, Output};
use tidemill_evaluator_core::{Baseline, judges, measure};
use tidemill_events::dataset::RowRange;
use tidemill_events::training::Report;
use tidemill_events::verdict::{EvaluationJob, Measurement};
use tidemill_events::{Draft, Event, Log, Subject};
use tidemill_learn::Model;
use tidemill_service::Performer;
use tidemill_store::Store;

/// What a candidate is compared with.
enum Opponent {
    /// The model that answers now.
    Champion(Box<Model>),
    /// What is answered without any model, to every row.
    Prior(Output),
}

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
        // Of many old rows few judge; the others are let go segment by segment.
        let mut kept: Vec<(u64, CleanRow)> = Vec::new();
        let mut baseline = Baseline::new(job);
        let all = RowRange { from: job.located.start, to: end };
        let see = |number: u64, row: &CleanRow| {
            baseline.see(number, row);
            if judges(job, number, row) {
                kept.push((number, row.clone()));
            }
        };
        self.store.visit(&job.located, all, see).await?;
        let candidate = match self.model(&job.candidate.model.artefact).await? {
            Ok(model) => model,
            Err(reason) => return Ok(Err(reason)),
        };
        let opponent = match &job.champion {
            None => Opponent::Prior(baseline.answer()),
            Some(champion) => match self.model(&champion.model.artefact).await? {
                Ok(model) => Opponent::Champion(Box::new(model)),
                Err(reason) => return Ok(Err(reason)),
            },
        };
        let job = job.clone();
        let measured = tokio::task::spawn_blocking(move || {
            let rows = kept.iter().map(|(number, row)| (*number, row));
            let answer = |row: &CleanRow| candidate.predict(&row.features);
            measure(&job, rows, answer, |row| match &opponent {
                Opponent::Champion(champion) => champion.predict(&row.features),
                Opponent::Prior(answer) => answer.clone(),
            })
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
