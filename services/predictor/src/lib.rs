//! The shell of the predictor: gRPC in, answers out, a log of every prediction to the bus.
//!
//! Which model answers is decided by `tidemill-predictor-core`. Here models are loaded and swapped (module `follow`) and kept
//! on disk (`keep`), rows are answered (`answer`) and logged: in memory (`journal`), on disk (`spool`), on the bus
//! (`deliver`). An answer waits for nothing but its own model: not for the bus, not for the store, not for the disk, not
//! for the models that score beside it (INV-7).

mod answer;
mod away;
mod control;
mod counted;
mod data;
mod deliver;
mod follow;
mod journal;
mod keep;
mod load;
mod options;
mod row;
mod rpc;
mod serve;
mod serving;
mod shelf;
mod spool;

pub use control::Control;
pub use data::DataError;
pub use deliver::Sink;
pub use load::Artefacts;
pub use options::Options;
pub use serve::{Predictor, PredictorError, run, run_on};
