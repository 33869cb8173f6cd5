//! A trial, computed: learn from the rows of the job, be scored on later ones, or become an artefact.
//!
//! Pure: rows in, result out. Measuring what it costs is the business of whoever calls it.

use std::collections::BTreeMap;

use tidemill_domain::{CleanRow, Loss, Scores};
use tidemill_events::dataset::{RowRange, is_reserved};
use tidemill_events::model::{Profile, sketch_size};
use tidemill_events::training::{Choice, Purpose, TrialJob};
use tidemill_learn::{Model, Recipe, TrainRow, ensemble, fit};

/// The rows of a profile, at most about so many, to which the model's answers are asked: enough for their distribution.
const ANSWERED: usize = 4_000;

/// What a trial gave, before anything is stored.
#[derive(Clone, Debug)]
pub struct Trained {
    /// The mean loss on the rows to be scored on; none for a refit.
    pub score: Option<f64>,
    /// How over-confident it was on the rows to be scored on, which the score allows for.
    pub temperature: Option<f64>,
    /// Metrics by name.
    pub metrics: BTreeMap<String, f64>,
    /// Rows learned from.
    pub rows: u64,
    /// The model as bytes; none for a search.
    pub artefact: Option<Vec<u8>>,
    /// The distribution of the rows learned from; none for a search.
    pub profile: Option<Profile>,
}

/// Why a trial gives no result.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    /// When the model cannot be written.
    #[error("the model cannot be written as an artefact")]
    Artefact(#[source] tidemill_learn::BundleError),
    /// When learning fails.
    #[error("learning failed")]
    Fit(#[source] tidemill_learn::FitError),
    /// When no row could be scored.
    #[error("none of the rows {from} to {to} could be scored", from = .0.from, to = .0.to)]
    NothingScored(RowRange),
}

/// Runs a trial on `rows`, which are those of the job's dataset from row number `start` on.
///
/// # Errors
/// When there is nothing to learn from, learning fails, or no row can be scored.
pub fn run(job: &TrialJob, start: u64, rows: &[CleanRow]) -> Result<Trained, TrialError> {
    let numbered = || (start..).zip(rows);
    let within = |range: RowRange, number: u64| (range.from..range.to).contains(&number);
    // Reserved rows teach nothing: they judge models on old data (INV-5).
    let taught = |range: RowRange| -> Vec<TrainRow<'_>> {
        numbered()
            .filter(|(number, row)| within(range, *number) && !is_reserved(&row.prediction_id))
            .filter_map(|(_, row)| Some((row, &row.label.as_ref()?.value)))
            .map(|(row, target)| TrainRow { features: &row.features, target, weight: 1.0 })
            .collect()
    };
    let learn = |choice: &Choice, rows: &[TrainRow<'_>]| {
        let (algorithm, parameters) = (choice.algorithm, choice.parameters.clone());
        fit(&job.schema, &Recipe { algorithm, parameters, seed: job.seed }, rows).map_err(TrialError::Fit)
    };
    let train_rows = taught(job.train);
    let n_rows = train_rows.len() as u64;
    let model = if job.members.is_empty() {
        learn(&job.choice, &train_rows)?.tempered(job.temperature.unwrap_or(1.0))
    } else {
        let members = job.members.iter().map(|m| {
            let model = learn(&m.choice, &taught(m.train))?;
            Ok((m.weight, model.tempered(m.temperature.unwrap_or(1.0))))
        });
        ensemble(members.collect::<Result<_, _>>()?).map_err(TrialError::Fit)?
    };
    match job.purpose {
        Purpose::Search => {
            // Its temperature is learned from these rows, so that the reserved ones are left out here too.
            let judges = taught(job.validate);
            let temperature = model.temperature_on(&judges);
            let model = model.tempered(temperature.unwrap_or(1.0));
            let (score, metrics) =
                score(&model, job.metric.loss(), &judges).ok_or(TrialError::NothingScored(job.validate))?;
            Ok(Trained {
                score: Some(score),
                temperature,
                metrics,
                rows: n_rows,
                artefact: None,
                profile: None,
            })
        }
        Purpose::Refit => {
            let profile = profile(job, &model, &train_rows);
            let artefact = model.to_bytes().map_err(TrialError::Artefact)?;
            Ok(Trained {
                score: None,
                temperature: None,
                metrics: BTreeMap::new(),
                rows: n_rows,
                artefact: Some(artefact),
                profile: Some(profile),
            })
        }
    }
}

/// The distribution of the rows learned from, and of the model's answers to a sample of them, evenly over time.
fn profile(job: &TrialJob, model: &Model, rows: &[TrainRow<'_>]) -> Profile {
    let mut profile = Profile::new(&job.schema, sketch_size(job.schema.features.len()));
    let every = rows.len().div_ceil(ANSWERED).max(1);
    for (number, row) in rows.iter().enumerate() {
        let output = (number % every == 0).then(|| model.predict(row.features));
        profile.add(row.features, output.as_ref());
    }
    profile
}

fn score(model: &Model, loss: Loss, rows: &[TrainRow<'_>]) -> Option<(f64, BTreeMap<String, f64>)> {
    let (mut sum, mut n_scored) = (0.0, 0_u64);
    let mut scores = Scores::default();
    for row in rows {
        let output = model.predict(row.features);
        if let Some(x) = loss.of(&output, row.target) {
            sum += x;
            n_scored += 1;
            scores.add(&output, row.target);
        }
    }
    (n_scored > 0).then(|| (sum / n_scored as f64, scores.all()))
}
