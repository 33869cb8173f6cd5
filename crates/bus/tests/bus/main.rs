//! What the design believes of JetStream and what this crate makes of it, against the nats-server that is installed.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod believed;
mod dead;
mod granted;
mod harness;
mod lease;
mod permission;
mod provision;
mod publish;
mod read;
mod work;
