//! What monitor decides: which rows are measured together, what a window of them says, and when that is worth an alert.
//!
//! Two cores. [`Measure`] reads the accepted rows of one partition and closes windows of sketches; [`Merge`] brings the
//! windows of all partitions together, computes figures from them and raises alerts. Neither may know how rows reach it,
//! what a model is made of, or what is done about an alert.

mod alarms;
mod answering;
mod binned;
mod decay;
mod drift;
mod figures;
mod gather;
mod hysteresis;
mod measure;
mod merge;
mod open;
mod policy;
mod series;
mod shed;
mod stream;
mod whole;
mod wording;

pub use drift::{MAJOR_PSI, MIN_ROWS, MOVED_PSI};
pub use measure::Measure;
pub use merge::Merge;
pub use shed::Shed;
