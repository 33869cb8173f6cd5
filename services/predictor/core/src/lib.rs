//! What the predictor decides: which model answers a row, which ones score it beside, and which models must be loaded.
//!
//! The core folds route tables and specs from the log. It must not know how models are loaded or how requests arrive; it
//! can be written to disk and read again, so that a predictor answers also when it starts while the bus is away (INV-7).

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should say so")
)]

mod route;

pub use route::{Router, Routing};
