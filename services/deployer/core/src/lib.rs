//! What the deployer decides: which model answers what share, when a contender moves on, and when a champion goes back.
//!
//! The core reads the loop's log and writes `log.rollout`; every event carries the whole route table, so that whoever reads
//! the last one knows everything. It must not know how models are loaded, trained or measured: it acts on verdicts, on
//! paired windows, on alerts and on what people ask for.

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should say so")
)]

mod admit;
mod champion;
mod commands;
mod evidence;
mod hold;
mod loops;
mod rollout;
mod state;
mod watch;

pub use evidence::ALPHA;
pub use loops::Deployer;
pub use watch::COMPARED_ROWS;

#[cfg(test)]
#[path = "tests/harness.rs"]
mod harness;
#[cfg(test)]
#[path = "tests/properties.rs"]
mod properties;
