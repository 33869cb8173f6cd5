//! What the crate promises, seen from outside: agreement with SciPy and River, and the properties of each summary.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod detectors;
mod estimates;
mod moments_and_counts;
mod noise;
mod quantiles;
mod reference;
mod sequences;
