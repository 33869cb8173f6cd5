//! Tests of the whole system: real nats-server, real services, one binary.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod control;
mod faults;
mod hostile;
mod same_decisions;
mod small;
mod whole_turn;
