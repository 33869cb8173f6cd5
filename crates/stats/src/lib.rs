//! The statistics of the loop: mergeable sketches, tests between two samples, drift detectors, sequential inference.
//!
//! Everything here is a pure function of its arguments: the same inserts in the same order give the same bytes. This
//! crate must not know of features, models, events, files or any clock. Whatever travels in an event is finite and
//! serialisable; a quantity that does not exist yet is `None`, never NaN or infinity, which JSON cannot carry.

pub mod drift;
pub mod estimate;
pub mod multiple;
pub mod psi;
pub mod sequential;
pub mod sketch;
pub mod two_sample;
