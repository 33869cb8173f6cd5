//! What automl-trainer decides: whether to retrain, what to try, which model becomes the candidate.
//!
//! It must not know of files or of the broker. Computing a trial is pure and lives in [`train`]; who runs it, and when, is
//! the business of a worker.

mod memory;
mod policy;
mod split;
pub mod train;
mod trainer;
mod turn;

pub use trainer::Trainer;
