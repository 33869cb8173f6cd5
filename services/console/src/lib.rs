//! The console: answers what people ask about loops and takes what they want, over HTTP with JSON.
//!
//! It folds the log ([`tidemill_console_core::View`]), so it can be started and stopped at any time; it alone puts specs in
//! force. It must not act on a loop: a command is on the log when the answer is given, and the services do the rest.

pub mod api;
mod failure;
mod feed;
mod handlers;
mod log;
mod options;
mod server;
mod shared;
#[cfg(test)]
mod tests;
mod writer;

pub use log::{Answer, Log, LogError};
pub use options::{DEFAULT_ADDRESS, Options};
pub use server::{ConsoleError, run, run_on};
pub use shared::Shared;

pub use server::router;
