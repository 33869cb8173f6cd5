//! What crosses the bus: every event comes back as it was, and nothing that comes from outside can do harm.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod examples;
mod fixtures;
mod hostile;
mod intake;
mod make;
mod round_trip;
