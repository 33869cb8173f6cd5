//! What ingest decides: what is a duplicate, which label belongs to which prediction, what is overdue, and at which place
//! among the rows control takes effect.
//!
//! It must not know of message formats, of the broker or of any clock. It does not judge the content of rows: that is the
//! validator's.

mod join;
mod labels;
mod marks;
mod memory;
mod order;
mod state;

pub use join::Ingest;
pub use memory::{Due, InMemory, Known, Memory};
pub use order::Order;
pub use state::{Control, Head, State, Tally};
