//! Jobs done in place: trials and evaluations over rows and models that are kept in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidemill_automl_trainer_core::train;
use tidemill_domain::{CleanRow, ContentHash, Span};
use tidemill_evaluator_core::{Baseline, measure, numbered};
use tidemill_events::core::Content;
use tidemill_events::dataset::Located;
use tidemill_events::training::{Measured, Report, TrialJob, TrialResult};
use tidemill_events::verdict::EvaluationJob;
use tidemill_learn::Model;

/// What production keeps in its store: segments and models by hash.
#[derive(Clone, Debug, Default)]
pub struct Shelf {
    segments: BTreeMap<ContentHash, Arc<Vec<CleanRow>>>,
    models: BTreeMap<ContentHash, (u64, Arc<Model>)>,
    stored: u64,
}

/// Models that nobody routes to yet are kept while so few others are newer.
const NEWEST_MODELS: u64 = 8;

impl Shelf {
    pub(crate) fn store(&mut self, content: &Content) {
        match content {
            Content::Segment { hash, rows, .. } => {
                self.segments.insert(hash.clone(), Arc::clone(rows));
            }
        }
    }

    /// A model.
    #[must_use]
    pub fn model(&self, artefact: &ContentHash) -> Option<&Arc<Model>> {
        self.models.get(artefact).map(|(_, model)| model)
    }

    /// The rows of a segment.
    #[must_use]
    pub fn segment(&self, hash: &ContentHash) -> Option<&Arc<Vec<CleanRow>>> {
        self.segments.get(hash)
    }

    fn rows(&self, located: &Located) -> Result<Vec<CleanRow>, String> {
        let mut rows = Vec::new();
        for segment in &located.segments {
            let found =
                self.segments.get(&segment.hash).ok_or(format!("segment {} is not stored", segment.hash))?;
            rows.extend(found.iter().cloned());
        }
        Ok(rows)
    }

    /// Runs a trial; its cost in virtual time is the job's own estimate.
    pub(crate) fn trial(&mut self, job: &TrialJob) -> (Report, Span) {
        let (trial, turn) = (job.trial.clone(), job.turn.clone());
        let trained = self
            .rows(&job.located)
            .and_then(|rows| train::run(job, job.located.start, &rows).map_err(|e| with_sources(&e)));
        let report = match trained.and_then(|t| Ok((self.keep(t.artefact.as_deref())?, t))) {
            Ok((artefact, t)) => Report::TrialFinished {
                trial,
                turn,
                result: TrialResult {
                    score: t.score,
                    temperature: t.temperature,
                    metrics: t.metrics,
                    rows: t.rows,
                    artefact,
                    profile: t.profile,
                    measured: Measured { worker: "simulator".to_owned(), ..Measured::default() },
                },
            },
            Err(reason) => Report::TrialFailed { trial, turn, reason },
        };
        (report, job.modelled)
    }

    fn keep(&mut self, artefact: Option<&[u8]>) -> Result<Option<ContentHash>, String> {
        let Some(bytes) = artefact else { return Ok(None) };
        let model = Model::from_bytes(bytes).map_err(|e| with_sources(&e))?;
        let hash = ContentHash::of(bytes);
        self.stored += 1;
        self.models.insert(hash.clone(), (self.stored, Arc::new(model)));
        Ok(Some(hash))
    }

    /// Measures a candidate; a row takes ten microseconds of virtual time for each model.
    pub(crate) fn evaluate(&self, job: &EvaluationJob) -> (Report, Span) {
        let span = Span(20 * i64::try_from(job.recent.rows() + job.old.rows()).unwrap_or(i64::MAX / 20));
        let report = match self.measure(job) {
            Ok(measurement) => Report::Evaluated { job: job.clone(), measurement },
            Err(reason) => Report::EvaluationFailed { job: job.clone(), reason },
        };
        (report, span)
    }

    fn measure(&self, job: &EvaluationJob) -> Result<tidemill_events::verdict::Measurement, String> {
        let rows = self.rows(&job.located)?;
        let find = |artefact: &ContentHash| {
            self.model(artefact).ok_or_else(|| format!("model {artefact} is not stored"))
        };
        let candidate = find(&job.candidate.model.artefact)?;
        Ok(match &job.champion {
            Some(champion) => {
                let champion = find(&champion.model.artefact)?;
                measure(
                    job,
                    numbered(job, &rows),
                    |r| candidate.predict(&r.features),
                    |r| champion.predict(&r.features),
                )
            }
            None => {
                let mut baseline = Baseline::new(job);
                numbered(job, &rows).for_each(|(number, row)| baseline.see(number, row));
                let prior = baseline.answer();
                measure(job, numbered(job, &rows), |r| candidate.predict(&r.features), |_| prior.clone())
            }
        })
    }

    /// Lets go of models that nobody can ask for any more.
    pub(crate) fn keep_models(&mut self, live: &[ContentHash]) {
        let newest = self.stored.saturating_sub(NEWEST_MODELS);
        self.models.retain(|hash, (stored, _)| *stored > newest || live.contains(hash));
    }
}

/// An error with everything that led to it, on one line.
fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text.push_str(&format!(": {inner}"));
        source = inner.source();
    }
    text
}
