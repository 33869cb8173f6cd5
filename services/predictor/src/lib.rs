//! The shell of the predictor: gRPC in, answers out, a log of every prediction to the bus.
//!
//! Which model answers is decided by `tidemill-predictor-core`. Here models are loaded and swapped (module `follow`), rows are
//! answered (`answer`) and logged (`journal`). An answer waits for nothing but its own model: not for the bus, not for
//! the store, not for the models that score beside it (INV-7).

mod answer;
mod counted;
mod follow;
mod journal;
mod load;
mod options;
mod row;
mod rpc;
mod serve;
mod serving;

pub use follow::Control;
pub use journal::Sink;
pub use load::Artefacts;
pub use options::Options;
pub use serve::{Predictor, PredictorError, run, run_on};
