//! What a first model is compared with: the class frequencies, or the mean, of the rows before those that judge it.

use tidemill_domain::{CleanRow, Output};
use tidemill_events::verdict::EvaluationJob;
use tidemill_learn::Prior;

/// The answer of the prior, learned from the rows of `job.located` that lie before `job.recent`.
#[must_use]
pub fn prior(job: &EvaluationJob, rows: &[CleanRow]) -> Output {
    let mut prior = Prior::new(&job.schema);
    for (_, row) in (job.located.start..).zip(rows).take_while(|(number, _)| *number < job.recent.from) {
        if let Some(label) = &row.label {
            prior.observe(&label.value);
        }
    }
    prior.predict()
}
