//! What validator decides: which rows may teach, what can be cleaned, which rows make a segment, which segments a dataset.
//!
//! It must not know of file formats or of the broker; nor does it judge how well rows were predicted: that is the monitor's.

mod check;
mod dataset;
mod seal;
mod validate;

pub use check::{CheckedRow, check_label, check_row};
pub use dataset::Datasets;
pub use validate::Validate;
