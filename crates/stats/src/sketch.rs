//! Summaries of a stream that merge: what a window keeps in place of its rows.
//!
//! Merging the sketches of two streams stands for sketching both. A sketch must not know which feature it describes.

mod counts;
mod moments;
mod quantiles;

pub use counts::{Counts, DEFAULT_MAX_CATEGORIES};
pub use moments::Moments;
pub use quantiles::{DEFAULT_K, Quantiles};
