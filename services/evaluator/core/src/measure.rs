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

/// Compares `candidate` with `champion` on `rows`, which are those of `job.located`, in order.
///
/// Rows in `job.recent` are all used, rows in `job.old` where they are reserved; rows without a label are passed over. For
/// a first model the caller passes the prior as `champion`.
#[must_use]
pub fn measure(
    job: &EvaluationJob,
    rows: &[CleanRow],
    candidate: impl Fn(&CleanRow) -> Output,
    champion: impl Fn(&CleanRow) -> Output,
) -> Measurement {
    let loss = job.metric.loss();
    let mut measured = Measurement::default();
    for (number, row) in (job.located.start..).zip(rows) {
        let comparison = if contains(job.recent, number) {
            &mut measured.recent
        } else if contains(job.old, number) && is_reserved(&row.prediction_id) {
            &mut measured.old
        } else {
            continue;
        };
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
