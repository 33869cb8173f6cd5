//! What a first model is compared with: the class frequencies, or the mean, of the rows before those that judge it.

use tidemill_domain::{CleanRow, Output};
use tidemill_events::verdict::EvaluationJob;
use tidemill_learn::Prior;

/// The prior of a first model, learned from the rows of `job.located` that lie before `job.recent`, one after the other.
#[derive(Clone, Debug)]
pub struct Baseline {
    before: u64,
    prior: Prior,
}

impl Baseline {
    /// A prior that has seen nothing.
    #[must_use]
    pub fn new(job: &EvaluationJob) -> Self {
        Self { before: job.recent.from, prior: Prior::new(&job.schema) }
    }

    /// Takes the row of that number in dataset order.
    pub fn see(&mut self, number: u64, row: &CleanRow) {
        if let Some(label) = row.label.as_ref().filter(|_| number < self.before) {
            self.prior.observe(&label.value);
        }
    }

    /// What it answers to every row.
    #[must_use]
    pub fn answer(&self) -> Output {
        self.prior.predict()
    }
}
