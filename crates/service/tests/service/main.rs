//! The shell around tiny cores, on a real nats-server.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod fault;
mod harness;
mod jobs;
mod replica;
mod restart;
mod snapshot;
mod tick;
