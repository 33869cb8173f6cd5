//! Scores two models on the rows of an evaluation, side by side.
//!
//! It must not know where rows or models come from: rows are given in dataset order, models as functions. Every row
//! counts for both models or for neither, so that the comparison stays paired.

use tidemill_domain::{CleanRow, Loss, Output, Value};
use tidemill_events::dataset::{RowRange, is_reserved};
use tidemill_events::verdict::{Comparison, EvaluationJob, Measurement};

/// What a loss counts as that is no finite number, or of an answer of the wrong kind: worse than any real one, and its
/// square can still be summed.
pub const WORST_LOSS: f64 = 1e100;

/// The rows of `job.located` with their numbers in dataset order.
pub fn numbered<'a>(job: &EvaluationJob, rows: &'a [CleanRow]) -> impl Iterator<Item = (u64, &'a CleanRow)> {
    (job.located.start..).zip(rows)
}

/// Whether a row judges: rows in `job.recent` all do, rows in `job.old` where they are reserved, none without a label. Who
/// reads many rows keeps only these.
#[must_use]
pub fn judges(job: &EvaluationJob, number: u64, row: &CleanRow) -> bool {
    let old = || contains(job.old, number) && is_reserved(&row.prediction_id);
    row.label.is_some() && (contains(job.recent, number) || old())
}

/// Compares `candidate` with `champion` on those of `rows` that judge, in order. For a first model the caller passes the
/// prior as `champion`.
#[must_use]
pub fn measure<'a>(
    job: &EvaluationJob,
    rows: impl Iterator<Item = (u64, &'a CleanRow)>,
    candidate: impl Fn(&CleanRow) -> Output,
    champion: impl Fn(&CleanRow) -> Output,
) -> Measurement {
    let loss = job.metric.loss();
    let mut measured = Measurement::default();
    for (number, row) in rows.filter(|(number, row)| judges(job, *number, row)) {
        let is_recent = contains(job.recent, number);
        let comparison = if is_recent { &mut measured.recent } else { &mut measured.old };
        if let Some(label) = &row.label {
            add(comparison, loss, &candidate(row), &champion(row), &label.value);
        }
    }
    measured
}

fn contains(range: RowRange, number: u64) -> bool {
    (range.from..range.to).contains(&number)
}

fn add(to: &mut Comparison, loss: Loss, candidate: &Output, champion: &Output, truth: &Value) {
    let (mine, theirs) = (bounded(loss, candidate, truth), bounded(loss, champion, truth));
    to.rows += 1;
    to.difference.insert(theirs - mine);
    to.champion_loss.insert(theirs);
    for (scores, output) in [(&mut to.candidate, candidate), (&mut to.champion, champion)] {
        if is_finite(output) {
            scores.add(output, truth);
        }
    }
    let hit = |output: &Output| Loss::ZeroOne.of(output, truth) == Some(0.0);
    to.negative_flips += u64::from(hit(champion) && !hit(candidate));
}

fn bounded(loss: Loss, output: &Output, truth: &Value) -> f64 {
    loss.of(output, truth).filter(|x| x.is_finite()).map_or(WORST_LOSS, |x| x.min(WORST_LOSS))
}

fn is_finite(output: &Output) -> bool {
    match output {
        Output::Number(x) => x.is_finite(),
        Output::Classes(classes) => classes.iter().all(|c| c.1.is_finite()),
    }
}

#[cfg(test)]
#[path = "tests/measure.rs"]
mod tests;
