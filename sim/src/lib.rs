//! The simulator: the cores of production over an in-memory log, on virtual time, in one process, deterministically.
//!
//! With it a user asks what a loop would have done on a recorded stream, learning quality is measured, and faults are
//! injected by seed. It must not know of the broker, of files or of any clock.

pub mod backtest;
pub mod check;
pub mod fault;
mod jobs;
mod log;
mod player;
pub mod result;
pub mod schedule;
mod world;

pub use jobs::Shelf;
pub use log::Stream;
pub use player::{Cast, Job, Player, Reads};
pub use world::{Options, World};
