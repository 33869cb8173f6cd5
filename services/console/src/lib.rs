//! The console: answers what people ask about loops and takes what they want, over HTTP with JSON.
//!
//! It folds the log, into memory for what is now ([`tidemill_console_core::View`]) and into SQL for what was ([`SqlView`]), so it
//! can be started and stopped at any time; it alone puts specs in force. It must not act on a loop: a command is on the log when the answer is given, and the services do the rest.

pub mod api;
mod failure;
mod feed;
mod handlers;
mod log;
mod options;
mod queries;
mod routes;
mod server;
mod shared;
mod sql;
#[cfg(test)]
mod tests;
mod writer;

pub use log::{Answer, Log, LogError};
pub use options::{DEFAULT_ADDRESS, DEFAULT_VIEW, Options};
pub use server::{ConsoleError, router, run, run_on};
pub use shared::Shared;

pub use sql::{Source, SqlError, SqlView};
