//! What the evaluator decides: which rows judge a candidate, and whether what was measured on them lets it pass.
//!
//! The core reads the loop's log and answers each candidate with one verdict. It must not know how models are loaded or
//! scored: a job says what to measure, [`measure()`] turns two models' answers into figures, [`judge`] turns those into gates.

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should say so")
)]

pub mod gates;
pub mod measure;
mod prior;
mod rows;
mod turns;

pub use gates::{judge, without_evidence};
pub use measure::{judges, measure, numbered};
pub use prior::Baseline;
pub use rows::{MAX_OLD_ROWS, MAX_RECENT_ROWS};
pub use turns::Evaluator;
