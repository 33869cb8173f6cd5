//! Learning: from labelled rows to a model with its preprocessing inside, and from past trials to what to try next.
//!
//! Everything here is pure and seeded: the same rows, recipe and seed give the same model, byte for byte. This crate must
//! not know of events, files, clocks or threads; who calls it decides when and where to compute.
//!
//! - [`fit`] makes a [`Model`] from rows and a [`Recipe`]; [`Model::to_bytes`] is the artefact.
//! - [`ensemble`] joins several models into one.
//! - [`Prior`] is what any first model must beat.
//! - [`space`] lists the hyper-parameters, [`search`] proposes trials, [`cost`] says what a trial will take.

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should say so")
)]

mod boosting;
mod calibrate;
#[cfg(test)]
mod conformance;
pub mod cost;
mod ensemble;
mod error;
mod fit;
mod linear;
mod mlp;
mod model;
mod prepare;
mod prior;
pub mod search;
pub mod space;
mod target;
mod validate;

pub use ensemble::ensemble;
pub use error::{BundleError, FitError};
pub use fit::{Recipe, TrainRow, fit};
pub use model::{FORMAT, Model};
pub use prior::Prior;
