//! What ingest decides: what is a duplicate, which label belongs to which prediction, what is overdue, and at which place
//! among the rows control takes effect.
//!
//! It must not know of message formats, of the broker or of any clock. It does not judge the content of rows: that is the
//! validator's.

mod expiry;
mod join;
mod marks;
mod order;

pub use join::{Counters, Ingest};
pub use order::Order;
